"""The paper exchange: a venue inside the deterministic machine that fills like a real one.

Orders, cancels and amendments take a seeded latency; the time an arbiter thought is before it (its
answer enters the engine that much later). Stops and targets attached to a position are held at
the venue and work at once. Reduce-only orders name their position and never fill more than the
venue holds of it. ``matching.py`` says how orders fill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.errors import InvalidOrder
from tradeterm.execution.depth import Taken
from tradeterm.execution.floor import Floor, FloorState
from tradeterm.execution.latency import Agenda, Step, delay
from tradeterm.execution.matching import Affordable, Matching
from tradeterm.execution.refusals import TRIGGERED, refusal
from tradeterm.execution.resting import Live, Resting
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, MarketEvent, Trade
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderAccepted,
    OrderAmended,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.reconciling import VenueOrder, VenueSnapshot
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Evidence, Liquidity, OrderStatus, Purpose
from tradeterm.settings.execution import ExecutionSettings

PROTECTIVE: Final = frozenset({Purpose.STOP, Purpose.TARGET})


class PaperState(msgspec.Struct, frozen=True):
    """PaperExchange, written down."""

    floor: FloorState
    taken: dict[str, list[Taken]]


def _everything(request: OrderRequest, price: Decimal, size: Decimal) -> Decimal:
    return size


class PaperExchange:
    """Implements ``model.ports.Venue``.

    Call ``on_market`` for trades and candles of symbols in ``interested``, ``advance`` when
    ``next_due`` is reached; neither does anything otherwise.
    """

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        books: Mapping[str, OrderBook],
        seed: int,
        affordable: Affordable = _everything,
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._books = books
        self._seed = seed
        self._collar = settings.limit_collar / 100
        self._floor = Floor(instruments, books)
        self._matching = Matching(self._floor, settings, instruments, books, affordable)
        self.interested: dict[str, Resting] = self._floor.interested
        self.follow_prints = self._floor.follow_prints
        self.relist = self._matching.relist

    @property
    def agenda(self) -> Agenda:
        """What is under way; read ``agenda.next_due``, plan nothing."""
        return self._floor.agenda

    @property
    def next_due(self) -> int:
        """When ``advance`` has something to do; far future when nothing is under way."""
        return self._floor.agenda.next_due

    # -- orders in ---------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder, now: int) -> None:
        """Send an order; protective ones are held at the venue and need no way there."""
        request = order.request
        if request.id in self._floor.orders:
            raise InvalidOrder(f"the venue already has an order {request.id}")
        self._floor.admit(request)
        wait = 0 if request.purpose in PROTECTIVE else self._delay("latency", request.id)
        self.agenda.plan(now + wait, Step.ENTER, request.id)

    def cancel(self, order_ids: Sequence[str], now: int) -> None:
        """Ask in one call for the rest of orders to be cancelled; they may fill before it arrives.

        Protection is cancelled at once; it is held here.
        """
        wait = self._delay("cancel", order_ids[0])
        for order_id in order_ids:
            live = self._floor.orders.get(order_id)
            held = live is None or live.request.purpose in PROTECTIVE
            self.agenda.plan(now + (0 if held else wait), Step.CANCEL, order_id)

    def amend(self, order: ApprovedOrder, now: int) -> None:
        """Send other terms for an order; one at a time. Protection held here changes at once."""
        request = order.request
        live = self._floor.orders.get(request.id)
        if live is None:
            return  # it ended before; that report is on its way or was taken in
        if request.purpose in PROTECTIVE:
            self._refit(live, request)
            return
        if live.amending is not None:
            raise InvalidOrder(f"{request.id} is already being amended")
        live.amending = request
        wait = self._delay("amend", f"{request.id}.{request.revision}")
        self.agenda.plan(now + wait, Step.AMEND, request.id)

    def _delay(self, what: str, key: str) -> int:
        return delay(self._settings.latency, self._seed, what, key)

    def fire(self, order_id: str, now: int) -> list[VenueReport]:
        """Set a resting stop off at once, as a liquidation does; no effect when it was already."""
        return self._matching.fire(self._floor.orders[order_id], now)

    def was_filled(
        self, order_id: str, ts: int, price: Decimal, size: Decimal
    ) -> list[VenueReport]:
        """An execution of an order that is known to have happened although nobody kept it."""
        out: list[VenueReport] = []
        live = self._floor.orders.get(order_id)
        if live is not None and (size := min(size, self._floor.wanted(live))) > 0:
            told = Evidence.VENUE_REPORT
            self._floor.fill(live, ts, price, size, Liquidity.TAKER, told, out)
        return out

    def fence(self, symbol: str, low: float, high: float) -> None:
        """Prices outside (``low``, ``high``) are looked at, whatever rests."""
        rest = self._floor.rests[symbol]
        rest.fence = (low, high)
        rest.reband()

    def between(self, symbol: str, requests: Sequence[OrderRequest]) -> tuple[float, float] | None:
        """The prices next to waiting orders at which others wait; None if more is going on."""
        rest = self._floor.rests[symbol]
        names = [request.id for request in requests]
        waiting = [live for name in names if (live := rest.orders.get(name)) is not None]
        if len(waiting) != len(names) or any(live.triggered for live in waiting):
            return None
        return None if rest.fresh or self._floor.made else rest.but(names)

    def spans(self, bar: Candle) -> bool:
        """Whether all of a bar's range is news: no book, no prints or finer bars inside it."""
        book = self._books.get(bar.symbol)
        if book is not None and book.ready:
            return False
        return bar.ts - bar.timeframe * SECOND >= self._floor.rests[bar.symbol].seen

    def recross(self, bar: Candle) -> list[VenueReport]:
        """Stops that a bar's own extreme has moved to beyond its close fill at their level."""
        return self._matching.recross(self._floor.rests[bar.symbol], bar)

    def snapshot(self) -> VenueSnapshot:
        """What is held here. No balances: the ledger is this venue's purse."""
        return VenueSnapshot(
            tuple(
                VenueOrder(order_id, live.request.symbol, live.request.size, live.filled)
                for order_id, live in self._floor.orders.items()
            ),
            dict(self._floor.held),
        )

    # -- time --------------------------------------------------------------------------------

    def advance(self, now: int) -> list[VenueReport]:
        """Everything due up to ``now``, stamped with its own time."""
        out: list[VenueReport] = []
        while self.agenda.next_due <= now:
            due, step, order_id = self.agenda.take()
            live = self._floor.orders.get(order_id)
            if live is None:
                continue
            if step is Step.ENTER:
                self._enter(live, due, out)
            elif step is Step.CONTINUE:
                self._matching.execute(live, due, out)
            elif step is Step.CANCEL:
                self._floor.end(live, due, OrderStatus.CANCELLED, "cancelled", out)
            elif step is Step.AMEND:
                self._amended(live, due, out)
            else:
                self._floor.end(live, due, OrderStatus.EXPIRED, "expired", out)
        return out

    def _enter(self, live: Live, ts: int, out: list[VenueReport]) -> None:
        request = live.request
        reason = self.refusal(request)
        if reason:
            self._floor.end(live, ts, OrderStatus.REJECTED, reason, out)
            return
        live.entered = True
        out.append(OrderAccepted(ts, request.id))
        if request.expires is not None:
            if request.expires <= ts:
                self._floor.end(live, ts, OrderStatus.EXPIRED, "expired on its way", out)
                return
            self.agenda.plan(request.expires, Step.EXPIRE, request.id)
        if request.type in TRIGGERED:
            if request.purpose is not Purpose.STOP or not self._matching.overtaken(live, ts, out):
                self._floor.rest(live)
        else:
            self._matching.execute(live, ts, out)

    def refusal(self, request: OrderRequest) -> str:
        """Why the order would be rejected by the prices of now; empty when it would not."""
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            return f"unknown symbol {request.symbol}"
        held = self._floor.held.get(request.position_id or "", ZERO)
        # What waits to be triggered is not measured by what a taker would pay now.
        touch = (
            None
            if request.reduce_only and request.type in TRIGGERED
            else self._floor.touch(request)
        )
        return refusal(request, instrument, touch, held, self._collar)

    # -- other terms -------------------------------------------------------------------------

    def _amended(self, live: Live, ts: int, out: list[VenueReport]) -> None:
        """Kraken's rule: less size keeps the place in the queue, another price gives it up."""
        request, live.amending = live.amending, None
        assert request is not None, "planned together"
        reason = self._amend_refusal(live, request)
        terms = live.request if reason else request
        out.append(OrderAmended(ts, request.id, request.revision, terms.size, terms.limit, reason))
        if not reason and self._take_terms(live, request):
            self._matching.execute(live, ts, out)

    def _amend_refusal(self, live: Live, request: OrderRequest) -> str:
        if not live.entered:
            return "overtook its own order"
        if request.size <= live.filled:
            return f"{plain(live.filled)} had filled before"
        return "" if request.limit == live.request.limit else self.refusal(request)

    def _take_terms(self, live: Live, request: OrderRequest) -> bool:
        """Give a limit its new terms; whether it lost its place for them and must look again."""
        moved = request.limit != live.request.limit
        if moved:
            self._floor.unrest(live)
            live.rank = self._floor.next_rank()
        live.request = request
        return moved

    def _refit(self, live: Live, request: OrderRequest) -> None:
        """Protection of another size keeps its place; at another level it is armed anew."""
        before, rest = live.request, self._floor.rests[request.symbol]
        moved = (request.type, request.trigger, request.limit) != (
            before.type, before.trigger, before.limit,
        )  # fmt: skip
        if not moved or request.id not in rest.orders:
            live.request = request
            return
        if not live.triggered and request.type in TRIGGERED:
            rest.move(live, request)
            return
        self._floor.unrest(live)
        live.request, live.triggered = request, False
        self._floor.rest(live)

    # -- the market --------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> list[VenueReport]:
        """What a trade or candle did to resting orders; O(1) while it stays in the band."""
        if isinstance(event, Trade):
            rest = self.interested.get(event.symbol)
            if rest is None:
                return []
            price = rest.last = event.price
            rest.seen = event.ts
            if rest.low < price < rest.high:
                return []
            return self._matching.on_price(rest, price, event.ts, event)
        if isinstance(event, Candle):
            rest = self.interested.get(event.symbol)
            if rest is None:
                return []
            rest.last = event.close
            seen, rest.seen = rest.seen, event.ts
            if rest.low < event.low and event.high < rest.high:
                return []
            book = self._books.get(rest.symbol)
            if (book is not None and book.ready) or event.ts - event.timeframe * SECOND < seen:
                # Its range reaches back into time already judged (by prints or finer bars).
                return self._matching.on_price(rest, event.close, event.ts)
            return self._matching.on_bar(rest, event)
        return []

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> PaperState:
        """Everything that can change a later fill."""
        return PaperState(self._floor.dump(), self._matching.dump())

    def load(self, state: PaperState) -> None:
        """Become the exchange that was dumped; the books are loaded by their owner."""
        self._floor.load(state.floor)
        self._matching.load(state.taken)
