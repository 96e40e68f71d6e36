"""Recorded runs: the tape beside the book of record, and the same run lived again from it."""

from __future__ import annotations

import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.model_server import settle
from tests.living import wait_for
from tests.shell import command, tradeterm
from tests.terminal.screen import child_environment
from tests.wired.stage import EVERY, RISE, Record, Stage, play, request
from tests.wired.test_llm_arbiter import settled
from tradeterm.adapters.feeds.simulated import SimulatedFeed
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.recovery import recover
from tradeterm.adapters.tape.blocks import tape_files
from tradeterm.adapters.tape.lines import encode
from tradeterm.adapters.tape.recorded import RecordedFeed, recordings
from tradeterm.desk import Desk
from tradeterm.errors import DataError, RunMismatch, UsageError
from tradeterm.lab.comparison import Rows, compare_rows
from tradeterm.lab.replay import Replay
from tradeterm.model.commands import CancelEntries, Pause, Resume
from tradeterm.model.market import FeedMark
from tradeterm.model.vocabulary import Side
from tradeterm.replaying import _changed
from tradeterm.settings.loading import load_settings

BUSY = "orchestration.schedule.trading_decision.interval=600"


def sim(folder: Path, name: str, *overrides: str, **changes: Any) -> Any:
    changes = {"seed": 7, "approve": "all", "until": "1h", "record": True} | changes
    return request("sim", folder / f"{name}.db", BUSY, *overrides, **changes)


def tape_of(record: Record) -> RecordedFeed:
    (folder,) = recordings(record.db.with_name(record.db.name + ".tape"))
    return RecordedFeed(folder)


def lines_of(feed: RecordedFeed) -> bytes:
    lines = []
    feed.seek(FeedMark(feed.begins))
    while batch := feed.take():
        lines.append(encode(batch))
    return b"".join(lines)


async def live_again(db: Path, into: Path, **how: Any) -> tuple[dict[str, Any], Rows]:
    with Reader(db) as recorded:
        lived = await Replay(recorded, **how).run(into)
        with Reader(into) as second:
            return lived.summary, compare_rows(recorded, second)


# -- record and replay -----------------------------------------------------------------------


async def test_the_tape_has_the_engines_inputs_byte_for_byte(tmp_path: Path) -> None:
    record = (await play(sim(tmp_path, "run"))).sound()
    counts = record.summary["inputs"]
    taken = sum(counts.values()) - counts["answer"] - counts["command"]
    settings = load_settings(None, ()).settings.market
    market = SimulatedFeed(settings, seed=7, symbols=settings.symbols)
    told = [event for _ in range(7) for event in market.take()][:taken]
    assert taken > 5_000
    assert lines_of(tape_of(record)) == encode(told)


async def test_recording_changes_nothing(tmp_path: Path) -> None:
    recorded = await play(sim(tmp_path, "recorded"))
    plain = await play(sim(tmp_path, "plain", record=False))
    assert recorded.summary["state_hash"] == plain.summary["state_hash"]
    assert recorded.trading() == plain.trading()
    assert not plain.db.with_name("plain.db.tape").exists()


async def test_the_tape_is_a_market_like_any_other(tmp_path: Path) -> None:
    """``--feed replay:`` of the folder: the same signals, orders and fills, and warm at once."""
    recorded = await play(sim(tmp_path, "run", until="50m"))
    again = (
        await play(request(f"replay:{tmp_path / 'run.db.tape'}", tmp_path / "again.db", BUSY, seed=7,
                           approve="all"))
    ).sound()  # fmt: skip
    kinds = {"signal", "proposal", "verdict", "order", "fill", "position", "entry"}
    last = again.rows()[-1].ts

    def traded(record: Record) -> list[Any]:
        return [(r.kind, r.id, r.ts, r.body) for r in record.rows(*kinds) if r.ts < last]

    assert traded(again) == [row for row in traded(recorded) if row[2] < last]
    assert again.summary["fills"] > 0
    assert again.summary["agents"]["technical_analysis"]["warming"] == 0


