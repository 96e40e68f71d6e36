"""Each kind of contradiction: when it is one, when it is not, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.coordinator.scenes import (
    NOW,
    D,
    account,
    coordinator,
    entry,
    mood,
    position,
    regime,
    signal,
    ta,
    verdict,
)
from tradeterm.coordinator.coordinator import Considered
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.account import AccountView
from tradeterm.model.vocabulary import (
    Action,
    Bias,
    ConflictType,
    PositionSide,
    Regime,
    Side,
    VerdictStatus,
)

C = ConflictType
XRP = "XRP/USDT"


def consider(
    evidence: Evidence, view: AccountView | None = None, action: Action = Action.BUY, **changes: Any
) -> Considered:
    found = coordinator(**changes).consider(signal(action), evidence, view or account(), NOW)
    assert found is not None
    return found


def types(*given: Any, **changes: Any) -> tuple[ConflictType, ...]:
    conflict = consider(*given, **changes).conflict
    return conflict.types if conflict else ()


CHANGED = regime(Regime.RANGING, Bias.NEUTRAL, previous=Regime.TRENDING_BULL)
XRP_CHANGED = regime(Regime.RANGING, symbol=XRP, previous=Regime.TRENDING_BULL)
SHORT_XRP = position(symbol=XRP, side=PositionSide.SHORT)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((Evidence(ta(), regime(), mood()),), ()),
        ((Evidence(ta(Bias.LONG, 0.7), sentiment=mood(Bias.SHORT, 0.51)),), (C.TA_SENTIMENT,)),
        ((Evidence(ta(Bias.SHORT, 0.7), sentiment=mood(Bias.LONG, 0.8)),), (C.TA_SENTIMENT,)),
        ((Evidence(ta(Bias.LONG, 0.75), sentiment=mood(Bias.SHORT, 0.55)),), ()),
        ((Evidence(ta(Bias.LONG, 0.7), sentiment=mood(Bias.NEUTRAL, 0.7)),), ()),
        ((Evidence(ta(Bias.LONG, 0.7, age=121), sentiment=mood(Bias.SHORT, 0.7)),), ()),
        ((Evidence(regime=regime(Regime.CHOPPY)),), (C.REGIME_CHOPPY,)),
        ((Evidence(regime=regime(Regime.CHOPPY, age=601)),), ()),
        ((Evidence(held_regimes=(CHANGED,)), account(position())), (C.REGIME_CHANGE,)),
        ((Evidence(held_regimes=(CHANGED,)), account()), ()),
        ((Evidence(held_regimes=(regime(),)), account(position())), ()),
        ((Evidence(held_regimes=(XRP_CHANGED,)), account(SHORT_XRP)), (C.REGIME_CHANGE,)),
        ((Evidence(), account(position(side=PositionSide.SHORT))), (C.OPEN_POSITION,)),
        ((Evidence(), account(position())), ()),
        ((Evidence(), account(position(symbol=XRP))), (C.CORRELATED,)),
        ((Evidence(), account(SHORT_XRP)), ()),
        ((Evidence(), account(SHORT_XRP), Action.SELL), (C.CORRELATED,)),
        ((Evidence(), account(position(symbol="XRP/BTC", side=PositionSide.SHORT))), ()),
        ((Evidence(), account(entries=(entry(XRP, Side.BUY),))), (C.CORRELATED,)),
        ((Evidence(), account(entries=(entry(XRP, Side.SELL),))), ()),
        ((Evidence(rebalance_pending=True),), (C.REBALANCE,)),
        (
            (
                Evidence(ta(), regime(Regime.CHOPPY), mood(Bias.SHORT, 0.7), (CHANGED,), True),
                account(position(), position(2, symbol=XRP)),
            ),
            (C.TA_SENTIMENT, C.REGIME_CHOPPY, C.REGIME_CHANGE, C.CORRELATED, C.REBALANCE),
        ),
    ],
)
def test_what_contradicts(given: tuple[Any, ...], expected: tuple[ConflictType, ...]) -> None:
    assert types(*given) == expected


@pytest.mark.parametrize("action", [Action.CLOSE_LONG])
def test_the_exit_of_a_position_is_never_contradicted(action: Action) -> None:
    everything = Evidence(
        ta(), regime(Regime.CHOPPY), mood(Bias.SHORT, 0.7), (CHANGED,), rebalance_pending=True
    )
    assert types(everything, account(position()), action) == ()


def test_the_evidence_names_both_sides_with_their_figures() -> None:
    conflict = consider(Evidence(ta(Bias.LONG, 0.62), sentiment=mood(Bias.SHORT, 0.55))).conflict
    assert conflict is not None
    assert conflict.evidence == ("TA long 0.62 vs sentiment short 0.55",)
    assert (conflict.id, conflict.parent) == ("conflict-1", "proposal-1")
    assert 0 <= conflict.severity <= 1


def test_a_signal_against_a_position_names_it() -> None:
    conflict = consider(Evidence(), account(position(side=PositionSide.SHORT))).conflict
    assert conflict is not None
    assert conflict.evidence == ("signal on BTC/USDT against open pos-1 (short 0.02 from 50000)",)


def test_by_config_every_entry_needs_a_key() -> None:
    every: dict[str, Any] = {"approval": {"mode": "all"}}
    conflict = consider(Evidence(), **every).conflict
    assert conflict is not None
    assert conflict.types == ()
    close = consider(Evidence(), account(position()), Action.CLOSE_LONG, **every)
    assert close.conflict is None


def considered(evidence: Evidence | None = None, **changes: Any) -> tuple[Any, Considered]:
    keeper = coordinator(**changes)
    found = keeper.consider(signal(), evidence or Evidence(), account(), NOW)
    assert found is not None
    return keeper, found


@pytest.mark.parametrize(("size", "contradicts"), [("0.015", False), ("0.0149", True)])
def test_a_material_cut_by_risk_is_a_contradiction(size: str, *, contradicts: bool) -> None:
    keeper, found = considered()
    smaller = coordinator().propose(signal(size=D(size)), Evidence(), account(), NOW)
    assert smaller is not None
    cut = verdict(smaller.intent, status=VerdictStatus.MODIFIED, codes=("position_size",))
    weighed = keeper.weigh(found, cut, NOW)
    assert (weighed.conflict is not None) is contradicts
    if weighed.conflict:
        assert weighed.conflict.types == (C.RISK_CHANGE,)
        assert "position_size" in weighed.conflict.evidence[0]


@pytest.mark.parametrize(("size", "contradicts"), [("0.01", False), ("0.0074", True)])
def test_what_standing_policy_takes_was_foreseen(size: str, *, contradicts: bool) -> None:
    """Half of a wish of 0.02 is left after losses; a quarter less than that is news."""
    keeper, found = considered()
    smaller = coordinator().propose(signal(size=D(size)), Evidence(), account(), NOW)
    assert smaller is not None
    half = verdict(
        smaller.intent, status=VerdictStatus.MODIFIED, codes=("losses",), foreseen=D("0.01")
    )
    assert (keeper.weigh(found, half, NOW).conflict is not None) is contradicts


def test_a_material_cut_joins_what_is_already_contradicted() -> None:
    keeper, found = considered(Evidence(rebalance_pending=True))
    small = coordinator().propose(signal(size=D("0.001")), Evidence(), account(), NOW)
    assert small is not None
    cut = verdict(small.intent, status=VerdictStatus.MODIFIED)
    weighed = keeper.weigh(found, cut, NOW)
    assert weighed.conflict is not None
    assert weighed.conflict.types == (C.REBALANCE, C.RISK_CHANGE)
    assert weighed.conflict.id == "conflict-1"
    assert len(weighed.conflict.evidence) == 2


def test_a_plain_verdict_contradicts_nothing() -> None:
    keeper, found = considered()
    assert keeper.weigh(found, verdict(found.proposal.intent), NOW) is found
    closing = keeper.consider(signal(Action.CLOSE_LONG), Evidence(), account(position()), NOW)
    assert closing is not None
    assert keeper.weigh(closing, verdict(found.proposal.intent), NOW) is closing
