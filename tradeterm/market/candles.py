"""Candles: a window of closed ones, and the builders that make them from trades or finer bars.

A candle is stamped with its close. A window keeps between ``size`` and ``size + stride`` candles:
the oldest ``stride`` are dropped at once when it is full. What a recursive indicator says is
therefore a function of what the window holds, and the same after a restart.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from functools import reduce
from operator import add

import msgspec
import numpy as np
import numpy.typing as npt

from tradeterm.market.bars import Bars, Columns
from tradeterm.model.market import Candle
from tradeterm.model.timing import DAY, SECOND

#: Stamp of "no candle is forming".
NEVER = 2**63 - 1
#: Longest silence (in bars) filled with flat candles; after a longer one the window restarts.
MAX_FLAT = 600

#: Candles at the end of a window that may still be completed.
RECENT = 60
#: Part of a candle's volume that rounding may hide.
TOLERANCE = 0.001

Column = npt.NDArray[np.float64]


class WindowState(msgspec.Struct, frozen=True):
    """A CandleWindow, written down; columns are little-endian 8-byte values."""

    size: int
    total: int
    generation: int
    columns: tuple[bytes, bytes, bytes, bytes, bytes, bytes]
    vwap_day: int
    vwap_value: float
    vwap_volume: float
    vwap_whole: bool


class CandleWindow:
    """The last closed candles of one symbol and timeframe, as contiguous columns.

    ``total`` counts every candle ever appended; ``generation`` grows when old ones were dropped.
    The views are valid until the next append.
    """

    __slots__ = (
        "_c", "_h", "_l", "_np", "_o", "_t", "_v", "capacity", "count", "generation", "last_ts",
        "newest", "size", "stride", "timeframe", "total", "vwap_day", "vwap_value", "vwap_volume",
        "vwap_whole",
    )  # fmt: skip

    def __init__(self, timeframe: int, size: int) -> None:
        self.timeframe = timeframe
        self.size = size
        self.stride = max(50, size // 3)
        self.capacity = size + self.stride
        self.count = 0
        self.total = 0
        self.generation = 0
        self.last_ts = 0
        self.newest = 0.0
        """Close of the newest candle; 0 before the first."""
        self._allocate()
        self.vwap_day = -1
        self.vwap_value = 0.0
        self.vwap_volume = 0.0
        self.vwap_whole = False

    def _allocate(self) -> None:
        zeros = bytes(8 * self.capacity)
        self._t = array("q", zeros)
        self._o = array("d", zeros)
        self._h = array("d", zeros)
        self._l = array("d", zeros)
        self._c = array("d", zeros)
        self._v = array("d", zeros)
        columns = (self._o, self._h, self._l, self._c, self._v)
        self._np = tuple(np.frombuffer(column, dtype=np.float64) for column in columns)

    def __len__(self) -> int:
        return self.count

    def append(self, bar: Candle) -> bool:
        """Add a closed candle; False (and no change) unless it is later than the last one."""
        ts = bar.ts
        if ts <= self.last_ts:
            return False
        n = self.count
        if n == self.capacity:
            n = self._drop()
        self.last_ts = self._t[n] = ts
        self._o[n] = bar.open
        self._h[n] = high = bar.high
        self._l[n] = low = bar.low
        self._c[n] = self.newest = close = bar.close
        self._v[n] = volume = bar.volume
        self.count = n + 1
        self.total += 1
        day = (ts - 1) // DAY
        if day != self.vwap_day:
            self._new_session(day, ts)
        self.vwap_value += (high + low + close) / 3.0 * volume
        self.vwap_volume += volume
        return True

    def widen(self, ts: int, high: float, low: float, close: float | None, extra: float) -> bool:
        """Take into a recent candle what was missing in it; None: its close stays."""
        at = self._find(ts)
        if at is None:
            return False
        before = self._worth(at)
        self._h[at], self._l[at] = max(self._h[at], high), min(self._l[at], low)
        self._v[at] += extra
        if close is not None:
            self._c[at] = close
        if (ts - 1) // DAY == self.vwap_day:
            self.vwap_value += self._worth(at) - before
            self.vwap_volume += extra
        self.newest = self._c[self.count - 1]
        self.generation += 1
        return True

    def lacks(self, bar: Candle) -> float | None:
        """How much of a recent candle's volume is missing here; None when nothing of it is."""
        at = self._find(bar.ts)
        if at is None:
            return None
        extra = bar.volume - self._v[at]
        beyond = bar.high > self._h[at] or bar.low < self._l[at]
        return max(0.0, extra) if beyond or extra > bar.volume * TOLERANCE else None

    def _find(self, ts: int) -> int | None:
        recent = range(self.count - 1, max(-1, self.count - 1 - RECENT), -1)
        return next((at for at in recent if self._t[at] == ts), None)

    def _worth(self, at: int) -> float:
        return (self._h[at] + self._l[at] + self._c[at]) / 3.0 * self._v[at]

    @property
    def room(self) -> int:
        """How many candles fit before the oldest ones are dropped."""
        return self.capacity - self.count

    @property
    def session_end(self) -> int:
        """The last stamp that belongs to the newest candle's UTC day."""
        return (self.vwap_day + 1) * DAY

    def extend(self, bars: Bars, start: int, stop: int) -> None:
        """Add ``bars[start:stop]``, all later than the last one, as ``append`` would."""
        stamps = bars.columns.stamps
        while start < stop:
            if not self.room:
                self._drop()
            if stamps[start] > self.session_end:
                self._new_session((stamps[start] - 1) // DAY, stamps[start])
            fits = min(stop, start + self.room)
            if stamps[fits - 1] > self.session_end:
                fits = bisect_right(stamps, self.session_end, start, fits)
            self._fill(bars, start, fits)
            start = fits

    def _fill(self, bars: Bars, start: int, stop: int) -> None:
        """Add bars of the newest candle's day for which there is room."""
        stamps, opens, highs, lows, closes, volumes, worth = bars.columns
        n, count = self.count, stop - start
        self.count = n + count
        part, run = slice(n, self.count), slice(start, stop)
        self._t[part], self._o[part], self._h[part] = stamps[run], opens[run], highs[run]
        self._l[part], self._c[part] = lows[run], closes[run]
        self._v[part] = traded = volumes[run]
        self.last_ts, self.newest = stamps[stop - 1], closes[stop - 1]
        self.total += count
        # One after the other: sum() may pair them, and round otherwise.
        self.vwap_value = reduce(add, worth[run], self.vwap_value)
        self.vwap_volume = reduce(add, traded, self.vwap_volume)

    def closes_when_full(self, coming: array[float]) -> Column:
        """The closes here when the last of ``coming`` has just made it drop its oldest."""
        stay = max(0, self.size + 1 - len(coming))
        held = self._c[self.count - stay : self.count] + coming
        return np.frombuffer(held[-self.size - 1 :])

    def _new_session(self, day: int, ts: int) -> None:
        self.vwap_whole = self._opens_session(ts, self.vwap_day)
        self.vwap_day = day
        self.vwap_value = self.vwap_volume = 0.0

    def _opens_session(self, ts: int, before: int) -> bool:
        """Whether the whole of its day is seen from this candle on; ``before``: the day before it."""
        return before >= 0 or (ts - self.timeframe * SECOND) % DAY == 0

    def _drop(self) -> int:
        """Forget the oldest ``stride`` candles; returns how many stay."""
        stride = self.stride
        self._t[:-stride] = self._t[stride:]
        for column in (self._o, self._h, self._l, self._c, self._v):
            column[:-stride] = column[stride:]
        self.count -= stride
        self.generation += 1
        return self.count

    def restart(self) -> None:
        """Forget everything: the silence before the next candle was too long to bridge."""
        self.count = 0
        self.generation += 1
        self.vwap_day = -1
        self.vwap_whole = False

    @property
    def open(self) -> Column:
        """Opens, oldest first (likewise the next four)."""
        return self._np[0][: self.count]

    @property
    def high(self) -> Column:
        return self._np[1][: self.count]

    @property
    def low(self) -> Column:
        return self._np[2][: self.count]

    @property
    def close(self) -> Column:
        return self._np[3][: self.count]

    @property
    def volume(self) -> Column:
        return self._np[4][: self.count]

    def stamps(self, count: int) -> npt.NDArray[np.int64]:
        """Close times (ns) of the last ``count`` candles, oldest first."""
        return np.array(self._t[max(0, self.count - count) : self.count], dtype=np.int64)

    def ends(self, count: int) -> array[int]:
        """``stamps`` as plain numbers, each made when it is looked at."""
        return self._t[max(0, self.count - count) : self.count]

    def tail(self, count: int) -> tuple[Column, Column, Column]:
        """High, low and close of the last ``count`` candles, oldest first."""
        part = slice(max(0, self.count - count), self.count)
        _, high, low, close, _ = self._np
        return high[part], low[part], close[part]

    def closes(self, count: int) -> tuple[float, ...]:
        """The last ``count`` closes, oldest first."""
        return tuple(self._c[max(0, self.count - count) : self.count])

    def rows(self, count: int) -> tuple[tuple[int, float, float, float, float, float], ...]:
        """The last candles as (close time, o, h, l, c, v), oldest first, for the chart."""
        part = slice(max(0, self.count - count), self.count)
        columns = (self._t, self._o, self._h, self._l, self._c, self._v)
        return tuple(zip(*(column[part] for column in columns), strict=True))

    def bar(self, index: int) -> tuple[float, float, float, float, float]:
        """(open, high, low, close, volume) at a position of the window."""
        return self._o[index], self._h[index], self._l[index], self._c[index], self._v[index]

    def vwap(self) -> float | None:
        """Volume-weighted typical price since 00:00 UTC; None unless the whole day was seen."""
        if not self.vwap_whole or self.vwap_volume <= 0.0 or self.timeframe * SECOND >= DAY:
            return None
        return self.vwap_value / self.vwap_volume

    def vwaps(self, coming: Columns) -> list[float | None]:
        """``vwap`` now, and after each of the candles to come."""
        told = [self.vwap()]
        day, whole = self.vwap_day, self.vwap_whole
        value, volume, short = self.vwap_value, self.vwap_volume, self.timeframe * SECOND < DAY
        for ts, worth, traded in zip(coming.stamps, coming.worth, coming.volumes, strict=True):
            if (ts - 1) // DAY != day:
                whole, value, volume = self._opens_session(ts, day), 0.0, 0.0
                day = (ts - 1) // DAY
            value, volume = value + worth, volume + traded
            told.append(value / volume if short and whole and volume > 0.0 else None)
        return told

    def holds(self, at: int, bars: Columns, start: int, stop: int) -> bool:
        """Whether what stands here from position ``at`` on is ``bars[start:stop]``."""
        here, there = slice(at, at + stop - start), slice(start, stop)
        return (
            self._t[here] == bars.stamps[there]
            and self._c[here] == bars.closes[there]
            and self._h[here] == bars.highs[there]
            and self._l[here] == bars.lows[there]
            and self._o[here] == bars.opens[there]
            and self._v[here] == bars.volumes[there]
        )

    def dump(self) -> WindowState:
        """Everything that can change a later answer."""
        n = self.count
        return WindowState(
            size=self.size,
            total=self.total,
            generation=self.generation,
            columns=(
                self._t[:n].tobytes(), self._o[:n].tobytes(), self._h[:n].tobytes(),
                self._l[:n].tobytes(), self._c[:n].tobytes(), self._v[:n].tobytes(),
            ),
            vwap_day=self.vwap_day,
            vwap_value=self.vwap_value,
            vwap_volume=self.vwap_volume,
            vwap_whole=self.vwap_whole,
        )  # fmt: skip

    def load(self, state: WindowState) -> None:
        """Become the window that was dumped."""
        self.size = state.size
        self.stride = max(50, state.size // 3)
        self.capacity = state.size + self.stride
        self._allocate()
        self.count = n = len(state.columns[0]) // 8
        if n:  # assigning even an empty slice counts as a resize, which the views forbid
            self._t[:n] = array("q", state.columns[0])
            for column, data in zip(
                (self._o, self._h, self._l, self._c, self._v), state.columns[1:], strict=True
            ):
                column[:n] = array("d", data)
        self.last_ts = self._t[n - 1] if n else 0
        self.newest = self._c[n - 1] if n else 0.0
        self.total = state.total
        self.generation = state.generation
        self.vwap_day = state.vwap_day
        self.vwap_value = state.vwap_value
        self.vwap_volume = state.vwap_volume
        self.vwap_whole = state.vwap_whole


class BuilderState(msgspec.Struct, frozen=True):
    """A candle in the making, written down (of trades or of finer bars)."""

    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    whole: bool


class TradeBuilder:
    """Trades → candles of the base timeframe. The fields are open to the hot path in Market.

    ``end`` is the forming candle's close stamp, ``NEVER`` before the first trade. A trade at
    ``ts >= end`` belongs to a later candle. Nobody has to trade: an interval without trades gives
    a flat candle at the previous close with volume 0.
    """

    __slots__ = ("close", "end", "high", "low", "open", "span", "symbol", "timeframe", "volume")

    def __init__(self, symbol: str, timeframe: int) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.span = timeframe * SECOND
        self.end = NEVER
        self.open = self.high = self.low = self.close = self.volume = 0.0

    def begin(self, ts: int, price: float) -> None:
        """Start the candle that holds ``ts`` at ``price`` (a first trade, or a carried close)."""
        self.end = ts - ts % self.span + self.span
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0

    def add(self, price: float, size: float) -> None:
        """One trade inside the forming candle."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += size

    def first(self, price: float, size: float) -> None:
        """The first trade after a flat beginning: an open is the first print, not a carry."""
        self.open = self.high = self.low = self.close = price
        self.volume = size

    def complete(self, bar: Candle) -> Candle:
        """Take in the exchange's own figures of the forming candle, so far; as it is now."""
        self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        self.close, self.volume = bar.close, max(self.volume, bar.volume)
        return self._bar()

    def due(self, now: int) -> tuple[list[Candle], bool]:
        """Candles closed by ``now``, oldest first; True when the silence was too long to fill."""
        span = self.span
        if now - self.end > MAX_FLAT * span:
            bar = self._bar()
            self.begin(now, self.close)
            return [bar], True
        bars: list[Candle] = []
        while self.end <= now:
            bars.append(self._bar())
            self.end += span
            self.open = self.high = self.low = self.close
            self.volume = 0.0
        return bars, False

    def _bar(self) -> Candle:
        return Candle(
            self.end, self.symbol, self.timeframe,
            self.open, self.high, self.low, self.close, self.volume,
        )  # fmt: skip

    def forming(self) -> tuple[int, float, float, float, float, float] | None:
        """The unfinished candle as (close time, o, h, l, c, v)."""
        if self.end == NEVER:
            return None
        return self.end, self.open, self.high, self.low, self.close, self.volume

    def dump(self) -> BuilderState:
        """The forming candle."""
        return BuilderState(
            self.end, self.open, self.high, self.low, self.close, self.volume, whole=True
        )

    def load(self, state: BuilderState) -> None:
        """Go on with a dumped candle."""
        self.end = state.end
        self.open, self.high, self.low = state.open, state.high, state.low
        self.close, self.volume = state.close, state.volume
