"""The figures at candles that follow each other, by column: most of them nobody looks at singly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log10
from typing import Any, Final, NamedTuple

import numpy as np

from tradeterm.market.candles import Column
from tradeterm.market.recipes import LOG_CHOP, IndicatorSet, arranged, finite

#: The fields that come from the recipes as columns.
_COLUMNS: Final = tuple(
    field
    for field in IndicatorSet.__struct_fields__
    if field not in ("ts", "close", "vwap", "squeeze")
)
_ROWS: Final = {field: row for row, field in enumerate(_COLUMNS)}


class FigureSeries:
    """One ``IndicatorSet`` per candle, oldest first, made when it is asked for."""

    __slots__ = ("_any_cold", "_cold", "_rows", "_squeezed", "_vwaps", "closes", "stamps")

    def __init__(
        self, stamps: Sequence[int], closes: Sequence[float], vwaps: Sequence[float | None],
        results: Sequence[Any],
    ) -> None:  # fmt: skip
        """``results``: columns of the recipes, at least as long; NaN: cold."""
        self.stamps, self.closes, self._vwaps = stamps, closes, vwaps
        span, edges, others = arranged(results)
        first = len(others[0]) - len(stamps)
        choppiness = _choppiness(*(column[first:] for column in span))
        self._rows = rows = np.array([choppiness, *(column[first:] for column in others)])
        trend, direction = rows[_ROWS["supertrend"]], rows[_ROWS["supertrend_direction"]]
        direction[np.isnan(trend)] = np.nan  # that of a cold one is 0
        self._squeezed = _squeezed(*(column[first:] for column in edges))
        self._cold = ~np.isfinite(rows).all(axis=1)
        """By row: whether one of it is missing."""
        self._any_cold = bool(self._cold.any())

    def __len__(self) -> int:
        return len(self.stamps)

    def __getitem__(self, index: int) -> IndicatorSet:
        choppiness, *others = self._figures(index)
        return IndicatorSet(
            self.stamps[index], self.closes[index], self._vwaps[index], choppiness,
            self._squeezed[index], *others,
        )  # fmt: skip

    def _figures(self, index: int) -> Iterable[Any]:
        figures: list[float] = self._rows[:, index].tolist()
        return map(finite, figures) if self._any_cold else figures

    def atr(self, index: int) -> float | None:
        """ATR 14 of one set alone."""
        return finite(float(self._rows[_ROWS["atr"], index]))

    def columns(self, *fields: str) -> list[Sequence[Any]]:
        """Some fields of all sets."""
        return [self._column(field) for field in fields]

    def _column(self, field: str) -> Sequence[Any]:
        if field == "close":
            return self.closes
        if field == "squeeze":
            return self._squeezed
        row = _ROWS[field]
        values: list[float] = self._rows[row].tolist()
        return list(map(finite, values)) if self._cold[row] else values


class Stretch(NamedTuple):
    """Bars closed together, and the figures after each of them."""

    base: int
    """The finest timeframe, seconds: that of the bars."""
    series: FigureSeries
    """Its figures."""
    first: int
    """Where the first bar stands in it."""
    longer: list[tuple[int, Mapping[int, IndicatorSet]]]
    """The sets of longer timeframes, ascending, from a bar on; the first is for bar 0."""

    def closed(self, place: int) -> tuple[int, float]:
        """When one of the bars closed (ns), and where."""
        at = self.first + place
        return self.series.stamps[at], self.series.closes[at]

    def figures(self, place: int) -> dict[int, IndicatorSet]:
        """By timeframe, ascending, after one of the bars."""
        (longer,) = (sets for _, sets in self.parts(range(place, place + 1)))
        return {self.base: self.series[self.first + place], **longer}

    def parts(self, places: range) -> Iterator[tuple[range, Mapping[int, IndicatorSet]]]:
        """Runs of ``places`` between which no longer candle closes, and the longer sets there."""
        ends = [place for place, _ in self.longer[1:]]
        at = 0
        for end, (_, sets) in zip((*ends, places.stop), self.longer, strict=True):
            upto = at
            while upto < len(places) and places[upto] < end:
                upto += 1
            if upto > at:
                yield places[at:upto], sets
            at = upto


def _choppiness(total: Column, high: Column, low: Column) -> Column:
    """That of ``recipes`` in each row; NaN where there is none."""
    sound = (high > low) & (total > 0.0) & np.isfinite(total)
    ratio = np.divide(total, high - low, out=np.ones(len(total)), where=sound)
    logs = np.array([*map(log10, ratio.tolist())])  # numpy's own differ in the last bit
    index: Column = np.where(sound, np.clip(100.0 * logs / LOG_CHOP, 0.0, 100.0), np.nan)
    return index


def _squeezed(upper: Column, lower: Column, k_upper: Column, k_lower: Column) -> list[bool | None]:
    """That of ``recipes`` in each row."""
    found: list[bool | None] = ((upper < k_upper) & (lower > k_lower)).tolist()
    for cold in np.flatnonzero(~np.isfinite(upper + lower + k_upper + k_lower)).tolist():
        found[cold] = None
    return found
