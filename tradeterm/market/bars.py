"""Bars of a file as columns: a ``Candle`` is only made when somebody looks at one.

A year of 5-minute bars is 105,120 candles, and nearly all of them are passed over in runs
(``engine/quiet.py``). Those are read straight from the columns, higher timeframes included.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from tradeterm.model.market import Candle, MarketEvent
from tradeterm.model.timing import SECOND

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """Consecutive bars: close stamps (ns), figures, and what VWAP adds up."""

    stamps: array[int]
    opens: array[float]
    highs: array[float]
    lows: array[float]
    closes: array[float]
    volumes: array[float]
    worth: array[float]
    """Typical price × volume."""

    @classmethod
    def of(cls, candles: Sequence[Candle]) -> Columns:
        """The columns of some candles."""
        worth = [(c.high + c.low + c.close) / 3.0 * c.volume for c in candles]
        return cls(
            array("q", [c.ts for c in candles]),
            array("d", [c.open for c in candles]),
            array("d", [c.high for c in candles]),
            array("d", [c.low for c in candles]),
            array("d", [c.close for c in candles]),
            array("d", [c.volume for c in candles]),
            array("d", worth),
        )

    def part(self, start: int, stop: int) -> Columns:
        """Some of them."""
        stamps, *figures = self
        return Columns(stamps[start:stop], *[column[start:stop] for column in figures])


class Bars(Sequence[MarketEvent]):
    """Candles of one symbol, each exactly one interval after the one before, as columns."""

    __slots__ = ("_buckets", "columns", "symbol", "timeframe")

    def __init__(self, symbol: str, timeframe: int, columns: Columns) -> None:
        """``timeframe`` in seconds; stamps and figures have been checked at the border."""
        self.symbol = symbol
        self.timeframe = timeframe
        self.columns = columns
        self._buckets: dict[int, Buckets] = {}

    @classmethod
    def of(cls, symbol: str, timeframe: int, stamps: Ints, figures: Sequence[Floats]) -> Bars:
        """From columns: open, high, low, close and volume."""
        _, highs, lows, closes, volumes = figures
        worth = (highs + lows + closes) / 3.0 * volumes  # as ``CandleWindow.append`` works it out
        floats = [array("d", column.tobytes()) for column in (*figures, worth)]
        return cls(symbol, timeframe, Columns(array("q", stamps.tobytes()), *floats))

    def buckets(self, timeframe: int) -> Buckets:
        """The same bars on a higher timeframe."""
        found = self._buckets.get(timeframe)
        if found is None:
            found = self._buckets[timeframe] = Buckets(self, timeframe)
        return found

    def __len__(self) -> int:
        return len(self.columns.stamps)

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> Bars: ...
    def __getitem__(self, index: int | slice) -> Candle | Bars:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return Bars(self.symbol, self.timeframe, self.columns.part(start, stop))
        stamps, opens, highs, lows, closes, volumes, _ = self.columns
        return Candle(
            stamps[index], self.symbol, self.timeframe,
            opens[index], highs[index], lows[index], closes[index], volumes[index],
        )  # fmt: skip

    def __iter__(self) -> Iterator[Candle]:
        stamps, *figures, _ = self.columns
        return map(Candle, stamps, repeat(self.symbol), repeat(self.timeframe), *figures)


class Buckets:
    """Bars put together to a higher timeframe, with the arithmetic of ``Aggregator``."""

    __slots__ = ("first", "highs", "length", "lows", "opens", "volumes", "whole")

    def __init__(self, bars: Bars, timeframe: int) -> None:
        step, columns = bars.timeframe * SECOND, bars.columns
        span, count = timeframe * SECOND, len(bars)
        self.length = length = timeframe // bars.timeframe
        """Bars in a bucket."""
        self.first = first = min(-(columns.stamps[0] - step) % span // step, count)
        """Position of the first bar that begins a bucket."""
        opens, highs, lows, closes, volumes = (
            _rows(np.frombuffer(column)[first:], length) for column in columns[1:6]
        )
        np.maximum.accumulate(highs, axis=1, out=highs)
        np.minimum.accumulate(lows, axis=1, out=lows)
        np.add.accumulate(volumes, axis=1, out=volumes)  # one by one: sum() would pair them
        self.opens = array("d", opens[:, 0].tobytes())
        """Of every bucket; the next three: how its bucket stood after each bar from ``first``."""
        self.highs = array("d", highs.tobytes())
        self.lows = array("d", lows.tobytes())
        self.volumes = array("d", volumes.tobytes())
        whole = (count - first) // length
        ends = columns.stamps[0] - step + first * step + span * np.arange(1, whole + 1)
        figures = (opens[:whole, 0], *(each[:whole, -1] for each in (highs, lows, closes, volumes)))
        self.whole = Bars.of(bars.symbol, timeframe, ends, figures)
        """Those that end within."""

    def ended(self, stop: int) -> int:
        """How many have ended before the bar at ``stop``."""
        return (stop - self.first) // self.length


def _rows(column: Floats, length: int) -> Floats:
    """A copy with one bucket a row; what the last one lacks is zero, and nobody reads it."""
    return np.concatenate((column, np.zeros(-len(column) % length))).reshape(-1, length)


__all__ = ["Bars", "Buckets", "Columns"]
