"""The engine: one input at a time, run to completion. No clock, no randomness, no I/O here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tradeterm.engine.adjusting import Adjusting
from tradeterm.engine.analysis import Analysis
from tradeterm.engine.answers import Answers
from tradeterm.engine.approver import Approver
from tradeterm.engine.asking import PROBE_TIMER
from tradeterm.engine.books import Books
from tradeterm.engine.breaking import BREAKER_TIMER, Breaking
from tradeterm.engine.core import Core
from tradeterm.engine.degrading import LINK_TIMER
from tradeterm.engine.drilling import DRILL_TIMER, Drilling
from tradeterm.engine.fidelity import FIDELITY_TIMER, Fidelity
from tradeterm.engine.gap import CODES as GAP_CODES
from tradeterm.engine.gap import Gap, GapEvent
from tradeterm.engine.operator import Operator
from tradeterm.engine.quiet import ALL, LOOK, Quiet
from tradeterm.engine.reconciliation import RECONCILE_TIMER, Reconciliation
from tradeterm.engine.restricting import CLEAN_TIMER, Restricting
from tradeterm.engine.state import EngineState, hashed, take_over, written
from tradeterm.engine.telling import INPUTS, Telling
from tradeterm.engine.timeandsales import TimeAndSales
from tradeterm.engine.trading import Trading
from tradeterm.market.market import Market
from tradeterm.market.symbol import STREAM
from tradeterm.model.commands import Command, CommandResult
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    Listing,
    MarketEvent,
    News,
    Past,
    Pulse,
    Trade,
)
from tradeterm.model.messages import Row
from tradeterm.model.ports import AgentAnswer, Answer, Question
from tradeterm.model.vocabulary import MarketMode
from tradeterm.risk.engine import RiskEngine
from tradeterm.settings.settings import Settings

NEVER = 2**63 - 1


class Engine:
    """A pure machine: market events, commands, answers and time in; rows and effects out."""

    def __init__(
        self,
        settings: Settings,
        instruments: Mapping[str, Instrument],
        symbols: Sequence[str],
        mode: MarketMode,
        seed: int,
        approver: Approver,
    ) -> None:
        """Everything at its beginning; ``begin`` or ``load`` comes next."""
        market = Market(settings.market, symbols)
        self.core = core = Core(settings, instruments, market, mode, seed)
        risk = RiskEngine(settings.risk, core.instruments)
        self.books = Books(core, risk)
        self.trading = Trading(core, self.books, risk, approver)
        self.analysis = Analysis(core, self.books, self.trading)
        self.reconciliation = Reconciliation(core, self.books)
        self.breaking = Breaking(core, self.books, self.trading)
        self.operator = Operator(
            core, self.books, self.trading, self.analysis, self.reconciliation, self.breaking
        )
        self.fidelity = Fidelity(core)
        self.books.on_filled = self.fidelity.filled
        self._quiet = Quiet(
            core, self.books, self.trading, self.analysis, self.reconciliation, self.breaking
        )
        core.on_trading_failure = self._halt_on_failure
        core.unreconciled = self.reconciliation.blocks
        self._guarded = self.books.execution.guarded
        self._approver = approver
        self._market = market
        self._next_timer = 0
        self._run_next: Callable[[int], None] = self._run_named
        self._inputs = dict.fromkeys(INPUTS, 0)
        self.restricting = Restricting(core, self.books, self._inputs)
        core.restricted = self.restricting.why
        heeding = (self.trading.degrading.notice, self.restricting.notice)
        self._telling = Telling(core, self.analysis, heeding, self._inputs, self._plan)
        self.asked = Answers(core, self._inputs, self._answered)
        follow = (risk.follow, self.books.conduct.follow, self.breaking.follow)
        self.adjusting = Adjusting(core, self.operator, follow)
        self.gap = Gap(core, self.books, self._inputs)
        self.drilling = Drilling(core, self.trading, self.operator, self._telling, self._take_turns)
        self._timed: dict[str, Callable[[], None]] = {
            BREAKER_TIMER: self.breaking.timer,
            **self.trading.ghosts.timers,
            RECONCILE_TIMER: self.reconciliation.timer,
            CLEAN_TIMER: self.restricting.look,
            PROBE_TIMER: self.trading.asking.probe,
            DRILL_TIMER: self.drilling.timer,
            "plan": self.trading.rebalancing.plans.due,
            "hodl": self.trading.hodling.buy,
            "mark": self.books.marking.minute,
            "watch": self.trading.degrading.watch_data,
            LINK_TIMER: self.trading.degrading.look_at_link,
            "day": self.books.marking.day,
        }
        """Timers that need nothing but their moment."""
        self._handlers: dict[type, Callable[..., None]] = {
            Trade: self._trade,
            BookDelta: self._delta,
            BookSnapshot: self._snapshot,
            Candle: self._candle,
            News: self._telling.news,
            FeedNotice: self._notice,
            Pulse: self._telling.pulse,
            Past: self._telling.past,
            Listing: self._listing,
        }
        self._usual = dict(self._handlers)
        self._settling = dict.fromkeys(self.gap.takes, self._settle)
        """Who takes what instead while a gap is open."""
        self.trades = TimeAndSales((self._usual, self._settling), self._take_turns)

    # -- reading ---------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Market time (ns) of the last input or timer."""
        return self.core.stamp.now

    @property
    def inputs(self) -> int:
        """How many inputs have been taken."""
        return self.core.stamp.input

    @property
    def market_inputs(self) -> int:
        """How many of them came from the feed: the feed's position."""
        return self.core.stamp.input - self._inputs["command"]

    @property
    def effects(self) -> deque[Question]:
        """Questions to carry to the advisor; the market is held while there are any."""
        return self.core.effects

    @property
    def slice_full(self) -> bool:
        """Whether the slice should end here."""
        return self.core.journal.full

    @property
    def next_due(self) -> int:
        """When the next timer runs."""
        return self._next_timer

    @property
    def awaits_operator(self) -> bool:
        """Whether the market goes on at 1×: a card waits, or was refused just now."""
        return self.trading.coordinator.awaits_operator(self.now)

    def take_rows(self) -> list[Row]:
        """The rows of the slice that ends here."""
        return self.core.journal.take()

    def input_counts(self) -> dict[str, int]:
        """Inputs by kind."""
        return dict(self._inputs)

    # -- inputs ----------------------------------------------------------------------------

    def begin(self, start: int, parent: str) -> None:
        """First moment of a run: the deposit, the schedules, the first marks."""
        self.core.stamp.now = start
        self.books.deposit(parent)
        self.analysis.agenda.schedule(start)
        self.trading.degrading.plan_watch()
        self.trading.ghosts.begin(start)
        self.reconciliation.schedule()
        self._approver.begin(self.core.timers)
        self._plan()

    def run(self, events: Sequence[MarketEvent], start: int, stop: int, most: int = ALL) -> int:
        """Take ``events[start:stop]``; returns the index of the first one not taken.

        Stops early for a question, when the slice is full, or after the work of ``most`` events.
        """
        self._market.expect(events, start)
        if self.gap.open or not self._quiet.possible:
            return self._run_each(events, start, min(stop, start + most))
        while start < stop and most > 0:
            if taken := self._taken_quietly(events, start, stop, most):
                start += taken
                self._plan()
            elif (ts := events[start].ts) > self._next_timer:
                self._run_timers(ts)
            else:
                start = self._run_each(events, start, start + 1)
            if self.core.effects or self.core.journal.full:
                break
            most -= LOOK
        return start

    def _taken_quietly(self, bars: Sequence[MarketEvent], start: int, stop: int, most: int) -> int:
        if self.gap.open or not (taken := self._quiet.take(bars, start, stop, most)):
            return 0
        self._inputs["candle"] += taken
        if self._quiet.leads_on:
            self._candle(bars[start + taken])  # type: ignore[arg-type]  # of bars only
        return taken + self._quiet.leads_on

    def _run_each(self, events: Sequence[MarketEvent], start: int, stop: int) -> int:
        """``run``, one event after the other."""
        core, stamp, handlers = self.core, self.core.stamp, self._handlers
        effects, journal = core.effects, core.journal
        for index in range(start, stop):
            event = events[index]
            ts = event.ts
            if ts > self._next_timer:
                self._run_timers(ts)
                if effects or journal.full:
                    return index
            if ts > stamp.now:
                stamp.now = ts
            stamp.input += 1
            handlers[event.__class__](event)
            if effects or journal.full:
                return index + 1
        return stop

    def advance(self, now: int) -> bool:
        """Run every timer due at or before ``now``; whether there was one."""
        if self._next_timer > now or self.core.effects:
            return False
        self._run_timers(now + 1)
        return True

    def command(self, command: Command, ts: int) -> CommandResult:
        """Take one command, stamped ``ts``; whatever was due before comes first."""
        self._run_timers(ts, whole=True)
        stamp = self.core.stamp
        stamp.now = max(stamp.now, ts)
        stamp.input += 1
        self._inputs["command"] += 1
        result = self.operator.carry_out(command)
        self._plan()
        return result

    def answer(self, answer: Answer, late: AgentAnswer | None = None) -> None:
        """An open question was answered; it enters at the question's time plus the latency.

        ``late``: recorded votes that came after it.
        """
        self.asked.take(answer, late)
        self._plan()

    def _answered(self, answer: Answer, row_id: str) -> None:
        if isinstance(answer, AgentAnswer):
            self.analysis.answered(answer, row_id)
        else:
            self.trading.answered(answer, row_id)

    # -- market events ---------------------------------------------------------------------

    def _trade(self, event: Trade) -> None:
        self._inputs["trade"] += 1
        closed = self._market.on_trade(event)
        if (prints := self.fidelity.watched.get(event.symbol)) is not None:
            prints.take(event)
        rest = self.books.execution.interested.get(event.symbol)
        if rest is not None and not rest.ignores(event):
            self._execute(event)
        if self.trading.watching:
            self.trading.tick()
        if closed:
            self._closed(closed)
        elif self._market.next_close < self._next_timer:
            self._plan()

    def _execute(self, event: Trade | Candle) -> None:
        """Let a price act on resting orders; one that cannot be filled now sets a due time."""
        execution = self.books.execution
        events = execution.on_market(event)
        if events:
            self.books.booked(events)
        if events or execution.next_due < self._next_timer:
            self._plan()

    def _delta(self, event: BookDelta) -> None:
        self._inputs["delta"] += 1
        self._market.on_delta(event)
        if self._market.notices:
            self._telling.notices()
        if event.symbol in self._guarded:
            self._mid_moved(event.symbol)
        if self.trading.watching:
            self.trading.tick()

    def _snapshot(self, event: BookSnapshot) -> None:
        self._inputs["snapshot"] += 1
        self._market.on_snapshot(event)
        if self._market.notices:
            self._telling.notices()
        if event.symbol in self._guarded:
            self._mid_moved(event.symbol)
        if self.trading.watching:
            self.trading.tick()

    def _mid_moved(self, symbol: str) -> None:
        """Let a new mid act on what is held; most of them are inside the band."""
        if self.books.watch_mid(symbol):
            self._plan()

    def _candle(self, event: Candle) -> None:
        self._inputs["candle"] += 1
        closed = self._market.on_candle(event)
        met = self._market.symbol(event.symbol).mode == STREAM  # orders have met its prints
        rest = None if met else self.books.execution.interested.get(event.symbol)
        if rest is not None and not rest.passed(event):
            self._execute(event)
        if self.trading.watching:
            self.trading.tick()
        self._closed(closed)

    def _closed(self, candles: list[Candle]) -> None:
        acted = self.analysis.on_closed(candles)
        if self._market.notices:
            self._telling.notices()
        if acted or self._market.next_close != NEVER:
            self._plan()

    def _notice(self, event: FeedNotice) -> None:
        self._inputs["notice"] += 1
        if event.code in GAP_CODES:
            self.gap.notice(event)
            self.trading.degrading.plan_watch()  # the books are empty until the present is here
            self._take_turns()
        else:
            self._telling.say(event)

    def _listing(self, event: Listing) -> None:
        self.restricting.listing(event)
        self._plan()

    def _take_turns(self) -> None:
        """While a gap is open its market acts on orders alone, and no timer but theirs runs."""
        deaf = self.drilling.deaf if self.drilling.silent else {}
        self._handlers.update(self._usual | deaf | (self._settling if self.gap.open else {}))
        self._plan()

    def _settle(self, event: GapEvent) -> None:
        self.gap.act(event)
        self._plan()

    def _halt_on_failure(self, text: str) -> None:
        self.operator.halt(f"engine fault: {text}", "")

    # -- time ------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Find the next timer of any kind; of those due together candles, venue, cards go first."""
        if self.gap.open:
            self._next_timer, self._run_next = self.books.execution.next_due, self.gap.advance
            return
        run: Callable[[int], None] = self._run_named
        due = self.core.timers.next_due
        waiting = self.trading.coordinator.next_due
        if waiting <= due:
            due, run = waiting, self._tick
        filling = self.books.execution.next_due
        if filling <= due:
            due, run = filling, self._fill_due
        closing = self._market.next_close
        if closing <= due:
            due, run = closing, self._close_due
        self._next_timer, self._run_next = due, run

    def _run_timers(self, before: int, *, whole: bool = False) -> None:
        """Run everything due before ``before``, in (due, kind, id) order.

        Stops at a question, and at the end of the slice unless ``whole``.
        """
        self._plan()
        stamp, effects, journal = self.core.stamp, self.core.effects, self.core.journal
        while self._next_timer < before and not effects and (whole or not journal.full):
            due = self._next_timer
            if due > stamp.now:
                stamp.now = due
            self._run_next(due)
            self._plan()

    def _close_due(self, due: int) -> None:
        self._closed(self._market.close_due(due))

    def _fill_due(self, due: int) -> None:
        self.books.booked(self.books.execution.advance(due))

    def _tick(self, _due: int) -> None:
        self.trading.tick()

    def _run_named(self, due: int) -> None:
        name = self.core.timers.pop()
        kind, _, rest = name.partition(":")
        if kind == "task":
            self.analysis.run_due(name)
        elif kind == "answer":
            self.asked.due(rest)
        elif kind == FIDELITY_TIMER:
            self.fidelity.due(due)
        elif (act := self._timed.get(kind)) is not None:
            act()
        else:
            command = self._approver.due(name, self.trading.pending_cards())
            self.operator.carry_out(command, "policy")

    def change_settings(self, before: Settings) -> None:
        """After ``load`` of an engine that ran under ``before``."""
        self.analysis.agenda.follow(before.orchestration.schedule)
        self._plan()

    def change_policy(self) -> None:
        """After ``load``: this engine's own approver decides from here on."""
        self._approver.take_over(self.core.timers, self.trading.pending_cards(), self.now)
        self._plan()

    # -- identity --------------------------------------------------------------------------

    def state_hash(self) -> str:
        """Hash over orders, fills, positions, ledger, coordinator and risk state."""
        return hashed(self)

    def dump(self) -> bytes:
        """The whole state, for a snapshot; taken between inputs."""
        return msgspec.msgpack.encode(written(self, self.asked.dump()))

    def load(self, data: bytes) -> None:
        """Continue exactly as the dumped engine would."""
        state = msgspec.msgpack.decode(data, type=EngineState)
        take_over(self, state)
        self._inputs.update(state.inputs)
        self.asked.load(state.answers)
        self._take_turns()
