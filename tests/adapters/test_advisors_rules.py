"""The rule arbiter: stated rules, plain sentences, the most careful opinion wins."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.coordinator.scenes import (
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
from tradeterm.adapters.advisors.rules import RULES, RulesAdvisor
from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.account import AccountView
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.vocabulary import (
    Bias,
    ConflictType,
    PositionSide,
    Regime,
    ResolutionAction,
    ResolvedBy,
)
from tradeterm.settings.loading import load_settings

R = ResolutionAction
ADVISOR = RulesAdvisor(load_settings().settings.llm)


def ask(evidence: Evidence, confidence: float, view: AccountView | None = None) -> ArbiterQuestion:
    """A question about a BUY whose confidence after consensus is ``confidence``."""
    keeper = coordinator()
    considered = keeper.consider(signal(), evidence, view or account(), NOW)
    assert considered is not None
    assert considered.conflict is not None
    proposal = considered.proposal
    if proposal.intent is not None:
        intent = replace(proposal.intent, confidence=D(str(confidence)))
        proposal = replace(proposal, intent=intent)
    return keeper.question(proposal, considered.conflict, evidence, NOW)


def clash(ta_side: Bias, ta_conf: float, mood_conf: float, age: float = 100.0) -> Evidence:
    against = Bias.SHORT if ta_side is Bias.LONG else Bias.LONG
    return Evidence(ta(ta_side, ta_conf), sentiment=mood(against, mood_conf, age=age))


CHOPPY = Evidence(regime=regime(Regime.CHOPPY, Bias.NEUTRAL))
SHORT = account(position(side=PositionSide.SHORT))
HELD = account(position())


def turned(bias: Bias) -> Evidence:
    now = regime(Regime.VOLATILE_BULL, bias, previous=Regime.RANGING)
    return Evidence(regime=now, held_regimes=(now,))


@pytest.mark.parametrize(
    ("question", "action", "reduction"),
    [
        (ask(clash(Bias.LONG, 0.7, 0.6), 0.7), R.PROCEED, 0.0),
        (ask(clash(Bias.LONG, 0.6, 0.7), 0.7), R.ABORT, 0.0),
        (ask(clash(Bias.SHORT, 0.6, 0.7), 0.7), R.PROCEED, 0.0),
        (ask(clash(Bias.SHORT, 0.7, 0.6), 0.7), R.ABORT, 0.0),
        (ask(clash(Bias.LONG, 0.7, 0.68), 0.8), R.MODIFY, 0.5),
        (ask(clash(Bias.LONG, 0.7, 0.68), 0.7), R.WAIT, 0.0),
        (ask(clash(Bias.LONG, 0.7, 0.6, age=2000), 0.7), R.MODIFY, 0.5),
        (ask(clash(Bias.SHORT, 0.7, 0.6, age=2000), 0.7), R.ABORT, 0.0),
        (ask(CHOPPY, 0.6), R.ABORT, 0.0),
        (ask(CHOPPY, 0.7), R.MODIFY, 0.5),
        (ask(CHOPPY, 0.8), R.MODIFY, 0.25),
        (ask(turned(Bias.SHORT), 0.8, HELD), R.ABORT, 0.0),
        (ask(turned(Bias.LONG), 0.8, HELD), R.MODIFY, 0.25),
        (ask(turned(Bias.NEUTRAL), 0.8, HELD), R.MODIFY, 0.5),
        (ask(Evidence(), 0.8, SHORT), R.PROCEED, 0.0),
        (ask(Evidence(ta(Bias.LONG)), 0.8, SHORT), R.PROCEED, 0.0),
        (ask(Evidence(ta(Bias.SHORT)), 0.8, SHORT), R.WAIT, 0.0),
        (ask(Evidence(), 0.8, account(position(symbol="XRP/USDT"))), R.MODIFY, 0.5),
        (ask(Evidence(rebalance_pending=True), 0.8), R.PROCEED, 0.0),
    ],
)
def test_the_rules(question: ArbiterQuestion, action: ResolutionAction, reduction: float) -> None:
    answer = ADVISOR.answer(question)
    assert (answer.action, answer.size_reduction) == (action, reduction)
    assert (answer.by, answer.model) == (ResolvedBy.RULES, "rules")
    assert answer.latency == 250_000_000
    assert answer.reasoning.endswith(".")


@pytest.mark.parametrize(("confidence", "action"), [(0.6, R.ABORT), (0.7, R.PROCEED)])
def test_what_risk_leaves_must_be_worth_it(confidence: float, action: ResolutionAction) -> None:
    question = ask(CHOPPY, confidence)
    changed = replace(question.conflict, types=(ConflictType.RISK_CHANGE,), severity=0.5)
    assert ADVISOR.answer(replace(question, conflict=changed)).action is action


@pytest.mark.parametrize(("cut", "action"), [(0.79, R.PROCEED), (0.8, R.ABORT)])
def test_a_small_rest_is_not_worth_an_order(cut: float, action: ResolutionAction) -> None:
    question = ask(CHOPPY, 0.8)
    changed = replace(question.conflict, types=(ConflictType.RISK_CHANGE,), severity=cut)
    assert ADVISOR.answer(replace(question, conflict=changed)).action is action


def test_a_weak_repetition_waits() -> None:
    stacked = ask(Evidence(), 0.64, account(position(symbol="XRP/USDT")))
    assert ADVISOR.answer(stacked).action is R.WAIT


def test_the_most_careful_opinion_decides() -> None:
    evidence = replace(clash(Bias.LONG, 0.7, 0.6), regime=regime(Regime.CHOPPY, Bias.NEUTRAL))
    assert ADVISOR.answer(ask(evidence, 0.6)).action is R.ABORT
    halved = ask(replace(evidence, rebalance_pending=True), 0.7)
    assert ADVISOR.answer(halved).size_reduction == 0.5


def test_every_type_has_a_rule() -> None:
    assert set(RULES) == set(ConflictType)


def test_without_a_contradiction_it_proceeds() -> None:
    question = ask(CHOPPY, 0.7)
    plain = replace(question, conflict=replace(question.conflict, types=()))
    assert ADVISOR.answer(plain).action is R.PROCEED


@pytest.mark.parametrize("confidence", [0.0, 0.65, 1.0])
async def test_it_is_repeatable_and_its_answers_stay_inside_the_bounds(confidence: Any) -> None:
    question = ask(CHOPPY, confidence)
    first, second = await ADVISOR.settle(question), await ADVISOR.settle(question)
    assert first == second
    assert isinstance(first, ArbiterAnswer)
    assert coordinator().resolve(question, first, NOW).by is ResolvedBy.RULES
    assert ADVISOR.repeatable
