"""What an operator does to a card besides yes and no, and who settles which conflict."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.adapters.model_server import ModelServer, settle
from tests.wired.stage import EVERY, RISE, Record, Stage, kinds_of, minute
from tests.wired.test_llm_arbiter import models
from tradeterm.adapters.store.lives import MOVING, Life, lives
from tradeterm.model.timing import SECOND

D = Decimal
FLIP = RISE * 60
"""The second at which the card appears (a quarter second later)."""


def waiting(stage: Stage, end: float = 24 * 60) -> None:
    stage.tape.rise()
    stage.tape.hold(FLIP, end, 60_010.0)


def life_of(record: Record, proposal: str = "proposal-1") -> Life:
    with record.reader() as reader:
        return next(one for one in lives(reader.of_kinds(MOVING)) if one.id == proposal)


def stages(record: Record) -> list[str]:
    return [stage.value for _, stage, _ in life_of(record).path]


async def test_an_edited_card_sends_the_new_order_after_a_key_of_its_own(stage: Stage) -> None:
    waiting(stage)
    stage.key(FLIP + 5, "edit", card_id="oldest", size="0.01", stop="59700", actor="ada")
    stage.key(FLIP + 10, "approve", card_id="oldest", actor="ada")
    record = (await stage.play(EVERY)).sound()

    (card,) = record.cards()
    first = next(row for row in record.bodies("card"))
    assert D(first["intent"]["size"]) > D("0.01")
    assert first["content_hash"] != card["content_hash"]
    assert (card["state"], D(card["intent"]["size"])) == ("approved", D("0.01"))
    (order,) = record.orders("entry")
    assert (D(order["size"]), D(order["stop"])) == (D("0.01"), D("59700"))
    # The edit has a verdict of its own, and the key that asked for it is on record.
    edit = next(row for row in record.rows("policy") if row.data["command"] == "edit")
    assert edit.data["actor"] == "ada"
    verdicts = [row for row in record.bodies("verdict") if row["parent"] == edit.id]
    assert [row["content_hash"] for row in verdicts] == [card["content_hash"]]
    assert "edit" in [link.data.get("command") for link in record.explain(order["id"])]
    assert stages(record)[:6] == [
        "detected", "resolving", "awaiting operator", "awaiting operator", "approved", "risk",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"size": "0.9"}, {"leverage": "4"}, {"stop": "59000"}, {"stop": "60500"}, {"size": "0"}, {}],
)
async def test_an_edit_that_would_raise_anything_leaves_the_card_as_it_is(
    stage: Stage, more: dict[str, str]
) -> None:
    waiting(stage)
    stage.key(FLIP + 5, "edit", card_id="oldest", **more)
    record = (await stage.play(EVERY)).sound()
    cards = record.bodies("card")
    assert len({row["content_hash"] for row in cards}) == 1
    assert [row["state"] for row in cards] == ["pending", "expired"]


async def test_the_hash_of_the_order_before_the_edit_approves_nothing(stage: Stage) -> None:
    waiting(stage)
    seen = await stage.play(EVERY, db=stage.folder / "seen.db")
    old = seen.bodies("card")[0]["content_hash"]
    stage.key(FLIP + 5, "edit", card_id="oldest", size="0.01")
    stage.key(FLIP + 10, "approve", card_id="oldest", content_hash=old)
    record = (await stage.play(EVERY)).sound()
    assert record.fills() == []
    assert [state for state, _ in record.card_states()] == ["expired"]


async def test_a_refusal_is_taken_back_once_while_its_time_lasts(stage: Stage) -> None:
    waiting(stage)
    stage.key(FLIP + 5, "reject_all")
    stage.key(FLIP + 10, "undo_reject")
    stage.key(FLIP + 12, "undo_reject")  # there is only one
    stage.key(FLIP + 20, "approve", card_id="oldest")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("approved", "")]
    assert record.summary["approvals"]["rejected"] == 0
    assert record.positions() != []
    assert stages(record)[2:6] == [
        "awaiting operator", "rejected", "awaiting operator", "approved",
    ]  # fmt: skip


async def test_a_refusal_whose_time_is_over_stays_one(stage: Stage) -> None:
    waiting(stage)
    stage.key(FLIP + 5, "reject", card_id="oldest")
    stage.key(FLIP + 125, "undo_reject")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("rejected", "rejected")]
    assert record.fills() == []


async def test_a_deferred_card_runs_out_and_may_still_be_approved(stage: Stage) -> None:
    waiting(stage)
    stage.key(FLIP + 5, "defer", card_id="oldest")
    record = (await stage.play(EVERY)).sound()
    (card,) = record.cards()
    assert (card["state"], card["decided"] - card["ts"]) == ("expired", 120 * SECOND)

    again = Stage(stage.folder / "again")
    again.folder.mkdir()
    waiting(again)
    again.key(FLIP + 5, "defer", card_id="oldest")
    again.key(FLIP + 50, "approve", card_id="oldest")
    record = (await again.play(EVERY)).sound()
    assert record.card_states() == [("approved", "")]


async def test_a_blocked_kind_of_conflict_ends_its_proposal_unasked(stage: Stage) -> None:
    waiting(stage)
    record = (
        await stage.play(
            "risk.max_risk=0.2", "orchestration.conflicts.settle.risk_change=block", approve="all"
        )
    ).sound()
    assert record.rows("question") == []
    (resolution,) = record.bodies("resolution")
    assert (resolution["action"], resolution["model"]) == ("abort", "settings")
    assert "risk_change is blocked" in resolution["reasoning"]
    assert record.orders() == []
    assert stages(record) == ["detected", "aborted"]


async def test_a_kind_of_conflict_left_to_the_rule_is_put_to_no_model(stage: Stage) -> None:
    waiting(stage)
    with ModelServer.running(settle()) as server:
        record = (
            await stage.play(
                *models(
                    server, "orchestration.approval.mode=conflicts", "risk.max_risk=0.2",
                    "orchestration.conflicts.settle.risk_change=rule",
                ),
                approve="all",
            )
        ).sound()  # fmt: skip
    (question,), (resolution,) = record.bodies("question"), record.bodies("resolution")
    assert (question["route"], resolution["by"]) == ("rules", "rules")
    assert record.summary["llm"]["calls"] == 0


async def test_that_nothing_spoke_against_a_proposal_is_recorded(stage: Stage) -> None:
    waiting(stage)
    record = (await stage.play()).sound()
    (clear,) = record.rows("no_conflict")
    assert clear.parent == "proposal-1"
    assert "correlated" in clear.data["looked_for"]
    assert "no_conflict" in kinds_of(record.explain("proposal-1"))
    assert stages(record) == ["detected", "risk", "sent", "filled"]
    assert life_of(record).path[0][0] == minute(RISE)
