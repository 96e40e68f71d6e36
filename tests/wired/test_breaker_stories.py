"""Breakers through the whole desk: they trip in order, do what they stand for, and stay tripped."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.market.samples import recorded
from tests.wired.stage import BTC, RISE, Record, Stage, play, request
from tradeterm.adapters.store.schema import TABLES
from tradeterm.desk import Desk
from tradeterm.model.commands import Command, CommandResult, ResetBreaker, Resume
from tradeterm.model.timing import DAY, MINUTE, SECOND, parse_instant
from tradeterm.risk.rules import RULES

#: Four entries of a third of the equity each, with stops so far away that nothing else closes them.
EXPOSED = (
    "agents.trading_decision.risk_per_trade=10", "agents.trading_decision.stop_least=30",
    "agents.trading_decision.stop_most=30", "execution.trailing.activation=99",
    "risk.max_stop=49", "risk.by_symbol.BTC.max_stop=49", "risk.max_risk=100", "risk.max_position=100",
    "risk.max_exposure=500", "risk.max_correlated=500", "risk.max_margin=100",
    "risk.max_positions_per_symbol=20", "risk.max_positions=50",
)  # fmt: skip
SIDES = {"long": "BUY", "short": "SELL"}
CRASH = 35
"""The minute the fall begins."""


def crash(stage: Stage, percent: float = 25.0, minutes: int = 60) -> None:
    """Four BUYs, at 00:21, :25, :29 and :33; then the price falls for an hour."""
    stage.tape.rise(by=100.0)
    for entry in range(3):
        begin = (RISE + 4 * entry) * 60
        stage.tape.hold(begin, begin + 60, 60_100.0)
        stage.tape.hold(begin + 60, begin + 120, 59_950.0)
        stage.tape.hold(begin + 120, begin + 180, 59_900.0)
        stage.tape.hold(begin + 180, begin + 240, 60_100.0)
    stage.tape.hold((RISE + 12) * 60, CRASH * 60, 60_100.0)
    for step in range(minutes * 2):
        price = 60_000.0 * (1 - percent / 100 * (step + 1) / (minutes * 2))
        stage.tape.hold(CRASH * 60 + step * 30, CRASH * 60 + step * 30 + 30, price)
    low = 60_000.0 * (1 - percent / 100)
    stage.tape.hold((CRASH + minutes) * 60, (CRASH + minutes) * 60 + 60, low)


def events(record: Record) -> list[tuple[str, str]]:
    return [(b["breaker"], b["what"]) for b in record.summary["breakers"]]


def caused(record: Record, breaker: str) -> list[dict[str, Any]]:
    """The fills that follow from this breaker's row."""
    (row,) = [r for r in record.rows("breaker") if r.data["breaker"] == breaker]
    orders = {o["id"]: o for o in record.orders("exit") if o["parent"] == row.id}
    return [fill for fill in record.fills() if fill["order_id"] in orders]


async def test_a_crash_trips_the_breakers_in_order_each_with_its_consequence(
    stage: Stage,
) -> None:
    crash(stage)
    record = (await stage.play(*EXPOSED)).sound()
    assert events(record) == [
        ("daily", "tripped"), ("weekly", "tripped"), ("drawdown", "tripped"),
    ]  # fmt: skip
    states = [(b["state"], b["reason"].split(":")[0]) for b in record.bodies("state")]
    assert states == [("paused", "breaker daily"), ("halted", "breaker drawdown")]
    cut, closed = caused(record, "weekly"), caused(record, "drawdown")
    positions = record.positions()
    assert len(positions) == len(cut) == len(closed) == 4
    for position in positions:
        halves = [f for f in (*cut, *closed) if f["position_id"] == position["id"]]
        assert len(halves) == 2
        assert sum(float(f["size"]) for f in halves) == pytest.approx(
            float(position["opened_size"]), abs=1e-7
        )
        assert float(halves[0]["size"]) == pytest.approx(float(halves[1]["size"]), abs=1e-7)
        assert position["exit_reason"] == "breaker"
    assert record.summary["exits"]["breaker"] == 4
    assert record.summary["state"] == "halted"
    # No stop was near: what was lost is what the breakers let through, and a little slippage.
    assert 7_900 < float(record.summary["equity"]) < 8_050
    assert len(record.orders("entry")) == 4


