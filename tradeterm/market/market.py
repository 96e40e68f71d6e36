"""The market as the engine sees it: all symbols, fed event by event. This is the hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from tradeterm.market.book import OrderBook
from tradeterm.market.candles import MAX_FLAT, NEVER
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.symbol import BARS, STREAM, SymbolMarket, SymbolState
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    MarketEvent,
    Past,
    Pulse,
    Trade,
)
from tradeterm.model.timing import MINUTE, SECOND, timeframe_text
from tradeterm.settings.market import MarketSettings

#: Notices kept until somebody takes them; the counters go on.
MAX_NOTICES: Final = 100
#: Crossings of one book that are told; the counter goes on.
MAX_CROSSINGS: Final = 20


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """One symbol at one moment: what an agent may look at. Prices in quote currency."""

    symbol: str
    ts: int
    """The moment it was taken (ns)."""
    price: float
    """Last trade or close."""
    bid: float
    ask: float
    """Equal to ``bid`` where only bars are known."""
    by_timeframe: Mapping[int, IndicatorSet]
    """Timeframe in seconds → indicators; ascending; those without a closed candle are absent.

    Like ``atr`` worked out when looked at: not to be kept.
    """
    atr: Callable[[int], float | None]
    """ATR 14 of one of these timeframes alone; None until warm."""


class MarketState(msgspec.Struct, frozen=True):
    """A Market, written down."""

    symbols: list[SymbolState]
    heard: int
    rejected: dict[str, int]
    notices: list[FeedNotice]


class Market:
    """All symbols of a run.

    ``next_close`` (ns) is when the next candle is due; call ``close_due`` then. ``notices`` holds
    what was rejected and why; ``rejected`` counts by code for good.
    """

    __slots__ = (
        "_by_symbol", "_stale_after", "bar_interval", "heard", "next_close", "notices", "rejected",
        "symbols", "timeframes",
    )  # fmt: skip

    def __init__(self, settings: MarketSettings, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self.timeframes = settings.timeframes
        self.next_close = NEVER
        self.bar_interval = 0
        """Nanoseconds between two closes of the finest candles there are; 0 while unknown."""
        self.heard = 0
        """Stamp of the last stream event of any symbol: the connection's last message."""
        self.notices: list[FeedNotice] = []
        self.rejected: dict[str, int] = {}
        self._stale_after = int(settings.stale_after * SECOND)
        self._by_symbol = {
            symbol: SymbolMarket(symbol, settings.timeframes, settings.window)
            for symbol in self.symbols
        }

    # -- events ----------------------------------------------------------------------------

    def on_trade(self, ev: Trade) -> list[Candle]:
        """A print; returns the candles it closed, oldest first."""
        m = self._by_symbol[ev.symbol]
        self.heard = m.ts = ts = ev.ts
        m.price = price = ev.price
        m.side = ev.side
        m.prints += 1
        builder = m.builder
        if ts < builder.end and builder.volume > 0.0:
            if price > builder.high:
                builder.high = price
            elif price < builder.low:
                builder.low = price
            builder.close = price
            builder.volume += ev.size
            return []
        return self._roll(m, ev)

    def on_delta(self, ev: BookDelta) -> None:
        """Changed book levels."""
        m = self._by_symbol[ev.symbol]
        self.heard = m.ts = ev.ts
        book = m.book
        before = book.crossed
        book.delta(ev)
        if book.crossed is not before:
            self._crossing(m, ev.ts)

    def on_snapshot(self, ev: BookSnapshot) -> None:
        """A whole book."""
        m = self._by_symbol[ev.symbol]
        self.heard = m.ts = ev.ts
        if m.mode != STREAM:
            self._become_stream(m)
        before = m.book.crossed
        m.book.snapshot(ev)
        if m.book.crossed is not before:
            self._crossing(m, ev.ts)
        if not m.price:
            m.price = m.book.mid() or 0.0

    def on_candle(self, ev: Candle) -> list[Candle]:
        """A closed bar; returns it and the higher ones it closed, oldest first."""
        m = self._by_symbol[ev.symbol]
        if (m.mode != BARS or ev.timeframe != m.base) and not self._accepts(m, ev):
            return []
        closed = m.close(ev)
        if closed is None:
            text = f"{timeframe_text(ev.timeframe)} candle is not later than the one before"
            self._reject(ev.ts, ev.symbol, "candle_order", text)
            return []
        m.ts = ev.ts
        m.price = ev.close
        return closed

    def on_pulse(self, ev: Pulse) -> None:
        """The connection is alive: what we have is as new as the market itself."""
        self.heard = ev.ts

    def on_past(self, ev: Past) -> None:
        """Candles from before the first event; those that closed here since stay."""
        self._by_symbol[ev.symbol].recall(ev.candles)
        self._plan()

    def close_due(self, now: int) -> list[Candle]:
        """Candles whose time is over although nothing was traded since, oldest first."""
        closed: list[Candle] = []
        for m in self._by_symbol.values():
            if m.builder.end <= now:
                closed += self._close(m, now)
        closed.sort(key=_stamp)
        self._plan()
        return closed

    def forget_books(self) -> None:
        """Nobody listened for a while: what the books show is no longer true."""
        for m in self._by_symbol.values():
            m.book.forget()

    def bridge(self, ev: Candle) -> None:
        """A bar of a time nobody listened to; streams go on building their own after it."""
        m = self._by_symbol[ev.symbol]
        if m.mode != STREAM:
            self.on_candle(ev)
            return
        m.price = ev.close
        heard = m.heard_of(ev)
        whole = ev if heard is None else heard.complete(ev)
        on_time = ev.timeframe == m.base and not ev.ts % m.builder.span
        if on_time and m.close(whole) is not None:
            m.builder.begin(ev.ts, ev.close)
            self._plan()

    def _roll(self, m: SymbolMarket, ev: Trade) -> list[Candle]:
        """A print that is the first of its candle, and perhaps closes the one before."""
        if m.mode != STREAM:
            self._become_stream(m)
        builder = m.builder
        closed: list[Candle] = []
        if builder.end == NEVER:
            builder.begin(ev.ts, ev.price)
            self._plan()
        elif ev.ts >= builder.end:
            closed = self._close(m, ev.ts)
            self._plan()
        if builder.volume > 0.0:
            builder.add(ev.price, ev.size)
        else:
            builder.first(ev.price, ev.size)
        return closed

    def _close(self, m: SymbolMarket, now: int) -> list[Candle]:
        bars, silent = m.builder.due(now)
        closed: list[Candle] = []
        for bar in bars:
            closed += m.close(bar) or ()
        if silent:
            m.restart()
            text = f"no trade for more than {MAX_FLAT} bars: indicators start again"
            self._reject(now, m.symbol, "gap", text)
        return closed

    def _plan(self) -> None:
        self.next_close = min(m.builder.end for m in self._by_symbol.values())

    def _become_stream(self, m: SymbolMarket) -> None:
        """Trades or a book arrived: candles are built here from now on."""
        if m.mode == BARS and m.base != self.timeframes[0]:
            m.rebase(self.timeframes[0])
        m.mode = STREAM
        self._measure()

    def _measure(self) -> None:
        spans = [m.base for m in self._by_symbol.values() if m.mode]
        self.bar_interval = min(spans) * SECOND if spans else 0

    def _accepts(self, m: SymbolMarket, ev: Candle) -> bool:
        """Whether a bar that is not simply the next one may be taken."""
        if m.mode == STREAM:
            self._beside(m, ev)
            return False
        if m.mode == BARS:
            text = f"{timeframe_text(ev.timeframe)} candle beside {timeframe_text(m.base)} ones"
            self._reject(ev.ts, ev.symbol, "candle_timeframe", text)
            return False
        if ev.timeframe != m.base:
            m.rebase(ev.timeframe)
        m.builder.end = NEVER
        m.mode = BARS
        self._measure()
        self._plan()
        return True

    def _beside(self, m: SymbolMarket, ev: Candle) -> None:
        """The exchange's own bar beside its prints: it completes ours, where ours lacks something."""
        if ev.timeframe != m.base:
            self._count("candle_beside_trades")
            return
        # Beside prints it comes in the interval after it: only then is it complete.
        extra = m.repair(msgspec.structs.replace(ev, ts=ev.ts - ev.ts % m.builder.span))
        if extra is not None:
            text = (
                f"its candle lacked {extra:.12g} of {ev.volume:.12g}; completed by the exchange's"
            )
            self._reject(ev.ts, ev.symbol, "candle_completed", text)
            self._plan()

    def _count(self, code: str) -> None:
        self.rejected[code] = self.rejected.get(code, 0) + 1

    def _reject(self, ts: int, symbol: str, code: str, text: str) -> None:
        self._count(code)
        if len(self.notices) < MAX_NOTICES:
            self.notices.append(FeedNotice(ts, symbol, code, text))

    def _crossing(self, m: SymbolMarket, ts: int) -> None:
        """A book became crossed, or is in order again."""
        book = m.book
        if book.crossed:
            self._count("crossed_book")
        if book.crossings > MAX_CROSSINGS or len(self.notices) >= MAX_NOTICES:
            return
        text = "the book is in order again"
        if book.crossed:
            text = f"the book is crossed: bid {book.best_bid:.12g}, ask {book.best_ask:.12g}"
            if book.crossings == MAX_CROSSINGS:
                text += "; further crossings of it are counted only"
        self.notices.append(FeedNotice(ts, m.symbol, "crossed_book", text))

    def take_notices(self) -> list[FeedNotice]:
        """What was rejected since the last call."""
        taken, self.notices = self.notices, []
        return taken

    def expect(self, events: Sequence[MarketEvent], start: int) -> None:
        """``events[start:]`` are what comes next; figures may be worked out for all of them."""
        for m in self._by_symbol.values():
            m.ahead = events, start

    # -- warm-up ---------------------------------------------------------------------------

    def warm(self, history: Callable[[str, int, int], list[Candle]]) -> None:
        """Fill the windows before the first event: ``market.warm(feed.history)``.

        The finest timeframe that has a past is the base until the first event says otherwise.
        """
        for symbol, m in self._by_symbol.items():
            past = {tf: history(symbol, tf, window.size) for tf, window in m.windows.items()}
            there = [tf for tf, bars in past.items() if bars]
            if there and m.base not in there:
                m.rebase(min(there))
            m.warm({tf: past[tf] for tf in m.windows if past.get(tf)})
        self._plan()

    # -- questions -------------------------------------------------------------------------

    def symbol(self, symbol: str) -> SymbolMarket:
        """One symbol; KeyError when it is not in the run."""
        return self._by_symbol[symbol]

    @property
    def books(self) -> dict[str, OrderBook]:
        """Symbol → order book (the live objects, for the paper exchange)."""
        return {symbol: m.book for symbol, m in self._by_symbol.items()}

    def next_watch(self, now: int) -> int:
        """The first end of a minute (or bar) after ``now`` at which data may be ``stale``."""
        fresh = NEVER
        for m in self._by_symbol.values():
            until = m.ts + 2 * m.base * SECOND if m.mode == BARS else now
            if not m.ts:
                until = now + self._stale_after  # it may take as long to begin
            if until < fresh:
                fresh = until
        return (max(now, fresh) // self.step + 1) * self.step

    @property
    def step(self) -> int:
        """A minute, or the interval of the finest bars when that is longer (ns)."""
        return max(MINUTE, self.bar_interval)

    @property
    def last_event(self) -> int:
        """Stamp (ns) of the newest event of any symbol; 0 before the first."""
        return max(m.ts for m in self._by_symbol.values())

    def smallest(self, symbol: str) -> int:
        """The symbol's finest timeframe (seconds)."""
        return self._by_symbol[symbol].base

    def closes(self, symbol: str) -> int:
        """How many base candles have closed: a cheap test for "nothing new"."""
        return self._by_symbol[symbol].closes

    def emas(self, symbol: str, fast: int, slow: int) -> tuple[float, float] | None:
        """Two EMAs of the smallest timeframe's closes, without the rest of the indicators."""
        m = self._by_symbol[symbol]
        return m.indicators[m.base].emas(fast, slow)

    def indicators(self, symbol: str, timeframe: int) -> IndicatorSet | None:
        """The indicator set of one timeframe; None when it has no closed candle."""
        held = self._by_symbol[symbol].indicators.get(timeframe)
        return None if held is None else held.current()

    def price(self, symbol: str) -> float | None:
        """Last trade or close."""
        return self._by_symbol[symbol].price or None

    def mid(self, symbol: str) -> float | None:
        """Mid of the book, else the last price."""
        return self._by_symbol[symbol].mid()

    def snapshot(self, symbol: str, now: int) -> Snapshot | None:
        """What an agent may look at; None before the first price."""
        m = self._by_symbol[symbol]
        if not m.price:
            return None
        bid, ask = m.quote()
        return Snapshot(symbol, now, m.price, bid, ask, m.figures, m.atr)

    def age(self, symbol: str, now: int) -> float:
        """Seconds since the symbol's last event; infinite before the first."""
        ts = self._by_symbol[symbol].ts
        return max(0, now - ts) / SECOND if ts else float("inf")

    def silence(self, symbol: str, now: int) -> float:
        """Seconds that ``stale`` looks at: since the connection's last message, or the last bar."""
        m = self._by_symbol[symbol]
        if not m.ts:
            return float("inf")
        return max(0, now - (m.ts if m.mode == BARS else self.heard)) / SECOND

    def patience(self, symbol: str) -> float:
        """Seconds of ``silence`` that are still fresh."""
        m = self._by_symbol[symbol]
        return 2.0 * m.base if m.mode == BARS else self._stale_after / SECOND

    def stale(self, symbol: str, now: int) -> bool:
        """Whether the data is too old or broken to trade on.

        Streams: ``stale_after`` since the connection's last message, a symbol that has not begun,
        or a book that is crossed or awaited. Bars: more than twice their timeframe after the last close.
        """
        m = self._by_symbol[symbol]
        if not m.ts:
            return True
        if m.mode == BARS:
            return now - m.ts > 2 * m.base * SECOND
        broken = m.book.awaited or (m.book.ready and not m.book.usable)
        return now - self.heard > self._stale_after or broken

    # -- state -----------------------------------------------------------------------------

    def dump(self) -> MarketState:
        """Everything that can change a later answer."""
        return MarketState(
            symbols=[m.dump() for m in self._by_symbol.values()],
            heard=self.heard,
            rejected=dict(self.rejected),
            notices=list(self.notices),
        )

    def load(self, state: MarketState) -> None:
        """Become the market that was dumped (same symbols and settings)."""
        for each in state.symbols:
            self._by_symbol[each.symbol].load(each)
        self.heard = state.heard
        self.rejected = dict(state.rejected)
        self.notices = list(state.notices)
        self._measure()
        self._plan()


def _stamp(bar: Candle) -> int:
    return bar.ts
