"""Correlation of symbols as measured on the run's own hourly closes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations, pairwise
from math import log, sqrt

from tradeterm.market.market import Market
from tradeterm.model.money import exact
from tradeterm.settings.risk import MeasuredSettings

HOUR_SECONDS = 3600


class Correlations:
    """Worked out anew when an hour closed: a pure function of the candles, nothing to keep."""

    def __init__(self, market: Market, settings: MeasuredSettings) -> None:
        self._market = market
        self._settings = settings
        self._seen: tuple[int, ...] = ()
        self._measured: dict[tuple[str, str], Decimal] = {}

    def measured(self) -> Mapping[tuple[str, str], Decimal]:
        """Both orders of each pair with enough common hours; the others are absent."""
        market = self._market
        if len(market.symbols) < 2:
            return self._measured
        hours = [market.symbol(name).windows.get(HOUR_SECONDS) for name in market.symbols]
        seen = tuple([0 if hour is None or not hour.count else hour.last_ts for hour in hours])
        if seen != self._seen and len(seen) > 1:
            self._seen = seen
            self._measured = self._work_out()
        return self._measured

    def _work_out(self) -> dict[tuple[str, str], Decimal]:
        returns = {name: self._returns(name) for name in self._market.symbols}
        found = {}
        for one, other in combinations(returns, 2):
            rho = _pearson(returns[one], returns[other], self._settings.least)
            if rho is not None:
                found[one, other] = found[other, one] = exact(round(rho, 4))
        return found

    def _returns(self, symbol: str) -> dict[int, float]:
        window = self._market.symbol(symbol).windows.get(HOUR_SECONDS)
        rows = () if window is None else window.rows(self._settings.hours + 1)
        return {
            row[0]: log(row[4] / before[4])
            for before, row in pairwise(rows)
            if row[4] > 0 and before[4] > 0
        }


def _pearson(one: Mapping[int, float], other: Mapping[int, float], least: int) -> float | None:
    """Over the hours both have; None for too few, or where one never moved."""
    pairs = [(value, other[ts]) for ts, value in one.items() if ts in other]
    if len(pairs) < least:
        return None
    count = len(pairs)
    mean_x = sum(x for x, _ in pairs) / count
    mean_y = sum(y for _, y in pairs) / count
    xx = sum((x - mean_x) ** 2 for x, _ in pairs)
    yy = sum((y - mean_y) ** 2 for _, y in pairs)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    if not xx * yy > 0:
        return None
    return max(-1.0, min(1.0, xy / sqrt(xx * yy)))
