"""The account: what execution reports becomes journal rows, ledger entries, marks, settlements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tradeterm.engine.core import Core
from tradeterm.execution.execution import Execution, ExecutionState
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import (
    ApprovedOrder,
    ExecutionEvent,
    Filled,
    Order,
    OrderChanged,
    Position,
    PositionChanged,
)
from tradeterm.model.pnl import price_gain
from tradeterm.model.timing import HOUR, MINUTE, day_start
from tradeterm.model.vocabulary import ExitReason, PositionSide, Priority, Topic
from tradeterm.portfolio.portfolio import Portfolio, PortfolioState
from tradeterm.risk.engine import RiskEngine

NO_QUOTE = (None, None)
MARK_TIMER = "mark:minute"


class BooksState(msgspec.Struct):
    """The account, written down."""

    execution: ExecutionState
    portfolio: PortfolioState
    unwritten: list[tuple[int, Decimal]]
    hour: int
    marked: int


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
        self._unwritten: list[tuple[int, Decimal]] = []
        """Equity marks not journaled yet: they go out an hour at a time."""
        self._hour = 0
        self._marked = -1
        """Input count at the last mark: nothing can have moved when it is the same."""
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
            currency=settings.market.account.currency,
            rate=self.portfolio.rate,
            protect=risk.protect,
            funds=self.portfolio.funds,
        )

    def _quote(self, symbol: str) -> tuple[float | None, float | None]:
        """A pure function of the market, so that looking at the account changes nothing."""
        quote = self._quotes[symbol]()
        return quote if quote[0] > 0 else NO_QUOTE

    # -- reading ---------------------------------------------------------------------------

    def account(self) -> AccountView:
        """The truth about the account now."""
        return self.portfolio.account_view(
            self._core.now,
            self.execution.positions,
            self.execution.working,
            self._core.state,
            self._core.level,
        )

    def is_closing(self, position_id: str) -> bool:
        """Whether a close order for all of it is out."""
        position = self.execution.positions.get(position_id)
        return position is not None and self.execution.closing(position_id) >= position.size

    def unrealised(self, position: Position, account: AccountView) -> Decimal:
        """P&L at the exit side of the book, account currency."""
        side = account.bids if position.side is PositionSide.LONG else account.asks
        price = side.get(position.symbol)
        rate = account.rates.get(self._core.instruments[position.symbol].quote)
        if price is None or rate is None:
            return ZERO
        return price_gain(position, price, position.size, rate)

    # -- orders ----------------------------------------------------------------------------

    def place(self, approved: ApprovedOrder) -> None:
        """Send an approved order."""
        self.booked(self.execution.place(approved, self._core.now))

    def close(self, position: Position, reason: ExitReason, parent: str) -> None:
        """Close what is left of a position at market; never refused."""
        size = position.size - self.execution.closing(position.id)
        request = self.execution.close_request(position, self._core.now, reason, parent, size)
        self.place(self._risk.reduce(request, self.account(), self._core.now))

    def cancel(self, order_id: str, reason: str) -> None:
        """Send a cancel."""
        self.booked(self.execution.cancel(order_id, self._core.now, reason))

    def cancel_entries(self, reason: str) -> int:
        """Cancel every working entry; how many there were."""
        entries = len(self.account().entries)
        self.booked(self.execution.cancel_entries(self._core.now, reason))
        return entries

    # -- what happened ---------------------------------------------------------------------

    def booked(self, events: Sequence[ExecutionEvent]) -> None:
        """Write down and post what execution reported, in causal order.

        Whoever looks at the account waits until all of it is posted: ``execution`` already holds
        the whole batch, the ledger only what came before in the loop.
        """
        closed: list[tuple[Position, str]] = []
        for event in events:
            if isinstance(event, Filled):
                self._filled(event)
            elif isinstance(event, OrderChanged):
                self._order_changed(event.order)
            else:
                self._position_changed(event)
                if event.what == "closed":
                    closed.append((event.position, event.parent))
        for notice in self.execution.take_notices():
            self._core.risk_alert(notice.code, notice.severity, notice.text)
        if any(isinstance(event, Filled) for event in events):
            self.mark()
        for position, fill in closed:
            self.on_closed(position, fill)
        if self._core.flattening:
            self._close_late_arrivals()

    def _close_late_arrivals(self) -> None:
        """An entry was faster than its cancel: flatten means that, too."""
        for position in list(self.execution.positions.values()):
            if not self.is_closing(position.id):
                self.close(position, ExitReason.OPERATOR, position.id)

    def _order_changed(self, order: Order) -> None:
        core = self._core
        core.journal.write("order", order.id, order.request.parent, order)
        core.counters.order(order.id, order.status)
        core.bus.publish(
            Topic.EXECUTION_EVENTS,
            "execution",
            order.request.symbol,
            order,
            core.now,
            priority=Priority.HIGH,
        )

    def _filled(self, event: Filled) -> None:
        core, fill = self._core, event.fill
        core.journal.write("fill", fill.id, fill.order_id, fill)
        core.counters.fills += 1
        entry = self.portfolio.book(event)
        core.journal.write("entry", entry.id, fill.id, entry)

    def _position_changed(self, event: PositionChanged) -> None:
        core, position = self._core, event.position
        body = {"what": event.what, "position": position}
        core.journal.write("position", position.id, event.parent, body)
        core.bus.publish(Topic.PORTFOLIO_UPDATES, "execution", position.symbol, position, core.now)
        if event.what != "closed":
            return
        settled = self.portfolio.marks.settle(position)
        core.journal.write("settled", core.journal.new_id("set"), position.id, settled)
        core.counters.realised += position.pnl
        assert position.exit_reason is not None
        core.count(core.counters.exits, position.exit_reason.value)

    # -- marks -----------------------------------------------------------------------------

    def deposit(self, parent: str) -> None:
        """The first entry of every run."""
        amount = self._core.settings.market.account.deposit
        entry = self.portfolio.deposit(self._core.now, amount, parent)
        self._core.journal.write("entry", entry.id, parent, entry)
        self.mark()
        self._core.timers.set("day", day_start(self._core.now) + 24 * HOUR)

    def mark(self) -> None:
        """Note the equity, and close what time or liquidation says must be closed."""
        now = self._core.now
        equity = self.portfolio.equity(self.execution.positions)
        notable = self.portfolio.marks.note(now, equity)
        self._unwritten.append((now, equity))
        self._marked = self._core.stamp.input
        if (notable and now % (24 * HOUR) == 0) or now // HOUR > self._hour:
            self.write_marks()
        if self.execution.positions:
            self._due_exits()
        self._plan_mark()

    def mark_run(self, marks: Sequence[tuple[int, Decimal]]) -> None:
        """``mark`` for a run of (time, equity) inside a day, one input apart, nothing to close.

        Moves the clock along to where a row is due; the next mark is the caller's to plan.
        """
        stamp = self._core.stamp
        self.portfolio.marks.follow(marks)
        self._marked = stamp.input + len(marks) - 1
        first, turn = stamp.input, (self._hour + 1) * HOUR
        for number, mark in enumerate(marks, first):
            self._unwritten.append(mark)
            if mark[0] >= turn:
                stamp.now, stamp.input = mark[0], number
                self.write_marks()
                turn = (self._hour + 1) * HOUR

    def _due_exits(self) -> None:
        marks = {
            position.symbol: mid
            for position in self.execution.positions.values()
            if (mid := self.portfolio.mid(position.symbol)) is not None
        }
        for position, reason in self.execution.due_exits(self._core.now, marks):
            parent = position.id
            self._core.risk_alert(
                f"R-{reason.upper()}",
                "warning",
                f"{position.id} {position.symbol} {plain(position.size)} is closed: {reason}",
                parent,
            )
            self.close(position, reason, parent)

    def minute_timer(self) -> None:
        """A market minute (or bar, when bars are longer) is over."""
        if not self.marked:
            self.mark()
        else:
            self._plan_mark()

    @property
    def marked(self) -> bool:
        """Whether the equity was noted since the last input."""
        return self._marked == self._core.stamp.input

    def _plan_mark(self) -> None:
        """While anything is held there is a mark at the end of each market minute (or bar)."""
        timers = self._core.timers
        if timers.due(MARK_TIMER) is None and (
            self.execution.positions or self.portfolio.holds_assets
        ):
            step = max(MINUTE, self._core.market.bar_interval)
            timers.set(MARK_TIMER, (self._core.now // step + 1) * step)

    def day_timer(self) -> None:
        """00:00 UTC: the base of the day's loss."""
        self.mark()
        self._core.timers.set("day", day_start(self._core.now) + 24 * HOUR)

    def write_marks(self) -> None:
        """Journal the equity marks since the last time."""
        self._hour = self._core.now // HOUR
        if self._unwritten:
            marks, self._unwritten = self._unwritten, []
            journal = self._core.journal
            journal.write("equity", journal.new_id("eq"), "", {"marks": marks})

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> BooksState:
        """For a snapshot."""
        return BooksState(
            self.execution.dump(),
            self.portfolio.dump(),
            list(self._unwritten),
            self._hour,
            self._marked,
        )

    def load(self, state: BooksState) -> None:
        """Continue as the dumped books would."""
        self.execution.load(state.execution)
        self.portfolio.load(state.portfolio)
        self._unwritten = list(state.unwritten)
        self._hour, self._marked = state.hour, state.marked


def _nobody(_position: Position, _fill: str) -> None:
    """Before the trading pipeline is attached."""
