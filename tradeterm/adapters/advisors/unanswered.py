"""Answers that are none: what enters when nobody gave a valid one."""

from __future__ import annotations

from typing import Final

from tradeterm.model.ports import (
    AgentAnswer,
    AgentQuestion,
    Answer,
    ArbiterAnswer,
    ArbiterQuestion,
    Question,
)
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy

RESTARTED: Final = "interrupted by a restart"


def interrupted(question: Question, name: str, latency: int) -> Answer:
    """For a question that was out when the program ended: it is never asked again silently."""
    if isinstance(question, AgentQuestion):
        return unasked(question, RESTARTED, latency)
    return unsettled(question, name, RESTARTED, latency, unasked=RESTARTED)


def unsettled(
    question: ArbiterQuestion, name: str, why: str, latency: int, *, unasked: str = ""
) -> ArbiterAnswer:
    """No valid answer: orchestration.conflicts.fallback applies."""
    return ArbiterAnswer(
        question_id=question.id,
        action=ResolutionAction.WAIT,
        by=ResolvedBy.FALLBACK,
        model=name,
        confidence=0.0,
        reasoning=why,
        size_reduction=0.0,
        leverage=None,
        entry=None,
        latency=latency,
        valid=False,
        unasked=unasked,
    )


def unasked(question: AgentQuestion, why: str, latency: int, day: str = "") -> AgentAnswer:
    """Nobody was asked: the agent's rules speak."""
    return AgentAnswer(
        question_id=question.id,
        agent=question.agent,
        latency=latency,
        day=day,
        unasked=why,
    )
