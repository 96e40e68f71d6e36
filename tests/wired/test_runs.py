"""Runs and files: replays, speeds, extensions, refusals, changed settings, crashes in between."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from tests.wired.stage import EVERY, RISE, Record, Stage, play, request
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.store.journal import Store
from tradeterm.desk import Desk
from tradeterm.errors import ConfigError, RunMismatch, StoreDamaged, UsageError
from tradeterm.model.commands import CancelEntries, EnableTask, Pause, Resume

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
recorded = [
    pytest.mark.recorded,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded market data at {DATA}"),
]
BUSY = "orchestration.schedule.trading_decision.interval=600"
PERIODIC = {"run", "seconds"}


def sim(folder: Path, name: str, *overrides: str, **changes: Any) -> Any:
    changes = {"seed": 7, "approve": "all", "until": "2h"} | changes
    return request("sim", folder / f"{name}.db", BUSY, *overrides, **changes)


def same(one: Record, other: Record) -> None:
    """The same run, whatever processes it took."""
    assert one.summary["state_hash"] == other.summary["state_hash"]
    assert one.trading() == other.trading()
    assert {k: v for k, v in one.summary.items() if k not in PERIODIC} == {
        k: v for k, v in other.summary.items() if k not in PERIODIC
    }


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen events a slice, however fast the machine: its clock ticks when it is looked at."""
    ticks = itertools.count()
    for room in ("driver", "inflow"):
        monkeypatch.setattr(f"tradeterm.{room}.perf_counter", lambda: next(ticks) / 10_000)
    monkeypatch.setattr("tradeterm.driver.SLICE_SECONDS", 0.00015)
    monkeypatch.setattr("tradeterm.inflow.CHUNK", 16)
    monkeypatch.setattr("tradeterm.driver.Driver._slice_may_grow", lambda _: False)


class Crash(BaseException):
    """What a power cut looks like from inside: nothing after it runs, nothing is written."""


async def crash(desk: Desk, store: Store) -> None:
    """Let go of the file without a last snapshot or a word about the end."""
    desk._session_open = False
    desk.feed.close()
    await store.close()


async def run_and_crash(asked: Any, writes: int) -> int:
    """Run until ``writes`` slices are durable, then die between two of them."""
    desk = await Desk.open(asked)
    done = 0
    append = desk.store.append

    async def counted(piece: Any) -> int:
        nonlocal done
        if done >= writes:
            raise Crash
        done += 1
        return await append(piece)

    desk.store.append = counted  # type: ignore[method-assign]
    try:
        with pytest.raises(Crash):
            await desk.run()
    finally:
        await crash(desk, desk.store)
    return done


# -- the same, however it is run -------------------------------------------------------------


async def test_speed_is_no_input(tmp_path: Path) -> None:
    fast = (await play(sim(tmp_path, "fast", until="20m"))).sound()
    slow = (await play(sim(tmp_path, "slow", until="20m", speed=900.0))).sound()
    same(fast, slow)


async def test_no_timer_passes_events_that_were_not_taken_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice may end with the batch, while the clock is already far ahead of the next one."""
    full = await play(sim(tmp_path, "full", until="2h"))
    monkeypatch.setattr("tradeterm.driver.SLICE_SECONDS", 0.0001)
    monkeypatch.setattr("tradeterm.inflow.CHUNK", 64)
    hasty = (await play(sim(tmp_path, "hasty", until="2h", speed=1e6))).sound()
    assert hasty.summary["state_hash"] == full.summary["state_hash"]
    assert hasty.trading() == full.trading()


async def test_time_ends_with_the_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last slice may end with the last bar, while the clock is far beyond it."""
    file = tmp_path / "BTC_USDT-1m.csv"
    rows = (f"{1_748_736_000 + 60 * n},100,101,99,100,5" for n in range(512))
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows, ""]))
    full = await play(request(f"replay:{file}", tmp_path / "full.db"))
    ticks = itertools.count(0.0, 0.004)
    for room in ("driver", "inflow"):
        monkeypatch.setattr(f"tradeterm.{room}.perf_counter", ticks.__next__)
    hasty = (await play(request(f"replay:{file}", tmp_path / "hasty.db", speed=1e9))).sound()
    assert hasty.summary["market_time"] == full.summary["market_time"]
    assert hasty.summary["state_hash"] == full.summary["state_hash"]


