"""The queue at a price: who stood there before us is served before us.

When a limit order comes to rest, everything the live book shows at its price is ahead of it. It
moves forward by what trades there (a taker of its own side cannot: that trade met the other side)
and is never farther back than the smallest size the market has stated there since: who left the
queue is unknown, so a level that grew again is taken to have grown behind us only so far. A
statement stamped like a print is left out when that print is judged, since it may tell of that
very print. A level outside the shown part of the book says nothing: only a print beyond the price
fills there. A print is shared out once among our own orders.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradeterm.execution.latency import NEVER
from tradeterm.execution.resting import Live
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Trade
from tradeterm.model.money import ZERO, exact


class Queue:
    """The places of our resting limit orders of one symbol; without a book nobody knows any."""

    def __init__(self, instrument: Instrument, book: OrderBook | None) -> None:
        self._instrument = instrument
        self._book = book

    def relist(self, instrument: Instrument) -> None:
        """The venue has other steps from now on."""
        self._instrument = instrument

    def join(self, live: Live, there: Iterable[Live]) -> None:
        """Stand at the end of its level; ``there`` are our other orders at it."""
        live.ahead = None
        book = self._book
        if book is None or not book.ready:
            return
        for other in there:
            self._move_up(book, other, NEVER)
        size = book.attend(live.request.side, float(live.level))
        live.ahead = None if size is None else exact(size)

    def leave(self, live: Live) -> None:
        """The last of our orders went from its level: nobody need follow the book there."""
        if self._book is not None:
            self._book.neglect(live.request.side, float(live.level))

    def served(self, lives: Iterable[Live], trade: Trade) -> list[tuple[Live, Decimal]]:
        """What a print at the price of ``lives`` (in order of arrival) leaves for each."""
        size, ours = exact(trade.size), ZERO
        parts: list[tuple[Live, Decimal]] = []
        for live in lives:
            if self._book is None or trade.side == live.request.side.value:
                continue
            self._move_up(self._book, live, trade.ts)
            if live.ahead is None:
                continue
            eaten = min(live.ahead, size)
            live.ahead -= eaten
            part = min(self._instrument.size(max(size - eaten - ours, ZERO)), live.remaining)
            if part > 0:
                ours += part
                parts.append((live, part))
        return parts

    @staticmethod
    def _move_up(book: OrderBook, live: Live, before: int) -> None:
        lowest = book.lowest(live.request.side, float(live.level), before)
        if lowest is not None:
            size = exact(lowest)
            live.ahead = size if live.ahead is None else min(live.ahead, size)
