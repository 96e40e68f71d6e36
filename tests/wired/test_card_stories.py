"""A conflicted proposal waits for the key: what each key, and none, leads to."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.wired.advisors import Arbiter, arbiter
from tests.wired.stage import BTC, ETH, EVERY, RISE, Record, Stage, kinds_of, minute
from tradeterm.errors import DataError
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ResolutionAction

D = Decimal
SHRUNK = "risk.max_risk=0.2"
"""Risk takes more than a quarter away: a conflict of type risk_change."""


def waiting(stage: Stage, *, end: float = 24 * 60, price: float = 60_010.0) -> None:
    """The signal falls at 00:21; what it leads to is a card a quarter second later."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 30, 60_010.0)
    stage.tape.hold(RISE * 60 + 30, end, price)


def nothing_traded(record: Record) -> None:
    assert record.orders() == []
    assert record.fills() == []
    assert record.summary["equity"] == "10000"


@pytest.mark.parametrize("override", [EVERY, SHRUNK])
async def test_approval_sends_exactly_what_the_card_showed(stage: Stage, override: str) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 10, "approve", card_id="oldest")
    record = (await stage.play(override)).sound()

    (card,) = record.cards()
    assert (card["state"], card["decided_by"]) == ("approved", "script")
    intent, (order,) = card["intent"], record.orders("entry")
    assert {key: order[key] for key in ("symbol", "size", "stop", "target", "leverage")} == {
        key: intent[key] for key in ("symbol", "size", "stop", "target", "leverage")
    }
    # Risk had the last word at that very moment, and about the same content.
    sent = next(v for v in record.bodies("verdict") if v["id"] == order["verdict_id"])
    assert (sent["parent"], sent["ts"]) == ("card-1", card["decided"])
    assert sent["content_hash"] == card["content_hash"]
    assert order["created"] == minute(RISE) + 10 * SECOND
    assert record.positions()[0]["size"] == intent["size"]


async def test_the_story_of_an_approved_fill_names_the_key(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 10, "approve", card_id="oldest", actor="ada")
    record = await stage.play(SHRUNK)
    links = record.explain("fill-1")
    kinds = kinds_of(links)
    order = ["agent_output", "proposal", "verdict", "conflict", "question", "answer", "resolution",
             "card", "policy", "fill", "position"]  # fmt: skip
    assert [kind for kind in dict.fromkeys(kinds) if kind in order] == order
    card = next(link for link in links if link.kind == "card")
    assert card.data["decided_by"] == "ada"
    conflict = next(link for link in links if link.kind == "conflict")
    assert conflict.data["types"] == ["risk_change"]


async def test_a_rejected_card_is_no_trade(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 10, "reject", card_id="oldest")
    stage.key(RISE * 60 + 20, "approve", card_id="card-1")  # too late to change one's mind
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("rejected", "rejected")]
    assert record.summary["approvals"]["rejected"] == 1
    nothing_traded(record)


async def test_all_cards_can_be_rejected_at_once(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 10, "reject_all")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("rejected", "rejected")]
    nothing_traded(record)


async def test_without_a_key_the_card_expires_after_120_seconds(stage: Stage) -> None:
    waiting(stage)
    record = (await stage.play(EVERY)).sound()
    (card,) = record.cards()
    assert (card["state"], card["decided_by"]) == ("expired", "clock")
    assert card["decided"] - card["ts"] == 120 * SECOND
    nothing_traded(record)


async def test_a_key_at_the_last_moment_still_counts_and_one_later_does_not(stage: Stage) -> None:
    waiting(stage, end=25 * 60)
    stage.key(RISE * 60 + 120, "approve", card_id="oldest")  # 119.75 s after the card appeared
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("approved", "")]

    late = Stage(stage.folder / "late")
    late.folder.mkdir()
    waiting(late, end=25 * 60)
    late.key(RISE * 60 + 120.25, "approve", card_id="card-1")  # the very moment it expires
    record = (await late.play(EVERY)).sound()
    assert [state for state, _ in record.card_states()] == ["expired"]
    nothing_traded(record)


async def test_a_card_drifts_away_with_the_price(stage: Stage) -> None:
    waiting(stage, price=60_320.0)  # 0.52 %, the limit is 0.5
    stage.key(RISE * 60 + 40, "approve", card_id="card-1")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("drifted", "price moved 0.52 %")]
    (card,) = record.cards()
    assert card["decided"] == minute(RISE) + 30 * SECOND
    assert record.fills() == []


