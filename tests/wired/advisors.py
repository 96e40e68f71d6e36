"""Arbiters that answer what a story needs, behind the same port as the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tradeterm.adapters.advisors.unanswered import interrupted
from tradeterm.model.ports import Advisor, Answer, ArbiterAnswer, ArbiterQuestion, Question
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy
from tradeterm.settings.llm import LlmSettings


@dataclass
class Arbiter:
    """One answer, and perhaps another one from the second question on."""

    action: ResolutionAction = ResolutionAction.PROCEED
    size_reduction: float = 0.0
    leverage: float | None = None
    entry: float | None = None
    latency: float = 0.25
    valid: bool = True
    then: ResolutionAction | None = None


class Made(Protocol):
    """Constructs it."""

    def __call__(self, settings: LlmSettings) -> Advisor: ...


def arbiter(chosen: Arbiter) -> Made:
    """A stand-in for the class the desk constructs."""

    class Scripted:
        name = "scripted"
        repeatable = True

        def __init__(self, settings: LlmSettings) -> None:
            self._asked = 0

        async def settle(self, question: Question) -> Answer:
            assert isinstance(question, ArbiterQuestion)  # the others' rules speak
            self._asked += 1
            action = chosen.then if self._asked > 1 and chosen.then else chosen.action
            return ArbiterAnswer(
                question.id, action, ResolvedBy.RULES, self.name, 0.8, "as the story wants",
                chosen.size_reduction, chosen.leverage, chosen.entry,
                int(chosen.latency * SECOND), chosen.valid,
            )  # fmt: skip

        async def interrupted(self, question: Question, latency: int) -> Answer:
            return interrupted(question, self.name, latency)

        def begin(self) -> None:
            """Nothing is to be loaded."""

        def finish(self) -> None:
            """Nothing is left over."""

    return Scripted
