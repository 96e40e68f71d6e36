"""The engine on a thread of its own, with its own event loop: what the console talks to.

A terminal that stops reading blocks the screen's loop, never this one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tradeterm.engine.view import ConsoleView
from tradeterm.logs import without_secrets
from tradeterm.model.commands import CancelEntries, Command, Halt
from tradeterm.model.walking import Goal
from tradeterm.tui.options import ConsoleOptions

if TYPE_CHECKING:
    from tradeterm.desk import Desk
    from tradeterm.sessions import RunRequest

log = logging.getLogger(__name__)


def died(last: ConsoleView, why: str) -> ConsoleView:
    """The last picture of an engine that ended by itself: what it shows goes on no more."""
    return replace(
        last,
        version=last.version + 1,
        status=replace(last.status, state="dead", speed=0.0),
        fault="ENGINE DIED, no stop is watched; q quits, a restart goes on from the last committed "
        f"step: {why}",
    )


class EngineThread:
    """Boots a desk, drives it, winds it down. Everything heavy is imported on the thread."""

    def __init__(
        self, prepare: Callable[[], RunRequest], options: Callable[[RunRequest], ConsoleOptions]
    ) -> None:
        """``prepare`` reads the settings; it runs on the thread, after the first paint."""
        self._prepare = prepare
        self._read_options = options
        self._view = ConsoleView()
        self._failure: BaseException | None = None
        self._options: ConsoleOptions | None = None
        self._desk: Desk | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = False
        self._as_is = False
        self._early: deque[Callable[[Desk], object]] = deque()
        """Ordered before there was a desk: a halt typed while it opens must not be lost."""
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)

    # -- what the screen reads (any thread) --------------------------------------------------

    @property
    def view(self) -> ConsoleView:
        """The latest committed picture."""
        return self._view

    @property
    def failure(self) -> BaseException | None:
        """Why the engine could not start."""
        return self._failure

    @property
    def options(self) -> ConsoleOptions | None:
        """The console's settings, once read."""
        return self._options

    @property
    def watching(self) -> bool:
        """It is ours."""
        return False

    @property
    def store(self) -> Path | None:
        """The book of record, once it is open."""
        return None if self._desk is None else self._desk.store.paths.db

    def start(self) -> None:
        """Boot; returns at once."""
        self._thread.start()

    def stop(self, deadline: float) -> bool:
        """Finish the slice, snapshot, unlock; False when that took longer than ``deadline``."""
        if not self._stop_asked:
            self._stop_asked = True
            self._call(self._order_at_the_end)
        self._call(lambda desk: desk.driver.stop())
        if self._thread.is_alive():
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def leave_as_is(self) -> None:
        """No order at the end: the operator gave it, or wants none."""
        self._as_is = True

    def _order_at_the_end(self, desk: Desk) -> None:
        """Nobody could be asked: what the settings say, carried out before the last row."""
        policy = desk.engine.core.settings.console.on_signal
        if self._as_is or desk.driver.finished or policy == "keep":
            return
        why = "console.on_signal"
        desk.driver.submit(
            Halt(reason=why, actor="desk") if policy == "halt" else CancelEntries(actor=why)
        )

    def submit(self, command: Command) -> None:
        """Order something; the result comes back as an event."""
        self._call(lambda desk: desk.driver.submit(command))

    def set_speed(self, speed: float) -> None:
        """Market seconds per second."""
        self._call(lambda desk: desk.driver.set_speed(speed))

    def set_paused(self, paused: bool) -> None:
        """Stop or start the market."""
        self._call(lambda desk: desk.driver.set_stopped(paused))

    def walk(self, goal: Goal, span: int) -> None:
        """At full speed to a moment, then stand."""
        self._call(lambda desk: desk.driver.walk(goal, span))

    def what_if(self, asked: str) -> Future[dict[str, Any]]:
        """The verdict an order would get; answered between two slices."""
        answer: Future[dict[str, Any]] = Future()

        def ask(desk: Desk) -> None:
            try:
                answer.set_result(desk.what_if(asked))
            except Exception as error:  # noqa: BLE001 - whoever asked shows it
                answer.set_exception(error)

        self._call(ask)
        return answer

    def _call(self, action: Callable[[Desk], object]) -> None:
        with self._door:
            loop, desk = self._loop, self._desk
            if loop is None or desk is None:
                self._early.append(action)
                return
        if not self._thread.is_alive():
            return

        def run() -> None:
            action(desk)

        try:
            loop.call_soon_threadsafe(run)
        except RuntimeError:  # the loop closed in between: the engine has wound down
            log.info("engine has stopped; order not delivered")

    # -- the thread ------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            log.exception("engine stopped", exc_info=error)
            if self._desk is None:
                self._failure = error
            else:
                self._view = died(self._view, without_secrets(str(error)))

    async def _run(self) -> None:
        from tradeterm.adapters.store.paths import locate
        from tradeterm.desk import Desk
        from tradeterm.ops.attending import Attendants

        request = self._prepare()
        self._options = self._read_options(request)
        attendants = Attendants(request.settings.console, locate(request.db).db)
        desk = await Desk.open(request, self._publish, tell=attendants.tell)
        desk.driver.supervisor.watch(*attendants.tasks)
        with self._door:
            self._loop = asyncio.get_running_loop()
            self._desk = desk
        for action in self._early:
            action(desk)
        if self._stop_asked:
            desk.driver.stop()
        try:
            await desk.run()
        except BaseException:
            await desk.store.close()
            raise
        finally:
            attendants.close()
        await desk.close()
        status = replace(self._view.status, state="finished")
        self._view = replace(self._view, version=self._view.version + 1, status=status)

    def _publish(self, view: ConsoleView) -> None:
        self._view = view
