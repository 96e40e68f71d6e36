"""Limits changed while the run goes on: tighter at once, looser only when confirmed, kept by the run."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.wired.stage import RISE, Record, Stage
from tradeterm.adapters.store.reader import Reader
from tradeterm.holding import in_force
from tradeterm.lab.comparison import compare_rows
from tradeterm.lab.replay import Replay
from tradeterm.model.commands import ChangeSetting
from tradeterm.standing import apply_offline

LEVERAGE = "risk.max_leverage"
SET_AT = 20 * 60 + 2


def rising(stage: Stage) -> None:
    """A BUY at 00:21 (20 % of equity at leverage 2, when nothing else holds it down)."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 26 * 60, 60_010.0)


def leverage(record: Record) -> list[Decimal]:
    return [Decimal(str(position["leverage"])) for position in record.positions()]


async def test_a_tighter_limit_holds_for_the_next_entry(stage: Stage) -> None:
    rising(stage)
    before = await stage.play(until="25m", db=stage.folder / "plain.db")
    assert leverage(before) == [2]
    stage.key(SET_AT, "set", key=LEVERAGE, value="1")
    record = (await stage.play(until="25m")).sound()
    assert leverage(record) == [1]
    (row,) = record.rows("setting")
    assert row.data == {"key": LEVERAGE, "was": "5", "value": "1", "by": "script"}
    assert [each.kind for each in record.explain(row.id)][:2] == ["policy", "setting"]
    verdict = record.bodies("verdict")[-1]
    assert "@" in verdict["state"]
    assert record.summary["state_hash"] != before.summary["state_hash"]


async def test_what_is_looser_needs_its_word(stage: Stage) -> None:
    rising(stage)
    stage.key(60, "set", key=LEVERAGE, value="1")
    stage.key(61, "set", key=LEVERAGE, value="2")
    stage.key(62, "set", key="risk.min_confidence", value="0.1")
    stage.key(63, "set", key=LEVERAGE, value="2", confirmed=True)
    record = (await stage.play(until="25m")).sound()
    assert [(row["was"], row["value"]) for row in record.bodies("setting")] == [
        ("5", "1"),
        ("1", "2"),
    ]
    assert leverage(record) == [2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (LEVERAGE, "9"),
        (LEVERAGE, "nan"),
        (LEVERAGE, "fast"),
        ("risk.max_leveradge", "1"),
        ("risk.sizing.confidence", "[]"),
        ("risk", "1"),
        ("llm.daily_cap", "1"),
        ("risk.max_stop", "2"),  # BTC has 3 of its own
        ("risk.regime_leverage.choppy.x", "1"),
        ("", ""),
    ],
)
async def test_what_a_file_may_not_say_a_key_may_not_either(
    stage: Stage, key: str, value: str
) -> None:
    rising(stage)
    plain = await stage.play(until="25m", db=stage.folder / "plain.db")
    stage.key(60, "set", key=key, value=value, confirmed=True)
    record = (await stage.play(until="25m")).sound()
    assert record.bodies("setting") == []
    assert record.summary["state_hash"] == plain.summary["state_hash"]


async def test_a_change_survives_a_restart_and_a_change_of_file(stage: Stage) -> None:
    rising(stage)
    await stage.play(until="15m")
    (refused, done) = await asyncio.to_thread(
        lambda: [
            apply_offline(stage.folder / "run.db", ChangeSetting(key=LEVERAGE, value="6")),
            apply_offline(stage.folder / "run.db", ChangeSetting(key=LEVERAGE, value="1")),
        ]
    )
    assert not refused.accepted
    assert done.text == "risk.max_leverage 5 → 1, in force now"
    await stage.play(until="18m")
    record = (await stage.play("risk.max_risk=1.5", until="25m")).sound()
    assert leverage(record) == [1]
    with Reader(stage.folder / "run.db") as reader:
        held = {each.key: each for each in in_force(reader)}
    assert held[LEVERAGE].value == "1"
    assert held[LEVERAGE].origin.startswith("operator at 2025-06-02T00:1")
    assert (held["risk.max_risk"].value, held["risk.max_risk"].fixed) == ("1.5", "")
    assert "fixed while a run goes on" in held["llm.daily_cap"].fixed


async def test_the_run_replays_with_its_changes(stage: Stage) -> None:
    rising(stage)
    stage.key(SET_AT, "set", key=LEVERAGE, value="1")
    stage.key(SET_AT + 1, "set", key="console.theme", value="paper")
    once = await stage.play(until="25m")
    halves = stage.folder / "halves.db"
    await stage.play(until="20m30s", db=halves)
    twice = (await stage.play(until="25m", db=halves)).sound()
    assert once.summary["state_hash"] == twice.summary["state_hash"]
    assert once.trading() == twice.trading()
    with once.reader() as recorded:
        lived = await Replay(recorded).run(stage.folder / "copy.db")
        with Reader(stage.folder / "copy.db") as second:
            assert compare_rows(recorded, second).different == 0
    assert lived.summary["state_hash"] == once.summary["state_hash"]
    assert once.bodies("preference")[0]["value"] == "paper"


async def test_how_the_console_looks_is_no_part_of_what_traded(stage: Stage) -> None:
    rising(stage)
    plain = await stage.play(until="25m", db=stage.folder / "plain.db")
    stage.key(SET_AT, "set", key="console.theme", value="paper")
    record = await stage.play(until="25m")
    assert record.summary["state_hash"] == plain.summary["state_hash"]


async def test_back_to_what_is_configured_is_no_change_any_more(stage: Stage) -> None:
    rising(stage)
    stage.key(60, "set", key=LEVERAGE, value="1")
    stage.key(61, "set", key=LEVERAGE, value="5", confirmed=True)
    record = (await stage.play(until="25m")).sound()
    assert "@" not in record.bodies("verdict")[-1]["state"]
    with record.reader() as reader:
        assert {each.key: each for each in in_force(reader)}[LEVERAGE].origin == "default"
