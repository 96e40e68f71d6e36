"""Looking on at a run that another process drives: its pictures, no key but the halt."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.shell import command
from tests.terminal.screen import child_environment
from tests.tui.conftest import Console
from tests.tui.pictures import FakeClock
from tradeterm.control import ask
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.onlooker import Onlooker
from tradeterm.tui.options import ConsoleOptions

#: Orders, one key each; what would be asked first is refused before the question.
ORDERS = ("a", "r", "R", "x", "X", "L", "m", "M", "b", "T", "c", "C", "P", "F", "space", "plus")


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A headless run at sixty times, with positions and a card within seconds."""
    db = tmp_path / "run.db"
    words = ("run", "--headless", "--seed", "7", "--speed", "60", "--db", db)
    child = subprocess.Popen(
        command(*words), env=child_environment(tmp_path), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield db, child
    finally:
        child.kill()
        child.wait()


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.02)  # another process is at work
    raise AssertionError(what)


async def test_who_watches_sees_everything_and_can_only_halt(
    driven: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    db, child = driven
    await until(lambda: db.exists() and ask(db, "status") is not None, "the run never began")
    session, clock = Onlooker(db, ConsoleOptions), FakeClock()
    app = TradetermApp(session, ConsoleOptions(poll=3600.0), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        desk = Console(app, pilot, session, clock)  # type: ignore[arg-type]
        await until(lambda: len(session.view.positions) == 2, "no positions were shown")
        clock.wait(2.0)
        app.poll()
        await until(lambda: "pos-1" in desk.text, "no positions were drawn")
        assert "PAPER WATCHING SIM" in desk.text
        for key in ORDERS:
            assert "only watching" in await desk.press(key), key
        assert "Approve" not in desk.text.splitlines()[-1]
        standing = ask(db, "status")
        assert standing is not None
        assert standing["state"] == "running"

        await desk.press("H")
        await until(lambda: (ask(db, "status") or {})["state"] == "halted", "H did not halt")
        await until(lambda: session.view.status.state == "halted", "the halt was not shown")

        child.kill()
        await until(lambda: "nobody runs" in session.view.fault, "the end was not shown")
        for _ in range(3):  # the banner takes a line from the panes first
            clock.wait(10.0)
            app.poll()
            await desk.settle()
        assert "NO PICTURE" in desk.text
        assert "nobody runs this file any more" in desk.text
        assert "pos-1" in desk.text, "the last picture stays"
