"""A part that goes along with a run dies: an alarm with its name, a second try, then a halt."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PosixPath
from threading import Thread
from time import perf_counter
from typing import Any
from urllib.request import urlopen
from wsgiref.simple_server import WSGIServer

import pytest
from prometheus_client import start_http_server

from tests.wired.stage import Record, request
from tradeterm.adapters.tape.writer import TapeWriter
from tradeterm.control import ask
from tradeterm.desk import Desk
from tradeterm.engine.view import EventView
from tradeterm.engine.whatif import Hypothesis
from tradeterm.errors import EngineFault, TradetermError, UsageError
from tradeterm.model.commands import ForceRun, Resume
from tradeterm.model.vocabulary import PositionSide, RunState
from tradeterm.ops.attending import Attendants
from tradeterm.ops.metrics import RunCollector
from tradeterm.ops.notifying import Notifier
from tradeterm.standing import hypothetical

SECRET = "sk-canary-5f3ab1c09d77e24680"
#: Seconds from a death to its alarm.
SOON = 1.0


class Running:
    """A desk at work, with what goes along with it and what it complains of."""

    def __init__(self, desk: Desk, attendants: Attendants, complaints: list[str]) -> None:
        self.desk = desk
        self.attendants = attendants
        self.complaints = complaints

    @property
    def alarms(self) -> list[tuple[str, str]]:
        events = self.desk.engine.core.events.lines
        return [(each.severity, each.text) for each in events if "died" in each.text]

    async def told(self, count: int) -> tuple[str, str]:
        """The last of so many alarms, which came in time."""
        began = perf_counter()
        while len(self.alarms) < count:
            assert perf_counter() - began < SOON, self.alarms
            await asyncio.sleep(0.01)  # the desk is at work on this loop
        return self.alarms[-1]

    @property
    def state(self) -> RunState:
        return self.desk.engine.core.state


@asynccontextmanager
async def running(db: Path, *overrides: str) -> AsyncIterator[Running]:
    """A simulated market at its own pace."""
    asked = request("sim", db, *overrides, seed=7, speed=1.0)
    attendants = Attendants(asked.settings.console, db)
    complaints: list[str] = []
    desk = await Desk.open(asked, complain=complaints.append, tell=attendants.tell)
    desk.driver.supervisor.watch(*attendants.tasks)
    at_work = asyncio.create_task(desk.run())
    try:
        await desk.submit(ForceRun(task="regime_detection"))  # answered: it is at work
        yield Running(desk, attendants, complaints)
    finally:
        desk.driver.stop()
        await at_work
        await desk.close()
        attendants.close()


async def listening(db: Path) -> bool:
    return await asyncio.to_thread(ask, db, "status") is not None


async def test_a_control_socket_is_opened_again_once_then_the_run_halts(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    async with running(db) as run:
        control = run.desk._control
        assert control is not None
        for name, severity, state in (
            ("it no longer listens; it was begun again", "error", RunState.RUNNING),
            ("it no longer listens (a second time); halted", "critical", RunState.HALTED),
        ):
            assert control._server is not None
            control._server.close()
            said = await run.told(1 if severity == "error" else 2)
            assert said[0] == severity
            assert f"control socket died: {name}" in said[1]
            assert run.state is state
            assert await listening(db) is (state is RunState.RUNNING)
        await asyncio.sleep(0.6)  # two more looks: what was given up is not told again
        assert len(run.alarms) == 2
        assert [text[:31] for text in run.complaints] == ["E-TASK control socket died: it "] * 2
        answer = await run.desk.submit(Resume())
        assert answer.accepted, "the operator may go on without it"
    record = Record(db, {}).sound()
    codes = [row.data["code"] for row in record.rows("system")]
    assert codes.count("E-TASK") == 2
    assert record.bodies("state")[0]["reason"] == "desk: E-TASK control socket"
    again = await Desk.open(request("sim", db, seed=7))  # the same rows come of the journal
    await again.close()


async def test_questions_without_an_answer_neither_end_the_socket_nor_halt_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_asked: object) -> dict[str, Any]:
        raise ArithmeticError("too small a price")

    monkeypatch.setattr("tradeterm.desk.what_if", overflow)
    db = tmp_path / "run.db"
    asked = Hypothesis("BTC/USDT", PositionSide.LONG)
    async with running(db) as run:
        for _ in range(2):
            with pytest.raises(
                UsageError, match=r"'risk' has no answer \(ArithmeticError: too small"
            ):
                await asyncio.to_thread(hypothetical, db, asked)
            await asyncio.sleep(0.3)  # longer than the supervisor's pause between two looks
        assert await listening(db)
        assert (run.alarms, run.state) == ([], RunState.RUNNING)


async def test_notifications_that_die_halt_the_run_and_give_no_secret_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADETERM_NOTIFY", "json://127.0.0.1:1/")

    def broken(self: Notifier) -> tuple[str, str, str]:
        raise RuntimeError(f"boom api_key={SECRET}")

    monkeypatch.setattr(Notifier, "_worded", broken)
    async with running(tmp_path / "run.db") as run:
        assert run.attendants.tell is not None
        run.attendants.tell([EventView(1, 0, "ERROR", "critical", "something to tell")])
        # The alarm of the first death is told to the notifier, too: it dies of it.
        severity, text = await run.told(2)
        assert severity == "critical"
        assert "notifications died: RuntimeError: boom" in text
        assert run.state is RunState.HALTED
        assert SECRET not in "".join(text for _, text in run.alarms) + "".join(run.complaints)


async def test_metrics_that_end_are_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[WSGIServer] = []

    def begin(*where: Any) -> tuple[WSGIServer, Thread]:
        server, thread = start_http_server(*where)
        begun.append(server)
        return server, thread

    monkeypatch.setattr("tradeterm.ops.metrics.start_http_server", begin)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with running(tmp_path / "run.db", f"console.metrics.port={port}") as run:
        (task,) = run.attendants.tasks
        assert (task.name, task.dead()) == ("metrics", "")
        begun[0].shutdown()
        severity, text = await run.told(1)
        assert (severity, "metrics died: its thread ended" in text) == ("error", True)
        assert (task.dead(), len(begun), run.state) == ("", 2, RunState.RUNNING)
        with await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/metrics") as answer:
            assert "tradeterm_up 1.0" in answer.read().decode()


def test_a_run_that_does_not_answer_a_scrape_in_time_is_down() -> None:
    def late() -> dict[str, Any]:
        raise TradetermError("it has not confirmed within 10 s")

    (up,) = RunCollector(late).collect()
    assert [(one.name, one.value) for one in up.samples] == [("tradeterm_up", 0)]


async def test_a_halt_file_that_cannot_be_looked_for_halts(tmp_path: Path) -> None:
    class Forbidden(PosixPath):
        def exists(self) -> bool:
            raise PermissionError(13, "Permission denied")

    async with running(tmp_path / "run.db") as run:
        watch = run.desk.driver._halt_file
        watch.path = Forbidden(watch.path)
        severity, text = await run.told(2)
        assert severity == "critical"
        assert "watch of the halt file died: HALT cannot be looked for: Permission denied" in text
        assert run.state is RunState.HALTED


async def test_a_tape_writer_that_dies_ends_the_run_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: TapeWriter, events: object) -> None:
        raise RuntimeError("boom")

    asked = request("sim", tmp_path / "run.db", until="1h", record=True)
    desk = await Desk.open(asked)
    monkeypatch.setattr(TapeWriter, "append", broken)
    try:
        with pytest.raises(EngineFault, match="E-TASK writer of journal and tape died: Runtime"):
            await asyncio.wait_for(desk.run(), 5)
    finally:
        await desk.store.close()
