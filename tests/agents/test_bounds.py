"""An opinion is inside its bounds or it is none: nothing is cut to fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.questions import PRICE, allowed, decision, question, scope
from tradeterm.agents.bounds import flaw
from tradeterm.model.opinions import (
    DecisionOpinion,
    Opinion,
    RegimeOpinion,
    SentimentOpinion,
    TechnicalOpinion,
    TimingOpinion,
)
from tradeterm.model.vocabulary import Action, AgentName, Bias, Regime, Timing, VolatilityClass

D = Decimal
NAN = float("nan")
BOTH = question(bounds=scope(Action.BUY, Action.SELL))


@pytest.mark.parametrize("action", [Action.BUY, Action.SELL])
def test_an_entry_inside_its_bounds_is_one(action: Action) -> None:
    assert flaw(decision(action), BOTH) == ""
    assert flaw(decision(action, entry=PRICE), BOTH) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"size": D("0.10000001")}, "size"),
        ({"size": D("0.09")}, "108.00 would be lost at the stop, more than 100.00"),
        ({"size": D(0)}, "above 0"),
        ({"size": D("NaN")}, "above 0"),
        ({"size": D("Infinity")}, "above 0"),
        ({"size": None}, "needs stop, target, size and leverage"),
        ({"leverage": D("3.1")}, "leverage"),
        ({"leverage": D("0.5")}, "leverage"),
        ({"stop": None}, "needs stop"),
        ({"stop": D(61_000)}, "stop must be below"),
        ({"stop": D(58_000)}, "stop is 3.33 % away"),
        ({"stop": D(59_900)}, "stop is 0.17 % away"),
        ({"target": D(59_500)}, "stop must be below the entry and target above"),
        ({"target": D(61_500)}, "reward/risk after fees is below 1.5"),
        ({"entry": D(61_000)}, "entry 61000 is more than 1 % away"),
        ({"confidence": 0.59}, "confidence 0.59 is below 0.6"),
        ({"confidence": NAN}, "confidence is not between"),
        ({"confidence": 1.01}, "confidence is not between"),
    ],
)
def test_an_entry_outside_is_none(changes: dict[str, Any], why: str) -> None:
    assert why in flaw(decision(**changes), BOTH)


def test_what_was_not_allowed_is_no_decision() -> None:
    buying = question(bounds=scope(Action.BUY))
    assert flaw(decision(Action.SELL), buying) == "SELL is not allowed: exposure"
    assert "no such position" in flaw(DecisionOpinion(Action.CLOSE_LONG, 0.9, "x"), buying)
    holding = question(bounds=scope(closes=(Action.CLOSE_LONG,)))
    assert flaw(DecisionOpinion(Action.CLOSE_LONG, 0.1, "x"), holding) == ""
    assert flaw(DecisionOpinion(Action.HOLD, 0.1, "x"), holding) == ""
    assert flaw(decision(), question()) == "nothing was allowed"


@given(
    size=st.decimals("0.00000001", "0.2", places=8), stop=st.decimals(1, 120_000, places=1),
    target=st.decimals(1, 120_000, places=1), leverage=st.decimals(0, 10, places=2),
    entry=st.none() | st.decimals(50_000, 70_000, places=1),
)  # fmt: skip
def test_whatever_passes_costs_no_more_than_was_given(
    size: Decimal, stop: Decimal, target: Decimal, leverage: Decimal, entry: Decimal | None
) -> None:
    said = decision(size=size, stop=stop, target=target, leverage=leverage, entry=entry)
    if flaw(said, BOTH):
        return
    bounds, at = allowed(), PRICE if entry is None else entry
    assert size <= bounds.max_size
    assert 1 <= leverage <= bounds.max_leverage
    assert stop < at < target
    assert size * (at - stop) <= bounds.max_loss
    assert abs(at - PRICE) <= PRICE / 100


@pytest.mark.parametrize(
    ("agent", "said", "why"),
    [
        (AgentName.SENTIMENT, SentimentOpinion(1.1, 0.5, "x"), "score"),
        (AgentName.SENTIMENT, SentimentOpinion(NAN, 0.5, "x"), "score"),
        (AgentName.SENTIMENT, SentimentOpinion(-1, 0.5, "x"), ""),
        (AgentName.SENTIMENT, decision(), "DecisionOpinion is no answer of sentiment_analysis"),
        (AgentName.TECHNICAL, TechnicalOpinion(Bias.LONG, 0.5, 2, 1, 1, 2, "x"), "trend_strength"),
        (AgentName.TECHNICAL, TechnicalOpinion(Bias.LONG, 0.5, 1, 1, 3, 2, "x"), "support"),
        (AgentName.TECHNICAL, TechnicalOpinion(Bias.LONG, 0.5, 1, 1, NAN, 2, "x"), "support"),
        (AgentName.TECHNICAL, TechnicalOpinion(Bias.LONG, 0.5, 1, 1, 2, 2, "x"), ""),
        (AgentName.REGIME, RegimeOpinion(Regime.CHOPPY, 0.5, VolatilityClass.LOW, "x"), ""),
        (AgentName.PORTFOLIO, TimingOpinion(Timing.RULES, 0.5, "x"), "timing"),
        (AgentName.PORTFOLIO, TimingOpinion(Timing.WAIT, 0.5, "x"), ""),
    ],
)
def test_the_others_have_bounds_too(agent: AgentName, said: Opinion, why: str) -> None:
    found = flaw(said, question(agent))
    assert bool(found) is bool(why)
    assert why in found