async def test_any_moment_of_a_tape_is_a_market(tmp_path: Path) -> None:
    """The books stand and the candles are there as they were for who had listened all along."""
    await play(sim(tmp_path, "run", until="50m"))
    moment = "2025-06-02T00:33:20Z"
    whole = await Desk.open(
        request(f"replay:{tmp_path / 'run.db.tape'}", tmp_path / "whole.db", until=moment)
    )
    await whole.run()
    spec = f"replay:{tmp_path / 'run.db.tape'}@{moment}"
    part = await Desk.open(request(spec, tmp_path / "part.db", BUSY, approve="all", until="5m"))
    part.driver.inflow.until = part.feed.start
    await part.run()
    for symbol in part.feed.symbols:
        heard, read = (desk.engine.core.market.symbol(symbol) for desk in (whole, part))
        for side in (Side.BUY, Side.SELL):
            assert list(read.book.walk(side)) == list(heard.book.walk(side))
        for timeframe, window in read.windows.items():
            assert window.rows(600) == heard.windows[timeframe].rows(600)
    for desk in (whole, part):
        await desk.close()
    once = (
        await play(request(spec, tmp_path / "once.db", BUSY, approve="all", until="10m"))
    ).sound()
    await play(request(spec, tmp_path / "twice.db", BUSY, approve="all", until="4m"))
    twice = await play(request(spec, tmp_path / "twice.db", BUSY, approve="all", until="10m"))
    assert once.summary["state_hash"] == twice.summary["state_hash"]
    assert once.summary["market_time"]["from"] == "2025-06-02T00:33:20.000Z"
    assert once.summary["agents"]["technical_analysis"]["warming"] == 0
    with pytest.raises(DataError, match="nothing was recorded at or after"):
        await play(request(spec.replace("T00:33", "T05:33"), tmp_path / "late.db"))
    with pytest.raises(UsageError, match="is not a time"):
        await play(request(spec.replace("2025", "soon"), tmp_path / "late.db"))


async def test_a_run_whose_tape_lost_its_beginning_is_not_lived_from_there(tmp_path: Path) -> None:
    hourly = "recording.file_hours=0.2"
    run = await play(sim(tmp_path, "run", hourly, until="50m"))
    first, *rest = tape_files(tape_of(run).folder)
    assert rest
    first.unlink()
    with pytest.raises(DataError, match=r"cannot be lived from its beginning.*@TIME"):
        await live_again(run.db, tmp_path / "again.db")
    later = f"replay:{tmp_path / 'run.db.tape'}@2025-06-02T00:45:00Z"
    assert (await play(request(later, tmp_path / "later.db"))).summary["inputs"]["trade"] > 0


async def test_two_sessions_make_one_tape(tmp_path: Path) -> None:
    whole = await play(sim(tmp_path, "whole"))
    await play(sim(tmp_path, "parts", until="20m"))
    parts = await play(sim(tmp_path, "parts"))
    assert lines_of(tape_of(parts)) == lines_of(tape_of(whole))
    # Once a recording always a recording: without the flag it goes on as well.
    await play(sim(tmp_path, "parts", until="70m", record=False))
    assert len(lines_of(tape_of(parts))) > len(lines_of(tape_of(whole)))


async def test_a_run_begun_without_a_tape_gets_none(tmp_path: Path) -> None:
    await play(sim(tmp_path, "run", until="10m", record=False))
    with pytest.raises(UsageError, match="begun without --record"):
        await play(sim(tmp_path, "run", until="20m"))


async def test_kill_9_while_recording(tmp_path: Path) -> None:
    """Again and again: book and tape go on, and are those of a run that was never killed."""
    db = tmp_path / "killed.db"
    for least in (100_000, 200_000, 300_000):
        record_and_die(db, least)
    killed = (await play(sim(tmp_path, "killed", until="2h"))).sound()
    smooth = await play(sim(tmp_path, "smooth", until="2h"))
    assert killed.trading() == smooth.trading()
    assert lines_of(tape_of(killed)) == lines_of(tape_of(smooth))
    summary, rows = await live_again(db, tmp_path / "again.db")
    assert summary["state_hash"] == smooth.summary["state_hash"]
    assert not rows.different


