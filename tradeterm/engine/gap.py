"""Settles what happened at the venue while nobody looked.

Sim and replay hold the market, so nothing happens while the program is away. A market that goes on
(live) has two ways back: its feed can fetch the trades or bars of the gap, and they act on orders,
stops and positions as they would have then (the analysts were not there and do not speak for it);
or it cannot, and every working order is marked unknown with the reason until the venue was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.market import BookDelta, BookSnapshot, Candle, Trade
from tradeterm.model.timing import iso

#: What acts on orders and positions; news and notices of the gap do not.
GapEvent = Trade | Candle | BookDelta | BookSnapshot


class Gap:
    """Lets market events act on market and orders, and on nothing else."""

    def __init__(self, core: Core, books: Books, inputs: dict[str, int]) -> None:
        """``inputs`` counts what was taken, by kind."""
        self._core = core
        self._books = books
        self._inputs = inputs
        market = core.market
        self._takers: dict[type, tuple[str, Callable[[Any], object]]] = {
            Trade: ("trade", market.on_trade),
            Candle: ("candle", market.on_candle),
            BookDelta: ("delta", market.on_delta),
            BookSnapshot: ("snapshot", market.on_snapshot),
        }

    def settle(self, events: Sequence[GapEvent]) -> None:
        """The market of the gap, in order; fills, exits and expiries carry their own times."""
        if not events:
            return
        core, books = self._core, self._books
        since, fills = core.now, core.counters.fills
        for event in events:
            while books.execution.next_due < event.ts:
                core.stamp.now = max(core.stamp.now, books.execution.next_due)
                books.booked(books.execution.advance(books.execution.next_due))
            core.stamp.now = max(core.stamp.now, event.ts)
            core.stamp.input += 1
            self._act(event)
        books.mark()
        told = (
            f"away from {iso(since)} to {iso(core.now)}: {len(events)} market events settled, "
            f"{core.counters.fills - fills} fills"
        )
        core.alert("E-GAP", "warning", told)

    def _act(self, event: GapEvent) -> None:
        kind, take = self._takers[type(event)]
        self._inputs[kind] += 1
        take(event)
        if isinstance(event, Trade | Candle):
            self._books.booked(self._books.execution.on_market(event))
        elif event.symbol in self._books.execution.guarded:
            self._books.watch_mid(event.symbol)

    def lost(self, reason: str) -> None:
        """Nothing of the gap can be fetched: nothing is assumed, filled or unfilled."""
        core, books = self._core, self._books
        doubted = books.execution.lose_sight(reason, core.now)
        books.booked(doubted)
        text = f"{len(doubted)} working orders are unknown: {reason}"
        core.risk_alert("E-GAP-UNKNOWN", "error", text)
