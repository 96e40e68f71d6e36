"""One symbol's market: its book, its candles on every timeframe, its last price."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from tradeterm.market.bars import Bars, Columns
from tradeterm.market.book import BookState, OrderBook
from tradeterm.market.buckets import Aggregator
from tradeterm.market.candles import (
    NEVER,
    BuilderState,
    CandleWindow,
    TradeBuilder,
    WindowState,
)
from tradeterm.market.indicators import Figures, Indicators
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.series import Stretch
from tradeterm.model.market import Candle, MarketEvent

#: How a symbol's candles come about; UNKNOWN until its first event.
UNKNOWN: Final = ""
STREAM: Final = "stream"
BARS: Final = "bars"

Row = tuple[int, float, float, float, float, float]


class SymbolState(msgspec.Struct, frozen=True):
    """A SymbolMarket, written down."""

    symbol: str
    mode: str
    base: int
    price: float
    side: str
    ts: int
    prints: int
    closes: int
    book: BookState
    builder: BuilderState
    windows: dict[int, WindowState]
    buckets: dict[int, BuilderState]


class SymbolMarket:
    """What is known about one symbol. The plain attributes are written by Market's hot path.

    ``price``, ``side`` and ``ts`` are the last print (or close), its taker's side, and
    the stamp of the last event; ``base`` is the finest timeframe there is; ``prints`` and
    ``closes`` count trades and closed base candles.
    """

    __slots__ = (
        "_timeframes", "_window_size", "aggregators", "ahead", "base", "book", "builder", "closes",
        "figures", "indicators", "mode", "price", "prints", "side", "symbol", "ts", "window", "windows",
    )  # fmt: skip

    def __init__(self, symbol: str, timeframes: Sequence[int], window: int) -> None:
        self.symbol = symbol
        self.mode = UNKNOWN
        self.price = 0.0
        self.side = ""
        self.ts = 0
        self.prints = 0
        self.closes = 0
        self.ahead: tuple[Sequence[MarketEvent], int] = ((), 0)
        """Events that were read and where the first of them stands that may not be taken yet."""
        self.book = OrderBook(symbol)
        self._timeframes = tuple(timeframes)
        self._window_size = window
        self.rebase(timeframes[0])

    def rebase(self, base: int) -> None:
        """Start over with another finest timeframe; higher ones are its multiples."""
        higher = [tf for tf in self._timeframes if tf > base and tf % base == 0]
        self.base = base
        self.builder = TradeBuilder(self.symbol, base)
        self.windows = {tf: CandleWindow(tf, self._window_size) for tf in (base, *higher)}
        self.window = self.windows[base]
        self.indicators = {
            tf: Indicators(window, partial(self._coming, tf)) for tf, window in self.windows.items()
        }
        self.figures = Figures(self.indicators, self.window)
        self.aggregators = [Aggregator(self.symbol, tf) for tf in higher]

    def close(self, bar: Candle) -> list[Candle] | None:
        """Take a closed base candle: what closed with it, oldest first; None when too old."""
        if not self.window.append(bar):
            return None
        self.closes += 1
        closed = [bar]
        for aggregator in self.aggregators:
            late, done = aggregator.add(bar)
            if late is not None and self.windows[late.timeframe].append(late):
                closed.insert(0, late)
            if done is not None and self.windows[done.timeframe].append(done):
                closed.append(done)
        return closed

    def close_run(self, bars: Bars, start: int, stop: int) -> None:
        """``close`` for ``bars[start:stop]`` at once; the first follows the newest one here."""
        self.window.extend(bars, start, stop)
        self.closes += stop - start
        for aggregator in self.aggregators:
            window, buckets = self.windows[aggregator.timeframe], bars.buckets(aggregator.timeframe)
            begun = min(max(start, buckets.first), stop)
            for index in range(start, begun):  # a bucket whose beginning is not among the bars
                for done in aggregator.add(bars[index]):
                    if done is not None:
                        window.append(done)
            if begun < stop:
                window.extend(buckets.whole, buckets.ended(begun), buckets.ended(stop))
                aggregator.follow(bars, stop)

    def along(self, bars: Bars, start: int, stop: int) -> int:
        """Up to where ``close_along`` can take ``bars[start:stop]``; no bar is closed yet."""
        end = min(stop, start + self.indicators[self.base].ahead)
        for aggregator in self.aggregators:  # no window may drop its oldest on the way
            buckets = bars.buckets(aggregator.timeframe)
            count = buckets.ended(start) + self.windows[aggregator.timeframe].room + 1
            end = min(end, buckets.first + count * buckets.length - 1)
        return end

    def close_along(self, bars: Bars, start: int, stop: int) -> Stretch:
        """``close_run``, and what ``figures`` would have been after each of the bars."""
        stood = {tf: self.indicators[tf].current() for tf in self.windows if tf != self.base}
        closed: dict[int, dict[int, IndicatorSet | None]] = {0: stood}
        self.window.extend(bars, start, stop)
        self.closes += stop - start
        for aggregator in self.aggregators:
            timeframe = aggregator.timeframe
            for index in self._end_buckets(aggregator, bars, start, stop):
                now = closed.setdefault(index - start, {})
                now[timeframe] = self.indicators[timeframe].current()
        longer: list[tuple[int, Mapping[int, IndicatorSet]]] = []
        for place in sorted(closed):
            stood |= closed[place]
            longer.append((place, {tf: one for tf, one in stood.items() if one is not None}))
        return Stretch(self.base, *self.indicators[self.base].last(stop - start), longer)

    def _end_buckets(
        self, aggregator: Aggregator, bars: Bars, start: int, stop: int
    ) -> Iterator[int]:
        """Put bars together; says which of them ended a bucket, when its candle has closed."""
        window, buckets = self.windows[aggregator.timeframe], bars.buckets(aggregator.timeframe)
        begun = min(max(start, buckets.first), stop)
        for index in range(start, begun):  # a bucket whose beginning is not among the bars
            for done in aggregator.add(bars[index]):
                if done is not None:
                    window.append(done)
                    yield index
        if begun < stop:
            for number in range(buckets.ended(begun), buckets.ended(stop)):
                window.extend(buckets.whole, number, number + 1)
                yield buckets.first + (number + 1) * buckets.length - 1
            aggregator.follow(bars, stop)

    def _coming(self, timeframe: int) -> Columns | None:
        """The candles that are known to come, as far as they fit into the window."""
        window, (events, start) = self.windows[timeframe], self.ahead
        if self.mode != BARS:
            return None
        if isinstance(events, Bars):
            if (events.symbol, events.timeframe) != (self.symbol, self.base):
                return None
            whole = events if timeframe == self.base else events.buckets(timeframe).whole
            first = bisect_right(whole.columns.stamps, window.last_ts)
            return whole.columns.part(first, first + window.room)
        return Columns.of(self._picked(events, start)) if timeframe == self.base else None

    def _picked(self, events: Sequence[MarketEvent], start: int) -> list[Candle]:
        """The base candles among them that may follow the newest one here."""
        bars: list[Candle] = []
        room, last = self.window.room, self.window.last_ts
        for index in range(start, len(events)):
            event = events[index]
            if event.__class__ is not Candle or event.ts <= last:
                continue
            if event.symbol == self.symbol and event.timeframe == self.base:
                if len(bars) == room:
                    break
                bars.append(event)
                last = event.ts
        return bars

    def warm(self, history: dict[int, list[Candle]]) -> None:
        """Fill the windows from the past; buckets that are still open are put together again."""
        for timeframe, bars in history.items():
            for bar in bars:
                self.windows[timeframe].append(bar)
        base = history.get(self.base, [])
        if not base:
            return
        for aggregator in self.aggregators:
            done = self.windows[aggregator.timeframe].last_ts
            for bar in base:
                late, closed = aggregator.add(bar)
                for candle in (late, closed):
                    if candle is not None and candle.ts > done:
                        self.windows[aggregator.timeframe].append(candle)
        self.builder.begin(base[-1].ts, base[-1].close)
        self.price = base[-1].close
        self.closes += 1

    def recall(self, past: Sequence[Candle]) -> None:
        """Learn what closed before; own candles that are newer than that stay."""
        own = [_candle(row, self.symbol, self.base) for row in self.window.rows(self.window.count)]
        begun, price = self.builder.dump(), self.price
        self.restart()
        for window in self.windows.values():
            window.last_ts = 0
        by_timeframe: dict[int, list[Candle]] = {}
        for bar in past:
            if bar.timeframe in self.windows:
                by_timeframe.setdefault(bar.timeframe, []).append(bar)
        self.warm(by_timeframe)
        for bar in own:
            self.close(bar)  # one that is not newer is refused
        if price:
            self.builder.load(begun)
            self.price = price

    def repair(self, bar: Candle) -> float | None:
        """Complete a base candle by the exchange's own: how much volume it lacked; None: nothing.

        Before our first print there is none of ours: then the exchange's is the candle.
        """
        if self.builder.end == NEVER:
            if self.close(bar) is None:
                return None
            self.builder.begin(bar.ts, bar.close)
            return bar.volume
        extra = self.window.lacks(bar)
        if extra is None:
            return None
        self.window.widen(bar.ts, bar.high, bar.low, bar.close, extra)
        for aggregator in self.aggregators:
            if not aggregator.widen(bar, extra):
                end = bar.ts + -bar.ts % aggregator.span
                close = bar.close if bar.ts == end else None
                self.windows[aggregator.timeframe].widen(end, bar.high, bar.low, close, extra)
        self.closes += 1  # whoever keeps figures of the candles looks again
        return extra

    def heard_of(self, bar: Candle) -> TradeBuilder | None:
        """The forming candle, when ``bar`` (or its beginning) is the same one and was begun."""
        builder = self.builder
        same = bar.timeframe == self.base and builder.end - builder.span < bar.ts <= builder.end
        return builder if same and builder.volume > 0.0 else None

    def restart(self) -> None:
        """Forget the candles: the silence was too long to bridge."""
        for window in self.windows.values():
            window.restart()
        for aggregator in self.aggregators:
            aggregator.reset()

    def mid(self) -> float | None:
        """Mid of a usable book, else the last price; None before any."""
        if self.book.ready:
            mid = self.book.mid()
            if mid is not None:
                return mid
        return self.price or None

    def quote(self) -> tuple[float, float]:
        """(bid, ask); both the last price where there is no usable book."""
        book = self.book
        bid, ask = book.best_bid, book.best_ask
        if bid is None or ask is None or book.crossed:
            return self.price, self.price
        return bid, ask

    def atr(self, timeframe: int) -> float | None:
        """ATR 14 of one timeframe; None until warm."""
        return self.indicators[timeframe].atr()

    @property
    def version(self) -> int:
        """Grows with every change of the book, the last price or the candles."""
        return self.book.version + self.prints + self.closes

    def recent(self, timeframe: int, count: int) -> tuple[Row, ...]:
        """The last closed candles as (close time, o, h, l, c, v), oldest first."""
        window = self.windows.get(timeframe)
        return window.rows(count) if window is not None else ()

    def forming(self, timeframe: int) -> Row | None:
        """The unfinished candle of a timeframe as (close time, o, h, l, c, v)."""
        small = self.builder.forming()
        if timeframe == self.base:
            return small
        for aggregator in self.aggregators:
            if aggregator.timeframe == timeframe:
                return _merged(aggregator.forming(), small, aggregator.span)
        return None

    def dump(self) -> SymbolState:
        """Everything that can change a later answer."""
        return SymbolState(
            symbol=self.symbol,
            mode=self.mode,
            base=self.base,
            price=self.price,
            side=self.side,
            ts=self.ts,
            prints=self.prints,
            closes=self.closes,
            book=self.book.dump(),
            builder=self.builder.dump(),
            windows={tf: window.dump() for tf, window in self.windows.items()},
            buckets={each.timeframe: each.dump() for each in self.aggregators},
        )

    def load(self, state: SymbolState) -> None:
        """Become the symbol that was dumped. The book object stays the same one."""
        self.rebase(state.base)
        self.mode, self.price, self.side = state.mode, state.price, state.side
        self.ts, self.closes, self.prints = state.ts, state.closes, state.prints
        self.book.load(state.book)
        self.builder.load(state.builder)
        for timeframe, window in state.windows.items():
            self.windows[timeframe].load(window)
        for aggregator in self.aggregators:
            aggregator.load(state.buckets[aggregator.timeframe])


def _candle(row: Row, symbol: str, timeframe: int) -> Candle:
    ts, opened, high, low, close, volume = row
    return Candle(ts, symbol, timeframe, opened, high, low, close, volume)


def _merged(bucket: Row | None, small: Row | None, span: int) -> Row | None:
    """A bucket together with the base candle that is forming inside it."""
    if small is None:
        return bucket
    end = small[0] + -small[0] % span
    if bucket is None or bucket[0] != end:
        return (end, *small[1:])
    _, opened, high, low, _, volume = bucket
    return end, opened, max(high, small[2]), min(low, small[3]), small[4], volume + small[5]