async def test_half_the_stop_distance_is_the_limit_when_it_is_less(stage: Stage) -> None:
    waiting(stage, end=22 * 60, price=60_250.0)  # 0.40 %; half of a stop 0.6 % away is 0.3
    record = (
        await stage.play(
            EVERY, "agents.trading_decision.stop_least=0.6", "risk.max_position=50",
            "risk.max_correlated=200", "risk.min_reward_risk=1", "agents.trading_decision.reward=2",
        )
    ).sound()  # fmt: skip
    assert [state for state, _ in record.card_states()] == ["drifted"]


async def test_an_approval_of_other_content_is_refused(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 10, "approve", card_id="card-1", content_hash="0123456789abcdef")
    record = (await stage.play(EVERY)).sound()
    assert [state for state, _ in record.card_states()] == ["expired"]
    nothing_traded(record)


async def test_a_halt_voids_what_waits(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 5, "halt", reason="news")
    stage.key(RISE * 60 + 10, "approve", card_id="card-1")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("void", "halted")]
    assert record.summary["state"] == "halted"
    nothing_traded(record)


async def test_a_paused_system_does_not_send_what_is_approved(stage: Stage) -> None:
    waiting(stage)
    stage.key(RISE * 60 + 5, "pause")
    stage.key(RISE * 60 + 10, "approve", card_id="card-1")
    record = (await stage.play(EVERY)).sound()
    assert record.card_states() == [("void", "risk: paused")]
    nothing_traded(record)


async def test_a_refusal_at_the_price_of_now_says_its_figures(stage: Stage) -> None:
    """Inside the drift limit, but the way to the target is no longer worth the way to the stop."""
    waiting(stage, price=60_150.0)
    stage.key(RISE * 60 + 40, "approve", card_id="card-1")
    record = (await stage.play(EVERY)).sound()
    ((state, reason),) = record.card_states()
    assert state == "void"
    found = re.fullmatch(r"risk: reward_risk_too_low \((\d\.\d+) x, needs >= 1\.5 x\)", reason)
    assert found is not None, reason
    assert float(found[1]) < 1.5
    nothing_traded(record)


def beside(stage: Stage) -> None:
    """ETH does what BTC does, at the same time."""
    waiting(stage)
    look: dict[str, Any] = {"spread": 0.02, "decimals": 2}
    stage.tape.rise(ETH, low=3_000.0, by=0.5, tick=0.05, **look)
    stage.tape.hold(RISE * 60, 24 * 60, 3_000.5, ETH, **look)


async def test_exposure_taken_meanwhile_voids_the_other_card(stage: Stage) -> None:
    """Each alone fits 30 % exposure, both do not: the second approval no longer is what it was."""
    beside(stage)
    stage.key(RISE * 60 + 10, "approve", card_id="card-1")
    stage.key(RISE * 60 + 20, "approve", card_id="card-2")
    record = (await stage.play(EVERY, "risk.max_exposure=30")).sound()
    first, second = record.cards()
    assert (first["state"], second["state"]) == ("approved", "void")
    size = r"size 0\.\d+ to 0\.\d+"
    assert re.fullmatch(rf"risk would change it: exposure \({size}\)", second["reason"])
    assert [p["symbol"] for p in record.positions()] == [first["proposal"]["symbol"]]


async def test_the_same_bet_on_a_second_symbol_is_a_conflict(stage: Stage) -> None:
    beside(stage)
    record = (await stage.play()).sound()
    (conflict,) = record.bodies("conflict")
    assert conflict["types"][0] == "correlated"
    assert record.summary["conflicts"]["detected"]["correlated"] == 1
    assert len(record.positions()) == 1  # unattended: the second one expired


@pytest.mark.parametrize("override", [EVERY, SHRUNK])
async def test_unattended_nothing_conflicted_is_ever_traded(stage: Stage, override: str) -> None:
    beside(stage)
    record = (await stage.play(override, approve="none")).sound()
    assert record.summary["approvals"]["expired"] == 2
    nothing_traded(record)


# -- the arbiter ---------------------------------------------------------------------------


async def play_under(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: Arbiter, *overrides: str
) -> Record:
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(answer))
    waiting(stage)
    return (await stage.play(EVERY, *overrides, approve="all")).sound()


