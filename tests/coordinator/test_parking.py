"""Proposals told to wait: who wakes them, how long they live, how often they may wait."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.coordinator.scenes import (
    BTC,
    NOW,
    account,
    contradicted,
    coordinator,
    mood,
    position,
    signal,
    ta,
)
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Bias, ConflictType, PositionSide

A = AgentName


@pytest.mark.parametrize(
    ("agent", "symbol", "wakes"),
    [
        (A.TECHNICAL, BTC, True),
        (A.SENTIMENT, BTC, True),
        (A.REGIME, BTC, False),
        (A.TECHNICAL, "XRP/USDT", False),
        (A.TRADING, BTC, False),
    ],
)
def test_an_involved_analyst_wakes_it(agent: AgentName, symbol: str, *, wakes: bool) -> None:
    keeper, proposal, conflict = contradicted()
    assert keeper.park(proposal, conflict, NOW)
    assert keeper.release(agent, symbol, NOW + SECOND) == ([proposal] if wakes else [])
    assert keeper.release(A.TECHNICAL, BTC, NOW + SECOND) == ([] if wakes else [proposal])


def test_the_rebalancer_wakes_what_waits_for_it() -> None:
    keeper, proposal, conflict = contradicted()
    keeper.park(proposal, replace(conflict, types=(ConflictType.REBALANCE,)), NOW)
    assert keeper.release(A.PORTFOLIO, "*", NOW) == [proposal]


def test_it_runs_out() -> None:
    keeper, proposal, conflict = contradicted()
    keeper.park(proposal, conflict, NOW)
    assert keeper.next_due == proposal.expires
    assert keeper.expire_parked(proposal.expires - 1) == []
    assert keeper.release(A.TECHNICAL, BTC, proposal.expires) == []
    assert keeper.expire_parked(proposal.expires) == [proposal]
    assert keeper.next_due > proposal.expires
    assert not keeper.park(proposal, conflict, proposal.expires)


def test_it_may_wait_three_times() -> None:
    keeper, proposal, conflict = contradicted()
    for _ in range(3):
        assert keeper.park(proposal, conflict, NOW)
        assert keeper.release(A.TECHNICAL, BTC, NOW) == [proposal]
    assert not keeper.park(proposal, conflict, NOW)


def test_a_halt_forgets_what_waits() -> None:
    keeper, proposal, conflict = contradicted()
    keeper.park(proposal, conflict, NOW)
    keeper.void_all(NOW, "operator", "halted")
    assert keeper.release(A.TECHNICAL, BTC, NOW) == []


def test_a_woken_proposal_is_argued_again_without_a_second_boost() -> None:
    keeper, proposal, _ = contradicted()
    agreed = Evidence(ta(), None, mood(Bias.LONG))
    again = keeper.reconsider(proposal, agreed, account(), NOW + SECOND)
    assert again is not None
    assert again.conflict is None
    assert proposal.intent is not None
    assert again.proposal.intent == proposal.intent
    assert again.proposal.consensus.agreeing == 1.0


def flip() -> tuple[Any, Any]:
    keeper = coordinator()
    view = account(position(1, side=PositionSide.SHORT), position(2, side=PositionSide.SHORT))
    considered = keeper.consider(signal(), Evidence(), view, NOW)
    assert considered is not None
    return keeper, considered.proposal


def test_closes_that_happened_meanwhile_drop_out() -> None:
    keeper, proposal = flip()
    left = account(position(2, side=PositionSide.SHORT))
    again = keeper.reconsider(proposal, Evidence(), left, NOW)
    assert again is not None
    assert again.proposal.close_ids == ("pos-2",)
    assert keeper.reconsider(proposal, Evidence(), account(), NOW) is None


def test_symbols_with_a_parked_proposal_are_busy() -> None:
    keeper, proposal, conflict = contradicted()
    assert keeper.busy_symbols() == set()
    keeper.park(proposal, conflict, NOW)
    assert keeper.busy_symbols() == {BTC}
