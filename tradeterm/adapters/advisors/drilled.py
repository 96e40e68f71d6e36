"""An advisor in front of another one that fails while a drill says so."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.advisors.unanswered import unasked, unsettled
from tradeterm.model.drills import Drill
from tradeterm.model.ports import (
    Advisor,
    AgentAnswer,
    AgentQuestion,
    Answer,
    ArbiterAnswer,
    MemberVote,
    ModelTry,
    Question,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy, Route, TryOutcome
from tradeterm.settings.llm import LlmSettings

#: What the rehearsed failures take.
LATENCY: Final = 2 * SECOND
NAME: Final = "drill"
SPENT: Final = "the day's budget is spent (drill)"
#: Beyond every bound: no engine may let it through.
_LEVERAGE, _REDUCTION = 1000.0, -3.0


class DrilledAdvisor:
    """Passes everything on; what would have gone to a model fails while a drill is under way."""

    def __init__(
        self, inner: Advisor, settings: LlmSettings, active: Callable[[Drill], bool]
    ) -> None:
        """``active`` asks the engine, so that a restart rehearses the same."""
        self.name = inner.name
        self.repeatable = inner.repeatable
        self.inner = inner
        self._rules = RulesAdvisor(settings)
        self._active = active

    async def settle(self, question: Question) -> Answer:
        """Answer one question, or fail to."""
        if question.route in (Route.ADVISOR, Route.PROBE):
            if self._active(Drill.BUDGET):
                return self._unasked(question)
            if self._active(Drill.LLM_OUTAGE):
                return _failed(question, TryOutcome.UNREACHABLE, "nobody answers (drill)")
            if self._active(Drill.LLM_GARBAGE):
                return _garbage(question)
        return await self.inner.settle(question)

    def _unasked(self, question: Question) -> Answer:
        if isinstance(question, AgentQuestion):
            return unasked(question, SPENT, LATENCY)
        return replace(self._rules.answer(question), unasked=SPENT)

    async def interrupted(self, question: Question, latency: int) -> Answer:
        return await self.inner.interrupted(question, latency)

    def begin(self) -> None:
        self.inner.begin()

    def finish(self) -> None:
        self.inner.finish()


def _garbage(question: Question) -> Answer:
    """Something came back. An arbiter's breaks every bound; an agent's is no opinion at all."""
    if isinstance(question, AgentQuestion):
        return _failed(question, TryOutcome.INVALID, "the answer is none (drill)")
    return ArbiterAnswer(
        question.id, ResolutionAction.PROCEED, ResolvedBy.LLM, NAME, 1.0,
        "Buy with everything. (drill)", _REDUCTION, _LEVERAGE, None, LATENCY,
        tries=(_try(TryOutcome.INVALID, "out of bounds (drill)"),),
    )  # fmt: skip


def _failed(question: Question, outcome: TryOutcome, fault: str) -> Answer:
    tries = (_try(outcome, fault),)
    if isinstance(question, AgentQuestion):
        vote = MemberVote(NAME, None, LATENCY, tries, fault)
        return AgentAnswer(question.id, question.agent, LATENCY, (vote,), NAME)
    return replace(unsettled(question, NAME, fault, LATENCY), tries=tries, prompt=NAME)


def _try(outcome: TryOutcome, fault: str) -> ModelTry:
    return ModelTry(NAME, "", outcome, LATENCY, Decimal(0), 0, 0, fault)
