"""What an arbiter may ask of a trade: bounds, the tighter policy, fallbacks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.coordinator.scenes import (
    NOW,
    D,
    account,
    answer,
    coordinator,
    position,
    question,
    regime,
    signal,
)
from tradeterm.coordinator.evidence import Evidence
from tradeterm.coordinator.resolution import most_careful
from tradeterm.model.proposals import Resolution, TradeIntent
from tradeterm.model.vocabulary import (
    Action,
    PositionSide,
    Regime,
    ResolutionAction,
    ResolvedBy,
)

R = ResolutionAction


def settle(
    action: ResolutionAction = R.MODIFY, **changes: Any
) -> tuple[Resolution, TradeIntent | None]:
    keeper, asked = question()
    resolution = keeper.resolve(asked, answer(action, **changes), NOW)
    return resolution, keeper.apply(resolution, asked.proposal)


def test_proceed_is_the_trade_as_proposed() -> None:
    resolution, intent = settle(R.PROCEED)
    assert (resolution.action, resolution.by, resolution.model) == (
        R.PROCEED,
        ResolvedBy.LLM,
        "some-model",
    )
    assert resolution.parent == "conflict-1"
    assert intent is not None
    assert (intent.size, intent.entry, intent.stop) == (D("0.02"), D(50000), D(49000))


@pytest.mark.parametrize("action", [R.WAIT, R.ABORT])
def test_wait_and_abort_open_nothing(action: ResolutionAction) -> None:
    resolution, intent = settle(action, size_reduction=0.2)
    assert resolution.action is action
    assert intent is None


def test_a_reduction_shrinks_the_size() -> None:
    _, intent = settle(size_reduction=0.25)
    assert intent is not None
    assert intent.size == D("0.015")


def test_a_full_reduction_is_an_abort() -> None:
    resolution, intent = settle(size_reduction=1.0)
    assert resolution.action is R.ABORT
    assert intent is None


def test_proceeding_with_a_change_is_a_modification() -> None:
    assert settle(R.PROCEED, size_reduction=0.1)[0].action is R.MODIFY


def test_modifying_nothing_is_proceeding() -> None:
    assert settle(R.MODIFY)[0].action is R.PROCEED


def test_leverage_may_fall_but_not_rise() -> None:
    lower = settle(leverage=1.0)[1]
    assert lower is not None
    assert lower.leverage == 1
    resolution, same = settle(leverage=4.0)
    assert same is not None
    assert same.leverage == 2
    assert "leverage 4.0 ignored" in resolution.reasoning


def test_stop_and_target_move_with_a_better_entry() -> None:
    _, intent = settle(entry=49500.0)
    assert intent is not None
    assert (intent.entry, intent.stop, intent.target) == (D(49500), D(48500), D(51500))


def test_a_worse_entry_is_ignored() -> None:
    resolution, intent = settle(entry=50500.0)
    assert intent is not None
    assert intent.entry == 50000
    assert "ignored" in resolution.reasoning


def test_for_a_short_better_is_higher() -> None:
    keeper = coordinator()
    evidence = Evidence(regime=regime(Regime.CHOPPY))
    considered = keeper.consider(signal(Action.SELL), evidence, account(), NOW)
    assert considered is not None
    assert considered.conflict is not None
    asked = keeper.question(considered.proposal, considered.conflict, evidence, NOW)
    higher = keeper.apply(keeper.resolve(asked, answer(entry=50500.0), NOW), asked.proposal)
    lower = keeper.apply(keeper.resolve(asked, answer(entry=49500.0), NOW), asked.proposal)
    assert higher is not None
    assert lower is not None
    assert (higher.entry, higher.stop) == (D(50500), D(52500))
    assert lower.entry == 50000


@pytest.mark.parametrize(
    "bounds",
    [
        {"leverage": 1.0},
        {"leverage": 5.0},
        {"size_reduction": 0.0},
        {"size_reduction": 1.0},
        {"entry": 25000.0},
        {"entry": 75000.0},
        {"confidence": 0.0},
        {"confidence": 1.0},
    ],
)
def test_at_the_bounds_an_answer_is_valid(bounds: dict[str, Any]) -> None:
    assert settle(**bounds)[0].by is ResolvedBy.LLM


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    "changes",
    [
        {"valid": False},
        {"question_id": "question-9"},
        {"leverage": 0.99},
        {"leverage": 5.01},
        {"leverage": 1000.0},
        {"leverage": NAN},
        {"leverage": INF},
        {"size_reduction": -0.01},
        {"size_reduction": 1.01},
        {"size_reduction": NAN},
        {"size_reduction": INF},
        {"entry": 24999.0},
        {"entry": 75001.0},
        {"entry": 0.0001},
        {"entry": -1.0},
        {"entry": NAN},
        {"entry": INF},
        {"entry": 1e300},
        {"confidence": NAN},
        {"confidence": 1.01},
        {"confidence": -0.1},
    ],
    ids=str,
)
def test_an_answer_outside_its_bounds_becomes_the_fallback(changes: dict[str, Any]) -> None:
    resolution, intent = settle(**changes)
    assert (resolution.action, resolution.by) == (R.WAIT, ResolvedBy.FALLBACK)
    assert "fallback wait" in resolution.reasoning
    assert resolution.size_reduction == 0
    assert intent is None


def test_the_fallback_is_by_type_and_the_most_careful_one() -> None:
    fallback = {"ta_sentiment": "modify", "regime_choppy": "abort"}
    shipped = dict.fromkeys(
        ("regime_change", "open_position", "correlated", "rebalance", "risk_change"), "wait"
    )
    keeper = coordinator(conflicts={"fallback": {**shipped, **fallback}})
    evidence = Evidence(regime=regime(Regime.CHOPPY))
    considered = keeper.consider(signal(), evidence, account(), NOW)
    assert considered is not None
    assert considered.conflict is not None
    asked = keeper.question(considered.proposal, considered.conflict, evidence, NOW)
    assert keeper.resolve(asked, answer(valid=False), NOW).action is R.ABORT


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], R.PROCEED),
        ([R.PROCEED, R.MODIFY], R.MODIFY),
        ([R.MODIFY, R.WAIT], R.WAIT),
        ([R.WAIT, R.ABORT, R.PROCEED], R.ABORT),
    ],
)
def test_more_care_wins(actions: list[ResolutionAction], expected: ResolutionAction) -> None:
    assert most_careful(actions) is expected


def test_a_close_is_whole_or_not_at_all() -> None:
    keeper = coordinator()
    view = account(position(side=PositionSide.SHORT))
    considered = keeper.consider(signal(), Evidence(), view, NOW)
    assert considered is not None
    assert considered.conflict is not None
    asked = keeper.question(considered.proposal, considered.conflict, Evidence(), NOW)
    half = keeper.resolve(asked, answer(R.MODIFY, size_reduction=0.5, entry=1.0), NOW)
    assert half.action is R.PROCEED
    assert keeper.apply(half, considered.proposal) is None
    whole = keeper.resolve(asked, answer(R.MODIFY, size_reduction=1.0), NOW)
    assert whole.action is R.ABORT


def test_unheard_analysts_are_marked_in_the_question() -> None:
    keeper = coordinator()
    evidence = Evidence(regime=regime(Regime.CHOPPY, age=42))
    considered = keeper.consider(signal(), evidence, account(), NOW)
    assert considered is not None
    assert considered.conflict is not None
    asked = keeper.question(considered.proposal, considered.conflict, evidence, NOW)
    assert (asked.ta_age, asked.sentiment_age, asked.regime_age) == (-1.0, -1.0, 42.0)
    assert (asked.ta_confidence, asked.sentiment_confidence) == (0.0, 0.0)
    assert asked.regime is Regime.CHOPPY


def test_long_texts_are_cut() -> None:
    resolution, _ = settle(R.PROCEED, reasoning="x" * 99999, model="m" * 999)
    assert len(resolution.reasoning) == 2000
    assert len(resolution.model) == 80
