"""Where every stream of a live market pours what it read: checked, counted, on its way in."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from tradeterm.adapters.feeds.live.border import is_bar, is_print
from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.adapters.feeds.live.health import SymbolHealth
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.adapters.feeds.live.jumps import Jumps, Print
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    Levels,
    Listing,
    Pulse,
    Trade,
)
from tradeterm.model.timing import DAY, MINUTE, SECOND
from tradeterm.model.vocabulary import FeedSource

#: Trades of one symbol that are remembered so that none is told twice.
REMEMBERED: Final = 2_000
#: Rejections of one symbol that are told within a minute; the counter goes on.
TOLD: Final = 5
#: The exchange's stamps of one message in so many are compared with our clock.
COMPARED: Final = 16
#: How far beyond our clock a stamp may lie: once we know how wrong that is, and before.
AHEAD: Final = MINUTE
#: How long after its close the exchange's bar counts as complete.
GRACE: Final = 2 * SECOND
_INF: Final = float("inf")
UNKNOWN_AHEAD: Final = DAY


class Sink:
    """Used on the market's thread only; ``health`` may be read anywhere."""

    def __init__(
        self, symbols: Sequence[str], inbox: Inbox, clock: Callable[[], int], gauge: SkewGauge
    ) -> None:
        self.health = {symbol: SymbolHealth(symbol) for symbol in symbols}
        self.heard = 0
        """Receive time of the connection's last message, heartbeats included."""
        self.newest: dict[str, int] = {}
        """Symbol → the exchange's stamp of its newest trade."""
        self.lag = 0.0
        """Seconds the newest stamped message was on its way, our clock's own error taken out."""
        self.began = asyncio.Event()
        """Some book has arrived."""
        self._old: list[tuple[str, float, float, str, str, int]] | None = None
        """Prints from before the stream, while a backfill tells of that time; None: of no use."""
        self._inbox = inbox
        self._clock = clock
        self._gauge = gauge
        self._ids: dict[str, deque[str]] = {s: deque(maxlen=REMEMBERED) for s in symbols}
        self._known: dict[str, set[str]] = {s: set() for s in symbols}
        self._jumps = {symbol: Jumps() for symbol in symbols}
        self._bars: dict[str, Candle] = {}
        """Symbol → the exchange's newest bar."""
        self._finished: dict[str, int] = {}
        """Symbol → close of the newest bar that was told (ns)."""
        self._told: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        """(code, symbol) → when it was told within the last minute."""
        self._pulse = 0
        self._stamps = 0

    # -- what the market says --------------------------------------------------------------

    def alive(self) -> None:
        """A message came, whatever was in it; one that says nothing new moves the clock."""
        self.heard = now = self._clock()
        if now - self._pulse > SECOND:
            self._pulse = now
            self._inbox.put(Pulse)
            self._finish_bars(now)

    def snapshot(self, symbol: str, bids: Levels, asks: Levels, source: FeedSource) -> None:
        """A whole book, best first."""
        self._touch(symbol, source)
        self.began.set()
        self._inbox.put(lambda ts: BookSnapshot(ts, symbol, bids, asks))

    def changes(self, symbol: str, bids: Levels, asks: Levels) -> None:
        """Changed levels; 0 removes."""
        self._touch(symbol, FeedSource.WEBSOCKET)
        self._inbox.put(lambda ts: BookDelta(ts, symbol, bids, asks))

    def trade(
        self, symbol: str, price: float, size: float, side: str, trade_id: str, when: int
    ) -> None:
        """A print; ``when`` is the exchange's stamp (ns). Twice the same is told once."""
        if not is_print(price, size, side):
            self.reject(symbol, f"trade {trade_id}: {side} {size:.12g} at {price:.12g}")
            return
        if not self.plausible(when):
            self.reject(symbol, f"trade {trade_id}: E-SCHEMA stamped {when // SECOND} s, to come")
            return
        if not self._is_new(symbol, trade_id):
            return
        self.health[symbol].heard = self.heard
        jumps = self._jumps[symbol]
        waited = jumps.waiting
        judged = jumps.ask(Print(price, size, side, trade_id, when))
        for lie in judged.refused:
            self.reject(symbol, f"trade {lie.id}: {lie.price:.12g} was a jump nobody confirmed")
        if jumps.waiting and not waited:
            text = f"trade {trade_id}: from {jumps.last:.12g} to {price:.12g} at once; it waits"
            self.notice("jump", f"{text} for the ticker or two more", symbol)
        self._put(symbol, judged.told)

    def ticker(self, symbol: str, last: float) -> None:
        """The exchange's own last price: a second source for a print that jumped."""
        if 0.0 < last < _INF:
            self._put(symbol, self._jumps[symbol].ticker(last))

    def _put(self, symbol: str, prints: Iterable[Print]) -> None:
        for one in prints:
            self.newest[symbol] = max(self.newest.get(symbol, 0), one.when)
            self._inbox.put(partial(_trade, symbol, one), is_print=True)

    def candle(self, bar: Candle) -> None:
        """The exchange's own bar, which may still grow; told once its time is over."""
        if not is_bar(bar.open, bar.high, bar.low, bar.close, bar.volume):
            self.reject(bar.symbol, f"candle {bar.high:.12g}, {bar.low:.12g}: no bar")
            return
        before = self._bars.get(bar.symbol)
        if before is not None and before.ts < bar.ts:
            self._finish(before)
        if before is None or before.ts <= bar.ts:
            self._bars[bar.symbol] = bar

    def _finish_bars(self, now: int) -> None:
        exchange = now - int((self._gauge.skew(now) or 0.0) * SECOND)
        for bar in tuple(self._bars.values()):
            if bar.ts + GRACE <= exchange:
                self._finish(bar)

    def _finish(self, bar: Candle) -> None:
        if self._finished.get(bar.symbol, 0) < bar.ts:
            self._finished[bar.symbol] = bar.ts
            self._inbox.put(partial(_after, bar))

    def remember(self, event: Trade | Candle) -> bool:
        """Something missed (exchange's stamp), to be told another way; False: it was told."""
        symbol = event.symbol
        if isinstance(event, Trade) and not self._is_new(symbol, event.id):
            return False
        self.newest[symbol] = max(self.newest.get(symbol, 0), event.ts)
        self._jumps[symbol].last = event.price if isinstance(event, Trade) else event.close
        return True

    def old_trade(
        self, symbol: str, price: float, size: float, side: str, trade_id: str, when: int
    ) -> None:
        """A print from before the stream: it waits for the backfill, which may tell it."""
        if self._old is not None:
            self._old.append((symbol, price, size, side, trade_id, when))

    def expect_backfill(self) -> None:
        """One has begun: keep what the stream says of that time."""
        self._old = [] if self._old is None else self._old

    def backfilled(self, until: int) -> None:
        """It has told everything stamped up to ``until``: tell what is later."""
        old, self._old = self._old or [], None
        for print_ in old:
            if print_[-1] > until:
                self.trade(*print_)

    def recall(self, told: Mapping[str, Sequence[str]]) -> None:
        """Trades (symbol → ids) that an earlier session has told."""
        for symbol, trade_ids in told.items():
            for trade_id in trade_ids:
                self._is_new(symbol, trade_id)

    def plausible(self, when: int) -> bool:
        """Whether the exchange can have stamped something so by now: no far future."""
        now = self._clock()
        if when <= now:
            return True
        skew = self._gauge.skew(now)
        if skew is None:
            return when <= now + UNKNOWN_AHEAD
        return when <= now - int(skew * SECOND) + AHEAD

    def stamped(self, when: int) -> None:
        """The exchange stamped a message just received so (ns)."""
        if self._stamps % COMPARED == 0 and self.plausible(when):
            now = self._clock()
            self._gauge.stamped(when, now)
            self.lag = max(0.0, (now - when) / SECOND - (self._gauge.skew(now) or 0.0))
        self._stamps += 1

    def _is_new(self, symbol: str, trade_id: str) -> bool:
        known, ids = self._known[symbol], self._ids[symbol]
        if trade_id in known:
            return False
        if trade_id:
            if len(ids) == REMEMBERED:
                known.discard(ids[0])
            ids.append(trade_id)
            known.add(trade_id)
        return True

    # -- what went wrong -------------------------------------------------------------------

    def notice(self, code: str, text: str, symbol: str = "") -> None:
        """Words for the operator, journaled."""
        self._inbox.put(lambda ts: FeedNotice(ts, symbol, code, text))

    def listing(self, symbol: str, instrument: Instrument | None) -> None:
        """Steps and minimums from now on; None: traded no longer."""
        self._inbox.put(lambda ts: Listing(ts, symbol, instrument))

    def reject(self, symbol: str, text: str) -> None:
        """Something was refused: counted, the first few of a minute told as they came."""
        self.health[symbol].rejected += 1
        self._tell("rejected", symbol, text)

    def unreadable(self, text: str) -> None:
        """A message that names no symbol: it is nobody's bad data."""
        for health in self.health.values():
            health.rejected += 1
        self._tell("unreadable", "", text)

    def lose(self, symbol: str, why: str) -> None:
        """The book cannot be trusted: nothing trades on it until its next snapshot."""
        self.health[symbol].resyncs += 1
        self._inbox.put(lambda ts: BookSnapshot(ts, symbol, (), ()))
        self._tell("resync", symbol, f"book fetched anew: {why}")

    def _tell(self, code: str, symbol: str, text: str) -> None:
        now, told = self._clock(), self._told[code, symbol]
        while told and told[0] <= now - MINUTE:
            told.popleft()
        if len(told) < TOLD:
            told.append(now)
            more = "; further ones of this minute are counted only" if len(told) == TOLD else ""
            self.notice(code, f"{text}{more}", symbol)

    def down(self) -> None:
        """Nothing reaches us."""
        for health in self.health.values():
            health.source = FeedSource.DOWN

    def _touch(self, symbol: str, source: FeedSource) -> None:
        health = self.health[symbol]
        health.heard, health.source = self.heard, source


def _trade(symbol: str, one: Print, ts: int) -> Trade:
    return Trade(ts, symbol, one.price, one.size, one.side, one.id)


def _after(bar: Candle, ts: int) -> Candle | Pulse:
    """The bar as an input of the interval after it, which says which one it is."""
    span = bar.timeframe * SECOND
    return replace(bar, ts=ts) if ts - ts % span == bar.ts else Pulse(ts)
