"""How the console begins and ends: with its engine, on a signal, or because the screen died."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress
from typing import Any

from rich.text import Text
from textual.app import App
from textual.driver import Driver

from tradeterm.tui.departure import Departure
from tradeterm.tui.haltkey import hearing
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.session import EngineSession
from tradeterm.tui.suspension import Suspension

log = logging.getLogger("tradeterm.tui")


class Lifecycle(App[int]):
    """The process around the screen; the engine never outlives it by accident."""

    options: ConsoleOptions

    def __init__(self, session: EngineSession) -> None:
        self.session = session
        self._leaving: asyncio.Task[None] | None = None
        self._departure: Departure | None = None
        """None in tests, where the process belongs to the test runner."""
        self.suspension = Suspension()
        self._screen_loop: asyncio.AbstractEventLoop | None = None
        self._engine_started = False
        self._engine_stopped = False
        super().__init__()

    def say(self, text: str, severity: str = "info") -> None:
        """One line to the operator."""
        raise NotImplementedError

    def get_driver_class(self) -> type[Driver]:
        return hearing(super().get_driver_class())

    def run(self, **kwargs: Any) -> int:
        """Run until the operator or a signal ends it; the exit code. The engine is stopped."""
        self._departure = Departure(self._told_to_leave, self.session.stop)
        try:
            super().run(**kwargs)
        finally:
            self._departure.restore_modes()
            if self._engine_started and not self._engine_stopped:
                log.error("the console ended without its engine; stopping the engine")
                self._engine_stopped = self.session.stop(self.options.stop_deadline)
        return self.return_code or 0

    def on_load(self) -> None:
        """Before the terminal is switched to full screen: from then on a signal must undo that."""
        self._screen_loop = asyncio.get_running_loop()
        if self._departure is not None:
            self._departure.watch()

    def on_ready(self) -> None:
        """After the driver, which puts the terminal in order when the process goes on."""
        if self._departure is not None:
            gc.freeze()  # what was loaded on the way to the first paint stays
            gc.enable()
            self.suspension.watch()

    def _told_to_leave(self, code: int) -> None:
        """From the departure's thread; a loop that is stuck or closed never gets to it."""
        if self._screen_loop is not None:
            with suppress(RuntimeError):
                self._screen_loop.call_soon_threadsafe(self._leave_or_exit, code)

    def _leave_or_exit(self, code: int) -> None:
        if self._engine_started:
            self.leave(code)
        else:
            self.exit(return_code=code)

    def leave(self, code: int) -> None:
        """Stop the engine, restore the terminal, end with ``code``."""
        if self._leaving is None:
            self._depart(code, self.options.stop_deadline)
            self.say("stopping the engine …")
            self._leaving = asyncio.get_running_loop().create_task(self._wind_down(code))

    def _depart(self, code: int, patience: float) -> None:
        if self._departure is not None:
            self._departure.begin(code, patience)

    async def _wind_down(self, code: int) -> None:
        stopped = await asyncio.to_thread(self.session.stop, self.options.stop_deadline)
        self._engine_stopped = True
        if not stopped:
            log.error("the engine did not stop within %s s", self.options.stop_deadline)
        self.exit(return_code=code if stopped else code or 1)

    def _fatal_error(self) -> None:
        """The screen died: the traceback goes to the log, one line to the restored terminal."""
        self._depart(1, self.options.stop_deadline)
        error = self._exception
        log.critical("the console died", exc_info=error)
        name = type(error).__name__ if error else "unknown error"
        self.panic(
            Text(
                f"tradeterm: the console died ({name}); the traceback is in the log file. "
                "Positions and orders are kept: start tradeterm again to continue."
            )
        )


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A task that died is an alarm, never silence."""
    log.error("screen loop: %s", context.get("message"), exc_info=context.get("exception"))
