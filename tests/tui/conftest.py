"""A console on a scripted session, and plain-text goldens of what it shows.

Run with TRADETERM_UPDATE_GOLDENS=1 to write the goldens anew; read the diff before keeping it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.tui.pictures import FakeClock, FakeSession, busy
from tradeterm.engine.view import ConsoleView
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.options import ConsoleOptions

#: Turns of the loop that let a screen process what a key set off.
TURNS = 30
#: Seconds Textual takes until a pushed or dismissed screen has the keys.
SCREEN_SWITCH = 0.08
#: Seconds between two looks whether a screen below another one was painted.
FRAME = 0.01

GOLDENS = Path(__file__).with_name("goldens")
#: Polled by hand: the timer of the app never fires during a test.
NEVER = 3600.0


def screen_text(app: App[int]) -> str:
    """What is on the screen, line by line, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


@dataclass
class Console:
    """A running app with its fake surroundings."""

    app: TradetermApp
    pilot: Pilot[int]
    session: FakeSession
    clock: FakeClock

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def settle(self) -> None:
        """Let the screen catch up with everything already decided."""
        for _ in range(2):
            await self.pilot.pause()
        for below in self.app._background_screens:  # they paint by a timer of their own
            while below._dirty_widgets or below._compositor._dirty_regions:
                await self.pilot.pause(FRAME)

    async def look(self, view: ConsoleView | None = None, after: float = 2.0) -> str:
        """Time passes, perhaps a new picture arrives, the app polls; the text it then shows."""
        if view is not None:
            self.session.show(view)
        self.clock.wait(after)
        self.app.poll()
        await self.settle()
        return self.text

    async def until(self, shown: Callable[[], bool]) -> None:
        """Let threads and tasks of the screen finish what they were asked."""
        for _ in range(2000):
            await self.settle()
            if shown():
                return
            await asyncio.sleep(0.01)  # they are not of this loop
        raise AssertionError(self.text)

    async def press(self, *keys: str, apart: float = 1.0) -> str:
        """Keys with time between them; the text after the last."""
        for key in keys:
            self.clock.wait(apart)
            screens = len(self.app.screen_stack)
            await self.pilot.press(key)
            if len(self.app.screen_stack) != screens:
                await self.pilot.pause(SCREEN_SWITCH)
            await self.settle()  # a pane that got a place only now is filled by the poll
            self.app.poll()
        await self.settle()
        return self.text


async def _turns(min_sleep: float = 0.0, max_sleep: float = 0.0) -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def at_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time stands in brackets where it is not UTC; goldens have none."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def no_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot sleeps 20 ms and more twice a key to see whether the CPU is idle."""
    monkeypatch.setattr("textual.app.wait_for_idle", _turns)
    monkeypatch.setattr("textual.pilot.wait_for_idle", _turns)


Opened = AbstractAsyncContextManager[Console]
Open = Callable[..., Opened]


@pytest.fixture
def console() -> Open:
    """Opens a console of a size on pictures; use it with ``async with``."""

    @asynccontextmanager
    async def opened(
        width: int = 120, height: int = 40, *views: ConsoleView, ready: bool = True
    ) -> AsyncIterator[Console]:
        session, clock = FakeSession(*(views or (busy(),))), FakeClock()
        app = TradetermApp(session, ConsoleOptions(poll=NEVER), clock)
        async with app.run_test(size=(width, height)) as pilot:
            desk = Console(app, pilot, session, clock)
            await desk.settle()
            if ready:
                await desk.look()
            yield desk

    return opened


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a screen with its file in goldens/."""

    def compare(name: str, text: str) -> None:
        path = GOLDENS / f"{name}.txt"
        if os.environ.get("TRADETERM_UPDATE_GOLDENS"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; TRADETERM_UPDATE_GOLDENS=1 writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare
