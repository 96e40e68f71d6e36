"""Halt: no new exposure from that input on, protection works on, and nothing forgets it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.wired.stage import EVERY, RISE, Record, Stage, play, request
from tradeterm.desk import Desk
from tradeterm.haltfile import LOOK_SECONDS
from tradeterm.model.commands import (
    CancelEntries,
    CancelOrder,
    ClosePosition,
    Command,
    CommandResult,
    EnableTask,
    Flatten,
    ForceRun,
    Halt,
    Pause,
    RejectAll,
    RejectCard,
    Resume,
)
from tradeterm.standing import apply_offline

SLOWLY = "execution.latency={least: 20, most: 20}"


def opened(stage: Stage, *, later: float = 60_010.0, end: float = 26 * 60) -> None:
    """A long opens at 00:21; from 00:22 on the price is ``later``."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, end, later)


async def ordered(stage: Stage, *commands: Command) -> list[CommandResult]:
    """Continue the run, give it commands at once and tell it to stop."""
    desk = await Desk.open(stage.request())
    try:
        running = [asyncio.ensure_future(desk.submit(command)) for command in commands]
        await asyncio.sleep(0)
        desk.driver.stop()
        await desk.run()
        async with asyncio.timeout(5):
            return [await each for each in running]
    finally:
        await desk.close()


async def told(stage: Stage, *commands: Command) -> list[CommandResult]:
    """Carry out commands on a run at rest."""
    desk = await Desk.open(stage.request())
    try:
        return [await desk.apply(command) for command in commands]
    finally:
        await desk.close()


def entries_after(record: Record, kind: str) -> list[str]:
    """Entry orders created after the row of this kind."""
    rows = record.rows()
    mark = next(row.seq for row in rows if row.kind == kind)
    return [
        row.id for row in rows
        if row.kind == "order" and row.seq > mark and row.data["request"]["purpose"] == "entry"
        and row.data["status"] == "pending"
    ]  # fmt: skip


async def test_protection_stays_and_fires(stage: Stage) -> None:
    opened(stage, later=59_000.0)
    stage.key(RISE * 60 + 30, "halt", reason="lunch")
    record = (await stage.play()).sound()
    assert record.summary["state"] == "halted"
    assert record.positions()[0]["exit_reason"] == "stop"
    (state,) = record.bodies("state")
    assert state == {"state": "halted", "reason": "script: lunch"}
    assert entries_after(record, "state") == []
    # The fall crossed the averages: the analysts went on, their signals led to nothing.
    signals = [r for r in record.bodies("agent_output") if r["output"]["action"] == "SELL"]
    assert signals
    assert len(record.bodies("proposal")) == 1


async def test_an_entry_on_its_way_is_cancelled(stage: Stage) -> None:
    opened(stage)
    stage.key(RISE * 60 + 1, "halt")
    for seed in range(8):  # latencies are keyed by the seed: find one where the cancel is first
        asked = stage.request(
            "execution.latency={least: 0.04, most: 60}", seed=seed,
            db=stage.folder / f"{seed}.db",
        )  # fmt: skip
        record = (await play(asked)).sound()
        (entry,) = record.orders("entry")
        if entry["status"] == "cancelled":
            assert entry["reason"] == "halt"
            assert record.fills() == []
            return
    pytest.fail("in none of eight seeds did the cancel arrive first")


