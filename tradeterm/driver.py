"""The loop around the engine: feed in, slices out, effects carried out, view published.

Lives on the engine's own thread (console) or the main one (headless). One slice is one
transaction of whole inputs with all their consequences; at most two are unacknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec
from msgspec.structs import replace

from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.adapters.tape.live_recording import LiveRecording
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.awaiting import Background, answered
from tradeterm.engine.engine import Engine
from tradeterm.engine.picture import build_view
from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.haltfile import LOOK_SECONDS, HaltFileWatch, remove_first
from tradeterm.health import HealthWatch
from tradeterm.inflow import Inflow, LiveInflow, PacedInflow
from tradeterm.model.commands import Command, CommandResult, Halt, ReportTask, Resume
from tradeterm.model.market import Feed
from tradeterm.model.messages import Row
from tradeterm.model.ports import Advisor, Answer
from tradeterm.model.vocabulary import RunState
from tradeterm.model.walking import Goal
from tradeterm.pacing import Pacer
from tradeterm.persistence import Persistence
from tradeterm.supervising import Supervisor

SLICE_SECONDS = 0.005
OUTSTANDING = 2
SNAPSHOT_SECONDS = 5.0
VIEW_SECONDS = 0.08
#: How long after the last look of another process pictures are still made for it.
WATCHED_SECONDS = 5.0
INBOX = 64


@dataclass(slots=True)
class _Pending:
    """A slice on its way to disk and the picture that may be shown once it is there."""

    write: asyncio.Task[None] | None
    view: ConsoleView | None
    results: list[tuple[asyncio.Future[CommandResult], CommandResult]]
    since: float
    news: Sequence[EventView] = ()
    """Events to tell outside the screen once the slice is durable."""


class Driver:
    """Drives one engine until the feed ends, ``until`` is reached, or it is told to stop."""

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        store: Store,
        advisor: Advisor,
        pacer: Pacer,
        *,
        until: int | None,
        halt_file: Path,
        publish: Callable[[ConsoleView], None] | None,
        pace_cards: bool,
        complain: Callable[[str], None] | None = None,
        tell: Callable[[Sequence[EventView]], None] | None = None,
    ) -> None:
        """``publish`` None means headless: no view is built. ``until`` in market ns.

        ``complain`` hears about faults and their end: whoever has no screen to see them on.
        ``tell`` gets events once they are durable.
        """
        self.engine = engine
        self.seconds = 0.0
        """Time spent in the engine by this process."""
        self._feed = feed
        self._tape = feed if isinstance(feed, RecordingFeed) else None
        self._wake = asyncio.Event()
        live = isinstance(feed, LiveRecording)
        self._disk = Persistence(store, self._tape, self._show_fault, complain, engine, live=live)
        self.advisor = advisor
        self._pacer = pacer
        self.inflow = self._inflow(engine, feed, until)
        self._background = Background(advisor, self.inflow.moment, self._answered)
        self.health = HealthWatch(
            engine.core.settings.risk,
            feed.clock_skew if isinstance(feed, LiveRecording) else _no_clock,
            self._disk.lag,
            live=live,
        )
        self._halt_file = HaltFileWatch(halt_file)
        self.supervisor = Supervisor(self.submit, complain)
        self.supervisor.watch(self._halt_file.task)
        self._publish = publish
        self._tell = tell
        self._told = engine.core.events.version
        self._pace_cards = pace_cards
        engine.core.journal.attended = pace_cards
        self._inbox: deque[tuple[Command, asyncio.Future[CommandResult]]] = deque()
        self._results: list[tuple[asyncio.Future[CommandResult], CommandResult]] = []
        self._outstanding: deque[_Pending] = deque()
        self._stopping = False
        self._started = perf_counter()
        self._snapshot_due = self._started + SNAPSHOT_SECONDS
        self._view_due = 0.0
        self._dirty = True
        self._version = 0
        self._shown = ConsoleView()
        self._watched_until = 0.0

    def _inflow(self, engine: Engine, feed: Feed, until: int | None) -> Inflow:
        if isinstance(feed, LiveRecording):
            loop = asyncio.get_running_loop()

            def wake() -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._wake.set)

            return LiveInflow(engine, feed, wake, until)
        return PacedInflow(engine, feed, self._pacer, until)

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        return self.inflow.finished

    # -- from outside (engine loop only) ---------------------------------------------------

    def submit(self, command: Command) -> asyncio.Future[CommandResult]:
        """Queue a command; the future resolves once its consequences are durable."""
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        refusal = self.refusal(command)
        if refusal is not None:
            future.set_result(refusal)
        elif len(self._inbox) >= INBOX and not isinstance(command, Halt | ReportTask):
            future.set_result(CommandResult(False, "too many commands waiting; try again"))
        elif isinstance(command, Halt):
            self._inbox.appendleft((command, future))
        else:
            self._inbox.append((command, future))
        self._wake.set()
        return future

    def refusal(self, command: Command) -> CommandResult | None:
        """Why a command is no input at all: resuming while the halt file lies there."""
        if isinstance(command, Resume) and self._halt_file.path.exists():
            return CommandResult(False, remove_first(self._halt_file.path))
        return None

    def set_speed(self, speed: float) -> None:
        """Market seconds per second, or infinity."""
        self._pacer.set_speed(speed, self.engine.now)
        self._repaced()

    def set_stopped(self, stopped: bool) -> None:
        """Stop or start the market."""
        self._pacer.set_stopped(stopped, self.engine.now)
        self._repaced()

    def _repaced(self) -> None:
        self.inflow.stop_walking()
        self._dirty = True
        self._wake.set()

    def walk(self, goal: Goal, span: int) -> None:
        """Sim and replay: at full speed to a moment, then stand; ``span``: of a bar (ns)."""
        self.inflow.walk(goal, span)
        self._wake.set()

    def stop(self) -> None:
        """Finish the current slice, write it, and return from ``run``."""
        self._stopping = True
        self._disk.give_up()
        self._wake.set()

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive until the end; every slice is durable when this returns."""
        self.inflow.begin()
        while not self._stopping and not self.finished:
            started = perf_counter()
            await self._look_around(started)
            if (report := self.health.look(started)) is not None:
                self.submit(report)
            self._background.check()
            self._take_commands()
            busy = self._advance(started + SLICE_SECONDS)
            while self.engine.effects and not self._stopping:
                await self._carry_out_effects()
                if perf_counter() < started + SLICE_SECONDS:
                    busy |= self._advance(started + SLICE_SECONDS)
            self.seconds += perf_counter() - started
            if not busy or not self._slice_may_grow():
                await self._commit()
            if not busy:
                await self._rest()
            else:
                await asyncio.sleep(0)  # let the write begin: disk and engine work side by side
        self._take_commands()  # what was ordered before the end is carried out, and answered
        await self._carry_out_effects()
        await self._background.stop()
        try:
            await self.flush(snapshot=True)
        finally:
            self._disk.close()

    async def _look_around(self, now: float) -> None:
        """For the halt file, and for tasks that died: whatever else is waited for."""
        halted = self.engine.core.state is RunState.HALTED
        if (halt := self._halt_file.look(now, halted=halted)) is not None:
            self.submit(halt)
        if now >= self.supervisor.due:
            await self.supervisor.look(now)

    def _take_commands(self) -> None:
        while self._inbox:
            command, future = self._inbox.popleft()
            result = self.engine.command(command, self.inflow.moment())
            self._results.append((future, result))
            self._dirty = True

    def _advance(self, deadline: float) -> bool:
        busy = self.inflow.advance(deadline)
        self._dirty |= busy
        return busy

    async def _carry_out_effects(self) -> None:
        """Ask the advisor; the market waits for the answer, which enters at its latency."""
        while self.engine.effects:
            question = self.engine.effects[0]
            if self.advisor.repeatable:
                self.engine.answer(await self.advisor.settle(question))
            elif self._stopping:
                return  # nothing that costs money leaves now; the question is in the snapshot
            elif not self.inflow.waits:
                if await self.flush():
                    self._background.ask(self.engine.asked.send_out())
                else:  # nothing leaves before it is journaled, and nobody waits for the disk
                    self.engine.answer(await self.advisor.interrupted(question, 0))
            else:
                await self.flush()  # journal before effect
                began = perf_counter()
                asked = tuple(self.engine.effects)
                answers = await answered(
                    self.advisor, asked, self._attend, self._wake, LOOK_SECONDS
                )
                self.seconds -= perf_counter() - began  # the model's time, not the engine's
                if answers is None:
                    return
                self._pacer.anchor(self.engine.now)
                for answer in answers:
                    self.engine.answer(answer)
            self._dirty = True

    def _answered(self, answer: Answer) -> None:
        """A question that was out while the market went on."""
        self.engine.answer(answer)
        self._wake.set()

    async def _attend(self) -> bool:
        """While a question is out the market is held, the operator is not; False to stop."""
        await self._look_around(perf_counter())
        self._take_commands()
        self._dirty = True
        await self._commit()
        return not self._stopping

    async def _rest(self) -> None:
        """Sleep until the next event is due, a command comes, or the halt file is to be seen."""
        wait = min(LOOK_SECONDS, self.inflow.seconds_until_next())
        self._wake.clear()
        if self._inbox or self._stopping or self.finished or self.inflow.arrived():
            return
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return

    # -- slices ----------------------------------------------------------------------------

    def _slice_may_grow(self) -> bool:
        """While the disk is at work, go on with the slice: one commit then carries more rows."""
        return (
            bool(self._outstanding)
            and not self._disk.ahead
            and not self._is_done(self._outstanding[0])
            and not self._results
            and not self.engine.slice_full
        )

    async def _commit(self) -> None:
        """Send the slice to disk; publish what is durable."""
        if self._pace_cards:
            self._pacer.set_waiting(self.engine.awaits_operator, self.engine.now)
        now = perf_counter()
        rows = self.engine.take_rows()
        view = self._build_view(now)
        results, self._results = self._results, []
        if self._disk.ahead:
            self._disk.keep_exits(rows)
            self._show_unwritten(view, results)
            view, results = None, []
        if rows or (self._tape is not None and self._tape.due(now)):
            snapshot = bool(rows) and now >= self._snapshot_due and not self._disk.ahead
            write = self._write(rows, snapshot)
            if snapshot:
                self._snapshot_due = perf_counter() + SNAPSHOT_SECONDS
            self._outstanding.append(_Pending(write, view, results, now, self._news()))
        elif view is not None or results:
            self._outstanding.append(_Pending(None, view, results, now))
        while self._outstanding and (
            (len(self._outstanding) >= OUTSTANDING and not self._disk.ahead)
            or self._is_done(self._outstanding[0])
            or self._disk.holds  # the market is held until everything is on disk
        ):
            if not await self._acknowledge():
                break

    def _news(self) -> Sequence[EventView]:
        """Events since the last slice; nobody puts them into words when nobody is told."""
        log = self.engine.core.events
        if self._tell is None or log.version == self._told:
            return ()
        count, self._told = log.version - self._told, log.version
        return log.lines[-count:]

    def _show_unwritten(
        self,
        view: ConsoleView | None,
        results: list[tuple[asyncio.Future[CommandResult], CommandResult]],
    ) -> None:
        """A live market goes on without the journal; whatever is shown says so."""
        if view is not None:
            self._show(replace(view, fault=self._disk.fault))
        for future, result in results:
            if not future.done():
                text = f"{result.text} (not in the journal yet)"
                future.set_result(CommandResult(result.accepted, text))

    @staticmethod
    def _is_done(pending: _Pending) -> bool:
        return pending.write is None or pending.write.done()

    async def _acknowledge(self) -> bool:
        """Wait for the oldest slice; False when a live market must not wait any longer."""
        pending = self._outstanding[0]
        if pending.write is not None:
            if not await self._disk.wait_for(pending.write):
                return False
            await pending.write
        self._outstanding.popleft()
        if pending.view is not None:
            self._show(pending.view)
        if pending.news and self._tell is not None:
            self._tell(pending.news)
        for future, result in pending.results:
            if not future.done():
                future.set_result(result)
        return True

    async def flush(self, *, snapshot: bool = False) -> bool:
        """Wait until everything is durable; with ``snapshot`` also write one.

        False where a live market runs ahead of its journal.
        """
        rows = self.engine.take_rows()
        results, self._results = self._results, []
        view = self._build_view(perf_counter(), force=True)
        write = None
        if rows or snapshot:
            write = self._write(rows, snapshot)
        self._outstanding.append(_Pending(write, view, results, perf_counter(), self._news()))
        while self._outstanding:
            if not await self._acknowledge():
                return False
        return True

    def _write(self, rows: list[Row], snapshot: bool) -> asyncio.Task[None]:
        piece, position = self._slice(rows, snapshot), self.engine.market_inputs
        write = asyncio.create_task(self._disk.append(piece, position))
        write.add_done_callback(_heard)
        return write

    def _slice(self, rows: list[Row], snapshot: bool) -> Slice:
        if not snapshot:
            return Slice(rows)
        engine = self.engine
        mark = msgspec.msgpack.encode(self._feed.mark(engine.market_inputs))
        return Slice(rows, Snapshot(engine.inputs, engine.dump(), mark))

    # -- the picture -----------------------------------------------------------------------

    def _build_view(self, now: float, *, force: bool = False) -> ConsoleView | None:
        unseen = self._publish is None and now > self._watched_until
        stale = now >= self._view_due and (self._dirty or not self.inflow.waits)  # ages grow
        if unseen or not (force or stale):
            return None
        self._view_due = now + VIEW_SECONDS
        self._dirty = False
        self._version += 1
        waiting_since = self._outstanding[0].since if self._outstanding else now
        return build_view(
            self.engine,
            self.inflow.facts(
                uptime=now - self._started,
                store_lag=now - waiting_since,
                day=time.strftime("%Y-%m-%d", time.gmtime()),
            ),
            self._version,
        )

    def picture(self) -> ConsoleView:
        """The newest durable picture; asking for it keeps pictures coming for a while."""
        self._watched_until = perf_counter() + WATCHED_SECONDS
        return self._shown

    def _show(self, view: ConsoleView) -> None:
        self._shown = view
        if self._publish is not None:
            self._publish(view)

    def _show_fault(self, text: str) -> None:
        """Put a fault on the last durable picture: nothing newer may be shown as done."""
        self._version += 1
        self._show(replace(self._shown, version=self._version, fault=text))


def _no_clock() -> None:
    """Nothing that an exchange's clock could be compared with."""


def _heard(write: asyncio.Task[None]) -> None:
    """The oldest slice's failure ends the run and is told; those behind it fail for the same."""
    if not write.cancelled():
        write.exception()
