"""The loop around the engine: feed in, slices out, effects carried out, view published.

Lives on the engine's own thread (console) or the main one (headless). One slice is one
transaction of whole inputs with all their consequences; at most two are unacknowledged.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from time import perf_counter

import msgspec
from msgspec.structs import replace

from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.awaiting import answered
from tradeterm.engine.engine import Engine
from tradeterm.engine.picture import PacingFacts, build_view
from tradeterm.engine.view import ConsoleView
from tradeterm.haltfile import remove_first
from tradeterm.model.commands import Command, CommandResult, Halt, Resume
from tradeterm.model.market import Feed, MarketEvent
from tradeterm.model.messages import Row
from tradeterm.model.ports import Advisor
from tradeterm.model.vocabulary import RunState
from tradeterm.pacing import Pacer
from tradeterm.persistence import Persistence

SLICE_SECONDS = 0.005
CHUNK = 256
OUTSTANDING = 2
SNAPSHOT_SECONDS = 5.0
VIEW_SECONDS = 0.08
HALT_FILE_SECONDS = 0.05
#: How long after the last look of another process pictures are still made for it.
WATCHED_SECONDS = 5.0
INBOX = 64

_timestamp = attrgetter("ts")


@dataclass(slots=True)
class _Pending:
    """A slice on its way to disk and the picture that may be shown once it is there."""

    write: asyncio.Task[None] | None
    view: ConsoleView | None
    results: list[tuple[asyncio.Future[CommandResult], CommandResult]]
    since: float


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
    ) -> None:
        """``publish`` None means headless: no view is built. ``until`` in market ns.

        ``complain`` hears about faults and their end: whoever has no screen to see them on.
        """
        self.engine = engine
        self.seconds = 0.0
        """Time spent in the engine by this process."""
        self.finished = False
        self._feed = feed
        self._tape = feed if isinstance(feed, RecordingFeed) else None
        self._disk = Persistence(store, self._tape, self._show_fault, complain)
        self.advisor = advisor
        self._pacer = pacer
        self._until = until
        self._halt_file = halt_file
        self._publish = publish
        self._pace_cards = pace_cards
        engine.core.journal.attended = pace_cards
        self._batch: Sequence[MarketEvent] = []
        self._index = 0
        self._ended = False
        self._inbox: deque[tuple[Command, asyncio.Future[CommandResult]]] = deque()
        self._results: list[tuple[asyncio.Future[CommandResult], CommandResult]] = []
        self._outstanding: deque[_Pending] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._started = perf_counter()
        self._snapshot_due = self._started + SNAPSHOT_SECONDS
        self._view_due = 0.0
        self._halt_file_due = 0.0
        self._halt_file_seen = False
        self._dirty = True
        self._version = 0
        self._shown = ConsoleView()
        self._watched_until = 0.0

    # -- from outside (engine loop only) ---------------------------------------------------

    def submit(self, command: Command) -> asyncio.Future[CommandResult]:
        """Queue a command; the future resolves once its consequences are durable."""
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        refusal = self.refusal(command)
        if refusal is not None:
            future.set_result(refusal)
        elif len(self._inbox) >= INBOX and not isinstance(command, Halt):
            future.set_result(CommandResult(False, "too many commands waiting; try again"))
        elif isinstance(command, Halt):
            self._inbox.appendleft((command, future))
        else:
            self._inbox.append((command, future))
        self._wake.set()
        return future

    def refusal(self, command: Command) -> CommandResult | None:
        """Why a command is no input at all: resuming while the halt file lies there."""
        if isinstance(command, Resume) and self._halt_file.exists():
            return CommandResult(False, remove_first(self._halt_file))
        return None

    def set_speed(self, speed: float) -> None:
        """Market seconds per second, or infinity."""
        self._pacer.set_speed(speed, self.engine.now)
        self._wake.set()

    def set_stopped(self, stopped: bool) -> None:
        """Stop or start the market."""
        self._pacer.set_stopped(stopped, self.engine.now)
        self._wake.set()

    def stop(self) -> None:
        """Finish the current slice, write it, and return from ``run``."""
        self._stopping = True
        self._disk.give_up()
        self._wake.set()

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive until the end; every slice is durable when this returns."""
        self._pacer.anchor(self.engine.now or self._feed.start)
        while not self._stopping and not self.finished:
            started = perf_counter()
            self._look_for_halt_file(started)
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
        await self.flush(snapshot=True)

    def _look_for_halt_file(self, now: float) -> None:
        if now < self._halt_file_due:
            return
        self._halt_file_due = now + HALT_FILE_SECONDS
        present = self._halt_file.exists()
        halted = self.engine.core.state is RunState.HALTED  # a scripted key may have resumed
        if present and not (self._halt_file_seen and halted):
            self.submit(Halt(reason=f"file {self._halt_file.name}", actor="file"))
        self._halt_file_seen = present

    def _take_commands(self) -> None:
        while self._inbox:
            command, future = self._inbox.popleft()
            reached = self._reached()
            limit = self._next_event_time()
            now = self.engine.now if reached is None else max(self.engine.now, reached)
            if limit is not None:
                now = max(self.engine.now, min(now, limit - 1))
            result = self.engine.command(command, now + 1)
            self._results.append((future, result))
            self._dirty = True

    def _next_event_time(self) -> int | None:
        """When the next event is due: no timer or command may pass it. None at the feed's end."""
        if self._index >= len(self._batch) and not self._refill():
            return None
        return self._batch[self._index].ts

    def _advance(self, deadline: float) -> bool:
        """Run the engine up to the pacer's time; False when there is nothing to do now."""
        engine = self.engine
        reached = self._pacer.now()
        busy = False
        while perf_counter() < deadline and not (engine.effects or engine.slice_full):
            if self._index >= len(self._batch) and not self._refill():
                self._finish()
                return False
            limit = self._limit(reached)
            if limit <= self._index:
                break
            stop = min(limit, self._index + CHUNK)
            self._index = engine.run(self._batch, self._index, stop)
            busy = True
        if self._run_idle_timers(reached):
            busy = True
        self._dirty |= busy
        return busy

    def _run_idle_timers(self, reached: int | None) -> bool:
        """Timers that are due although no event has come since."""
        if reached is None or self.engine.effects:
            return False
        limit = self._next_event_time()
        if limit is None:
            return False  # the feed is over, and with it the time: ``_finish`` does the rest
        now = min(reached, limit - 1)
        if self._until is not None:
            now = min(now, self._until)
        return self.engine.advance(now)

    def _limit(self, reached: int | None) -> int:
        """Index of the first event that must not run yet."""
        end = len(self._batch)
        bound = self._until if reached is None else reached
        if bound is None:
            return end
        if self._until is not None:
            bound = min(bound, self._until)
        if self._batch[-1].ts <= bound:
            return end
        limit = bisect_right(self._batch, bound, self._index, end, key=_timestamp)
        if (
            limit == self._index
            and self._until is not None
            and (self._batch[limit].ts > self._until)
            and (reached is None or reached >= self._until)
        ):
            self._finish()
        return limit

    def _refill(self) -> bool:
        if self._ended:
            return False
        self._batch, self._index = self._feed.take(), 0
        self._ended = not self._batch
        return not self._ended

    def _finish(self) -> None:
        """The feed has ended or ``until`` is reached: run what is still due by then."""
        end = self._until if self._until is not None and not self._ended else self.engine.now
        self.engine.advance(end)
        self.finished = not self.engine.effects and self.engine.next_due > end

    async def _carry_out_effects(self) -> None:
        """Ask the advisor; the market waits for the answer, which enters at its latency."""
        while self.engine.effects:
            question = self.engine.effects[0]
            if self.advisor.repeatable:
                self.engine.answer(await self.advisor.settle(question))
            elif self._stopping:
                return  # nothing that costs money leaves now; the question is in the snapshot
            else:
                await self.flush()  # journal before effect
                began = perf_counter()
                answer = await answered(
                    self.advisor, question, self._attend, self._wake, HALT_FILE_SECONDS
                )
                self.seconds -= perf_counter() - began  # the model's time, not the engine's
                if answer is None:
                    return
                self._pacer.anchor(self.engine.now)
                self.engine.answer(answer)
            self._dirty = True

    async def _attend(self) -> bool:
        """While a question is out the market is held, the operator is not; False to stop."""
        self._look_for_halt_file(perf_counter())
        self._take_commands()
        self._dirty = True
        await self._commit()
        return not self._stopping

    async def _rest(self) -> None:
        """Sleep until the next event is due, a command comes, or the halt file is to be seen."""
        wait = HALT_FILE_SECONDS
        next_time = self._next_event_time()
        if next_time is not None:
            due = min(next_time, self.engine.next_due)
            wait = min(wait, max(self._pacer.seconds_until(due), 0.001))
        self._wake.clear()
        if self._inbox or self._stopping:
            return
        try:
            await asyncio.wait_for(self._wake.wait(), wait)
        except TimeoutError:
            return

    # -- slices ----------------------------------------------------------------------------

    def _slice_may_grow(self) -> bool:
        """While the disk is at work, go on with the slice: one commit then carries more rows."""
        return (
            bool(self._outstanding)
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
        if rows or (self._tape is not None and self._tape.due(now)):
            snapshot = bool(rows) and now >= self._snapshot_due
            write = self._write(rows, snapshot)
            if snapshot:
                self._snapshot_due = perf_counter() + SNAPSHOT_SECONDS
            self._outstanding.append(_Pending(write, view, results, now))
        elif view is not None or results:
            self._outstanding.append(_Pending(None, view, results, now))
        while self._outstanding and (
            len(self._outstanding) >= OUTSTANDING
            or self._is_done(self._outstanding[0])
            or self._disk.fault  # the market is held until everything is on disk
        ):
            await self._acknowledge()

    @staticmethod
    def _is_done(pending: _Pending) -> bool:
        return pending.write is None or pending.write.done()

    async def _acknowledge(self) -> None:
        pending = self._outstanding[0]
        if pending.write is not None:
            await pending.write
        self._outstanding.popleft()
        if pending.view is not None:
            self._show(pending.view)
        for future, result in pending.results:
            if not future.done():
                future.set_result(result)

    async def flush(self, *, snapshot: bool = False) -> None:
        """Wait until everything is durable; with ``snapshot`` also write one."""
        rows = self.engine.take_rows()
        results, self._results = self._results, []
        view = self._build_view(perf_counter(), force=True)
        write = None
        if rows or snapshot:
            write = self._write(rows, snapshot)
        self._outstanding.append(_Pending(write, view, results, perf_counter()))
        while self._outstanding:
            await self._acknowledge()

    def _write(self, rows: list[Row], snapshot: bool) -> asyncio.Task[None]:
        piece, position = self._slice(rows, snapshot), self.engine.market_inputs
        return asyncio.create_task(self._disk.append(piece, position))

    def _slice(self, rows: list[Row], snapshot: bool) -> Slice:
        if not snapshot:
            return Slice(rows)
        engine = self.engine
        mark = msgspec.msgpack.encode(self._feed.mark(engine.market_inputs))
        return Slice(rows, Snapshot(engine.inputs, engine.dump(), mark))

    # -- the picture -----------------------------------------------------------------------

    def _build_view(self, now: float, *, force: bool = False) -> ConsoleView | None:
        unseen = self._publish is None and now > self._watched_until
        if unseen or not (force or (self._dirty and now >= self._view_due)):
            return None
        self._view_due = now + VIEW_SECONDS
        self._dirty = False
        self._version += 1
        waiting_since = self._outstanding[0].since if self._outstanding else now
        return build_view(
            self.engine,
            PacingFacts(
                speed=self._pacer.speed,
                waiting=self._pacer.waiting,
                market_time=self._market_time(),
                uptime=now - self._started,
                store_lag=now - waiting_since,
                day=time.strftime("%Y-%m-%d", time.gmtime()),
            ),
            self._version,
        )

    def _market_time(self) -> int:
        """The paced clock between two events, so that countdowns and ages keep moving."""
        reached = self._reached()
        return self.engine.now if reached is None else max(self.engine.now, reached)

    def _reached(self) -> int | None:
        """The pacer's time; while a question is out the market stands."""
        return self.engine.now if self.engine.effects else self._pacer.now()

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