async def test_a_halted_run_restarts_halted_until_resumed(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(26 * 60, 27 * 60, 59_900.0)
    stage.tape.hold(27 * 60, 28 * 60 + 30, 60_100.0)
    stage.key(20 * 60, "halt")
    halted = await stage.play(until="21m30s")
    assert (halted.summary["state"], halted.orders()) == ("halted", [])
    again = await stage.play(until="26m30s")
    assert (again.summary["state"], again.orders()) == ("halted", [])

    (result,) = await told(stage, Resume(reason="back"))
    assert (result.accepted, result.text) == (True, "running")
    record = (await stage.play()).sound()
    assert record.summary["state"] == "running"
    assert [p["side"] for p in record.positions()] == [
        "short"
    ]  # the cross after the resume trades again
    assert [body["state"] for body in record.bodies("state")] == ["halted", "running"]


async def test_a_file_named_halt_halts(stage: Stage) -> None:
    """The market waits for the operator: one event a while, and the file appears meanwhile."""
    opened(stage)
    desk = await Desk.open(stage.request(speed=60.0))
    running = asyncio.ensure_future(desk.run())
    try:
        (stage.folder / "HALT").touch()
        async with asyncio.timeout(5):
            while desk.engine.core.state.value != "halted":  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        desk.driver.stop()
        await running
        await desk.close()
    record = Record(stage.folder / "run.db", {}).sound()
    (command,) = record.bodies("command")
    assert (command["command"], command["actor"]) == ("halt", "file")


async def test_a_file_named_halt_is_seen_before_the_first_event(stage: Stage) -> None:
    opened(stage)
    (stage.folder / "HALT").touch()
    record = (await stage.play()).sound()
    assert (record.summary["state"], record.orders()) == ("halted", [])


def test_halt_and_resume_from_another_shell_when_nobody_runs(stage: Stage) -> None:
    opened(stage)
    asyncio.run(stage.play(until="21m30s"))
    db = stage.folder / "run.db"
    assert apply_offline(db, Halt(actor="shell")).text.startswith("HALTED: 0 entry cancels sent")
    assert apply_offline(db, Halt(actor="shell")).text == "already halted"
    assert apply_offline(db, Resume()).accepted
    assert not apply_offline(db, Resume()).accepted
    record = asyncio.run(stage.play()).sound()
    assert record.summary["state"] == "running"
    assert len(record.positions()) == 1


async def test_flatten_closes_everything_and_halts(stage: Stage) -> None:
    opened(stage)
    stage.key(22 * 60 + 1, "flatten")
    stage.key(22 * 60 + 1.02, "flatten")  # the close is on its way: not sent twice
    record = (await stage.play()).sound()
    assert record.positions()[0]["exit_reason"] == "operator"
    assert len(record.orders("exit")) == 1
    assert record.summary["state"] == "halted"


async def test_flatten_counts_and_causes_the_close_of_every_position(tmp_path: Path) -> None:
    asked = request("sim", tmp_path / "run.db", seed=7, until="5s")
    await play(asked)
    desk = await Desk.open(replace(asked, until=None))
    try:
        held = [position.id for position in desk.engine.books.execution.positions.values()]
        assert len(held) > 1
        result = await desk.apply(Flatten())
    finally:
        await desk.close()
    assert result == CommandResult(True, f"closing {len(held)} position(s), halted")
    exits = Record(tmp_path / "run.db", {}).orders("exit")
    assert [order["position_id"] for order in exits] == held
    assert all(order["parent"].startswith("cmd-") for order in exits)


async def test_pause_keeps_analysing_and_resume_goes_on(stage: Stage) -> None:
    opened(stage)
    stage.key(20 * 60, "pause")
    record = (await stage.play(until="22m")).sound()
    assert (record.summary["state"], record.summary["signals"]) == ("paused", 1)
    assert record.bodies("proposal") == []


async def test_commands_say_what_became_of_them(stage: Stage) -> None:
    opened(stage)
    await stage.play(EVERY, until="21m10s", approve="all")
    stage.overrides.append(EVERY)
    results = await told(
        stage,
        ClosePosition(position_id="pos-9"), CancelOrder(order_id="PAPER-2"),
        CancelOrder(order_id="PAPER-9"), CancelEntries(), RejectAll(), RejectCard(card_id="card-1"),
        ForceRun(task="technical_analysis"), ForceRun(task="astrology"),
        EnableTask(task="sentiment_analysis", enabled=True), EnableTask(task="astrology", enabled=True),
        Pause(), Halt(), Pause(), ClosePosition(position_id="pos-1"),
        ClosePosition(position_id="pos-1"), Flatten(),
    )  # fmt: skip
    assert [(r.accepted, r.text.partition(";")[0]) for r in results] == [
        (False, "no open position pos-9"),
        (False, "PAPER-2 protects pos-1"),
        (False, "no working order PAPER-9"),
        (True, "cancelling 0 entries"),
        (False, "0 card(s) rejected"),
        (False, "card-1 is already approved"),
        (True, "technical_analysis ran"),
        (False, "no task 'astrology'"),
        (True, "sentiment_analysis on"),
        (False, "no task 'astrology'"),
        (True, "paused: no new proposals, analysis goes on"),
        (True, "HALTED: 0 entry cancels sent, 0 cards void, 1 positions protected"),
        (False, "halted"),
        (True, "closing pos-1 BTC/USDT long at market"),
        (False, "pos-1 BTC/USDT long is already being closed"),
        (True, "closing 0 position(s), halted"),
    ]
    # Halted or not, the close goes through.
    record = (await stage.play()).sound()
    assert record.positions()[0]["exit_reason"] == "operator"


async def test_one_entry_can_be_cancelled_while_it_is_under_way(stage: Stage) -> None:
    opened(stage)
    await stage.play(SLOWLY, until="21m1s")
    stage.overrides.append(SLOWLY)
    (result,) = await told(stage, CancelOrder(order_id="PAPER-1"))
    assert (result.accepted, result.text) == (True, "cancelling PAPER-1 BTC/USDT buy")
    record = (await stage.play()).sound()
    (entry,) = record.orders("entry")
    assert entry["status"] == "filled"  # the cancel took twenty seconds as well: too late


async def test_a_halt_jumps_the_queue(stage: Stage) -> None:
    opened(stage)
    await stage.play(until="21m30s")
    results = await ordered(stage, Pause(), ForceRun(task="regime_detection"), Halt())
    assert [r.accepted for r in results] == [False, True, True]
    record = Record(stage.folder / "run.db", {})
    assert [body["command"] for body in record.bodies("command")] == ["halt", "pause", "force_run"]


async def test_too_many_commands_are_turned_away_but_never_a_halt(stage: Stage) -> None:
    opened(stage)
    await stage.play(until="21m30s")
    results = await ordered(stage, *[CancelEntries()] * 70, Halt())
    assert sum(not r.accepted for r in results) == 6
    assert results[-1].accepted


async def test_a_key_does_not_resume_while_the_halt_file_is_there(stage: Stage) -> None:
    opened(stage)
    (stage.folder / "HALT").touch()
    desk = await Desk.open(stage.request(speed=60.0))
    running = asyncio.ensure_future(desk.run())
    try:
        async with asyncio.timeout(5):
            while desk.engine.core.state.value != "halted":  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(LOOK_SECONDS)
            refused = [await desk.submit(Resume()), await desk.apply(Resume())]
            (stage.folder / "HALT").unlink()
            taken = await desk.submit(Resume())
    finally:
        desk.driver.stop()
        await running
        await desk.close()
    assert [(r.accepted, "remove it first" in r.text) for r in refused] == [(False, True)] * 2
    assert taken.accepted
    record = Record(stage.folder / "run.db", {}).sound()
    assert [body["command"] for body in record.bodies("command")] == ["halt", "resume"]


async def test_what_a_script_resumes_is_halted_again_while_the_halt_file_is_there(
    stage: Stage,
) -> None:
    opened(stage)
    (stage.folder / "HALT").touch()
    stage.key(RISE * 60 + 30, "resume")
    record = (await stage.play(speed=1500.0)).sound()
    assert [body["state"] for body in record.bodies("state")] == ["halted", "running", "halted"]
