"""The execution room: orders go in, orders, fills and positions come out, always protected.

Every public call runs to completion and returns what happened, in causal order: a fill, then its
order, then its position, then the protection that follows. A position's stop and target are
placed (or resized) in the very call that booked the fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from tradeterm.errors import InvalidOrder
from tradeterm.execution.admission import admit
from tradeterm.execution.budget import Touched
from tradeterm.execution.digest import Digest
from tradeterm.execution.fees import Fees, FeesState
from tradeterm.execution.fills import FillBook
from tradeterm.execution.following import Follower
from tradeterm.execution.guards import Band, Guards, Watch
from tradeterm.execution.keeping import PRICED, Keeper, price_range
from tradeterm.execution.latency import NEVER
from tradeterm.execution.orders import Orders, OrdersState
from tradeterm.execution.outbox import Headroom, Outbox, OutboxState
from tradeterm.execution.paper import PROTECTIVE, PaperExchange, PaperState
from tradeterm.execution.protection import BracketState, Protect, Protection
from tradeterm.execution.purse import Purse
from tradeterm.execution.requests import Requests
from tradeterm.execution.resting import Resting
from tradeterm.execution.stops import StopRules
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, MarketEvent, Trade
from tradeterm.model.messages import SystemEvent
from tradeterm.model.money import ZERO
from tradeterm.model.orders import (
    ApprovedOrder,
    ExecutionEvent,
    Order,
    OrderEnded,
    OrderRequest,
    Position,
    PositionChanged,
    VenueReport,
)
from tradeterm.model.reconciling import VenueSnapshot
from tradeterm.model.vocabulary import ExitReason, OrderStatus, Purpose
from tradeterm.settings.execution import ExecutionSettings
from tradeterm.settings.market import FeeSchedule


class ExecutionState(msgspec.Struct, frozen=True):
    """Execution, written down."""

    orders: OrdersState
    positions: list[Position]
    brackets: dict[str, BracketState]
    watches: dict[str, Watch]
    fees: FeesState
    outbox: OutboxState
    venue: PaperState


class Execution:
    """Orders, positions and the paper exchange behind one door.

    ``rate`` gives quote asset → account currency at this moment and ``priced_by`` the symbol it
    comes from; ``mid`` is a symbol's mark; ``protect`` is risk's permission for protective orders;
    ``funds`` the trading balance of an asset, which no fill may overdraw.
    """

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        books: Mapping[str, OrderBook],
        seed: int,
        ids: Callable[[str], str],
        *,
        fees: FeeSchedule,
        currency: str,
        rate: Callable[[str], Decimal],
        priced_by: Callable[[str], str | None],
        mid: Callable[[str], Decimal | None],
        protect: Protect,
        funds: Callable[[str], Decimal],
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._ids = ids
        self._currency = currency
        self._rate = rate
        self._mid = mid
        self._purse = Purse(currency, instruments, rate, funds, settings.margin.opening)
        self._orders = Orders()
        self.requests = Requests(settings, instruments, ids)
        """Orders to ask risk for."""
        self._venue = PaperExchange(settings, instruments, books, seed, self._purse.afford)
        self._agenda = self._venue.agenda
        self._outbox = Outbox(settings.rate_limit, self._venue, self._last_sent)
        self.unsent = self._outbox.unsent
        self.fees = Fees(fees)
        """What trading costs now; looking at it changes nothing."""
        self.interested: dict[str, Resting] = self._venue.interested
        self.follow_prints = self._venue.follow_prints
        self.was_filled, self.relist = self._venue.was_filled, self._venue.relist
        self.positions: dict[str, Position] = {}
        """Open margin positions by id."""
        self._fills = FillBook(
            settings, instruments, self.positions, self.fees, ids=ids, currency=currency, rate=rate
        )
        self.next_due = NEVER
        """When ``advance`` has something to do (ns): at the venue, a rollover, a time exit."""
        self._protection = Protection(self._orders, self._venue, self.requests, ids, protect)
        self._rules = StopRules(settings, instruments)
        self._guards = Guards(
            settings, self._rules, self.positions, rate, mid, priced_by, self._venue.fence
        )
        self._keeper = Keeper(
            settings, instruments, self.positions, self._guards, self._rules, self._protection,
            rate=rate, mid=mid, cash=lambda: funds(currency),
        )  # fmt: skip
        self.follower = Follower(
            self.positions, self._guards, self._rules, self._protection, self._venue
        )
        self._reports = Digest(
            self._orders, self.positions, self._fills, self._venue, self._outbox,
            self._protection, self._guards,
        )  # fmt: skip
        self.guarded: dict[str, Band] = self._guards.bands
        """Symbols whose price or mid concerns an open position, and the band nothing happens in.

        The prices are part of the bands of ``interested``; the mids are for ``on_mid``.
        """

    # -- what there is -----------------------------------------------------------------------

    @property
    def working(self) -> dict[str, Order]:
        """Orders that can still fill, by id, oldest first."""
        return self._orders.working

    def committed(self) -> Mapping[str, Order]:
        """Working orders as dear as they may become by what is under way to the venue."""
        return self._orders.committed()

    @property
    def recent(self) -> list[Order]:
        """The last finished orders, oldest first."""
        return self._orders.recent

    def order(self, order_id: str) -> Order | None:
        """A working or recently finished order."""
        return self._orders.get(order_id)

    def protective(self, position_id: str) -> tuple[Order | None, Order | None]:
        """The working stop and target of a position."""
        return self._protection.of(position_id)

    def exits(self, position_id: str) -> list[Order]:
        """Working close orders of a position that nobody has taken back."""
        return self._orders.exits(position_id)

    def closing(self, position_id: str) -> Decimal:
        """The size that working close orders will take off a position, never more than it has.

        A stop may have been faster: then the close is larger than what is left, and the venue
        cuts it to that.
        """
        position = self.positions.get(position_id)
        if position is None:
            return ZERO
        return min(sum((order.remaining for order in self.exits(position_id)), ZERO), position.size)

    def break_even(self, position: Position) -> Decimal:
        """The stop at which a close costs nothing, fees and carry included."""
        return self._rules.break_even(position)

    @property
    def noticed(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._orders.notices)

    def take_notices(self) -> list[SystemEvent]:
        """What the operator should know (late, unknown or unfitting fills); empties the list."""
        notices, self._orders.notices = self._orders.notices, []
        return notices

    # -- what the engine does ----------------------------------------------------------------

    def place(self, approved: ApprovedOrder, now: int) -> list[ExecutionEvent]:
        """Send an approved order; InvalidOrder when it cannot be meant, LedgerError unpriced."""
        request = approved.request
        admit(request, self._instruments, self.positions, self.closing(request.position_id or ""))
        # Without a rate no fill could be booked; once there is one, the last good one stays.
        self._rate(self._instruments[request.symbol].quote)
        events: list[ExecutionEvent] = [self._orders.open(approved, now)]
        if reason := self._venue.refusal(request):
            refused = OrderEnded(now, request.id, OrderStatus.REJECTED, reason)
            return events + self._digest([refused], now)
        self._outbox.submit(approved, now)
        self._plan()
        return events

    def amend(self, approved: ApprovedOrder, now: int) -> list[ExecutionEvent]:
        """Send other terms for an order; they are in force when the venue has taken them."""
        self._orders.ask(approved)
        return self._digest(self._outbox.amend(approved, now), now)

    def amending(self, order_id: str) -> bool:
        """Whether other terms for an order are on their way."""
        return self._orders.asked(order_id)

    def headroom(self, now: int) -> Headroom:
        """What may still be sent to the venue; looking at it changes nothing."""
        return self._outbox.headroom(now)

    def _last_sent(self, order_id: str) -> Touched:
        order = self._orders.get(order_id)
        if order is None:
            return Touched("", 0)
        return Touched(
            order.request.symbol, order.updated if order.request.revision else order.created
        )

    def cancel(self, order_id: str, now: int, reason: str) -> list[ExecutionEvent]:
        """Send a cancel; the order ends when it arrives, unless it fills before."""
        order = self._orders.working.get(order_id)
        if order is None:
            raise InvalidOrder(f"order {order_id} is not working; there is nothing to cancel")
        if order.request.purpose in PROTECTIVE:
            raise InvalidOrder(
                f"order {order_id} protects {order.request.position_id}; close the position instead"
            )
        self._orders.note_cancel(order_id, reason)
        return self._digest(self._outbox.cancel(order_id, now), now)

    def cancel_entries(
        self, now: int, reason: str, only: Callable[[OrderRequest], bool] | None = None
    ) -> list[ExecutionEvent]:
        """Cancel every working margin entry, or those ``only`` picks."""
        entries = [
            order_id
            for order_id, order in self._orders.working.items()
            if order.request.purpose is Purpose.ENTRY
            and not self._orders.cancelling(order_id)
            and (only is None or only(order.request))
        ]
        return [event for order_id in entries for event in self.cancel(order_id, now, reason)]

    def on_market(self, event: MarketEvent) -> list[ExecutionEvent]:
        """Let a trade or candle act on resting orders, then on the guards of positions."""
        if not isinstance(event, PRICED):
            return []
        whole = isinstance(event, Candle) and self._venue.spans(event)
        reports = self._venue.on_market(event)
        events = self._digest(reports, event.ts) if reports else []
        if (band := self.guarded.get(event.symbol)) is not None:
            self._guard(event, band, events, whole=whole)
        self._plan()  # a stop may wait for a usable book
        return events

    def _guard(
        self, event: Trade | Candle, band: Band, events: list[ExecutionEvent], *, whole: bool
    ) -> None:
        low, high = price_range(event, whole=whole)
        if band.low < low and high < band.high:
            return
        moved = self._keeper.follow(event.symbol, low, high, event.ts, events)
        if moved and isinstance(event, Candle) and whole:
            events += self._digest(self._venue.recross(event), event.ts)
        self._judge(event.symbol, event.ts, events)

    def on_mid(self, symbol: str, now: int) -> list[ExecutionEvent]:
        """A mid left the band of ``guarded``: judge the collateral of what rests on it."""
        events: list[ExecutionEvent] = []
        self._judge(symbol, now, events)
        self._plan()
        return events

    def _judge(self, symbol: str, now: int, events: list[ExecutionEvent]) -> None:
        events += self._digest(self._keeper.judge_margins(symbol, now, events), now)
        self._guards.reband(symbol)

    def advance(self, now: int) -> list[ExecutionEvent]:
        """Let everything happen that was due by ``now``."""
        events: list[ExecutionEvent] = []
        if self._outbox.next_due <= now:
            events += self._digest(self._outbox.advance(now), now)
        if self._agenda.next_due <= now:
            events += self._digest(self._venue.advance(now), now)
        if self._guards.next_due <= now:
            self._keeper.dates(now, events)
        self._plan()
        return events

    def _plan(self) -> None:
        self.next_due = min(self._agenda.next_due, self._outbox.next_due, self._guards.next_due)

    # -- protection by order -------------------------------------------------------------------

    def move_stop(
        self, position_id: str, price: Decimal, kind: ExitReason, now: int, parent: str
    ) -> list[ExecutionEvent]:
        """Put a stop elsewhere; InvalidOrder when it is off the tick or would fire at once."""
        return self._moved(self._keeper.move_stop(position_id, price, kind, now, parent), now)

    def move_target(
        self, position_id: str, price: Decimal | None, now: int, parent: str
    ) -> list[ExecutionEvent]:
        """Put a target elsewhere, or take it away; InvalidOrder as for ``move_stop``."""
        return self._moved(self._keeper.move_target(position_id, price, now, parent), now)

    def set_trailing(
        self, position_id: str, now: int, parent: str, *, on: bool
    ) -> list[ExecutionEvent]:
        """Let a stop follow the price from the next print on, or stay where it is."""
        return self._moved(self._keeper.set_trailing(position_id, now, parent, on=on), now)

    def _moved(self, events: list[ExecutionEvent], now: int) -> list[ExecutionEvent]:
        """Protection works at once: the venue's answers belong to the same step."""
        return events + self._digest(self._venue.advance(now), now)

    # -- what the venue says otherwise ---------------------------------------------------------

    def venue_snapshot(self) -> VenueSnapshot:
        """The venue's own books, to be compared with ours."""
        return self._venue.snapshot()

    def cancel_stranger(self, order_id: str, now: int) -> None:
        """Cancel an order at the venue that is none of ours."""
        self._outbox.cancel(order_id, now)
        self._plan()

    def lose_sight(self, reason: str, now: int, among: Iterable[str] = ()) -> list[ExecutionEvent]:
        """What became of these orders (none named: of any) is unknown; they count as working."""
        working = self._orders.working
        doubted = [name for name in among or working if not working[name].unknown]
        return [self._orders.doubt(order_id, reason, now) for order_id in doubted]

    def found_again(self, order_id: str, now: int) -> ExecutionEvent:
        """The venue was asked and has the order as we have it."""
        return self._orders.doubt(order_id, "", now)

    def adopt_reports(self, reports: list[VenueReport], now: int) -> list[ExecutionEvent]:
        """Take in what is known, or accepted by the operator, to have happened at the venue."""
        return self._digest(reports, now)

    def adopt_position(self, after: Position, now: int, parent: str) -> list[ExecutionEvent]:
        """A position is as the venue has it (``positions.resized``); its protection follows."""
        if after.is_open:
            self.positions[after.id] = after
        else:
            del self.positions[after.id]
        what = "adjusted" if after.is_open else "closed"
        events: list[ExecutionEvent] = [PositionChanged(after, what, parent)]
        self._reports.settle({after.id: after.symbol}, now, events)
        return events + self._digest(self._venue.advance(now), now)

    def _digest(self, reports: list[VenueReport], now: int) -> list[ExecutionEvent]:
        events = self._reports.take(reports, now) if reports else []
        self._purse.settle()
        self._plan()
        return events

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> ExecutionState:
        """Everything that can change a later event."""
        return ExecutionState(
            orders=self._orders.dump(),
            positions=list(self.positions.values()),
            brackets=self._protection.dump(),
            watches=self._guards.dump(),
            fees=self.fees.dump(),
            outbox=self._outbox.dump(),
            venue=self._venue.dump(),
        )

    def load(self, state: ExecutionState) -> None:
        """Become what was dumped."""
        self._orders.load(state.orders)
        self.positions.clear()
        self.positions.update((position.id, position) for position in state.positions)
        self._protection.load(state.brackets)
        self._venue.load(state.venue)
        self.fees.load(state.fees)
        self._outbox.load(state.outbox)
        self._guards.load(state.watches)
        self._plan()
