"""Cards: bound to one order, for a while, near one price; decided once; kept over restarts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.coordinator.scenes import (
    BTC,
    NOW,
    D,
    account,
    answer,
    contradicted,
    coordinator,
    position,
    signal,
    verdict,
)
from tradeterm.coordinator.cards import DECIDED_KEPT, NEVER, CardKeeper, CardsState
from tradeterm.coordinator.coordinator import Coordinator, CoordinatorState
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.proposals import Card
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import CardState, PositionSide, VerdictStatus


def opened(
    keeper: Coordinator | None = None, now: int = NOW, **changes: Any
) -> tuple[Coordinator, Card]:
    """A pending card for 0.02 BTC long at 50,000."""
    keeper, proposal, conflict = contradicted(keeper, now)
    assert proposal.intent is not None
    resolution = keeper.resolve(
        keeper.question(proposal, conflict, Evidence(), now), answer(question_id="question-1"), now
    )
    intent = replace(proposal.intent, **changes)
    card = keeper.open_card(proposal, conflict, resolution, intent, verdict(intent), D(50000), now)
    return keeper, card


def approve(keeper: Coordinator, card: Card, now: int = NOW, **changes: Any) -> Any:
    given = {"content_hash": card.content_hash, "verdict": card.verdict, **changes}
    return keeper.approve(
        card.id, given["content_hash"], now, "operator", given["verdict"], card.price
    )


def test_a_key_on_the_very_order_approves_it_once() -> None:
    keeper, card = opened()
    assert keeper.pending() == [card]
    assert card.expires == NOW + 120 * SECOND == keeper.next_due
    decision = approve(keeper, card, NOW + SECOND)
    assert decision.accepted
    assert (decision.card.state, decision.card.decided_by) == (CardState.APPROVED, "operator")
    assert keeper.pending() == []
    assert keeper.next_due == NEVER
    again = approve(keeper, card, NOW + SECOND)
    assert not again.accepted
    assert again.card is None
    assert "already approved" in again.text


def test_a_reject_means_no_trade() -> None:
    keeper, card = opened()
    decision = keeper.reject(card.id, NOW, "operator")
    assert decision.accepted
    assert decision.card is not None
    assert decision.card.state is CardState.REJECTED
    assert not approve(keeper, card).accepted
    assert not keeper.reject(card.id, NOW, "operator").accepted


def test_an_approval_of_another_order_is_refused_and_the_card_stays() -> None:
    keeper, card = opened()
    decision = approve(keeper, card, content_hash="0000")
    assert not decision.accepted
    assert keeper.pending() == [card]


def test_an_unknown_card_is_refused() -> None:
    keeper, _ = opened()
    assert keeper.approve("card-9", "x", NOW, "operator", None, None).text == "no card card-9"


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": None},
        {"status": VerdictStatus.REJECTED, "codes": ("cash",)},
        {"status": VerdictStatus.HALTED, "codes": ("halted",)},
        {"status": VerdictStatus.MODIFIED, "content_hash": "smaller"},
    ],
    ids=str,
)
def test_an_order_risk_would_now_change_is_void(changes: dict[str, Any]) -> None:
    keeper, card = opened()
    assert card.verdict is not None
    fresh = None if "verdict" in changes else replace(card.verdict, **changes)
    decision = approve(keeper, card, verdict=fresh)
    assert not decision.accepted
    assert decision.card.state is CardState.VOID
    assert keeper.pending() == []


@pytest.mark.parametrize(("seconds", "pending"), [(119, True), (120, False), (500, False)])
def test_it_expires_by_market_time(seconds: int, *, pending: bool) -> None:
    keeper, card = opened()
    ended = keeper.tick(NOW + seconds * SECOND, {BTC: D(50000)})
    assert ([one.state for one in ended] == []) is pending
    assert keeper.pending() == ([card] if pending else [])


def test_an_approval_after_expiry_is_none() -> None:
    keeper, card = opened()
    decision = approve(keeper, card, card.expires)
    assert not decision.accepted
    assert decision.card.state is CardState.EXPIRED


@pytest.mark.parametrize(
    ("stop", "mid", "drifts"),
    [
        (49000, "50250", False),
        (49000, "50250.1", True),
        (49000, "49750", False),
        (49000, "49749.9", True),
        (49700, "50150", False),
        (49700, "50150.1", True),
        (49700, "49849.9", True),
    ],
)
def test_it_drifts_away_at_half_a_percent_or_half_the_stop(
    stop: int, mid: str, *, drifts: bool
) -> None:
    keeper, _ = opened(stop=D(stop))
    ended = keeper.tick(NOW + SECOND, {BTC: D(mid)})
    assert [one.state for one in ended] == ([CardState.DRIFTED] if drifts else [])


def test_without_a_price_it_waits_for_the_clock() -> None:
    keeper, _ = opened()
    assert keeper.tick(NOW + SECOND, {}) == []
    assert [c.state for c in keeper.tick(NOW + 120 * SECOND, {})] == [CardState.EXPIRED]


@pytest.mark.parametrize("mid", ["NaN", "Infinity", "0", "-1"])
def test_what_is_no_price_moves_nothing(mid: str) -> None:
    keeper, card = opened()
    assert keeper.tick(NOW + SECOND, {BTC: D(mid)}) == []
    assert keeper.pending() == [card]


def test_a_halt_voids_everything() -> None:
    keeper, first = opened()
    _, second = opened(keeper)
    assert [card.id for card in keeper.void_all(NOW, "operator", "halted")] == [first.id, second.id]
    assert keeper.pending() == []
    assert {card.state for card in keeper.decided} == {CardState.VOID}


def test_one_card_can_be_voided() -> None:
    keeper, card = opened()
    ended = keeper.void(card.id, NOW, "engine", "position gone")
    assert ended is not None
    assert (ended.state, ended.reason) == (CardState.VOID, "position gone")
    assert keeper.void(card.id, NOW, "engine", "again") is None
    assert keeper.card(card.id) is None


def test_a_close_needs_no_verdict_and_its_hash_names_the_positions() -> None:
    keeper = coordinator()
    view = account(position(1, side=PositionSide.SHORT), position(2, side=PositionSide.SHORT))
    considered = keeper.consider(signal(), Evidence(), view, NOW)
    assert considered is not None
    proposal, conflict = considered.proposal, considered.conflict
    assert conflict is not None
    resolution = keeper.resolve(keeper.question(proposal, conflict, Evidence(), NOW), answer(), NOW)
    card = keeper.open_card(proposal, conflict, resolution, None, None, D(50000), NOW)
    one = replace(proposal, close_ids=("pos-1",))
    other = keeper.open_card(one, conflict, resolution, None, None, D(50000), NOW)
    assert card.content_hash != other.content_hash
    assert card.drift_limit == D("0.005")
    assert keeper.approve(card.id, card.content_hash, NOW, "operator", None, card.price).accepted


def test_history_is_bounded() -> None:
    keeper = coordinator()
    for _ in range(DECIDED_KEPT + 5):
        _, card = opened(keeper)
        keeper.reject(card.id, NOW, "operator")
    assert len(keeper.decided) == DECIDED_KEPT


STEPS = st.lists(
    st.sampled_from(["open", "approve", "reject", "tick", "drift", "halt"]), max_size=12
)


@given(STEPS, STEPS)
def test_a_restart_between_any_two_steps_changes_nothing(
    before: list[str], after: list[str]
) -> None:
    keeper = coordinator()
    _, template = opened()

    def run(cards: CardKeeper, steps: list[str], start: int) -> list[Card]:
        changed: list[Card] = []
        for number, step in enumerate(steps):
            now = NOW + (start + number) * 37 * SECOND
            oldest = cards.pending()[0] if cards.pending() else template
            if step == "open":
                changed.append(
                    cards.open(
                        f"card-{start + number}",
                        template.proposal,
                        template.conflict,
                        template.resolution,
                        template.intent,
                        template.verdict,
                        D(50000),
                        now,
                    )
                )
            elif step in {"approve", "reject"}:
                decision = (
                    cards.approve(
                        oldest.id, oldest.content_hash, now, "op", template.verdict, oldest.price
                    )
                    if step == "approve"
                    else cards.reject(oldest.id, now, "op")
                )
                changed += [decision.card] if decision.card else []
            elif step == "halt":
                changed += cards.void_all(now, "op", "halted")
            else:
                changed += cards.tick(now, {BTC: D(50000 if step == "tick" else 51000)})
        return changed

    one = keeper._cards
    run(one, before, 0)
    raw = msgspec.msgpack.encode(one.dump())
    two = CardKeeper(coordinator()._settings.approval)
    two.load(msgspec.msgpack.decode(raw, type=CardsState))
    assert run(one, after, 100) == run(two, after, 100)
    assert one.dump() == two.dump()
    assert one.next_due == two.next_due


def test_the_coordinator_survives_a_restart_whole() -> None:
    keeper, card = opened()
    _, proposal, conflict = contradicted(keeper)
    assert keeper.park(proposal, conflict, NOW)
    keeper.degradation.failed("arbiter")
    raw = msgspec.msgpack.encode(keeper.dump())
    fresh = coordinator()
    fresh.load(msgspec.msgpack.decode(raw, type=CoordinatorState))
    assert fresh.dump() == keeper.dump()
    assert fresh.pending() == [card]
    assert fresh.next_due == keeper.next_due
    assert approve(fresh, card).accepted
    assert keeper.pending() == [card], "the dump shares nothing with the original"


def test_a_refusal_holds_the_market_for_five_seconds_and_can_be_taken_back_longer() -> None:
    keeper, card = opened()
    assert keeper.awaits_operator(NOW)
    keeper.reject(card.id, NOW, "operator")
    assert keeper.awaits_operator(NOW + 4 * SECOND)
    assert not keeper.awaits_operator(NOW + 5 * SECOND)
    assert keeper.can_undo(NOW + 119 * SECOND)
    assert not keeper.can_undo(card.expires)
    assert [one.id for one in keeper.undo_reject(NOW + 60 * SECOND)] == [card.id]
    assert keeper.pending()[0].content_hash == card.content_hash
    assert not keeper.can_undo(NOW + 61 * SECOND)


def test_a_deferred_card_waits_without_holding_the_market() -> None:
    keeper, card = opened()
    deferred = keeper.defer(card.id)
    assert deferred is not None
    assert deferred.deferred
    assert not keeper.awaits_operator(NOW)
    assert approve(keeper, card, NOW + SECOND).accepted
