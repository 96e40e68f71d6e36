"""The paper exchange: a venue inside the deterministic machine that fills like a real one.

What it decides, once:
- Orders and cancels take a seeded latency; stops and targets attached to a position are held at
  the venue and work at once.
- With a book, takers walk it (evidence ``book_walk``). Without one they fill at the last price or
  bar close plus slippage (``bar_estimate``). Waiting for the next bar's open would keep an order
  cancellable for a whole bar in which a real venue had long filled it.
- Stops and targets execute as market orders. A stop has no collar and stays until it is done; a
  target's rest beyond the collar goes back to waiting; any other rest is cancelled.
- Reduce-only orders name their position and never fill more than the venue holds of it. A
  position that is gone takes its remaining orders with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.errors import InvalidOrder
from tradeterm.execution.depth import Depth, Taken
from tradeterm.execution.latency import NEVER, Agenda, Step, delay
from tradeterm.execution.refusals import TRIGGERED, refusal
from tradeterm.execution.resting import Live, Resting, RestState, bar_reference, level_of
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, MarketEvent, Trade
from tradeterm.model.money import ONE, ZERO, ceil_to, exact, floor_to
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    Evidence,
    Liquidity,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from tradeterm.settings.execution import ExecutionSettings

_PROTECTIVE: Final = frozenset({Purpose.STOP, Purpose.TARGET})
#: How long an exit waits before it tries an unusable or empty book again.
RETRY: Final = SECOND

#: How much of a size the account can pay for at a price.
Affordable = Callable[[OrderRequest, Decimal, Decimal], Decimal]


class PaperState(msgspec.Struct, frozen=True):
    """PaperExchange, written down."""

    orders: list[Live]
    held: dict[str, Decimal]
    resting: list[RestState]
    interested: list[str]
    agenda: list[tuple[int, int, int, str]]
    planned: int
    ranks: int
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
        self._affordable = affordable
        self._orders: dict[str, Live] = {}
        self._held: dict[str, Decimal] = {}
        self.agenda = Agenda()
        """What is under way; read ``agenda.next_due``, plan nothing."""
        self._ranks = 0
        self._depths = {s: Depth(books[s], i) for s, i in instruments.items() if s in books}
        self._rests = {symbol: Resting(symbol) for symbol in instruments}
        self.interested: dict[str, Resting] = dict(self._rests)
        self._collar = settings.max_slippage / 100
        self._slip = settings.bar_slippage / 100

    @property
    def next_due(self) -> int:
        """When ``advance`` has something to do; far future when nothing is under way."""
        return self.agenda.next_due

    # -- orders in ---------------------------------------------------------------------------

    def submit(self, order: ApprovedOrder, now: int) -> None:
        """Send an order; protective ones are held at the venue and need no way there."""
        request = order.request
        if request.id in self._orders:
            raise InvalidOrder(f"the venue already has an order {request.id}")
        self._ranks += 1
        self._orders[request.id] = Live(request, self._ranks)
        wait = 0
        if request.purpose not in _PROTECTIVE:
            wait = delay(self._settings.latency, self._seed, "latency", request.id)
        self.agenda.plan(now + wait, Step.ENTER, request.id)

    def cancel(self, order_id: str, now: int) -> None:
        """Ask for the rest of an order to be cancelled; it may fill before that arrives."""
        live = self._orders.get(order_id)
        wait = 0
        if live is not None and live.request.purpose not in _PROTECTIVE:
            wait = delay(self._settings.latency, self._seed, "cancel", order_id)
        self.agenda.plan(now + wait, Step.CANCEL, order_id)

    def amend(self, order: ApprovedOrder) -> None:
        """Change a protective order held here, at once: size, trigger."""
        live = self._orders.get(order.request.id)
        if live is None or order.request.purpose not in _PROTECTIVE:
            raise InvalidOrder(f"{order.request.id} is not a protective order held by the venue")
        live.request = order.request
        self._rests[order.request.symbol].reband()

    # -- time --------------------------------------------------------------------------------

    def advance(self, now: int) -> list[VenueReport]:
        """Everything due up to ``now``, stamped with its own time."""
        out: list[VenueReport] = []
        while self.agenda.next_due <= now:
            due, step, order_id = self.agenda.take()
            live = self._orders.get(order_id)
            if live is None:
                continue
            if step is Step.ENTER:
                self._enter(live, due, out)
            elif step is Step.CONTINUE:
                self._execute(live, due, out)
            elif step is Step.CANCEL:
                self._end(live, due, OrderStatus.CANCELLED, "cancelled", out)
            else:
                self._end(live, due, OrderStatus.EXPIRED, "expired", out)
        return out

    def _enter(self, live: Live, ts: int, out: list[VenueReport]) -> None:
        request = live.request
        refusal = self._refusal(request)
        if refusal:
            self._end(live, ts, OrderStatus.REJECTED, refusal, out)
            return
        live.entered = True
        out.append(OrderAccepted(ts, request.id))
        expires = request.expires
        if expires is None and request.purpose is Purpose.ENTRY:
            expires = ts + self._settings.entry_expiry * SECOND
        if expires is not None:
            self.agenda.plan(max(expires, ts), Step.EXPIRE, request.id)
        if request.type in TRIGGERED:
            self._rest(live)
        else:
            self._execute(live, ts, out)

    def _refusal(self, request: OrderRequest) -> str:
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            return f"unknown symbol {request.symbol}"
        held = self._held.get(request.position_id or "", ZERO)
        return refusal(request, instrument, self._touch(request), held)

    def _touch(self, request: OrderRequest) -> Decimal | None:
        """The price a taker would meet first."""
        book = self._books.get(request.symbol)
        if book is not None and book.ready:
            best = book.best_ask if request.side is Side.BUY else book.best_bid
            return None if book.crossed or best is None else exact(best)
        last = self._rests[request.symbol].last
        return None if last is None else exact(last)

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
            return self._on_price(rest, price, event.ts)
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
                return self._on_price(rest, event.close, event.ts)
            return self._on_bar(rest, event)
        return []

    def _on_price(self, rest: Resting, price: float, ts: int) -> list[VenueReport]:
        out: list[VenueReport] = []
        for live in rest.fired_by_price(price):
            if live.request.id not in self._orders:
                continue  # an earlier one of this very event closed its position
            if live.request.type is OrderType.LIMIT:
                self._fill_resting(live, ts, Evidence.TRADE_THROUGH, out)
            else:
                rest.remove(live.request.id)
                self._execute(live, ts, out)
        self._look_again(rest)
        return out

    def _on_bar(self, rest: Resting, bar: Candle) -> list[VenueReport]:
        out: list[VenueReport] = []
        for live in rest.fired_by_bar(bar):
            if live.request.id not in self._orders:
                continue
            if live.request.type is OrderType.LIMIT:
                self._fill_resting(live, bar.ts, Evidence.BAR_ESTIMATE, out)
            else:
                rest.remove(live.request.id)
                self._estimate(live, bar.ts, bar_reference(live.request, bar), out)
        self._look_again(rest)
        return out

    def _look_again(self, rest: Resting) -> None:
        """Once a symbol has a book, its events matter only while something rests."""
        rest.fresh = False
        rest.reband()
        self._lose_interest(rest)

    def _lose_interest(self, rest: Resting) -> None:
        book = self._books.get(rest.symbol)
        if not rest.orders and book is not None and book.ready:
            self.interested.pop(rest.symbol, None)

    def _rest(self, live: Live) -> None:
        rest = self._rests[live.request.symbol]
        rest.add(live)
        self.interested[rest.symbol] = rest

    # -- filling -----------------------------------------------------------------------------

    def _execute(self, live: Live, ts: int, out: list[VenueReport]) -> None:
        """Take what the market offers now."""
        book = self._books.get(live.request.symbol)
        if book is None or not book.ready:
            last = self._rests[live.request.symbol].last
            if last is not None:
                self._estimate(live, ts, exact(last), out)
            else:
                self._leave(live, ts, "no price", out)
        elif not book.usable:
            self._leave(live, ts, "no usable book", out)
        else:
            self._walk(live, ts, out)

    def _walk(self, live: Live, ts: int, out: list[VenueReport]) -> None:
        request = live.request
        short = False

        def afford(price: Decimal, size: Decimal) -> Decimal:
            nonlocal short
            granted = self._affordable(request, price, size)
            short = short or granted < size
            return granted

        depth = self._depths[request.symbol]
        fills = depth.take(request.side, self._wanted(live), self._worst(request), afford)
        for price, size in fills:
            self._fill(live, ts, price, size, Liquidity.TAKER, Evidence.BOOK_WALK, out)
        if request.id in self._orders:
            reason = "insufficient funds" if short else "no depth within collar"
            self._leave(live, ts, reason, out)

    def _worst(self, request: OrderRequest) -> Decimal | None:
        """The worst price a taker accepts; None for stops, which must get out."""
        if request.type is OrderType.LIMIT:
            return request.limit
        touch = self._touch(request)
        if request.purpose is Purpose.STOP or touch is None:
            return None
        return touch * (ONE + self._collar if request.side is Side.BUY else ONE - self._collar)

    def _estimate(self, live: Live, ts: int, price: Decimal, out: list[VenueReport]) -> None:
        """Fill everything at a price nobody quoted, slippage against us, on the tick."""
        request = live.request
        tick = self._instruments[request.symbol].tick
        if request.side is Side.BUY:
            price = ceil_to(price * (ONE + self._slip), tick)
        else:
            price = max(floor_to(price * (ONE - self._slip), tick), tick)
        if request.limit is not None and request.type is OrderType.LIMIT:
            beyond = price > request.limit if request.side is Side.BUY else price < request.limit
            if beyond:
                self._leave(live, ts, "no depth within limit", out)
                return
        size = self._affordable(request, price, self._wanted(live))
        if size > 0:
            self._fill(live, ts, price, size, Liquidity.TAKER, Evidence.BAR_ESTIMATE, out)
        if request.id in self._orders:
            self._leave(live, ts, "insufficient funds", out)

    def _fill_resting(
        self, live: Live, ts: int, evidence: Evidence, out: list[VenueReport]
    ) -> None:
        price = level_of(live.request)
        size = self._affordable(live.request, price, self._wanted(live))
        if size > 0:
            self._fill(live, ts, price, size, Liquidity.MAKER, evidence, out)
        if live.request.id in self._orders:
            self._end(live, ts, OrderStatus.CANCELLED, "insufficient funds", out)

    def _wanted(self, live: Live) -> Decimal:
        request = live.request
        if not request.reduce_only or request.position_id is None:
            return live.remaining
        return min(live.remaining, self._held.get(request.position_id, ZERO))

    def _fill(
        self, live: Live, ts: int, price: Decimal, size: Decimal,
        liquidity: Liquidity, evidence: Evidence, out: list[VenueReport],
    ) -> None:  # fmt: skip
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
        held = self._held.get(position_id, ZERO) + (-size if reducing else size)
        if held > 0:
            self._held[position_id] = held
            return
        del self._held[position_id]
        for live in list(self._orders.values()):
            if live.request.position_id == position_id:
                self._end(live, ts, OrderStatus.CANCELLED, "position closed", out)

    # -- what is left ------------------------------------------------------------------------

    def _leave(self, live: Live, ts: int, reason: str, out: list[VenueReport]) -> None:
        """Decide what becomes of the unfilled rest of an order that took what there was."""
        request = live.request
        waits = request.type is OrderType.LIMIT and request.tif is not TimeInForce.IOC
        if waits or request.purpose is Purpose.TARGET:
            self._rest(live)
        elif request.purpose is Purpose.STOP or (request.reduce_only and not live.filled):
            self.agenda.plan(ts + RETRY, Step.CONTINUE, request.id)
        else:
            self._end(live, ts, OrderStatus.CANCELLED, reason, out)

    def _end(
        self, live: Live, ts: int, status: OrderStatus, reason: str, out: list[VenueReport]
    ) -> None:
        self._forget(live)
        out.append(OrderEnded(ts, live.request.id, status, reason))

    def _forget(self, live: Live) -> None:
        del self._orders[live.request.id]
        rest = self._rests.get(live.request.symbol)
        if rest is not None:
            rest.remove(live.request.id)
            self._lose_interest(rest)

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> PaperState:
        """Everything that can change a later fill."""
        return PaperState(
            orders=[msgspec.structs.replace(live) for live in self._orders.values()],
            held=dict(self._held),
            resting=[
                RestState(rest.symbol, rest.last, rest.seen, rest.fresh, list(rest.orders))
                for rest in self._rests.values()
            ],
            interested=list(self.interested),
            agenda=self.agenda.dump(),
            planned=self.agenda.planned,
            ranks=self._ranks,
            taken={symbol: depth.dump() for symbol, depth in self._depths.items()},
        )

    def load(self, state: PaperState) -> None:
        """Become the exchange that was dumped; the books are loaded by their owner."""
        lives = [msgspec.structs.replace(live) for live in state.orders]
        self._orders = {live.request.id: live for live in lives}
        self._held = dict(state.held)
        for saved in state.resting:
            rest = self._rests[saved.symbol] = Resting(saved.symbol)
            rest.last, rest.seen, rest.fresh = saved.last, saved.seen, saved.fresh
            rest.orders = {order_id: self._orders[order_id] for order_id in saved.orders}
            rest.reband()
        # The dict itself stays: the engine may hold a reference to it.
        self.interested.clear()
        self.interested.update((symbol, self._rests[symbol]) for symbol in state.interested)
        self.agenda.load(state.agenda, state.planned)
        self._ranks = state.ranks
        for symbol, taken in state.taken.items():
            self._depths[symbol].load(taken)


__all__ = ["NEVER", "RETRY", "PaperExchange", "PaperState"]
