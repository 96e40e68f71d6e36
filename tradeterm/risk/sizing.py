"""Reduce first: the largest leverage and size that fit every limit, to one lot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from tradeterm.model.money import ONE
from tradeterm.risk.case import HUNDRED, Case


def fit(case: Case, headroom: Decimal) -> None:
    """Cut leverage, then size; ``headroom`` (percent) is left free below each size limit."""
    if case.numbers_ok and case.drawdown is not None:
        _fit_leverage(case)
    if case.judgeable and case.numbers_ok:
        _fit_size(case, ONE - headroom / HUNDRED)


def _fit_leverage(case: Case) -> None:
    wish, caps = case.intent.leverage, case.caps
    case.cut.update(rule for rule, cap in caps.items() if wish > cap)
    allowed = min(caps.values())
    if wish > allowed:
        case.intent = replace(case.intent, leverage=allowed)


def _fit_size(case: Case, part: Decimal) -> None:
    """A size nothing fits is left as it is, so that the verdict shows by how much it fails."""
    instrument = case.instrument
    assert instrument is not None
    wish = case.intent.size
    limits = [limit for limit in _limits(case, part) if not limit.largest >= wish]
    if not limits:
        return
    size = instrument.size(min(limit.largest for limit in limits))
    size = _settled(limits, size, instrument.lot)
    if size > 0:
        case.cut.update(limit.rule for limit in limits)
        case.resize(size)


def _settled(limits: list[Limit], size: Decimal, lot: Decimal) -> Decimal:
    """Correct the last lot: the division before was rounded at 28 digits."""
    if not all(limit.holds(size) for limit in limits):
        return size - lot
    larger = size + lot
    return larger if all(limit.holds(larger) for limit in limits) else size


class Limit(NamedTuple):
    """A limit linear in the size: ``used(size)`` must be ≤ ``allowed``."""

    rule: str
    used: Callable[[Decimal], Decimal]
    allowed: Decimal
    largest: Decimal
    """The size at which they meet, rounded."""

    def holds(self, size: Decimal) -> bool:
        return self.used(size) <= self.allowed


def _limits(case: Case, part: Decimal) -> list[Limit]:
    settings, burden, unit = case.settings, case.burden, case.unit_notional
    assert burden is not None
    leverage, fee = case.intent.leverage, case.facts.taker_fee
    position = case.share(settings.max_position) * part
    risk = case.share(settings.max_risk) * part
    exposure = case.share(settings.max_exposure) * part - burden.notional
    margin = case.share(settings.max_margin) * part - burden.margin
    stacked = case.share(settings.max_correlated) * part
    free = case.account.free * part
    return [
        Limit("position_size", case.collateral, position, position * leverage / unit),
        Limit("risk_at_stop", case.risk, risk, risk / case.unit_risk),
        Limit("exposure", case.notional, exposure, exposure / unit),
        Limit(
            "correlated",
            case.stacked,
            stacked,
            min((stacked - carried) / (unit * weight) for carried, weight in case.views),
        ),
        Limit("margin_use", case.collateral, margin, margin * leverage / unit),
        Limit("cash", case.cost, free, free * leverage / (unit * (ONE + fee * leverage))),
    ]
