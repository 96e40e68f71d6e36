"""Breakers: how much was lost against each base, and from where on that is too much.

Pure: the figures follow from equity marks and settlements at every evaluation. What a breaker does
is carried out by the engine (``engine/breaking.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import Breaker
from tradeterm.risk.allowances import HUNDRED
from tradeterm.settings.risk import RiskSettings


class Bases(NamedTuple):
    """What losses are measured from, in account currency."""

    equity: Decimal
    day_start: Decimal
    high: Decimal
    """The highest of the last 24 hours."""
    week_start: Decimal
    peak: Decimal
    """The highest since the last reset."""
    losses: int
    """Losing trades in a row."""


class Reading(NamedTuple):
    """One breaker's figure against its limit: percent lost, or losses in a row."""

    breaker: Breaker
    used: Decimal
    limit: Decimal

    @property
    def reached(self) -> bool:
        """Reaching the limit is enough."""
        return self.used >= self.limit


def readings(bases: Bases, settings: RiskSettings) -> tuple[Reading, ...]:
    """Every breaker, in the order of how far they go."""
    equity = bases.equity
    today = max(lost_percent(bases.day_start, equity), lost_percent(bases.high, equity))
    week, fallen = lost_percent(bases.week_start, equity), lost_percent(bases.peak, equity)
    return (
        Reading(Breaker.DAILY, today, settings.max_daily_loss),
        Reading(Breaker.LOSSES, Decimal(bases.losses), Decimal(settings.max_losses)),
        Reading(Breaker.WEEKLY, week, settings.max_weekly_loss),
        Reading(Breaker.DRAWDOWN, fallen, settings.max_drawdown),
    )


def floor_equity(bases: Bases, settings: RiskSettings, but: Collection[Breaker] = ()) -> Decimal:
    """The equity at or below which a loss breaker is reached: one comparison says all is well.

    ``but``: those that need not be looked at.
    """
    floors = {
        Breaker.DAILY: max(bases.day_start, bases.high) * (HUNDRED - settings.max_daily_loss),
        Breaker.WEEKLY: bases.week_start * (HUNDRED - settings.max_weekly_loss),
        Breaker.DRAWDOWN: bases.peak * (HUNDRED - settings.max_drawdown),
    }
    return max((floor for of, floor in floors.items() if of not in but), default=ZERO) / HUNDRED


def lost_percent(base: Decimal, equity: Decimal) -> Decimal:
    """Percent of ``base`` that is gone; negative for a gain, all of it where there is no base."""
    return (base - equity) * HUNDRED / base if base > 0 else HUNDRED
