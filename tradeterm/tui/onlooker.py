"""A session that watches an engine of another process: its pictures come through the socket.

Nothing can be ordered from here but a halt, which any shell of this user may give.
"""

from __future__ import annotations

import logging
import threading
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tradeterm.control import ask, send
from tradeterm.engine.view import ConsoleView
from tradeterm.errors import StoreAbsent, TradetermError
from tradeterm.model.commands import Halt, OperatorCommand
from tradeterm.model.walking import Goal
from tradeterm.tui.options import ConsoleOptions

log = logging.getLogger(__name__)

#: Seconds between two looks; twice a second is as fast as anybody reads.
LOOK_SECONDS = 0.25

_picture = msgspec.msgpack.Decoder(ConsoleView).decode


class Onlooker:
    """What the console needs of an engine it does not own."""

    watching = True

    def __init__(self, db: Path, read_options: Callable[[], ConsoleOptions]) -> None:
        """``db``: the book of record somebody else runs; the settings are read on the thread."""
        self.store: Path | None = db
        self.failure: BaseException | None = None
        self.options: ConsoleOptions | None = None
        self._db = db
        self._read_options = read_options
        self._view = ConsoleView()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="onlooker", daemon=True)

    @property
    def view(self) -> ConsoleView:
        """The newest picture that came."""
        return self._view

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def stop(self, deadline: float) -> bool:
        """Look no more; the engine goes on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def leave_as_is(self) -> None:
        """It is not ours."""

    def submit(self, command: OperatorCommand) -> None:
        """A halt is passed on; there is no key for anything else."""
        if isinstance(command, Halt):
            threading.Thread(target=self._halt, args=(command,), name="halt", daemon=True).start()

    def set_speed(self, speed: float) -> None:
        """The market's pace is its owner's."""

    def set_paused(self, paused: bool) -> None:
        """The market's pace is its owner's."""

    def walk(self, goal: Goal, span: int) -> None:
        """The market's pace is its owner's."""

    def what_if(self, asked: str) -> Future[dict[str, Any]]:
        """The verdict an order would get; nothing is sent."""
        answer: Future[dict[str, Any]] = Future()

        def put() -> None:
            try:
                found = ask(self._db, f"risk {asked}")
                if found is None:
                    raise StoreAbsent("nobody runs this file any more")
                answer.set_result(found)
            except Exception as error:  # noqa: BLE001 - whoever asked shows it
                answer.set_exception(error)

        threading.Thread(target=put, name="what-if", daemon=True).start()
        return answer

    # -- the thread ------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            self.options = self._read_options()
            while not self._stop.wait(self._look()):
                pass
        except Exception as error:  # shown by the console, which then ends
            log.exception("cannot watch")
            self.failure = error

    def _look(self) -> float:
        """Take the newest picture; how long to wait until the next look."""
        try:
            found = ask(self._db, f"view {self._view.version}")
        except TradetermError as error:  # it does not answer in time: said, and asked again
            self._fault(f"NO PICTURE: {error}")
            return LOOK_SECONDS
        if found is None:
            self._fault("NO PICTURE: nobody runs this file any more; what is shown is its last one")
        elif "error" in found:
            self._fault(f"NO PICTURE: {found['error']}")
        elif found["view"]:
            view = _picture(b64decode(found["view"]))
            self._view = replace(view, status=replace(view.status, watched=True))
        elif self._view.fault:
            self._view = ConsoleView()  # it is back: the next look takes the whole picture
        return LOOK_SECONDS

    def _fault(self, text: str) -> None:
        status = replace(self._view.status, watched=True)
        self._view = replace(self._view, fault=text, status=status)

    def _halt(self, command: Halt) -> None:
        try:
            if send(self._db, command) is None:
                self._fault("HALT NOT HEARD: the process is gone")
        except TradetermError as error:
            self._fault(f"HALT NOT HEARD: {error}")
