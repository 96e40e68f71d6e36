"""Closed candles of the base timeframe put together to those of a higher one."""

from __future__ import annotations

from tradeterm.market.bars import Bars
from tradeterm.market.candles import BuilderState
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND


class Aggregator:
    """Closed candles of the base timeframe → one higher timeframe.

    A bucket whose beginning was not seen is dropped: half an hour is not an hour. Gaps inside a
    bucket stay what they are. The bucket closes with its last bar, or late, by the first bar that
    lies beyond it (then its stamp is still its own end).
    """

    __slots__ = (
        "close", "end", "high", "low", "open", "span", "symbol", "timeframe", "volume", "whole",
    )  # fmt: skip

    def __init__(self, symbol: str, timeframe: int) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.span = timeframe * SECOND
        self.end = 0
        self.open = self.high = self.low = self.close = self.volume = 0.0
        self.whole = False

    def add(self, bar: Candle) -> tuple[Candle | None, Candle | None]:
        """(candle that should have closed before ``bar``, candle that closes with it)."""
        ts = bar.ts
        late: Candle | None = None
        if ts > self.end:
            if self.end and self.whole:
                late = self._bar()
            self._begin(bar)
        else:
            if bar.high > self.high:
                self.high = bar.high
            if bar.low < self.low:
                self.low = bar.low
            self.close = bar.close
            self.volume += bar.volume
        if ts != self.end:
            return late, None
        done = self._bar() if self.whole else None
        self.whole = False
        return late, done

    def widen(self, bar: Candle, extra: float) -> bool:
        """Take in what was missing in a bar; False when its bucket is not forming."""
        if not (self.whole and self.end - self.span < bar.ts < self.end):
            return False
        self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        self.volume += extra
        return True

    def follow(self, bars: Bars, stop: int) -> None:
        """Stand as after ``bars[:stop]``, whose newest bucket begins among them."""
        buckets, columns = bars.buckets(self.timeframe), bars.columns
        at = stop - 1 - buckets.first
        number, inside = divmod(at, buckets.length)
        self.end = columns.stamps[stop - 1]
        self.end += -self.end % self.span
        self.whole = inside + 1 < buckets.length
        self.open, self.close = buckets.opens[number], columns.closes[stop - 1]
        self.high, self.low, self.volume = buckets.highs[at], buckets.lows[at], buckets.volumes[at]

    def _begin(self, bar: Candle) -> None:
        known = self.end > 0
        ts = bar.ts
        self.end = ts + -ts % self.span
        begun = self.end - self.span
        self.whole = known or ts - bar.timeframe * SECOND <= begun
        self.open, self.high, self.low = bar.open, bar.high, bar.low
        self.close, self.volume = bar.close, bar.volume

    def _bar(self) -> Candle:
        return Candle(
            self.end, self.symbol, self.timeframe,
            self.open, self.high, self.low, self.close, self.volume,
        )  # fmt: skip

    def forming(self) -> tuple[int, float, float, float, float, float] | None:
        """The unfinished candle as (close time, o, h, l, c, v)."""
        if not self.whole:
            return None
        return self.end, self.open, self.high, self.low, self.close, self.volume

    def reset(self) -> None:
        """Forget the bucket (after a silence too long to bridge)."""
        self.end = 0
        self.whole = False

    def dump(self) -> BuilderState:
        """The forming candle."""
        return BuilderState(
            self.end, self.open, self.high, self.low, self.close, self.volume, self.whole
        )

    def load(self, state: BuilderState) -> None:
        """Go on with a dumped candle."""
        self.end, self.whole = state.end, state.whole
        self.open, self.high, self.low = state.open, state.high, state.low
        self.close, self.volume = state.close, state.volume
