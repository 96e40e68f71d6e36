"""What the console needs from the engine: a picture to read and a door for commands."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import OperatorCommand
from tradeterm.model.walking import Goal
from tradeterm.tui.options import ConsoleOptions


class EngineSession(Protocol):
    """One engine, seen from the screen. Every member may be used from the screen's thread."""

    @property
    def view(self) -> ConsoleView:
        """The latest committed picture; reading it is atomic."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """Why the engine could not start (a ConfigError, say); the app then exits."""
        ...

    @property
    def options(self) -> ConsoleOptions | None:
        """The console's settings once they are read; None before, or when there are none."""
        ...

    @property
    def watching(self) -> bool:
        """Whether another process drives the engine: nothing can be ordered but a halt."""
        ...

    @property
    def store(self) -> Path | None:
        """The book of record, to be read; None until it is open."""
        ...

    def start(self) -> None:
        """Boot the engine on its own thread; called after the first paint, returns at once."""
        ...

    def stop(self, deadline: float) -> bool:
        """Wind down within ``deadline`` seconds; False when it did not manage to.

        What is open is left as ``console.on_signal`` says, unless ``leave_as_is`` came before.
        """
        ...

    def leave_as_is(self) -> None:
        """The operator decided what becomes of what is open: ``console.on_signal`` has no say."""
        ...

    def submit(self, command: OperatorCommand) -> None:
        """Hand over a command, from any thread; what became of it arrives as a CMD event and as state."""
        ...

    def set_speed(self, speed: float) -> None:
        """Market seconds per second; inf is as fast as possible."""
        ...

    def set_paused(self, paused: bool) -> None:
        """Stop or start the market (not the trading)."""
        ...

    def walk(self, goal: Goal, span: int) -> None:
        """Let the market go on at full speed to a moment and stand there; ``span``: of a bar (ns)."""
        ...

    def what_if(self, asked: str) -> Future[dict[str, Any]]:
        """The verdict an order would get (``asked``: a Hypothesis in JSON); nothing is sent."""
        ...
