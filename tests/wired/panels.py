"""Models of agents that say what a story needs, behind the same port as the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.advisors.unanswered import interrupted
from tradeterm.model.opinions import (
    DecisionOpinion,
    Opinion,
    RegimeOpinion,
    SentimentOpinion,
    TechnicalOpinion,
    TimingOpinion,
)
from tradeterm.model.ports import AgentAnswer, AgentQuestion, Answer, MemberVote, Question
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Action, AgentName, Bias, Regime, Timing, VolatilityClass
from tradeterm.settings.llm import LlmSettings

#: One member of a panel: what it says to a question and after how many seconds; None: nothing valid.
Member = Callable[[AgentQuestion], tuple[Opinion | None, float]]
MODEL = "openai/test-model"
NOWHERE = "http://127.0.0.1:9/v1"


def asked(*names: AgentName, members: int = 1) -> tuple[str, ...]:
    """Settings under which these agents have a model, the decision ``members`` of them."""
    found = ["llm.provider=litellm"]
    for name in names:
        role = f"llm.roles.{name}"
        found += [f"{role}.model={MODEL}-0", f"{role}.api_base={NOWHERE}"]
    if AgentName.TRADING in names:
        more = ", ".join(
            f"{{model: {MODEL}-{number}, api_base: '{NOWHERE}'}}" for number in range(1, members)
        )
        found.append(f"llm.roles.trading_decision.members=[{more}]")
    return tuple(found)


def says(opinion: Opinion | None, seconds: float = 0.5) -> Member:
    """Always the same."""
    return lambda _question: (opinion, seconds)


def bullish(_question: AgentQuestion) -> tuple[Opinion, float]:
    """A chart that points up, around the price."""
    return TechnicalOpinion(Bias.LONG, 0.9, 0.8, 1.0, 1.0, 1e9, "up it goes"), 0.5


def entry(
    action: Action, *, part: str = "0.5", leverage: str = "1", stop: str = "", seconds: float = 0.5
) -> Member:
    """An entry with this part of the largest size; the stop as far away as that size allows, or
    this many percent.
    """

    def member(question: AgentQuestion) -> tuple[Opinion | None, float]:
        assert question.scope is not None
        allowed = [one for one in question.scope.entries if one.action is action]
        if not allowed:
            return DecisionOpinion(Action.HOLD, 0.5, "not allowed"), seconds
        bounds, sign = allowed[0], 1 if action is Action.BUY else -1
        distance = bounds.max_loss / bounds.max_size
        if stop:
            distance = bounds.price * Decimal(stop) / 100
        return DecisionOpinion(
            action, 0.9, f"{action} it is", bounds.price - sign * distance,
            bounds.price + sign * 3 * distance, bounds.max_size * Decimal(part),
            Decimal(leverage),
        ), seconds  # fmt: skip

    return member


#: A panel whose every member has something to say.
CALM: dict[AgentName, list[Member]] = {
    AgentName.TECHNICAL: [bullish],
    AgentName.REGIME: [
        says(RegimeOpinion(Regime.TRENDING_BULL, 0.8, VolatilityClass.NORMAL, "a trend"))
    ],
    AgentName.SENTIMENT: [says(SentimentOpinion(0.4, 0.7, "glad"))],
    AgentName.TRADING: [says(DecisionOpinion(Action.HOLD, 0.5, "nothing to do"))],
    AgentName.PORTFOLIO: [says(TimingOpinion(Timing.NOW, 0.6, "why wait"))],
}


@dataclass
class Panels:
    """An advisor: panels for agents, the rule arbiter for conflicts."""

    settings: LlmSettings
    members: dict[AgentName, list[Member]]
    questions: list[AgentQuestion] = field(default_factory=list)
    unasked: str = ""
    name: str = "panels"
    repeatable: bool = False

    async def settle(self, question: Question) -> Answer:
        if not isinstance(question, AgentQuestion):
            return RulesAdvisor(self.settings).answer(question)
        self.questions.append(question)
        if self.unasked:
            return AgentAnswer(question.id, question.agent, SECOND // 100, unasked=self.unasked)
        votes = []
        chosen = self.members[question.agent][: question.members or None]
        for number, member in enumerate(chosen):
            opinion, seconds = member(question)
            fault = "" if opinion is not None else "text before the JSON object"
            latency = int(seconds * SECOND)
            votes.append(MemberVote(f"{MODEL}-{number}", opinion, latency, (), fault))
        latency = max(vote.latency for vote in votes)
        return AgentAnswer(question.id, question.agent, latency, tuple(votes), "prompt-1 0")

    async def interrupted(self, question: Question, latency: int) -> Answer:
        return interrupted(question, self.name, latency)

    def begin(self) -> None:
        """Nothing is to be loaded."""

    def finish(self) -> None:
        """Nothing is left over."""


def seat(
    patch: pytest.MonkeyPatch, panels: dict[AgentName, list[Member]], unasked: str = ""
) -> list[AgentQuestion]:
    """Let the desk open this advisor; returns the questions as they will be asked."""
    heard: list[AgentQuestion] = []

    def opened(settings: LlmSettings, *_: object, **__: object) -> Panels:
        return Panels(settings, panels, heard, unasked)

    patch.setattr("tradeterm.adapters.advisors.opening.open_advisor", opened)
    return heard