async def test_two_hours_and_two_more_are_four(tmp_path: Path) -> None:
    await play(sim(tmp_path, "parts", until="2h"))
    parts = (await play(sim(tmp_path, "parts", until="4h"))).sound()
    whole = (await play(sim(tmp_path, "whole", until="4h"))).sound()
    same(parts, whole)
    assert whole.summary["fills"] > 0
    assert whole.summary["market_time"]["to"] == "2025-06-02T04:00:00.000Z"


async def test_until_may_be_a_market_time(tmp_path: Path) -> None:
    record = await play(sim(tmp_path, "iso", until="2025-06-02T00:10:00Z"))
    assert record.summary["market_time"]["to"] == "2025-06-02T00:10:00.000Z"
    with pytest.raises(UsageError):
        await play(sim(tmp_path, "bad", until="soon"))


async def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = await play(sim(tmp_path, "done", until="30m"))
    again = (await play(sim(tmp_path, "done", until="30m"))).sound()
    same(first, again)
    assert again.summary["run"] == first.summary["run"]
    assert again.summary["inputs"] == first.summary["inputs"]


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("writes", [0, 1, 2, 3, 5, 9, 17, 40])
async def test_a_crash_between_any_two_slices_is_recovered(tmp_path: Path, writes: int) -> None:
    done = await run_and_crash(sim(tmp_path, "crashed", until="1h"), writes)
    assert done == writes
    crashed = (await play(sim(tmp_path, "crashed", until="1h"))).sound()
    smooth = (await play(sim(tmp_path, "smooth", until="1h"))).sound()
    same(crashed, smooth)


# -- another run is not this run -------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "overrides", "reason"),
    [
        ({"seed": 8}, (), r"seed 7 there, 8 asked"),
        ({}, ("market.account.deposit=5000",), r"account 10000 USDT there, 5000 USDT asked"),
        ({"symbols": ("BTC/USDT",)}, (), r"symbols .* asked"),
    ],
    ids=["seed", "deposit", "symbols"],
)
async def test_another_market_on_the_same_file_is_refused(
    tmp_path: Path, changes: dict[str, Any], overrides: tuple[str, ...], reason: str
) -> None:
    first = await play(sim(tmp_path, "mine", until="10m"))
    with pytest.raises(RunMismatch, match=reason):
        await play(sim(tmp_path, "mine", *overrides, until="20m", **changes))
    # Refused means untouched and not left locked.
    same(await play(sim(tmp_path, "mine", until="10m")), first)


async def test_a_run_begun_with_a_seed_goes_on_without_naming_it(tmp_path: Path) -> None:
    first = await play(sim(tmp_path, "mine", until="10m", seed=7))
    again = (await play(sim(tmp_path, "mine", until="20m", seed=None))).sound()
    assert again.summary["run"] == first.summary["run"]
    smooth = (await play(sim(tmp_path, "smooth", until="20m", seed=7))).sound()
    same(again, smooth)
    fresh = await play(sim(tmp_path, "mine", until="10m", seed=None, fresh=True))
    with fresh.reader() as reader:
        assert reader.run_info()["started"]["identity"]["engine_seed"] == "20"


async def test_a_replay_does_not_continue_a_simulation(stage: Stage) -> None:
    stage.tape.rise()
    await play(sim(stage.folder, "run", until="10m"))
    with pytest.raises(RunMismatch, match=r"feed .* there, replay asked"):
        await stage.play()


async def test_fresh_begins_a_new_run_in_the_same_file(tmp_path: Path) -> None:
    first = await play(sim(tmp_path, "file", until="30m"))
    second = (await play(sim(tmp_path, "file", until="30m", fresh=True, seed=9))).sound()
    assert second.summary["run"] != first.summary["run"]
    assert second.summary["state_hash"] != first.summary["state_hash"]
    with second.reader() as reader:
        assert reader.run == 2
    third = await play(sim(tmp_path, "file", until="30m", seed=9))
    assert third.summary["run"] == second.summary["run"]


