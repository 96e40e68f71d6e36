"""What was proposed and not done: each ghost worked out by hand, and equal to the real thing.

The card of 00:21 asks for a long of 0.03332963 BTC, stop 59,109.9, target 62,709.3, leverage 2.
Refused at 00:21:30 it would have paid the ask, 60,010.1: a notional of 2,000.1144293 with a fee of
0.4 % (8.00045772) and 0.025 % for what it borrows (0.50002861). Leaving pays another fee.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wired.advisors import Arbiter, arbiter
from tests.wired.stage import (
    EVERY,
    PLAIN,
    RISE,
    START,
    Record,
    Stage,
    kinds_of,
    minute,
    play,
    request,
)
from tradeterm.desk import Desk
from tradeterm.lab.scores import report
from tradeterm.model.timing import HOUR, SECOND
from tradeterm.model.vocabulary import ResolutionAction

D = Decimal
IN = D("8.00045772") + D("0.50002861")
"""What entering costs."""
SHRUNK = "risk.max_risk=0.2"


def refused(stage: Stage, until: float = 25) -> None:
    """The operator refuses at 00:21:30; the price stands at 60,010 up to a minute."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, until * 60, 60_010.0)
    stage.key(RISE * 60 + 30, "reject", card_id="oldest")


def ghost(record: Record, name: str = "ghost-1") -> dict[str, dict[str, Any]]:
    """Kind of row → body."""
    rows = record.sound().rows()
    return {row.kind: row.data for row in rows if name in (row.id, row.parent)}


def left(record: Record) -> tuple[str, Decimal, Decimal]:
    """Reason, exit and P&L."""
    end = ghost(record)["ghost_closed"]
    assert (end["entry"], end["size"]) == ("60010.1", "0.03332963")
    return end["reason"], D(end["exit"]), D(end["pnl"])


async def test_a_ghost_gapped_through_its_stop_leaves_at_the_open(stage: Stage) -> None:
    refused(stage)
    stage.tape.hold(25 * 60, 50 * 60, 59_000.0)
    reason, price, pnl = left(await stage.play(EVERY))
    assert (reason, price) == ("stop", D("58970.5"))  # 59,000 less 0.05 %
    # 0.03332963 × (58,970.5 − 60,010.1) = −34.649483348; fee 0.4 % of 1,965.46494592 = 7.86185979
    assert pnl == D("-34.64948335") - IN - D("7.86185979")


async def test_a_ghost_leaves_at_its_target_and_not_above_it(stage: Stage) -> None:
    refused(stage)
    stage.tape.hold(25 * 60, 50 * 60, 62_800.0)
    reason, price, pnl = left(await stage.play(EVERY))
    assert (reason, price) == ("target", D("62677.9"))  # 62,709.3 less 0.05 %, on the tick
    # 0.03332963 × (62,677.9 − 60,010.1) = 88.916786914; fee 0.4 % of 2,089.03121618 = 8.35612487
    assert pnl == D("88.91678691") - IN - D("8.35612487")


async def test_the_stop_comes_first_when_one_bar_holds_both(stage: Stage) -> None:
    refused(stage)
    stage.tape.show(25 * 60, 60_010.0)
    stage.tape.hold(25 * 60 + 5, 25 * 60 + 30, 62_800.0)
    stage.tape.hold(25 * 60 + 30, 50 * 60, 59_000.0)
    reason, price, _ = left(await stage.play(EVERY))
    assert (reason, price) == ("stop", D("59080.3"))  # 59,109.9 less 0.05 %: nothing gapped


