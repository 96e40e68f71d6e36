"""What a signal asks for: entries, closes, and closes that reopen."""

from __future__ import annotations

import pytest

from tests.coordinator.scenes import (
    BTC,
    NOW,
    D,
    account,
    coordinator,
    mood,
    position,
    regime,
    signal,
    ta,
)
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Action, Bias, PositionSide

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


@pytest.mark.parametrize(("action", "side"), [(Action.BUY, LONG), (Action.SELL, SHORT)])
def test_buy_and_sell_open(action: Action, side: PositionSide) -> None:
    published = signal(action)
    proposal = coordinator().propose(published, Evidence(), account(), NOW)
    assert proposal is not None
    assert proposal.intent is not None
    assert proposal.intent.side is side
    assert proposal.close_ids == ()
    assert not proposal.reopens
    assert (proposal.id, proposal.parent) == ("proposal-1", published.id)
    assert proposal.expires == NOW + 900 * SECOND


@pytest.mark.parametrize("action", [Action.HOLD, Action.CLOSE_LONG, Action.CLOSE_SHORT])
def test_nothing_is_asked_when_there_is_nothing_to_do(action: Action) -> None:
    assert coordinator().propose(signal(action), Evidence(), account(), NOW) is None


@pytest.mark.parametrize(
    ("action", "side"),
    [
        (Action.BUY, SHORT),
        (Action.SELL, LONG),
    ],
)
def test_an_opposite_signal_closes_first_and_reopens(action: Action, side: PositionSide) -> None:
    holding = account(
        position(1, side=side), position(2, side=side), position(3, side=side, symbol="XRP/USDT")
    )
    proposal = coordinator().propose(signal(action), Evidence(), holding, NOW)
    assert proposal is not None
    assert proposal.intent is None
    assert proposal.close_ids == ("pos-1", "pos-2")
    assert proposal.reopens


@pytest.mark.parametrize(
    ("action", "side"),
    [
        (Action.CLOSE_LONG, LONG),
        (Action.CLOSE_SHORT, SHORT),
    ],
)
def test_a_close_only_closes_its_own_side(action: Action, side: PositionSide) -> None:
    proposal = coordinator().propose(signal(action), Evidence(), account(position(side=side)), NOW)
    assert proposal is not None
    assert proposal.intent is None
    assert proposal.close_ids == ("pos-1",)
    assert not proposal.reopens
    other = SHORT if side is LONG else LONG
    assert (
        coordinator().propose(signal(action), Evidence(), account(position(side=other)), NOW)
        is None
    )


def test_a_signal_with_the_position_opens_another() -> None:
    proposal = coordinator().propose(signal(), Evidence(), account(position()), NOW)
    assert proposal is not None
    assert proposal.intent is not None


def test_confidence_is_multiplied_by_the_consensus_and_capped() -> None:
    agreed = Evidence(ta(), regime(), mood())
    proposal = coordinator().propose(signal(confidence=0.7), agreed, account(), NOW)
    assert proposal is not None
    assert proposal.intent is not None
    assert proposal.intent.confidence == D("0.91")
    capped = coordinator().propose(signal(confidence=0.9), agreed, account(), NOW)
    assert capped is not None
    assert capped.intent is not None
    assert capped.intent.confidence == D("0.95")


def test_stale_views_do_not_count() -> None:
    stale = Evidence(ta(age=121), regime(age=601), mood(age=3601))
    considered = coordinator().consider(signal(), stale, account(), NOW)
    assert considered is not None
    assert considered.proposal.consensus.heard == {}


def test_windows_stretch_with_the_cadence() -> None:
    slow = coordinator(
        schedule={
            "technical_analysis": {
                "interval": 600,
                "enabled": True,
                "run_on_start": True,
                "after": [],
                "timeout": 20,
            }
        },
        ttl={"ta_signals": 1200},
    )
    considered = slow.consider(signal(), Evidence(ta(Bias.SHORT, age=1200)), account(), NOW)
    assert considered is not None
    proposal = considered.proposal
    assert proposal.consensus.heard == {"technical_analysis": "short"}
    assert proposal.symbol == BTC
