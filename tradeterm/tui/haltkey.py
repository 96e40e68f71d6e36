"""The one key that waits for no screen: a halt is handed over by the thread that reads the keys.

A terminal that does not read blocks the screen's loop in a write, for as long as it likes; keys are
read by another thread, which goes on. What that thread hears of a halt, it orders itself.
"""

from __future__ import annotations

from typing import Any, Protocol, cast, runtime_checkable

from textual import events
from textual.driver import Driver
from textual.message import Message

HALT_KEYS = ("H",)


class HaltHeard(events.Key):
    """A halt that has been ordered already; the screen still has to say so."""


@runtime_checkable
class HearsHalt(Protocol):
    """An app that can be told of a halt by any thread."""

    def halt_heard(self) -> None:
        """Order it."""
        ...


class _Hearing(Driver):
    """What a driver does besides, in the thread that reads the keys."""

    def process_message(self, message: Message) -> None:
        app: Any = self._app
        if (
            isinstance(message, events.Key)
            and message.key in HALT_KEYS
            and isinstance(app, HearsHalt)
        ):
            app.halt_heard()
            message = HaltHeard(message.key, message.character)
        super().process_message(message)


def hearing(driver: type[Driver]) -> type[Driver]:
    """The driver of this platform, which does not keep a halt waiting."""
    return cast("type[Driver]", type(f"Hearing{driver.__name__}", (_Hearing, driver), {}))
