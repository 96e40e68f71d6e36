"""The account: what execution reports becomes journal rows, ledger entries, marks, settlements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tradeterm.engine.core import Core
from tradeterm.engine.marking import Marking, MarkingState
from tradeterm.execution.execution import Execution, ExecutionState
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import (
    ApprovedOrder,
    Charged,
    ExecutionEvent,
    ExitDue,
    Fill,
    Filled,
    Order,
    OrderChanged,
    Position,
    PositionAlarm,
    PositionChanged,
)
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    PositionSide,
    Priority,
    Purpose,
    Side,
    Topic,
)
from tradeterm.portfolio.portfolio import Portfolio, PortfolioState
from tradeterm.risk.conduct import Conduct, ConductState
from tradeterm.risk.engine import RiskEngine

NO_QUOTE = (None, None)


class BooksState(msgspec.Struct):
    """The account, written down."""

    execution: ExecutionState
    portfolio: PortfolioState
    marking: MarkingState
    conduct: ConductState
    revision: int


class Books:
    """Execution and portfolio kept in step; risk's permission for whatever only reduces."""

    def __init__(self, core: Core, risk: RiskEngine) -> None:
        """Empty books; ``deposit`` comes first."""
        settings = core.settings
        self._core = core
        self._risk = risk
        market = core.market
        self._quotes = {symbol: market.symbol(symbol).quote for symbol in market.symbols}
        self.on_closed: Callable[[Position, str], None] = _nobody
        """Told about every position that closed, and the fill that did it."""
        self.on_spot_ended: Callable[[Order], None] = _no_order
        """Told about every spot order that came to its end, when all of it is posted."""
        self.on_filled: Callable[[Fill], None] = _no_one
        """Told about every fill."""
        self.conduct = Conduct(settings.risk)
        self.revision = 0
        """Grows with every order, report and cancel: what a verdict was given on."""
        self.portfolio = Portfolio(
            settings.market.account.currency,
            core.instruments,
            core.journal.new_id,
            self._quote,
            settings.market.account.parity,
        )
        self.execution = Execution(
            settings.execution,
            core.instruments,
            core.market.books,
            core.seed,
            core.journal.new_id,
            fees=settings.market.fees,
            currency=settings.market.account.currency,
            rate=self.portfolio.rate,
            priced_by=self.portfolio.priced_by,
            mid=self.portfolio.mid,
            protect=risk.protect,
            funds=self.portfolio.funds,
        )
        self.marking = Marking(core, self.portfolio, self.execution)

    def _quote(self, symbol: str) -> tuple[float | None, float | None]:
        """A pure function of the market, so that looking at the account changes nothing."""
        quote = self._quotes[symbol]()
        return quote if quote[0] > 0 else NO_QUOTE

    # -- reading ---------------------------------------------------------------------------

    def account(self, without: str = "") -> AccountView:
        """The truth about the account now; ``without`` leaves one working order out."""
        working = self.execution.committed()
        if without:
            working = {key: order for key, order in working.items() if key != without}
        return self.portfolio.account_view(
            self._core.now,
            self.execution.positions,
            working,
            self._core.state,
            self._core.level,
        )

    def is_closing(self, position_id: str) -> bool:
        """Whether close orders at market for all of it are out: nothing more can be done."""
        position = self.execution.positions.get(position_id)
        if position is None:
            return False
        if position.stop_kind is ExitReason.LIQUIDATION:
            return True
        exits = self.execution.exits(position_id)
        sizes = (order.remaining for order in exits if order.request.limit is None)
        return sum(sizes, ZERO) >= position.size

    def unrealised(self, position: Position, account: AccountView) -> Decimal:
        """P&L at the exit side of the book, account currency."""
        side = account.bids if position.side is PositionSide.LONG else account.asks
        price = side.get(position.symbol)
        rate = account.rates.get(self._core.instruments[position.symbol].quote)
        if price is None or rate is None:
            return ZERO
        return price_gain(position, price, position.size, rate)

    def if_closed(self, position: Position, account: AccountView) -> Decimal | None:
        """What it would have earned if it were closed now, the exit's fee included."""
        instrument = self._core.instruments[position.symbol]
        side = account.bids if position.side is PositionSide.LONG else account.asks
        price, rate = side.get(position.symbol), account.rates.get(instrument.quote)
        if price is None or rate is None:
            return None
        fee = position.size * price * rate * instrument.taker_fee
        return position.pnl + self.unrealised(position, account) - fee

    # -- orders ----------------------------------------------------------------------------

    def place(self, approved: ApprovedOrder) -> None:
        """Send an approved order."""
        self.revision += 1
        self.conduct.sent(approved.request, self._core.now)
        self.booked(self.execution.place(approved, self._core.now))

    def close(
        self, position: Position, reason: ExitReason, parent: str, size: Decimal | None = None
    ) -> None:
        """Close a position at market, all of it or ``size``; never refused.

        Closing all of it takes back what waits for a price: limit closes would keep a position
        open that has to go, the rest of its entry would open it again. Whatever is faster, the
        venue never reduces more than there is.
        """
        if size is None:
            self._take_back(position, reason)
        free = position.size - self.execution.closing(position.id)
        size = free if size is None else min(size, free)
        if size > 0:
            self.reduce(position, size, reason, parent)

    def _take_back(self, position: Position, reason: ExitReason) -> None:
        """Cancel the rest of its entry and its limit closes; book it in one go."""
        execution, now, name = self.execution, self._core.now, position.id
        why = f"closing: {reason}"
        events = execution.cancel_entries(now, why, lambda entry: entry.position_id == name)
        for order in execution.exits(position.id):
            if order.request.limit is not None:
                self.conduct.cancelled(now)
                events += execution.cancel(order.id, now, f"replaced: {reason}")
        if events:
            self.booked(events)

    def reduce(
        self, position: Position, size: Decimal, reason: ExitReason, parent: str,
        limit: Decimal | None = None, *, post_only: bool = False,
    ) -> Order:  # fmt: skip
        """Send a close order of exactly this size, at market or at a limit."""
        request = self.execution.requests.close(
            position, reason, parent, size, limit, post_only=post_only
        )
        self.place(self._risk.reduce(request, self.account(), self._core.now))
        order = self.execution.order(request.id)
        assert order is not None, "just placed"
        return order

    def refusal_to_loosen(self, position: Position, stop: Decimal) -> str:
        """Risk's reason why a stop may not move away from the market to ``stop``, if any."""
        return self._risk.refusal_to_loosen(position, stop, self.account())

    def cancel(self, order_id: str, reason: str) -> None:
        """Send a cancel."""
        self.revision += 1
        self.conduct.cancelled(self._core.now)
        self.booked(self.execution.cancel(order_id, self._core.now, reason))

    def withdraw(self, symbol: str, side: Side, reason: str) -> None:
        """Cancel the entries of one side of a symbol that still wait for their price."""
        self.booked(self.execution.cancel_entries(
            self._core.now, reason, lambda entry: (entry.symbol, entry.side) == (symbol, side)
        ))  # fmt: skip

    def cancel_entries(self, reason: str) -> int:
        """Cancel every working entry; how many there were."""
        entries = len(self.account().entries)
        self.booked(self.execution.cancel_entries(self._core.now, reason))
        return entries

    def watch_mid(self, symbol: str) -> bool:
        """The book of a guarded symbol changed: judge what rests on its mid, when it matters."""
        band, (bid, ask) = self.execution.guarded[symbol], self._quotes[symbol]()
        if bid <= 0 or band.floor < (bid + ask) / 2 < band.ceiling:
            return False
        self.booked(self.execution.on_mid(symbol, self._core.now))
        return True

    # -- what happened ---------------------------------------------------------------------

    def booked(self, events: Sequence[ExecutionEvent]) -> None:
        """Write down and post what execution reported, in causal order.

        Whoever looks at the account waits until all of it is posted: ``execution`` already holds
        the whole batch, the ledger only what came before in the loop.
        """
        self.revision += bool(events)
        closed: list[tuple[Position, str]] = []
        ended: list[Order] = []
        due: list[ExitDue] = []
        posted = False
        for event in events:
            if isinstance(event, OrderChanged):  # most of them are
                self._order_changed(event.order)
                if event.order.request.book is AccountBook.SPOT and not event.order.working:
                    ended.append(event.order)
            elif isinstance(event, Filled):
                posted = True
                self._filled(event)
            elif isinstance(event, Charged):
                posted = True
                self._charged(event)
            elif isinstance(event, PositionAlarm):
                self._alarm(event.position, event.code, event.text)
            elif isinstance(event, ExitDue):
                due.append(event)
            else:
                self._position_changed(event)
                if event.what == "closed":
                    closed.append((event.position, event.parent))
        if self.execution.noticed:
            for notice in self.execution.take_notices():
                self._core.risk_alert(notice.code, notice.severity, notice.text)
        if posted:
            self.marking.mark()
        for position, fill in closed:
            self.on_closed(position, fill)
        for order in ended:
            self.on_spot_ended(order)
        for exit_due in due:
            self._exit(exit_due)
        if self._core.flattening:
            self._close_late_arrivals()

    def _exit(self, due: ExitDue) -> None:
        """What its time has come for is closed, unless that is under way."""
        position = self.execution.positions.get(due.position.id)
        if position is None or self.is_closing(position.id):
            return
        self._alarm(position, f"R-{due.reason.upper()}", f"is closed: {due.reason}")
        self.close(position, due.reason, position.id)

    def _alarm(self, position: Position, code: str, text: str) -> None:
        name = f"{position.id} {position.symbol} {plain(position.size)}"
        self._core.risk_alert(code, "warning", f"{name} {text}", position.id)

    def _charged(self, event: Charged) -> None:
        entry = self.portfolio.charge(event)
        self._core.journal.write("entry", entry.id, entry.parent, entry)

    def _close_late_arrivals(self) -> None:
        """An entry was faster than its cancel: flatten means that, too."""
        for position in list(self.execution.positions.values()):
            if not self.is_closing(position.id):
                self.close(position, ExitReason.OPERATOR, position.id)

    def _order_changed(self, order: Order) -> None:
        core, request = self._core, order.request
        core.journal.write("order", request.id, request.parent, order)
        core.counters.order(request.id, order.status)
        core.bus.publish(
            Topic.EXECUTION_EVENTS,
            "execution",
            request.symbol,
            order,
            core.stamp.now,
            priority=Priority.HIGH,
        )

    def _filled(self, event: Filled) -> None:
        core, fill = self._core, event.fill
        core.journal.write("fill", fill.id, fill.order_id, fill)
        core.counters.fills += 1
        entry = self.portfolio.book(event)
        core.journal.write("entry", entry.id, fill.id, entry)
        order = self.execution.order(fill.order_id)
        if order is not None and order.request.purpose is Purpose.HODL:
            kept = self.portfolio.keep(fill)
            core.journal.write("entry", kept.id, fill.id, kept)
        self.on_filled(fill)

    def _position_changed(self, event: PositionChanged) -> None:
        core, position, now = self._core, event.position, self._core.stamp.now
        body = {"what": event.what, "position": position}
        core.journal.write("position", position.id, event.parent, body)
        core.bus.publish(Topic.PORTFOLIO_UPDATES, "execution", position.symbol, position, now)
        if event.what in ("opened", "increased"):
            self.conduct.entered(position.symbol, now)
        if event.what != "closed":
            return
        settled = self.portfolio.marks.settle(position)
        core.journal.write("settled", core.journal.new_id("set"), position.id, settled)
        self.conduct.settled(position, self.portfolio.marks.loss_streak, now)
        core.counters.realised += position.pnl
        core.counters.carry += position.carry
        assert position.exit_reason is not None
        core.count(core.counters.exits, position.exit_reason.value)

    def keep_cash(self, parent: str) -> None:
        """The account currency's own share of profits goes into the bag."""
        entry = self.portfolio.keep_cash(self._core.now, parent)
        self._core.journal.write("entry", entry.id, parent, entry)
        self.marking.mark()

    # -- marks -----------------------------------------------------------------------------

    def deposit(self, parent: str) -> None:
        """The first entry of every run."""
        amount = self._core.settings.market.account.deposit
        entry = self.portfolio.deposit(self._core.now, amount, parent)
        self._core.journal.write("entry", entry.id, parent, entry)
        self.marking.day()

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> BooksState:
        """For a snapshot."""
        return BooksState(
            self.execution.dump(),
            self.portfolio.dump(),
            self.marking.dump(),
            self.conduct.dump(),
            self.revision,
        )

    def load(self, state: BooksState) -> None:
        """Continue as the dumped books would."""
        self.execution.load(state.execution)
        self.portfolio.load(state.portfolio)
        self.marking.load(state.marking)
        self.conduct.load(state.conduct)
        self.revision = state.revision


def _nobody(_position: Position, _fill: str) -> None:
    """Before the trading pipeline is attached."""


def _no_order(_order: Order) -> None:
    """Before the trading pipeline is attached."""


def _no_one(_fill: Fill) -> None:
    """Before the observer of fills is attached."""
