"""The order book of one symbol, rebuilt from a snapshot and deltas. Prices and sizes are floats.

Sizes live in one dict per side, prices in one sorted list per side with the best **last** (asks
are kept negated), so that the changes near the touch, which are nearly all of them, are cheap.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from math import inf
from typing import Final

import msgspec

from tradeterm.model.market import BookDelta, BookSnapshot
from tradeterm.model.vocabulary import Side

#: Deltas kept while the snapshot is awaited; older ones cannot matter to a later snapshot.
MAX_EARLY: Final = 10_000


class BookState(msgspec.Struct, frozen=True):
    """An OrderBook, written down. ``watched`` rows are (is bid, price, refresh count)."""

    symbol: str
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    ready: bool
    early: list[BookDelta]
    version: int
    crossed: bool
    crossings: int
    ts: int
    watched: list[tuple[bool, float, int]]
    attended: list[tuple[bool, float, float, float, int]]
    """(is bid, price, lowest size stated before the last time, lowest at it, that time)."""
    awaited: bool = False


class _Lows(msgspec.Struct):
    """The smallest sizes stated at a level: before its last statement, and at that time."""

    before: float = inf
    latest: float = inf
    ts: int = -1


class OrderBook:
    """Bids and asks of one symbol.

    ``best_bid`` and ``best_ask`` are the raw touch (None when a side is empty). A book whose bid
    is not below its ask is ``crossed``: ``mid()`` is None and ``walk()`` yields nothing until an
    event repairs it. ``crossings`` counts how often that began.

    A fill model that took depth from a level calls ``watch(side, price)`` and later compares
    ``refreshed(side, price)`` with the number it saw: it grows with each event that stated that
    level's size (a snapshot states all of them). Levels nobody watches cost nothing.

    One that queues at a level calls ``attend(side, price)`` and later asks ``lowest``.
    """

    __slots__ = (
        "_ask_prices", "_asks", "_attended", "_bid_prices", "_bids", "_early", "_watched",
        "awaited", "best_ask", "best_bid", "crossed", "crossings", "ready", "symbol", "ts", "version",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.best_bid: float | None = None
        self.best_ask: float | None = None
        self.ready = False
        self.awaited = False
        """Whether there was a book, and it is no longer true."""
        self.crossed = False
        self.crossings = 0
        self.version = 0
        self.ts = 0
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._bid_prices: list[float] = []
        self._ask_prices: list[float] = []
        self._early: list[BookDelta] = []
        self._watched: dict[tuple[bool, float], int] = {}
        self._attended: dict[tuple[bool, float], _Lows] = {}

    def snapshot(self, ev: BookSnapshot) -> None:
        """Replace the whole book, then apply deltas that had arrived early but are newer."""
        self._bids = {price: size for price, size in ev.bids if size > 0.0}
        self._asks = {price: size for price, size in ev.asks if size > 0.0}
        self._bid_prices = sorted(self._bids)
        self._ask_prices = sorted(-price for price in self._asks)
        for key in self._watched:
            self._watched[key] += 1
        self.ready = True
        self.awaited = False
        self.ts = ev.ts
        for is_bid, price in self._attended:
            self._state(is_bid, price, (self._bids if is_bid else self._asks).get(price, 0.0))
        self._settle()
        early, self._early = self._early, []
        for delta in early:
            if delta.ts > ev.ts:
                self.delta(delta)

    def delta(self, ev: BookDelta) -> None:
        """Apply changed levels; before the first snapshot they are kept for it."""
        if not self.ready:
            if len(self._early) == MAX_EARLY:
                del self._early[0]
            self._early.append(ev)
            return
        if ev.bids:
            sizes = self._bids
            prices = self._bid_prices
            for price, size in ev.bids:
                if size > 0.0:
                    if price not in sizes:
                        insort(prices, price)
                    sizes[price] = size
                elif price in sizes:
                    del sizes[price]
                    del prices[bisect_left(prices, price)]
            self.best_bid = prices[-1] if prices else None
        if ev.asks:
            sizes = self._asks
            prices = self._ask_prices
            for price, size in ev.asks:
                if size > 0.0:
                    if price not in sizes:
                        insort(prices, -price)
                    sizes[price] = size
                elif price in sizes:
                    del sizes[price]
                    del prices[bisect_left(prices, -price)]
            self.best_ask = -prices[-1] if prices else None
        self.version += 1
        self.ts = ev.ts
        if self._watched or self._attended:
            self._note(ev)
        bid = self.best_bid
        ask = self.best_ask
        if bid is not None and ask is not None and bid >= ask:
            if not self.crossed:
                self.crossed = True
                self.crossings += 1
        else:
            self.crossed = False

    def forget(self) -> None:
        """What is shown is no longer true: nothing until the next snapshot."""
        if not self.ready:
            return
        self._bids, self._asks = {}, {}
        self._bid_prices, self._ask_prices = [], []
        self._early.clear()
        self.ready, self.awaited = False, True
        self._settle()

    def _settle(self) -> None:
        self.best_bid = self._bid_prices[-1] if self._bid_prices else None
        self.best_ask = -self._ask_prices[-1] if self._ask_prices else None
        self.version += 1
        bid, ask = self.best_bid, self.best_ask
        crossed = bid is not None and ask is not None and bid >= ask
        if crossed and not self.crossed:
            self.crossings += 1
        self.crossed = crossed

    def _note(self, ev: BookDelta) -> None:
        watched = self._watched
        for is_bid, levels in ((True, ev.bids), (False, ev.asks)):
            for price, _ in levels:
                if (is_bid, price) in watched:
                    watched[is_bid, price] += 1
        for is_bid, levels in ((True, ev.bids), (False, ev.asks)) if self._attended else ():
            for price, size in levels:
                if (is_bid, price) in self._attended:
                    self._state(is_bid, price, size)

    def _state(self, is_bid: bool, price: float, size: float) -> None:
        """Note a size the market stated; gone from the edge of what is shown says nothing."""
        if size <= 0.0 and not self._in_view(is_bid, price):
            return
        lows = self._attended[is_bid, price]
        if self.ts > lows.ts:
            lows.before, lows.latest, lows.ts = min(lows.before, lows.latest), inf, self.ts
        lows.latest = min(lows.latest, max(size, 0.0))

    def _in_view(self, is_bid: bool, price: float) -> bool:
        """Whether the shown part of a side reaches as far as ``price``."""
        prices, key = (self._bid_prices, price) if is_bid else (self._ask_prices, -price)
        return bool(prices) and key >= prices[0]

    @property
    def usable(self) -> bool:
        """Whether both sides are there and in order."""
        return not self.crossed and self.best_bid is not None and self.best_ask is not None

    def mid(self) -> float | None:
        """Half way between bid and ask; None when a side is missing or the book is crossed."""
        if self.crossed or self.best_bid is None or self.best_ask is None:
            return None
        return (self.best_bid + self.best_ask) / 2

    def size_at(self, side: Side, price: float) -> float:
        """Resting size at a price (BUY: bids); 0 when there is none."""
        return (self._bids if side is Side.BUY else self._asks).get(price, 0.0)

    def levels(self, side: Side, depth: int) -> list[tuple[float, float]]:
        """Up to ``depth`` (price, size) of a side, best first, crossed or not (for display)."""
        if depth <= 0:
            return []
        if side is Side.BUY:
            sizes = self._bids
            return [(price, sizes[price]) for price in self._bid_prices[: -depth - 1 : -1]]
        sizes = self._asks
        return [(-price, sizes[-price]) for price in self._ask_prices[: -depth - 1 : -1]]

    def walk(self, side: Side) -> Iterator[tuple[float, float]]:
        """(price, size) of the resting side, best first; nothing while the book is crossed.

        A buy order walks ``Side.SELL`` (the asks). Do not change the book while walking.
        """
        if self.crossed:
            return
        if side is Side.BUY:
            for price in reversed(self._bid_prices):
                yield price, self._bids[price]
        else:
            for price in reversed(self._ask_prices):
                yield -price, self._asks[-price]

    def depth(self, side: Side) -> int:
        """How many levels a side has."""
        return len(self._bids if side is Side.BUY else self._asks)

    def watch(self, side: Side, price: float) -> int:
        """Count events that state this level's size from now on; returns the count so far."""
        return self._watched.setdefault((side is Side.BUY, price), 0)

    def unwatch(self, side: Side, price: float) -> None:
        """Stop counting; harmless when nobody watched."""
        self._watched.pop((side is Side.BUY, price), None)

    def refreshed(self, side: Side, price: float) -> int:
        """How often a watched level was stated since ``watch``; 0 for unwatched levels."""
        return self._watched.get((side is Side.BUY, price), 0)

    def attend(self, side: Side, price: float) -> float | None:
        """Follow the size stated at a level from now on; what it shows, None out of view."""
        is_bid = side is Side.BUY
        self._attended[is_bid, price] = _Lows()
        return self.size_at(side, price) if self._in_view(is_bid, price) else None

    def neglect(self, side: Side, price: float) -> None:
        """Stop following; harmless when nobody did."""
        self._attended.pop((side is Side.BUY, price), None)

    def lowest(self, side: Side, price: float, before: int) -> float | None:
        """The smallest size stated at an attended level before a time; None when none was."""
        lows = self._attended.get((side is Side.BUY, price))
        if lows is None:
            return None
        low = min(lows.before, lows.latest) if lows.ts < before else lows.before
        return None if low == inf else low

    def dump(self) -> BookState:
        """Everything that can change a later answer."""
        return BookState(
            symbol=self.symbol,
            bids=[(price, self._bids[price]) for price in self._bid_prices],
            asks=[(-price, self._asks[-price]) for price in self._ask_prices],
            ready=self.ready,
            early=list(self._early),
            version=self.version,
            crossed=self.crossed,
            crossings=self.crossings,
            ts=self.ts,
            watched=[(is_bid, price, n) for (is_bid, price), n in self._watched.items()],
            attended=[
                (is_bid, price, lows.before, lows.latest, lows.ts)
                for (is_bid, price), lows in self._attended.items()
            ],
            awaited=self.awaited,
        )

    def load(self, state: BookState) -> None:
        """Become the book that was dumped."""
        self.symbol = state.symbol
        self._bids = dict(state.bids)
        self._asks = dict(state.asks)
        self._bid_prices = [price for price, _ in state.bids]
        self._ask_prices = [-price for price, _ in state.asks]
        self.best_bid = self._bid_prices[-1] if self._bid_prices else None
        self.best_ask = -self._ask_prices[-1] if self._ask_prices else None
        self.ready, self.awaited = state.ready, state.awaited
        self._early = list(state.early)
        self.version = state.version
        self.crossed = state.crossed
        self.crossings = state.crossings
        self.ts = state.ts
        self._watched = {(is_bid, price): n for is_bid, price, n in state.watched}
        self._attended = {
            (is_bid, price): _Lows(before, latest, ts)
            for is_bid, price, before, latest, ts in state.attended
        }
