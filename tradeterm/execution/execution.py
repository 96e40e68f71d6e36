"""The execution room: orders go in, orders, fills and positions come out, always protected.

Every public call runs to completion and returns what happened, in causal order: a fill, then its
order, then its position, then the protection that follows. A position's stop and target are
placed (or resized) in the very call that booked the fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tradeterm.errors import InvalidOrder
from tradeterm.execution import positions as arithmetic
from tradeterm.execution.admission import admit
from tradeterm.execution.brackets import Bracket, protective_request
from tradeterm.execution.latency import NEVER
from tradeterm.execution.orders import Orders, OrdersState
from tradeterm.execution.paper import PaperExchange, PaperState
from tradeterm.execution.purse import Purse
from tradeterm.execution.resting import Resting
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import MarketEvent
from tradeterm.model.messages import SystemEvent
from tradeterm.model.money import LEDGER_STEP, ZERO, ledger_cost, plain
from tradeterm.model.orders import (
    ApprovedOrder,
    ExecutionEvent,
    Fill,
    Filled,
    Order,
    OrderChanged,
    OrderFilled,
    OrderRequest,
    Position,
    PositionChanged,
    VenueReport,
)
from tradeterm.model.pnl import price_gain
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    Liquidity,
    OrderType,
    Purpose,
    Side,
)
from tradeterm.settings.execution import ExecutionSettings

#: Turns a protective request into an approved one: (request, verdict id, now). Risk's.
Protect = Callable[[OrderRequest, str, int], ApprovedOrder]
_PROTECTIVE = (Purpose.STOP, Purpose.TARGET)


class ExecutionState(msgspec.Struct, frozen=True):
    """Execution, written down."""

    orders: OrdersState
    positions: list[Position]
    brackets: dict[str, tuple[str, str | None, str | None]]
    venue: PaperState


class Execution:
    """Orders, positions and the paper exchange behind one door.

    ``rate`` gives quote asset → account currency at this moment; ``protect`` is risk's permission
    for protective orders; ``funds`` the trading balance of an asset, which no fill may overdraw.
    """

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        books: Mapping[str, OrderBook],
        seed: int,
        ids: Callable[[str], str],
        *,
        currency: str,
        rate: Callable[[str], Decimal],
        protect: Protect,
        funds: Callable[[str], Decimal],
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._ids = ids
        self._currency = currency
        self._rate = rate
        self._protect = protect
        self._purse = Purse(currency, instruments, rate, funds)
        self._orders = Orders()
        self._brackets: dict[str, Bracket] = {}
        self._venue = PaperExchange(settings, instruments, books, seed, self._purse.afford)
        self._agenda = self._venue.agenda
        self.interested: dict[str, Resting] = self._venue.interested
        self.positions: dict[str, Position] = {}
        """Open margin positions by id."""
        self.next_due = NEVER
        """When ``advance`` has something to do (ns)."""
        self.next_exit = NEVER
        """When the first position reaches its time exit (ns)."""

    # -- what there is -----------------------------------------------------------------------

    @property
    def working(self) -> dict[str, Order]:
        """Orders that can still fill, by id, oldest first."""
        return self._orders.working

    @property
    def recent(self) -> list[Order]:
        """The last finished orders, oldest first."""
        return self._orders.recent

    def order(self, order_id: str) -> Order | None:
        """A working or recently finished order."""
        return self._orders.get(order_id)

    def protective(self, position_id: str) -> tuple[Order | None, Order | None]:
        """The working stop and target of a position."""
        bracket = self._brackets.get(position_id)
        if bracket is None:
            return None, None
        working = self._orders.working
        return working.get(bracket.stop or ""), working.get(bracket.target or "")

    def closing(self, position_id: str) -> Decimal:
        """The size that working close orders will take off a position, never more than it has.

        A stop may have been faster: then the close is larger than what is left, and the venue
        cuts it to that.
        """
        position = self.positions.get(position_id)
        if position is None:
            return ZERO
        sizes = (
            order.remaining
            for order in self._orders.working.values()
            if order.request.purpose is Purpose.EXIT and order.request.position_id == position_id
        )
        return min(sum(sizes, ZERO), position.size)

    def take_notices(self) -> list[SystemEvent]:
        """What the operator should know (late, unknown or unfitting fills); empties the list."""
        notices, self._orders.notices = self._orders.notices, []
        return notices

    # -- requests ----------------------------------------------------------------------------

    def entry_request(self, intent: TradeIntent, now: int, parent: str, agent: str) -> OrderRequest:
        """A market entry for an intent; the position it will open already has its id."""
        return OrderRequest(
            id=self._ids("PAPER"), symbol=intent.symbol, side=intent.side.entry,
            type=OrderType.MARKET, size=intent.size, purpose=Purpose.ENTRY,
            book=AccountBook.MARGIN, parent=parent,
            expires=now + self._settings.entry_expiry * SECOND,
            position_id=self._ids("pos"), leverage=intent.leverage,
            stop=intent.stop, target=intent.target, agent=agent,
        )  # fmt: skip

    def spot_request(
        self, symbol: str, side: Side, size: Decimal, purpose: Purpose, now: int, parent: str
    ) -> OrderRequest:
        """A market order on the spot book (rebalance, DCA)."""
        return OrderRequest(
            id=self._ids("PAPER"), symbol=symbol, side=side, type=OrderType.MARKET, size=size,
            purpose=purpose, book=AccountBook.SPOT, parent=parent,
            expires=now + self._settings.entry_expiry * SECOND,
        )  # fmt: skip

    def close_request(
        self, position: Position, now: int, reason: ExitReason, parent: str,
        size: Decimal | None = None,
    ) -> OrderRequest:  # fmt: skip
        """A market close of a position, or of part of it; protection stays until it fills."""
        return OrderRequest(
            id=self._ids("PAPER"), symbol=position.symbol, side=position.side.exit,
            type=OrderType.MARKET, size=position.size if size is None else size,
            purpose=Purpose.EXIT, book=AccountBook.MARGIN, parent=parent, reduce_only=True,
            position_id=position.id, leverage=position.leverage, agent=position.agent,
            exit_reason=reason,
        )  # fmt: skip

    # -- what the engine does ----------------------------------------------------------------

    def place(self, approved: ApprovedOrder, now: int) -> list[ExecutionEvent]:
        """Send an approved order; InvalidOrder when it cannot be meant, LedgerError unpriced."""
        request = approved.request
        admit(request, self._instruments, self.positions, self.closing(request.position_id or ""))
        # Without a rate no fill could be booked; once there is one, the last good one stays.
        self._rate(self._instruments[request.symbol].quote)
        change = self._orders.open(approved, now)
        self._venue.submit(approved, now)
        self.next_due = self._agenda.next_due
        return [change]

    def cancel(self, order_id: str, now: int, reason: str) -> list[ExecutionEvent]:
        """Send a cancel; the order ends when it arrives, unless it fills before."""
        order = self._orders.working.get(order_id)
        if order is None:
            raise InvalidOrder(f"order {order_id} is not working; there is nothing to cancel")
        if order.request.purpose in _PROTECTIVE:
            raise InvalidOrder(
                f"order {order_id} protects {order.request.position_id}; close the position instead"
            )
        self._orders.note_cancel(order_id, reason)
        self._venue.cancel(order_id, now)
        self.next_due = self._agenda.next_due
        return []

    def cancel_entries(self, now: int, reason: str) -> list[ExecutionEvent]:
        """Cancel every working margin entry."""
        entries = [
            order_id
            for order_id, order in self._orders.working.items()
            if order.request.purpose is Purpose.ENTRY
        ]
        return [event for order_id in entries for event in self.cancel(order_id, now, reason)]

    def on_market(self, event: MarketEvent) -> list[ExecutionEvent]:
        """Let a trade or candle act on resting orders."""
        reports = self._venue.on_market(event)
        if reports:
            return self._digest(reports, event.ts)
        self.next_due = self._agenda.next_due  # a stop may wait for a usable book
        return []

    def advance(self, now: int) -> list[ExecutionEvent]:
        """Let everything happen that was due by ``now``."""
        return self._digest(self._venue.advance(now), now)

    def due_exits(
        self, now: int, marks: Mapping[str, Decimal]
    ) -> list[tuple[Position, ExitReason]]:
        """Positions to be closed by time or liquidation and not yet closing. Marks are mids."""
        found: list[tuple[Position, ExitReason]] = []
        for position in self.positions.values():
            reason = self._exit_reason(position, now, marks.get(position.symbol))
            if reason is not None and not self.closing(position.id):
                found.append((position, reason))
        return found

    def _exit_reason(self, position: Position, now: int, mark: Decimal | None) -> ExitReason | None:
        if mark is not None:
            rate = self._rate(self._instruments[position.symbol].quote)
            gain = price_gain(position, mark, position.size, rate)
            left = position.collateral + gain
            if left * 100 <= self._settings.liquidation * position.collateral:
                return ExitReason.LIQUIDATION
        return ExitReason.TIME if now >= self._time_exit(position) else None

    def liquidation_level(self, position: Position) -> Decimal:
        """A price on whose better side a position is surely not liquidated."""
        rate = self._rate(self._instruments[position.symbol].quote)
        loss = position.collateral * (self._settings.liquidation / 100 - 1) + LEDGER_STEP
        return position.entry + position.side.sign * loss / (position.size * rate)

    def _time_exit(self, position: Position) -> int:
        return position.opened + self._settings.time_exit * SECOND

    # -- reports -----------------------------------------------------------------------------

    def _digest(self, reports: list[VenueReport], now: int) -> list[ExecutionEvent]:
        events: list[ExecutionEvent] = []
        while reports:
            touched: dict[str, None] = {}
            for report in reports:
                self._apply(report, events, touched)
            for position_id in touched:
                self._protect_position(position_id, now, events)
            # Protection works at once: take in the venue's answers in the same step.
            reports = self._venue.advance(now) if touched else []
        self._purse.settle()
        self.next_due = self._agenda.next_due
        return events

    def _apply(
        self, report: VenueReport, events: list[ExecutionEvent], touched: dict[str, None]
    ) -> None:
        order, fill_it = self._orders.apply(report)
        if order is None:
            return
        request = order.request
        if fill_it and isinstance(report, OrderFilled):
            self._book(order, report, events)
        else:
            events.append(OrderChanged(order))
        lost = request.purpose in _PROTECTIVE and not order.working
        if (fill_it or lost) and request.position_id is not None:
            touched[request.position_id] = None

    def _book(self, order: Order, report: OrderFilled, events: list[ExecutionEvent]) -> None:
        request = order.request
        before = self.positions.get(request.position_id or "")
        if request.reduce_only and (before is None or report.size > before.size):
            self._orders.notices.append(SystemEvent(
                "fill_unfitting", "critical",
                f"fill {report.trade_id} of {plain(report.size)} {request.symbol} reduces more "
                f"than {request.position_id} holds; not booked",
            ))  # fmt: skip
            events.append(OrderChanged(order))
            return
        fill = self._fill(request, report, before)
        if request.book is AccountBook.SPOT:
            events += (Filled(fill, None, None), OrderChanged(order))
            return
        after, reason = self._position_after(request, fill, before)
        events += (Filled(fill, before, after, reason), OrderChanged(order))
        what = "opened" if before is None else "reduced" if reason else "increased"
        if after.is_open:
            self.positions[after.id] = after
        else:
            what = "closed"
            del self.positions[after.id]
        if before is None:
            self._brackets[after.id] = Bracket(order.verdict_id)
        events.append(PositionChanged(after, what, fill.id))
        self._plan_time_exits()

    def _position_after(
        self, request: OrderRequest, fill: Fill, before: Position | None
    ) -> tuple[Position, ExitReason | None]:
        if before is None:
            return arithmetic.opened(fill, request), None
        if not request.reduce_only:
            return arithmetic.increased(before, fill), None
        reason = request.exit_reason or ExitReason.SIGNAL
        return arithmetic.reduced(before, fill, reason), reason

    def _fill(self, request: OrderRequest, report: OrderFilled, before: Position | None) -> Fill:
        instrument = self._instruments[request.symbol]
        rate = self._rate(instrument.quote)
        maker = report.liquidity is Liquidity.MAKER
        percent = instrument.maker_fee if maker else instrument.taker_fee
        notional = report.size * report.price
        asset = instrument.quote
        if request.book is AccountBook.MARGIN:
            asset, notional = self._currency, notional * rate
        fee = ledger_cost(notional * percent)
        if request.reduce_only and before is not None:
            fee = min(fee, arithmetic.released(before, report.size))
        return Fill(
            id=self._ids("fill"), ts=report.ts, order_id=request.id, symbol=request.symbol,
            side=request.side, book=request.book, price=report.price, size=report.size, fee=fee,
            fee_asset=asset, rate=rate, liquidity=report.liquidity, evidence=report.evidence,
            position_id=request.position_id,
        )  # fmt: skip

    def _plan_time_exits(self) -> None:
        self.next_exit = min(map(self._time_exit, self.positions.values()), default=NEVER)

    # -- protection --------------------------------------------------------------------------

    def _protect_position(self, position_id: str, now: int, events: list[ExecutionEvent]) -> None:
        """Make stop and target fit the position: placed, resized, or gone with it."""
        position = self.positions.get(position_id)
        bracket = self._brackets.get(position_id)
        if bracket is None:
            return
        if position is None:
            del self._brackets[position_id]
            for order_id in (bracket.stop, bracket.target):
                if order_id is not None and order_id in self._orders.working:
                    self._venue.cancel(order_id, now)
            return
        bracket.stop = self._fitted(position, bracket.stop, Purpose.STOP, bracket, now, events)
        if position.target is not None:
            bracket.target = self._fitted(
                position, bracket.target, Purpose.TARGET, bracket, now, events
            )

    def _fitted(
        self, position: Position, order_id: str | None, purpose: Purpose, bracket: Bracket,
        now: int, events: list[ExecutionEvent],
    ) -> str:  # fmt: skip
        order = self._orders.working.get(order_id or "")
        if order is not None and order.remaining == position.size:
            return order.id
        if order is not None and order.filled:
            # Partly executed already: a fresh one takes its place, so that its size is the
            # position's and the old one's fills stay what they were.
            self._orders.note_cancel(order.id, "resized")
            self._venue.cancel(order.id, now)
            order = None
        new_id = self._ids("PAPER") if order is None else order.id
        request = protective_request(position, purpose, new_id)
        approved = self._protect(request, bracket.verdict_id, now)
        if order is None:
            events.append(self._orders.open(approved, now))
            self._venue.submit(approved, now)
        else:
            events.append(self._orders.amend(approved, now))
            self._venue.amend(approved)
        return new_id

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> ExecutionState:
        """Everything that can change a later event."""
        return ExecutionState(
            orders=self._orders.dump(),
            positions=list(self.positions.values()),
            brackets={
                position_id: (bracket.verdict_id, bracket.stop, bracket.target)
                for position_id, bracket in self._brackets.items()
            },
            venue=self._venue.dump(),
        )

    def load(self, state: ExecutionState) -> None:
        """Become what was dumped."""
        self._orders.load(state.orders)
        self.positions.clear()
        self.positions.update((position.id, position) for position in state.positions)
        self._brackets = {
            position_id: Bracket(*parts) for position_id, parts in state.brackets.items()
        }
        self._venue.load(state.venue)
        self.next_due = self._agenda.next_due
        self._plan_time_exits()
