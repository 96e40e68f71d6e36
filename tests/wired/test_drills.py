"""Every level by injected failures: what it forbids does not happen, exits always work."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.model_server import ModelServer, settle
from tests.wired.stage import Record, Stage, minute, play, request
from tests.wired.test_llm_arbiter import models
from tradeterm.desk import Desk
from tradeterm.model.commands import RunDrill
from tradeterm.model.drills import Drill
from tradeterm.model.timing import MINUTE, iso
from tradeterm.sessions import RunRequest
from tradeterm.standing import deliver

#: (minute, command, its fields).
Keys = list[tuple[float, str, dict[str, Any]]]
#: A busy simulated market: one rule decides on every bar, each proposal waits for a key.
BUSY = (
    "agents.trading_decision.rule=ema_cross", "orchestration.approval.mode=all",
    "risk.cooldown={trade: 0, loss: 0, volatility: 0, unusual_move: 0, rebalance: 0}",
    "risk.streak_cooldown=[]", "portfolio.rebalance_threshold=100",
)  # fmt: skip


def drilled(folder: Path, drills: Keys, *more: str, until: str = "4h") -> RunRequest:
    """A simulated run with keys at these minutes."""
    script = folder / "keys.jsonl"
    lines = [{"at": iso(minute(at)), "command": word, **body} for at, word, body in drills]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = request("sim", folder / "run.db", *BUSY, *more)
    return replace(asked, seed=7, until=until, approve=f"script:{script}")


def levels(record: Record) -> list[tuple[float, str]]:
    """(minute, level), in order."""
    return [(round((row.ts - minute(0)) / MINUTE, 1), row.data["level"])
            for row in record.rows("level")]  # fmt: skip


def during(record: Record, level: str, *kinds: str) -> list[Any]:
    """Rows of these kinds while the level was this one."""
    now, found = "NORMAL", []
    for row in record.rows("level", *kinds):
        if row.kind == "level":
            now = row.data["level"]
        elif now == level:
            found.append(row)
    return found


async def test_an_outage_lowers_level_after_level_and_answers_bring_it_back(
    tmp_path: Path,
) -> None:
    """Nobody answers for 47 minutes; a probe each five says so, and later says that it is over."""
    drill = {"drill": "llm-outage", "seconds": 47 * 60}
    record = (await play(drilled(tmp_path, [(10, "drill", drill)]))).sound()
    reached = [level for _, level in levels(record)]
    assert reached == ["REDUCED", "LIMITED", "EMERGENCY", "LIMITED", "REDUCED", "NORMAL"]
    # REDUCED: nobody reads the news. NORMAL: it was read at once, and is again.
    moods = record.rows("agent_output")
    read = [round((row.ts - minute(0)) / MINUTE) for row in moods
            if row.data["agent"] == "sentiment_analysis"]  # fmt: skip
    lowered, back = levels(record)[0][0], levels(record)[-1][0]
    assert not [at for at in read if lowered < at < back]
    assert [at for at in read if at > back]
    # EMERGENCY: no new exposure, whoever approves.
    entries = [row for row in during(record, "EMERGENCY", "order")
               if row.data["request"]["purpose"] == "entry" and row.data["filled"] == "0"]  # fmt: skip
    assert entries == []
    judged = during(record, "EMERGENCY", "verdict")
    assert all("emergency" in row.data["codes"] for row in judged if row.data["rules"])


async def test_limited_lets_models_settle_regimes_only(tmp_path: Path) -> None:
    """A model that would proceed at once is not asked at LIMITED: what contradicts waits."""
    drill = {"drill": "llm-garbage", "seconds": 7200}
    with ModelServer.running(settle()) as server:
        asked = drilled(
            tmp_path, [(5, "drill", drill)],
            *models(server, "orchestration.degradation.failures=[1, 2, 500]"), until="2h",
        )  # fmt: skip
        record = (await play(asked)).sound()
    routes = {row.data["route"] for row in during(record, "LIMITED", "question")}
    assert routes <= {"wait", "probe", "advisor"}
    waited = [row for row in during(record, "LIMITED", "question") if row.data["route"] == "wait"]
    assert waited
    regimes = {"regime_choppy", "regime_change"}
    for row in during(record, "LIMITED", "question"):
        if row.data["route"] == "advisor":
            assert set(row.data["conflict"]["types"]) <= regimes
    # Garbage is garbage: nothing of it was ever applied.
    assert all(row["leverage"] is None for row in record.bodies("resolution"))
    garbage = [row for row in record.bodies("answer") if row["model"] == "drill"]
    assert {one["outcome"] for row in garbage for one in row["tries"]} == {"invalid"}


async def test_at_the_worst_level_positions_are_closed_by_key_stop_and_target(
    tmp_path: Path,
) -> None:
    """Three positions from before the journal stalls: one ends by a key, the others by orders."""
    keys: Keys = [
        (310, "drill", {"drill": "journal-stall", "seconds": 4200}),
        (320, "close", {"position_id": "pos-3"}),
    ]
    asked = drilled(tmp_path, keys, "orchestration.approval.mode=conflicts", until="370m")
    record = (await play(asked)).sound()
    assert levels(record) == [(310.0, "EMERGENCY")]
    changes = [(row.ts, row.data["what"], row.data["position"]) for row in record.rows("position")]
    assert all(ts < minute(310) for ts, what, _ in changes if what == "opened")
    worst = {body["id"]: body["exit_reason"] for ts, what, body in changes
             if what == "closed" and ts > minute(310)}  # fmt: skip
    assert worst == {"pos-3": "operator", "pos-4": "trailing", "pos-1": "target"}


async def test_through_every_level_and_back_nothing_forbidden_happens_and_exits_work(
    tmp_path: Path,
) -> None:
    """No model answers for 155 minutes, and three times a key closes a part of what is held."""
    part = {"position_id": "pos-1", "size": "50"}
    keys: Keys = [
        (150, "drill", {"drill": "llm-outage", "seconds": 155 * 60}),
        *((at, "close", part) for at in (165, 180, 200)),
    ]
    with ModelServer.running(settle()) as server:
        mode = "orchestration.approval.mode=conflicts"
        asked = drilled(tmp_path, keys, *models(server, mode), until="370m")
        record = (await play(asked)).sound()
    # Three failures a level down, three answers a level up: a probe each five minutes, none while
    # the conflict of 03:10 waits.
    assert levels(record) == [
        (160.0, "REDUCED"), (175.0, "LIMITED"), (195.0, "EMERGENCY"),
        (315.0, "LIMITED"), (330.0, "REDUCED"), (345.0, "NORMAL"),
    ]  # fmt: skip
    for level in ("REDUCED", "LIMITED", "EMERGENCY"):
        moods = [row for row in during(record, level, "agent_output")
                 if row.data["agent"] == "sentiment_analysis"]  # fmt: skip
        assert moods == []
        (reduced,) = [row for row in during(record, level, "position")
                      if row.data["what"] == "reduced"]  # fmt: skip
        assert reduced.data["position"]["id"] == "pos-1"
    asked_then = {level: {row.data["route"] for row in during(record, level, "question")}
                  for level in ("LIMITED", "EMERGENCY")}  # fmt: skip
    assert asked_then == {"LIMITED": {"probe", "wait"}, "EMERGENCY": {"probe"}}
    refused = [row.data for row in during(record, "EMERGENCY", "verdict")]
    assert len(refused) >= 5, "it wanted to trade"
    assert all(one["codes"] == ["emergency"] for one in refused)
    opened = [row for row in record.rows("position") if row.data["what"] == "opened"]
    assert [row.data["position"]["id"] for row in opened] == ["pos-1"]
    assert record.rows("position")[-1].data["what"] == "closed", "its target, after all that"


@pytest.mark.parametrize(
    ("drill", "level", "cause"),
    [
        ("stale-data", "REDUCED", "data stale"),
        ("budget", "REDUCED", "LLM budget spent"),
        ("clock-skew", "EMERGENCY", "clock off"),
        ("journal-stall", "EMERGENCY", "journal behind"),
    ],
)
async def test_a_condition_holds_its_level_as_long_as_it_lasts(
    tmp_path: Path, drill: str, level: str, cause: str
) -> None:
    asked = drilled(tmp_path, [(10, "drill", {"drill": drill, "seconds": 600})], until="30m")
    record = (await play(asked)).sound()
    (begun, reached), (ended, after) = levels(record)
    assert (reached, after) == (level, "NORMAL")
    assert cause in record.bodies("level")[0]["cause"]
    assert 10 <= begun <= 11.1
    assert 20 <= ended <= 21.1


async def test_a_broken_link_counts_each_look_and_a_market_that_flows_recovers(
    tmp_path: Path,
) -> None:
    asked = drilled(tmp_path, [(0.5, "drill", {"drill": "api-errors", "seconds": 2700})])
    record = (await play(asked)).sound()
    assert levels(record) == [
        (10.5, "REDUCED"), (25.5, "LIMITED"), (40.5, "EMERGENCY"),
        (50.5, "LIMITED"), (65.5, "REDUCED"), (80.5, "NORMAL"),
    ]  # fmt: skip


async def test_a_run_that_stops_in_the_middle_of_a_drill_ends_like_one_that_does_not(
    tmp_path: Path,
) -> None:
    keys: Keys = [
        (10, "drill", {"drill": "llm-outage", "seconds": 1800}),
        (15, "drill", {"drill": "stale-data", "seconds": 300}),
        (50, "level", {"level": "LIMITED"}),
    ]
    whole = (await play(drilled(tmp_path, keys, until="90m"))).sound()
    (tmp_path / "twice").mkdir()
    asked = drilled(tmp_path / "twice", keys, until="90m")
    desk = await Desk.open(replace(asked, until="17m"))
    await desk.run()
    await desk.close()
    twice = (await play(asked)).sound()
    assert twice.summary["state_hash"] == whole.summary["state_hash"]
    assert levels(twice) == levels(whole)
    assert levels(whole)[-1][1] == "LIMITED"  # the operator's wish lasts


async def test_a_drill_needs_a_simulated_market(stage: Stage) -> None:
    stage.tape.rise()
    stage.keys.append(
        {"at": iso(minute(1)), "command": "drill", "drill": "llm-outage", "seconds": 600}
    )
    record = (await stage.play()).sound()
    assert record.summary["degradation"] == []
    assert record.rows("system") == []


async def test_the_operators_level_is_never_looser_than_what_lasts(tmp_path: Path) -> None:
    keys: Keys = [
        (5, "level", {"level": "EMERGENCY"}),
        (10, "drill", {"drill": "stale-data", "seconds": 600}),
        (15, "level", {"level": "NORMAL"}),
    ]
    record = (await play(drilled(tmp_path, keys, until="30m"))).sound()
    assert [level for _, level in levels(record)] == ["EMERGENCY", "REDUCED", "NORMAL"]
    assert levels(record)[1][0] == 15.0


@pytest.mark.parametrize(
    ("drill", "key", "level"),
    [
        ("stale-data", "stale_data", "LIMITED"), ("budget", "budget", "LIMITED"),
        ("clock-skew", "clock", "REDUCED"), ("journal-stall", "journal", "LIMITED"),
    ],
)  # fmt: skip
async def test_the_level_a_condition_holds_is_a_setting(
    tmp_path: Path, drill: str, key: str, level: str
) -> None:
    asked = drilled(
        tmp_path, [(2, "drill", {"drill": drill, "seconds": 300})],
        f"orchestration.degradation.holds.{key}={level}", until="6m",
    )  # fmt: skip
    record = (await play(asked)).sound()
    assert [reached for _, reached in levels(record)] == [level]


async def test_links_that_break_and_heal_are_not_failures_in_a_row(tmp_path: Path) -> None:
    keys: Keys = [(at, "drill", {"drill": "api-errors", "seconds": 20}) for at in range(1, 13)]
    record = (await play(drilled(tmp_path, keys, until="20m"))).sound()
    assert len([row for row in record.bodies("system") if row["code"] == "F-link_up"]) == 12
    assert levels(record) == []


async def test_a_run_that_has_reached_its_end_rehearses_nothing(tmp_path: Path) -> None:
    """Nothing moves there, so nothing could fail: refused with the way out, and not journaled."""
    record = await play(request("sim", tmp_path / "run.db", until="20s"))
    before = len(record.rows())
    result = await asyncio.to_thread(
        deliver, record.db, RunDrill(drill=Drill.LLM_OUTAGE, seconds=60)
    )
    assert not result.accepted
    assert "go on with a larger --until" in result.text
    assert len(record.rows()) == before