async def test_a_modification_is_what_the_card_shows_and_the_order_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the size, entered 10 lower: stop and target move along."""
    answer = Arbiter(ResolutionAction.MODIFY, size_reduction=0.5, entry=60_000.0)
    record = await play_under(stage, monkeypatch, answer)
    (order,), (card,) = record.orders("entry"), record.cards()
    proposal = card["proposal"]["intent"]
    assert order["size"] == "0.01666481"  # half of 0.03332963, floored to the lot
    assert D(order["stop"]) == D(proposal["stop"]) - 10
    assert D(order["target"]) == D(proposal["target"]) - 10
    assert card["resolution"]["action"] == "modify"


async def test_an_arbiter_cannot_raise_risk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Arbiter(ResolutionAction.MODIFY, leverage=5.0, entry=60_500.0)
    record = await play_under(stage, monkeypatch, answer)
    (order,), (card,) = record.orders("entry"), record.cards()
    assert order["leverage"] == "2"
    assert card["resolution"]["action"] == "proceed"
    assert "it would raise risk" in card["resolution"]["reasoning"]


@pytest.mark.parametrize(
    "answer",
    [Arbiter(ResolutionAction.ABORT), Arbiter(ResolutionAction.MODIFY, size_reduction=1.0)],
    ids=["abort", "all of it away"],
)
async def test_an_abort_opens_no_card(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: Arbiter
) -> None:
    record = await play_under(stage, monkeypatch, answer)
    assert record.cards() == []
    assert record.summary["conflicts"]["resolved"] == {"abort": 1}
    nothing_traded(record)


async def test_a_waiting_proposal_is_argued_again_when_an_analyst_speaks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to wait at 00:21, it comes back with the next technical view and may go then."""
    answers = Arbiter(ResolutionAction.WAIT, then=ResolutionAction.PROCEED)
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(answers))
    waiting(stage, end=52 * 60)
    record = (
        await stage.play(
            SHRUNK,
            "orchestration.schedule.technical_analysis.enabled=true",
            "orchestration.conflicts.wait_ttl=3600",
            approve="all",
        )
    ).sound()
    assert record.summary["conflicts"]["resolved"] == {"wait": 1, "proceed": 1}
    first, second = record.bodies("conflict")
    assert first["parent"] == second["parent"] == "proposal-1"
    assert len(record.positions()) == 1


async def test_an_invalid_answer_becomes_the_fallback_and_lowers_the_level(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers: the fallback waits, nobody wakes the proposal, nothing is traded."""
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(Arbiter(valid=False)))
    waiting(stage, end=40 * 60)
    record = (
        await stage.play(SHRUNK, "orchestration.degradation.failures=[1, 2, 3]", approve="all")
    ).sound()
    (resolution,) = record.bodies("resolution")
    assert (resolution["by"], resolution["action"]) == ("fallback", "wait")
    # Probes go on, whoever the advisor is: they fail at 00:26 and 00:31.
    levels = ["REDUCED", "LIMITED", "EMERGENCY"]
    assert [change["level"] for change in record.summary["degradation"]] == levels
    assert [row["level"] for row in record.bodies("level")] == levels
    nothing_traded(record)


async def test_a_halt_while_the_arbiter_thinks_ends_the_matter(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Arbiter(ResolutionAction.PROCEED, latency=20.0)
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(slow))
    waiting(stage)
    stage.key(RISE * 60 + 10, "halt")
    record = (await stage.play(EVERY)).sound()
    assert record.cards() == []
    nothing_traded(record)


# -- restarts ------------------------------------------------------------------------------


async def test_a_card_survives_a_restart_and_a_new_policy_decides_it(stage: Stage) -> None:
    waiting(stage)
    first = await stage.play(EVERY, until="21m10s")
    assert [state for state, _ in first.card_states()] == ["pending"]
    stage.key(RISE * 60 + 20, "approve", card_id="oldest")
    record = (await stage.play(EVERY)).sound()
    assert [state for state, _ in record.card_states()] == ["approved"]
    assert record.positions()[0]["symbol"] == BTC


async def test_another_script_replaces_the_keys_of_the_first(stage: Stage) -> None:
    """The first session would have approved at 00:21:30; it ended before, the next one rejects."""
    waiting(stage)
    stage.key(RISE * 60 + 30, "approve", card_id="oldest")
    await stage.play(EVERY, until="21m10s")
    second = stage.folder / "second.jsonl"
    second.write_text('{"at": "2025-06-02T00:21:40Z", "command": "reject", "card_id": "oldest"}\n')
    record = (await stage.play(EVERY, approve=f"script:{second}")).sound()
    assert record.card_states() == [("rejected", "rejected")]
    nothing_traded(record)


async def test_a_waiting_card_is_confirmed_once_a_restart_says_so(stage: Stage) -> None:
    waiting(stage)
    await stage.play(EVERY, until="21m10s")
    record = (await stage.play(EVERY, approve="all")).sound()
    assert [state for state, _ in record.card_states()] == ["approved"]


async def test_a_script_that_is_gone_is_named(stage: Stage) -> None:
    waiting(stage)
    with pytest.raises(DataError, match=r"key script .*keys\.jsonl: No such file"):
        await stage.play(EVERY, approve=f"script:{stage.folder / 'keys.jsonl'}")