async def test_of_the_bar_it_enters_only_the_close_counts(stage: Stage) -> None:
    """What came before 00:21:30 must not end it, and nobody can tell the two apart in a bar."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 40, 60_010.0)
    stage.tape.show(RISE * 60 + 40, 59_000.0)
    stage.tape.hold(RISE * 60 + 45, 50 * 60, 60_010.0)
    stage.key(RISE * 60 + 30, "reject", card_id="oldest")
    assert "ghost_closed" not in ghost(await stage.play(EVERY))


async def test_time_ends_a_ghost_at_the_last_close(stage: Stage) -> None:
    refused(stage, until=62)
    record = await stage.play(EVERY, "execution.time_exit=1800")
    reason, price, pnl = left(record)
    assert (reason, price) == ("time", D("59979.9"))
    # 0.03332963 × −30.2 = −1.006554826; fee 0.4 % of 1,999.107874 = 7.9964315
    assert pnl == D("-1.00655483") - IN - D("7.99643150")
    end = ghost(record)["ghost_closed"]
    assert end["closed"] == end["opened"] + 1800 * SECOND


async def test_outcomes_are_noted_at_their_hours_until_it_leaves(stage: Stage) -> None:
    refused(stage, until=90)
    stage.tape.hold(90 * 60, 120 * 60, 59_000.0)
    record = await stage.play(EVERY)
    end = ghost(record)["ghost_closed"]
    marks, opened = end["marks"], end["opened"]
    assert [(mark["hours"], mark["ts"]) for mark in marks] == [(1, opened + HOUR)]
    assert D(marks[0]["pnl"]) == D("-1.00655483") - IN - D("7.99643150")


async def test_borrowing_is_paid_every_interval(stage: Stage) -> None:
    refused(stage, until=62)
    margin = "{opening: {long: 0.025, short: 0.01}, rollover: {long: 0.025, short: 0.01}, interval: 600, call: 80}"
    record = await stage.play(EVERY, "execution.time_exit=1800", f"execution.margin={margin}")
    # at 10, 20 and 30 minutes, before it leaves as positions do: 0.03332963 × 60,010 × 0.025 % = 0.50002777
    costs = IN + D("7.99643150") + 3 * D("0.50002778")
    assert D(ghost(record)["ghost_closed"]["costs"]) == costs


# -- how a proposal can end --------------------------------------------------------------------


async def test_a_vetoed_proposal_has_a_ghost_beside_its_verdict(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    record = await stage.play("risk.min_reward_risk=20")
    opened = ghost(record)["ghost_opened"]
    assert (opened["end"], opened["offered"]) == ("vetoed", None)
    assert record.explain("proposal-1")[-1].kind == "ghost_opened"
    assert kinds_of(record.explain("ghost-1")) == [
        "agent_output", "proposal", "verdict", "ghost_opened",
    ]  # fmt: skip


async def test_a_card_nobody_answers_or_that_drifts_away(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    assert ghost(await stage.play(EVERY))["ghost_opened"]["end"] == "expired"
    stage.tape.lines = [one for one in stage.tape.lines if one["ts"] < minute(RISE + 0.5)]
    stage.tape.hold(RISE * 60 + 30, 25 * 60, 60_700.0)
    record = await stage.play(EVERY, db=stage.folder / "drift.db")
    assert ghost(record)["ghost_opened"]["end"] == "drifted"
    assert ghost(record)["ghost_opened"]["mid"] == "60700.0"


async def test_a_halt_voids_and_the_ghost_goes_on(stage: Stage) -> None:
    refused(stage, until=30)
    stage.keys.clear()
    stage.key(RISE * 60 + 30, "halt")
    record = await stage.play(EVERY)
    assert ghost(record)["ghost_opened"]["end"] == "voided"


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (Arbiter(ResolutionAction.ABORT), "aborted"),
        (Arbiter(ResolutionAction.WAIT), "waited"),
        (Arbiter(ResolutionAction.MODIFY, size_reduction=0.5), "cut"),
        (Arbiter(ResolutionAction.PROCEED), "sent"),
    ],
)
async def test_what_the_arbiter_says_ends_it_one_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: Arbiter, end: str
) -> None:
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(answer))
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 40 * 60, 60_010.0)
    record = await stage.play(EVERY, approve="all")
    opened = ghost(record)["ghost_opened"]
    assert (opened["end"], opened["asked"]) == (end, "0.03332963")
    assert opened["offered"] == {"cut": "0.01666481", "sent": "0.03332963"}.get(end)


async def test_a_refusal_taken_back_leaves_no_ghost_of_its_own(stage: Stage) -> None:
    refused(stage, until=30)
    stage.key(RISE * 60 + 35, "undo_reject")
    stage.key(RISE * 60 + 40, "approve", card_id="oldest")
    record = await stage.play(EVERY)
    assert ghost(record)["ghost_closed"]["reason"] == "withdrawn"
    assert ghost(record, "ghost-2")["ghost_opened"]["end"] == "sent"
    with record.reader() as reader:
        found = report(reader)
    assert [(one["name"], one["count"]) for one in found["outcomes"]] == [("sent", 1), ("all", 1)]


async def test_the_console_says_what_a_refused_card_would_have_come_to(stage: Stage) -> None:
    refused(stage)
    stage.tape.hold(25 * 60, 50 * 60, 59_000.0)
    desk = await Desk.open(stage.request(EVERY))
    await desk.run()
    (told,) = [line.text for line in desk.engine.core.events.lines if line.kind == "GHOST"]
    await desk.close()
    assert told == "BTC/USDT long rejected: it would have ended by stop at -51.01 ghost-1"


async def test_a_stop_in_the_middle_changes_nothing(stage: Stage) -> None:
    refused(stage)
    stage.tape.hold(25 * 60, 90 * 60, 60_020.0)
    stage.tape.hold(90 * 60, 110 * 60, 59_000.0)
    whole = await stage.play(EVERY, db=stage.folder / "whole.db")
    for until in ("21m30s", "24m", "85m", "91m"):
        await stage.play(EVERY, until=until)
    record = await stage.play(EVERY)
    assert record.trading() == whole.trading()
    assert "ghost_closed" in ghost(record)


# -- as the paper exchange would have done -----------------------------------------------------

#: Nothing but stop, target and time ends a position, and a fee stays what it is.
FROZEN = (
    *PLAIN, "agents.trading_decision.fast=5", "agents.trading_decision.slow=12",
    "execution.trailing={enabled: false, activation: 1, distance: 1.5, step: 0.1}",
    "execution.time_exit=21600",
    "market.fees.tiers=[{volume: 0, maker: 0.25, taker: 0.40}]",
    "risk.max_daily_loss=90", "risk.max_weekly_loss=90", "risk.max_drawdown=90",
    "risk.max_losses=100", "risk.streak_leverage=[]", "risk.drawdown_leverage=[]",
)  # fmt: skip


def write_bars(file: Path, seed: int) -> None:
    """Five hundred bars of five minutes, volatile enough for stops and targets."""
    random = np.random.default_rng(seed)
    closes = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 0.004, 500))), 1)
    opens = np.round(
        np.concatenate(([60_000.0], closes[:-1])) * (1 + random.normal(0, 0.001, 500)), 1
    )
    reach = np.abs(random.normal(0, 0.003, (2, 500)))
    highs = np.round(np.maximum(opens, closes) * (1 + reach[0]), 1)
    lows = np.round(np.minimum(opens, closes) * (1 - reach[1]), 1)
    rows = zip(opens, highs, lows, closes, strict=True)
    begun = START // SECOND
    text = "\n".join(
        f"{begun + 300 * n},{o:.1f},{h:.1f},{low:.1f},{c:.1f},5"
        for n, (o, h, low, c) in enumerate(rows)
    )
    file.write_text(f"date,open,high,low,close,volume\n{text}\n", encoding="ascii")


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1))
async def test_the_ghost_of_what_was_sent_is_the_real_position(seed: int, tmp_path: Path) -> None:
    """On bars both see the same: entry, exit, reason, costs and P&L agree to the last digit."""
    folder = tmp_path / str(seed)
    folder.mkdir(exist_ok=True)
    bars, db = folder / "BTC_USDT-5m.csv", folder / "run.db"
    write_bars(bars, seed)
    record = (await play(request(f"replay:{bars}", db, *FROZEN))).sound()
    ends = {row.parent: row.data for row in record.rows("ghost_closed")}
    ghosts = {one["parent"]: one for one in record.bodies("ghost_opened") if one["end"] == "sent"}
    verdicts = {order["position_id"]: order["parent"] for order in record.orders("entry")}
    compared = 0
    for position in record.positions():
        one = ghosts.get(verdicts[position["id"]])
        if one is None or position["exit_reason"] not in {"stop", "target", "time"}:
            continue
        if one["id"] not in ends:  # it left after the last look
            continue
        end, compared = ends[one["id"]], compared + 1
        costs = D(position["fees"]) + D(position["carry"])
        real = (position["exit_reason"], D(position["entry"]), D(position["exit"]), costs)
        assert (end["reason"], D(end["entry"]), D(end["exit"]), D(end["costs"])) == real
        assert D(end["pnl"]) == D(position["realised"]) - costs
    assert compared
