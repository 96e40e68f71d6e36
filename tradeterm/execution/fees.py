"""Maker and taker fees by what was traded in the last 30 days."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.model.money import ZERO
from tradeterm.model.timing import DAY, day_start
from tradeterm.model.vocabulary import Liquidity
from tradeterm.settings.market import FeeSchedule, FeeTier

#: Days that count, the one under way included.
SPAN: Final = 30


class FeesState(msgspec.Struct, frozen=True):
    """Fees, written down: start of a UTC day (ns) → volume in account currency."""

    days: dict[int, Decimal]


class Fees:
    """The ladder and where on it the account stands. A fill pays the tier before it."""

    def __init__(self, schedule: FeeSchedule) -> None:
        self._tiers = schedule.tiers
        self._volumes = [tier.volume for tier in schedule.tiers]
        self._shares = [
            {Liquidity.MAKER: tier.maker / 100, Liquidity.TAKER: tier.taker / 100}
            for tier in schedule.tiers
        ]
        self._days: dict[int, Decimal] = {}
        self._total = ZERO

    def share(self, liquidity: Liquidity, now: int) -> Decimal:
        """The fee as a fraction of the notional, for a fill of this moment."""
        return self._shares[self._step(now)][liquidity]

    def tier(self, now: int) -> FeeTier:
        """The step of the ladder in force."""
        return self._tiers[self._step(now)]

    def _step(self, now: int) -> int:
        return max(0, bisect_right(self._volumes, self.volume(now)) - 1)

    def volume(self, now: int) -> Decimal:
        """Account currency traded in the last 30 UTC days, today included."""
        volume, first = self._total, _first_day(now)
        for day, traded in self._days.items():
            if day >= first:
                break
            volume -= traded
        return volume

    def traded(self, notional: Decimal, now: int) -> None:
        """Count a fill, in account currency."""
        day, first = day_start(now), _first_day(now)
        while self._days and (oldest := next(iter(self._days))) < first:
            self._total -= self._days.pop(oldest)
        self._days[day] = self._days.get(day, ZERO) + notional
        self._total += notional

    def dump(self) -> FeesState:
        """For a snapshot."""
        return FeesState(dict(self._days))

    def load(self, state: FeesState) -> None:
        """Become what was dumped."""
        self._days = dict(state.days)
        self._total = sum(self._days.values(), ZERO)


def _first_day(now: int) -> int:
    return day_start(now) - (SPAN - 1) * DAY