async def test_what_a_breaker_did_names_what_it_rests_on(stage: Stage) -> None:
    crash(stage)
    record = (await stage.play(*EXPOSED)).sound()
    kinds = [link.kind for link in record.explain(caused(record, "weekly")[0]["id"])]
    assert {"equity", "breaker", "order", "fill"} <= set(kinds)


def cleared(db: Path) -> None:
    """Every table of projected state is emptied, and the snapshots with them."""
    with sqlite3.connect(db) as connection:
        for table in (*TABLES, "snapshots"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()


@pytest.mark.parametrize("stop", ["45m", "55m", "1h32m"])
async def test_no_restart_and_no_deleted_table_loosens_anything(stage: Stage, stop: str) -> None:
    """The run is stopped somewhere in the fall, its tables are emptied, and it goes on."""
    crash(stage)
    whole = await stage.play(*EXPOSED, db=stage.folder / "whole.db")
    first = await stage.play(*EXPOSED, until=stop)
    cleared(stage.folder / "run.db")
    second = await stage.play(*EXPOSED)
    assert second.summary["state_hash"] == whole.summary["state_hash"]
    assert events(second) == events(whole)
    assert second.summary["state"] == "halted"
    assert first.summary["state"] in ("paused", "halted")


async def told(stage: Stage, *commands: Command) -> list[CommandResult]:
    desk = await Desk.open(stage.request(*EXPOSED))
    try:
        return [await desk.apply(command) for command in commands]
    finally:
        await desk.close()


async def test_only_a_reset_with_a_reason_leads_back_and_measures_anew(stage: Stage) -> None:
    crash(stage)
    await stage.play(*EXPOSED)
    results = await told(
        stage, Resume(), ResetBreaker(breaker="drawdown", reason=" "),
        ResetBreaker(breaker="weather", reason="x"), ResetBreaker(breaker="losses", reason="x"),
        ResetBreaker(breaker="drawdown", reason="position sizes reviewed"),
        Resume(), ResetBreaker(breaker="weekly", reason="reviewed"),
        ResetBreaker(breaker="daily", reason="reviewed"), Resume(),
    )  # fmt: skip
    assert [(r.accepted, r.text.partition(";")[0].partition(" (")[0]) for r in results] == [
        (False, "tripped: daily"),
        (False, "breaker drawdown needs a reason for its reset"),
        (False, "no breaker 'weather'"),
        (False, "breaker losses is not tripped"),
        (True, "breaker drawdown reset"),
        (False, "tripped: daily"),
        (True, "breaker weekly reset"),
        (True, "breaker daily reset"),
        (True, "running"),
    ]
    record = Record(stage.folder / "run.db", {}).sound()
    reset = [b for b in record.bodies("breaker") if b["what"] == "reset"]
    assert reset[0]["words"] == "position sizes reviewed"
    desk = await Desk.open(stage.request(*EXPOSED))
    account = desk.engine.books.account()
    await desk.close()
    assert account.peak_equity == account.week_start_equity == account.equity
    assert account.day_start_equity == account.high_equity == account.equity


async def test_after_the_losses_in_a_row_a_pause_then_half_the_size(stage: Stage) -> None:
    """One loss is enough here; the cool-down is a minute, the next BUY comes after it."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 24 * 60, 59_050.0)
    stage.tape.hold(24 * 60, 26 * 60, 60_100.0)
    record = await stage.play(
        "risk.max_losses=1", "risk.streak_cooldown=[{at: 1, seconds: 60}]", approve="all",
    )  # fmt: skip
    record.sound()
    assert events(record) == [("losses", "tripped"), ("losses", "lifted")]
    tripped, lifted = record.summary["breakers"]
    assert 60 <= (parse_instant(lifted["ts"]) - parse_instant(tripped["ts"])) / 1e9 < 61
    assert [b["state"] for b in record.bodies("state")] == ["paused", "running"]
    _, after = record.orders("entry")
    (halved,) = [v for v in record.bodies("verdict") if v["id"] == after["verdict_id"]]
    part = float(after["size"]) / float(halved["intent"]["wished"])
    assert 0.4949 <= part <= 0.5, "half of the wish, less the headroom of its card"


async def test_a_pause_that_the_operator_took_over_is_not_lifted(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 26 * 60, 59_050.0)
    stage.key(22 * 60 + 30, "pause")
    record = await stage.play(
        "risk.max_losses=1", "risk.streak_cooldown=[{at: 1, seconds: 60}]"
    )  # fmt: skip
    assert events(record.sound())[-1] == ("losses", "lifted")
    assert record.summary["state"] == "paused"


async def test_the_day_lifts_only_when_both_its_losses_are_inside_again(stage: Stage) -> None:
    """Midnight alone is too early: the high of 24 hours, at 00:00 of the first day, still counts."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 23 * 60, 59_050.0)
    for hour in range(1, 27):
        stage.tape.show(hour * 3600, 59_050.0)
    early = await stage.play("risk.max_daily_loss=0.3", until="24h30m")
    assert events(early) == [("daily", "tripped")]
    assert early.summary["state"] == "paused"
    record = (await stage.play("risk.max_daily_loss=0.3")).sound()
    assert events(record) == [("daily", "tripped"), ("daily", "lifted")]
    assert record.summary["breakers"][1]["ts"] == "2025-06-03T01:00:00.000Z"
    assert record.summary["state"] == "running"


def scaled_candles(stage: Stage) -> str:
    """Recorded candles of BTC; after three hours an hour of them falls by a quarter."""
    from pyarrow import feather

    table = feather.read_table(recorded("candles/BTC_USDT_USDT-1m-futures.feather"))
    rows = table.slice(0, 5 * 60).to_pylist()
    begin, lines = 3 * 60, []
    for number, row in enumerate(rows):
        fallen = min(max(number - begin, 0), 60) / 60 * 0.25
        before = min(max(number - 1 - begin, 0), 60) / 60 * 0.25
        scale = [1 - before, 1 - min(before, fallen), 1 - max(before, fallen), 1 - fallen]
        names = ("open", "high", "low", "close")
        o, h, low, c = (row[n] * factor for n, factor in zip(names, scale, strict=True))
        closes = int(row["date"].timestamp()) * SECOND + MINUTE
        lines.append({
            "ts": closes, "s": BTC, "t": "candle", "tf": 60, "o": str(o), "h": str(max(o, h, c)),
            "l": str(min(o, low, c)), "c": str(c), "v": str(row["volume"]),
        })  # fmt: skip
    path = stage.folder / "crash.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return f"replay:{path}"


@pytest.mark.recorded
async def test_a_recorded_day_scaled_to_a_crash_does_the_same_on_bars(stage: Stage) -> None:
    """Whatever was bought before it, nobody sells: at market prices of bars, all the same."""
    feed = scaled_candles(stage)
    asked = request(feed, stage.folder / "run.db", *stage.overrides, *EXPOSED)
    record = (await play(asked)).sound()
    tripped = [b for b, what in events(record) if what == "tripped"]
    assert [b for b in tripped if b != "losses"] == ["daily", "weekly", "drawdown"]
    assert record.summary["state"] == "halted"
    assert record.summary["positions"] == []
    rows = [row for row in record.rows("breaker", "fill") if row.kind == "breaker" or row.data]
    order = [row.data.get("breaker", "fill") for row in rows]
    for breaker in ("weekly", "drawdown"):
        assert "fill" in order[order.index(breaker) :]
        assert caused(record, breaker)


async def test_a_halted_desk_refuses_a_side_once_a_day(stage: Stage) -> None:
    """Until a breaker moves the answer is the same: the wish is not argued at every signal."""
    crash(stage)
    for day in (0, 24 * 60):
        for wave in range(3):
            begin = (CRASH + 70 + day + 6 * wave) * 60
            stage.tape.hold(begin, begin + 180, 45_450.0)
            stage.tape.hold(begin + 180, begin + 360, 44_550.0)
    record = (await stage.play(*EXPOSED)).sound()
    assert record.summary["state"] == "halted"
    rows = record.rows("state", "breaker", "agent_output", "proposal", "verdict")
    said, refused, moved, halted = [], [], 0, False
    for row in rows:
        halted |= row.kind == "state" and row.data["state"] == "halted"
        moved += row.kind == "breaker"
        when = (row.ts // DAY, moved)
        if halted and row.kind == "agent_output":
            said.append((*when, row.data["output"]["action"]))
        elif halted and row.kind == "proposal":
            refused.append((*when, SIDES[row.data["intent"]["side"]]))
        elif halted and row.kind == "verdict" and row.data["intent"] is None:
            assert {"halted", "breaker"} <= set(row.data["codes"])
            assert len(row.data["rules"]) == len(RULES), "told with every figure"
    assert {day for day, _, _ in refused} == {rows[0].ts // DAY, rows[0].ts // DAY + 1}
    assert len(said) >= len(set(said)) + 4, "the same was said again, on both days"
    assert sorted(refused) == sorted(set(said))
