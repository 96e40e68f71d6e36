"""What the paper exchange holds: orders, position sizes, what rests where, what is under way."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradeterm.execution.latency import Agenda
from tradeterm.execution.queue import Queue
from tradeterm.execution.resting import Live, Resting, RestState
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle
from tradeterm.model.money import ZERO, exact
from tradeterm.model.orders import OrderEnded, OrderFilled, OrderRequest, VenueReport
from tradeterm.model.vocabulary import Evidence, Liquidity, OrderStatus, Side


class FloorState(msgspec.Struct, frozen=True):
    """Floor, written down."""

    orders: list[Live]
    held: dict[str, Decimal]
    resting: list[RestState]
    interested: list[str]
    agenda: list[tuple[int, int, int, str]]
    planned: int
    ranks: int
    made: dict[str, tuple[int, float | Candle]]


class Floor:
    """The exchange's own books. A position that is gone takes its remaining orders with it."""

    def __init__(
        self, instruments: Mapping[str, Instrument], books: Mapping[str, OrderBook]
    ) -> None:
        self.books = books
        self.orders: dict[str, Live] = {}
        self.held: dict[str, Decimal] = {}
        """Position id → base size."""
        self.made: dict[str, tuple[int, float | Candle]] = {}
        """Position id → when a limit entry of it was filled, by which print's price or which bar."""
        self.agenda = Agenda()
        self.rests = {symbol: Resting(symbol) for symbol in instruments}
        self.interested: dict[str, Resting] = dict(self.rests)
        self._queues = {s: Queue(i, books.get(s)) for s, i in instruments.items()}
        self._ranks = 0

    # -- orders ------------------------------------------------------------------------------

    def admit(self, request: OrderRequest) -> None:
        """An order is on its way."""
        self.orders[request.id] = Live(request, self.next_rank())

    def next_rank(self) -> int:
        """A place behind everybody who came before."""
        self._ranks += 1
        return self._ranks

    def fill(
        self, live: Live, ts: int, price: Decimal, size: Decimal,
        liquidity: Liquidity, evidence: Evidence, out: list[VenueReport],
    ) -> None:  # fmt: skip
        """Execute part of an order."""
        request = live.request
        live.filled += size
        live.trades += 1
        trade_id = f"{request.id}.{live.trades}"
        out.append(OrderFilled(ts, request.id, trade_id, price, size, liquidity, evidence))
        if not live.remaining:
            self._forget(live)
        if request.position_id is not None:
            self._account_for(request.position_id, size, request.reduce_only, ts, out)

    def _account_for(
        self, position_id: str, size: Decimal, reducing: bool, ts: int, out: list[VenueReport]
    ) -> None:
        held = self.held.get(position_id, ZERO) + (-size if reducing else size)
        if held > 0:
            self.held[position_id] = held
            return
        del self.held[position_id]
        for live in list(self.orders.values()):
            if live.request.position_id == position_id:
                self.end(live, ts, OrderStatus.CANCELLED, "position closed", out)

    def end(
        self, live: Live, ts: int, status: OrderStatus, reason: str, out: list[VenueReport]
    ) -> None:
        """The rest of an order will not fill."""
        self._forget(live)
        out.append(OrderEnded(ts, live.request.id, status, reason))

    def _forget(self, live: Live) -> None:
        del self.orders[live.request.id]
        self.agenda.forget(live.request.id)
        rest = self.rests.get(live.request.symbol)
        if rest is not None:
            self.unrest(live)
            self.lose_interest(rest)

    def wanted(self, live: Live) -> Decimal:
        """What an order may still take: never more than there is to reduce."""
        request = live.request
        if not request.reduce_only or request.position_id is None:
            return live.remaining
        return min(live.remaining, self.held.get(request.position_id, ZERO))

    def touch(self, request: OrderRequest) -> Decimal | None:
        """The price a taker would meet first."""
        book = self.books.get(request.symbol)
        if book is not None and book.ready:
            best = book.best_ask if request.side is Side.BUY else book.best_bid
            return None if book.crossed or best is None else exact(best)
        last = self.rests[request.symbol].last
        return None if last is None else exact(last)

    # -- resting -----------------------------------------------------------------------------

    def rest(self, live: Live) -> None:
        """Let an order wait for its price; a limit queues at the end of its level."""
        rest = self.rests[live.request.symbol]
        if live.is_limit:
            self._queues[rest.symbol].join(live, rest.beside(live))
        rest.add(live)
        self.interested[rest.symbol] = rest

    def unrest(self, live: Live) -> None:
        """Take an order out of its place; harmless when it has none."""
        rest = self.rests[live.request.symbol]
        if live.request.id not in rest.orders:
            return
        rest.remove(live.request.id)
        if live.is_limit and not rest.shares(live):
            self._queues[rest.symbol].leave(live)

    def queue(self, symbol: str) -> Queue:
        """The queues of a symbol."""
        return self._queues[symbol]

    def follow_prints(self) -> None:
        """Without books the last price is all there is to go by: every symbol's events matter."""
        self.interested.update(self.rests)

    def lose_interest(self, rest: Resting) -> None:
        """Once a symbol has a book, its events matter only while something rests."""
        book = self.books.get(rest.symbol)
        if not rest.orders and book is not None and book.ready:
            self.interested.pop(rest.symbol, None)

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> FloorState:
        """Everything that can change a later fill."""
        return FloorState(
            orders=[msgspec.structs.replace(live) for live in self.orders.values()],
            held=dict(self.held),
            resting=[
                RestState(rest.symbol, rest.last, rest.seen, rest.fresh, list(rest.orders))
                for rest in self.rests.values()
            ],
            interested=list(self.interested),
            agenda=self.agenda.dump(),
            planned=self.agenda.planned,
            ranks=self._ranks,
            made=dict(self.made),
        )

    def load(self, state: FloorState) -> None:
        """Become the floor that was dumped; the books are loaded by their owner."""
        lives = [msgspec.structs.replace(live) for live in state.orders]
        self.orders = {live.request.id: live for live in lives}
        self.held = dict(state.held)
        for saved in state.resting:
            rest = self.rests[saved.symbol] = Resting(saved.symbol)
            rest.last, rest.seen, rest.fresh = saved.last, saved.seen, saved.fresh
            rest.matching = True
            for order_id in saved.orders:
                rest.add(self.orders[order_id])
            rest.matching = False
            rest.reband()
        # The dict itself stays: the engine may hold a reference to it.
        self.interested.clear()
        self.interested.update((symbol, self.rests[symbol]) for symbol in state.interested)
        self.agenda.load(state.agenda, state.planned)
        self._ranks = state.ranks
        self.made = dict(state.made)