def record_and_die(db: Path, least: int) -> None:
    child = subprocess.Popen(
        command("run", "--headless", "--seed", "7", "--approve", "all", "--set", BUSY,
                "--record", "--until", "2h", "--db", db),
        env=child_environment(db.parent), cwd=db.parent,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(partial(has_taped, child, db, least))
    child.kill()
    assert child.wait() == -signal.SIGKILL


def has_taped(child: subprocess.Popen[bytes], db: Path, least: int) -> bool:
    """Whether so many bytes of tape are there, or the run ended before."""
    folders = recordings(db.with_name(db.name + ".tape"))
    size = sum(file.stat().st_size for folder in folders for file in tape_files(folder))
    return size > least or child.poll() is not None


async def test_no_row_is_committed_before_the_events_it_followed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the tape's write and the journal's, at every single slice."""
    desk = await Desk.open(sim(tmp_path, "run", until="10m"))
    append = desk.store.append
    seen: list[tuple[int, int]] = []

    async def watched(piece: Any) -> int:
        needed = max((row.input for row in piece.rows), default=0)
        seen.append((needed, tape_position(desk)))
        return await append(piece)

    monkeypatch.setattr(desk.store, "append", watched)
    try:
        await desk.run()
    finally:
        await desk.close()
    assert len(seen) > 1
    assert all(taped >= needed for needed, taped in seen)


def tape_position(desk: Desk) -> int:
    (folder,) = recordings(desk.store.paths.tape)
    feed = RecordedFeed(folder)
    total = 0
    while batch := feed.take():
        total += len(batch)
    return total


# -- the same run again ----------------------------------------------------------------------


async def test_replay_is_the_same_from_tape_seed_and_file(tmp_path: Path, stage: Stage) -> None:
    for name, record in (("tape", True), ("seed", False)):
        run = await play(sim(tmp_path, name, record=record))
        summary, rows = await live_again(run.db, tmp_path / f"{name}-again.db")
        assert summary["state_hash"] == run.summary["state_hash"]
        assert (rows.different, rows.beyond) == (0, 0)
        assert rows.same == len(run.trading())
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 30 * 60, 60_010.0)
    run = await stage.play()
    summary, rows = await live_again(run.db, tmp_path / "file-again.db")
    assert summary["state_hash"] == run.summary["state_hash"]
    assert not rows.different
    Record(tmp_path / "file-again.db", summary).sound()


async def test_sessions_settings_keys_and_crashes_are_lived_again(stage: Stage) -> None:
    """Commands, a crash without a word, another limit, another policy: one replay through all."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 40 * 60, 60_010.0)
    asked = stage.request(EVERY, approve="all", until="25m")
    desk = await Desk.open(asked)
    desk.driver.inflow.until = stage.tape.lines[600]["ts"]
    await desk.run()
    for order in (Pause(), Resume(), CancelEntries()):
        desk.engine.command(order, desk.engine.now + 1)
    await desk.driver.flush()
    desk._session_open = False
    desk.feed.close()
    await desk.store.close()
    await play(asked)
    run = await stage.play("risk.min_confidence=0.9", approve="none")
    assert len(run.bodies("run_resumed")) == 2
    summary, rows = await live_again(run.db, stage.folder / "again.db")
    assert summary["state_hash"] == run.summary["state_hash"]
    assert not rows.different
    assert rows.same > 25


async def test_a_run_that_was_cut_short_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    desk = await Desk.open(sim(tmp_path, "run", record=False))
    desk.driver.inflow.until = desk.feed.start + 1_234 * 10**9
    await desk.run()
    desk._session_open = False
    desk.feed.close()
    await desk.store.close()
    recovered = recover(desk.store.paths)
    assert recovered is not None
    assert not recovered.finished
    _, rows = await live_again(tmp_path / "run.db", tmp_path / "again.db")
    assert not rows.different
    assert rows.same > 50


async def test_what_has_changed_is_told_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await play(sim(tmp_path, "run", record=False))
    monkeypatch.setattr("tradeterm.engine.trading.Trading.pending_cards", lambda _: [])
    summary, rows = await live_again(run.db, tmp_path / "again.db")
    assert rows.different > 0
    assert rows.told[0]["recorded"] != rows.told[0]["replayed"]
    assert summary["state_hash"] != run.summary["state_hash"]


# -- from a shell ----------------------------------------------------------------------------


def test_replay_from_a_shell(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    run = tradeterm("run", "--headless", "--seed", "7", "--until", "90m", "--approve", "all",
                    "--set", BUSY, "--db", db, "--json", home=tmp_path).json  # fmt: skip
    same = tradeterm("replay", run["run"][:6], "--db", db, "--json", home=tmp_path)
    assert same.code == 0
    assert same.json["ok"] is True
    assert same.json["state_hash"] == same.json["recorded_hash"] == run["state_hash"]
    assert same.json["different"] == 0

    kept = tmp_path / "kept.db"
    what_if = tradeterm("replay", db, "--set", "risk.max_position=2", "--into", kept, "--json",
                        home=tmp_path)  # fmt: skip
    assert what_if.code == 0
    told = what_if.json
    fills = told["figures"]["fills"]
    assert fills["recorded"] == run["fills"]
    assert told["figures"]["equity"]["recorded"] == run["equity"]
    assert told["state_hash"] != run["state_hash"]
    entries = [one for one in told["orders"]["changed"] if one["recorded"]["purpose"] == "entry"]
    first = entries[0]  # before anything else can have come differently
    assert float(first["what_if"]["size"]) < float(first["recorded"]["size"])
    Record(kept, {}).sound()
    again = tradeterm("replay", db, "--into", kept, home=tmp_path)
    assert again.code == 2
    assert "the file exists" in again.complaint

    assert (
        "neither a file nor the id"
        in tradeterm("replay", "zz", "--db", db, home=tmp_path).complaint
    )
    bad = tradeterm("replay", db, "--set", "risk.max_positio=2", home=tmp_path)
    assert bad.code == 2
    assert "max_position" in bad.complaint


async def test_a_changed_file_is_no_longer_the_runs_market(tmp_path: Path) -> None:
    """Moved it is: ``--feed`` says where it lies."""
    file, again = tmp_path / "BTC_USDT-1m.csv", tmp_path / "again.db"
    rows = [f"{1_748_736_000 + 60 * n},100,101,99,{100 + n % 2},5" for n in range(120)]
    head = "timestamp,open,high,low,close,volume"
    file.write_text("\n".join([head, *rows, ""]))
    run = await play(request(f"replay:{file}", tmp_path / "run.db"))
    place = tmp_path / "there" / file.name
    place.parent.mkdir()
    file.rename(place)
    with pytest.raises(DataError, match="there is no such file"):
        await live_again(run.db, again)
    _, found = await live_again(run.db, again, feed=f"replay:{place}")
    assert not found.different
    rows[5] = rows[5].replace(",101,", ",102,")
    place.write_text("\n".join([head, *rows, ""]))
    with pytest.raises(RunMismatch, match="the market of the run is not what it was"):
        await live_again(run.db, tmp_path / "changed.db", feed=f"replay:{place}")


async def test_a_what_if_hears_the_models_where_they_are_asked_the_same(stage: Stage) -> None:
    """The model halved the order.

    Under another limit the question is the same, and so is the answer. With another wish it is
    another question: nobody is asked, the fallback applies.
    """
    answer = settle(action="modify", size_reduction=0.5, reasoning="Half will do.")
    run = await settled(stage, answer)
    (resolution,) = run.bodies("resolution")

    async def lived_with(name: str, *overrides: str) -> tuple[int, dict[str, Any]]:
        into = stage.folder / f"{name}.db"
        with Reader(run.db) as recorded:
            lived = await Replay(recorded, changed=_changed(overrides)).run(into)
        (found,) = Record(into, {}).bodies("resolution")
        return lived.unheard, found

    unheard, same = await lived_with("same", "risk.max_weekly_loss=9")
    assert (unheard, same["by"], same["size_reduction"]) == (0, "llm", resolution["size_reduction"])
    unheard, other = await lived_with("other", "agents.trading_decision.risk_per_trade=0.2")
    assert unheard == 1
    assert other["by"] == "fallback"


async def test_verify_names_a_block_of_the_tape_that_changed(tmp_path: Path) -> None:
    record = await play(sim(tmp_path, "one", until="20m"))
    assert tradeterm("verify", "--db", record.db, home=tmp_path).code == 0
    (file,) = tape_files(tape_of(record).folder)
    rotten = bytearray(file.read_bytes())
    rotten[len(rotten) // 2] ^= 0x10
    file.write_bytes(rotten)
    said = tradeterm("verify", "--db", record.db, home=tmp_path)
    assert said.code == 1
    assert f"{file.name}: " in said.out
    assert "is damaged" in said.out
    file.unlink()
    said = tradeterm("verify", "--db", record.db, home=tmp_path)
    assert said.code == 1
    assert "a part of it is gone" in said.out
    (file.parent / "about.json").write_text("{")
    said = tradeterm("verify", "--db", record.db, home=tmp_path)
    assert "about.json: not what a recording begins with" in said.out
