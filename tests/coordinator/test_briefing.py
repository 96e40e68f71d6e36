"""What an arbiter is told, and how its quotations are checked."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from tests.coordinator.scenes import NOW, account, coordinator, mood, regime, signal, ta
from tradeterm.coordinator.briefing import facts, misquoted
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.vocabulary import Bias, Regime, ResolutionAction, ResolvedBy

SCENE = Evidence(
    ta(Bias.LONG, 0.62), regime(Regime.CHOPPY, Bias.NEUTRAL), mood(Bias.SHORT, 0.55, age=1320.0)
)


def question() -> ArbiterQuestion:
    keeper = coordinator()
    considered = keeper.consider(signal(), SCENE, account(), NOW)
    assert considered is not None
    assert considered.conflict is not None
    asked = keeper.question(considered.proposal, considered.conflict, SCENE, NOW)
    return replace(asked, order=("sentiment_analysis", "technical_analysis", "regime_detection"))


def saying(reasoning: str, **changes: object) -> ArbiterAnswer:
    answer = ArbiterAnswer(
        "q", ResolutionAction.PROCEED, ResolvedBy.LLM, "m", 0.8, reasoning, 0.25, None, None, 1
    )
    return replace(answer, **changes)


def test_opinions_stand_in_the_order_of_the_question() -> None:
    told = facts(question())
    assert [one["analyst"] for one in told["analysts"]] == [
        "sentiment_analysis", "technical_analysis", "regime_detection",
    ]  # fmt: skip
    assert told["analysts"][0] == {
        "analyst": "sentiment_analysis", "leans": "short", "confidence": 0.55, "age_seconds": 1320,
    }  # fmt: skip


def test_the_facts_hold_no_id_of_ours_and_no_time_of_day() -> None:
    text = json.dumps(facts(question()))
    assert question().id not in text
    assert str(NOW) not in text


@pytest.mark.parametrize(
    "reasoning",
    [
        "TA is 0.62 sure, sentiment 0.55.",
        "TA is 62 % sure.",
        "Sentiment is 22 minutes old, or 1,320 seconds.",
        "2 of 3 analysts lean the other way.",
        "A quarter less (25 %), 0.8 sure.",
        "No figures at all.",
        "EMA9 crossed.",
    ],
)
def test_what_stands_in_the_facts_may_be_quoted(reasoning: str) -> None:
    assert misquoted(saying(reasoning), question()) == ()


@pytest.mark.parametrize(
    ("reasoning", "named"),
    [
        ("TA is 0.91 sure.", ("0.91",)),
        ("Support stands at 64,000 and 64,000 holds.", ("64,000",)),
        ("TA is 63 % sure, RSI 71.", ("63", "71")),
        (" ".join(f"{n}.5" for n in range(100, 200)), tuple(f"{n}.5" for n in range(100, 108))),
    ],
)
def test_figures_nobody_told_are_named(reasoning: str, named: tuple[str, ...]) -> None:
    assert misquoted(saying(reasoning), question()) == named