async def test_bad_approve_and_symbols_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write none, all or script:FILE"):
        await play(sim(tmp_path, "x", approve="maybe"))
    with pytest.raises(ConfigError, match="DOGE/USDT"):
        await play(sim(tmp_path, "y", symbols=("DOGE/USDT",)))


# -- recordings ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["books"])
class TestRecordedTape:
    pytestmark = recorded

    async def test_replayed_twice_it_is_the_same_run(self, tmp_path: Path, name: str) -> None:
        records = []
        for number in range(2):
            asked = request(
                f"replay:{DATA / name}", tmp_path / f"{number}.db",
                "orchestration.schedule.trading_decision.interval=60", approve="all",
            )  # fmt: skip
            records.append((await play(asked)).sound())
        same(*records)
        assert records[0].summary["inputs"]["trade"] == 34_418


class TestRecordedBars:
    pytestmark = recorded

    async def test_three_symbols_at_once(self, tmp_path: Path) -> None:
        """Hours of one-minute candles of BTC, ETH and XRP, in two sessions and in one."""
        folder = tmp_path / "candles"
        folder.mkdir()
        for file in (DATA / "candles").glob("*.feather"):
            (folder / file.name).symlink_to(file)

        def asked(name: str, until: str) -> Any:
            return request(
                f"replay:{folder}", tmp_path / f"{name}.db", BUSY, approve="all", until=until
            )

        whole = (await play(asked("whole", "36h"))).sound()
        await play(asked("parts", "20h"))
        same((await play(asked("parts", "36h"))).sound(), whole)
        symbols = {row["symbol"] for row in whole.bodies("agent_output") if "symbol" in row}
        outputs = {row["output"]["symbol"] for row in whole.bodies("agent_output")} | symbols
        assert {"BTC/USDT", "ETH/USDT", "XRP/USDT"} <= outputs
        assert {fill["evidence"] for fill in whole.fills()} == {"bar_estimate"}

    async def test_krakens_own_download_in_dollars(self, tmp_path: Path) -> None:
        """Hourly XBTUSD since 2013, valued in the dollars it is quoted in."""

        def asked(name: str, until: str) -> Any:
            return request(
                f"replay:{DATA / 'candles' / 'kraken_XBTUSD_60.csv.gz'}", tmp_path / f"{name}.db",
                "agents.trading_decision.rule=ema_cross", "agents.trading_decision.fast=10",
                "agents.trading_decision.slow=30", "risk.regime_leverage.choppy=2",
                approve="all", until=until,
            )  # fmt: skip

        once = (await play(asked("once", "4000h"))).sound()
        await play(asked("twice", "1500h"))
        same((await play(asked("twice", "4000h"))).sound(), once)
        assert once.summary["fills"] > 0
        assert float(once.summary["equity"]) > 0


# -- settings that changed meanwhile ---------------------------------------------------------


