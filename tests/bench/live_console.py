"""The console on a live market, noting how old each frame is when the terminal is sent it.

TRADETERM_FRAMES names the file for what was noted: (monotonic seconds, age in ms) of every frame.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.live import Ages
from tradeterm.adapters.feeds.live import sink
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.timing import MILLISECOND
from tradeterm.sessions import RunRequest
from tradeterm.tui.app import TradetermApp


class Frames:
    """Which stamp the picture of each version holds, and when it was drawn."""

    def __init__(self) -> None:
        self.ages = Ages()
        self.newest: dict[int, int] = {}
        self.drawn: list[tuple[float, float]] = []

    def published(self, view: ConsoleView) -> None:
        stamp = self.ages.newest()
        if stamp is not None:
            self.newest[view.version] = stamp

    def painted(self, view: ConsoleView) -> None:
        stamp = self.newest.get(view.version)
        if stamp is not None:
            self.drawn.append((time.monotonic(), (time.time_ns() - stamp) / MILLISECOND))


def main() -> None:
    """``tradeterm`` with the words of the command line, watched."""
    frames = Frames()
    opened, display = Desk.open, TradetermApp._display

    async def open_watched(
        request: RunRequest, publish: Callable[[ConsoleView], None] | None = None, **more: Any
    ) -> Desk:
        def both(view: ConsoleView) -> None:
            frames.published(view)
            if publish is not None:
                publish(view)

        desk = await opened(request, both, **more)
        inner: Any = desk.feed
        inner.inner._gauge.stamped = frames.ages.stamped
        frames.ages.desk = desk
        return desk

    def display_noted(app: TradetermApp, *words: Any) -> None:
        display(app, *words)
        frames.painted(app.view)

    sink.COMPARED = 1  # type: ignore[misc]  # every stamp counts here
    Desk.open = open_watched  # type: ignore[method-assign,assignment]
    TradetermApp._display = display_noted  # type: ignore[method-assign,assignment]
    from tradeterm.cli import main as tradeterm

    try:
        tradeterm()
    finally:
        Path(os.environ["TRADETERM_FRAMES"]).write_text(json.dumps(frames.drawn))