async def test_a_run_goes_on_under_the_new_limit(stage: Stage) -> None:
    """The limit falls to nothing before the signal: it would have traded and does not."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    await stage.play(until="20m")
    record = (await stage.play("risk.min_confidence=0.9")).sound()
    assert record.codes() == {"confidence_too_low"}
    with record.reader() as reader:
        info = reader.run_info()
    assert info["started"]["settings"]["risk"]["min_confidence"] == "0.60"
    assert info["session"]["settings"]["risk"]["min_confidence"] == "0.9"


async def test_an_agent_is_switched_off_between_two_sessions(tmp_path: Path) -> None:
    """The settings say so; what the operator had switched himself stays as he left it."""
    await play(sim(tmp_path, "run", until="10m"))
    desk = await Desk.open(sim(tmp_path, "run", until="10m"))
    await desk.apply(EnableTask(task="regime_detection", enabled=False))
    await desk.close()
    off = "orchestration.schedule.technical_analysis.enabled=false"
    quiet = (await play(sim(tmp_path, "run", off, until="30m"))).sound()
    assert quiet.summary["agents"]["technical_analysis"]["runs"] == 3 * 11
    assert quiet.summary["agents"]["regime_detection"]["runs"] == 3 * 3
    again = (await play(sim(tmp_path, "run", until="40m"))).sound()
    assert again.summary["agents"]["technical_analysis"]["runs"] == 3 * 21
    assert again.summary["agents"]["regime_detection"]["runs"] == 3 * 3


@pytest.mark.usefixtures("small_slices")
async def test_a_crash_is_recovered_under_the_settings_it_happened_under(tmp_path: Path) -> None:
    """Rows after the last snapshot are re-executed as they were made, then the new limit holds."""
    written = await run_and_crash(sim(tmp_path, "run", until="2h"), 8)
    assert written == 8
    strict = "risk.min_confidence=0.94"
    record = (await play(sim(tmp_path, "run", strict, until="4h"))).sound()
    resumed = record.bodies("run_resumed")[0]
    assert resumed["rechecked"] > 0
    assert resumed["settings"]["risk"]["min_confidence"] == "0.94"
    assert "confidence_too_low" in record.codes()


async def test_commands_and_answers_are_taken_from_the_journal(stage: Stage) -> None:
    """A run that crashed right after commands gives them again at the same places."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 30 * 60, 60_010.0)
    asked = stage.request(EVERY, approve="all")
    desk = await Desk.open(asked)
    desk.driver.inflow.until = stage.tape.lines[600]["ts"]
    await desk.run()
    for command in (Pause(), Resume(), CancelEntries()):
        desk.engine.command(command, desk.engine.now + 1)
    await desk.driver.flush()  # no snapshot: the tail has to be re-executed
    await crash(desk, desk.store)
    record = (await play(asked)).sound()
    assert len(record.bodies("command")) == 3
    assert [body["state"] for body in record.bodies("state")] == ["paused", "running"]
    assert record.bodies("run_resumed")[0]["rechecked"] > 3


async def test_a_changed_recording_is_noticed(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 23 * 60, 60_010.0)
    await stage.play(until="22m")
    stage.tape.lines[10]["p"] = "60019.5"
    with pytest.raises(RunMismatch, match="files"):
        await stage.play()


@pytest.mark.usefixtures("small_slices")
async def test_a_program_that_decides_otherwise_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Re-execution compares every row: a changed rule cannot quietly rewrite the past."""
    await run_and_crash(sim(tmp_path, "run", until="1h"), 6)
    monkeypatch.setattr("tradeterm.agents.trading.TECHNICAL", 0.1)
    with pytest.raises(StoreDamaged, match="re-executing the run gives something else than row"):
        await play(sim(tmp_path, "run", until="1h"))


@pytest.mark.usefixtures("small_slices")
async def test_what_a_model_was_asked_when_the_process_died_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is in the journal, its answer is not: interrupted, and the fallback waits."""
    asked = sim(tmp_path, "run", EVERY, "llm.latency=60", until="1h")
    desk = await Desk.open(asked)
    append = desk.store.append

    async def until_question(piece: Any) -> int:
        seq = await append(piece)
        if any(row.kind == "question" for row in piece.rows):
            raise Crash
        return seq

    monkeypatch.setattr(desk.store, "append", until_question)
    with pytest.raises(Crash):
        await desk.run()
    await crash(desk, desk.store)
    before = Record(tmp_path / "run.db", {})
    asked_before = {row.id for row in before.rows("question")}
    assert asked_before
    assert before.rows("answer") == []

    class Model(RulesAdvisor):
        """Costs money each time: nothing may ask it the same thing twice."""

        repeatable = False

    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", Model)
    record = (await play(asked)).sound()
    interrupted = [a for a in record.bodies("answer") if a["question_id"] in asked_before]
    assert [(a["by"], a["reasoning"]) for a in interrupted] == [
        ("fallback", "interrupted by a restart")
    ] * len(asked_before)
    later = [a for a in record.bodies("answer") if a["question_id"] not in asked_before]
    assert all(a["by"] == "rules" for a in later)
