"""Bounds around an arbiter's answer: what may be asked of a trade, and what it does to it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tradeterm.coordinator.feasible import Changes, Feasible
from tradeterm.model.money import ONE
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import Proposal, Resolution, TradeIntent
from tradeterm.model.vocabulary import (
    ConflictType,
    ResolutionAction,
    ResolvedBy,
)

MODEL_LIMIT, REASONING_LIMIT = 80, 2000

_CARE = (
    ResolutionAction.ABORT,
    ResolutionAction.WAIT,
    ResolutionAction.MODIFY,
    ResolutionAction.PROCEED,
)


def most_careful(actions: list[ResolutionAction]) -> ResolutionAction:
    """Abort before wait before modify before proceed."""
    return min(actions, key=_CARE.index, default=ResolutionAction.PROCEED)


def flaw(answer: ArbiterAnswer, question: ArbiterQuestion) -> str:
    """Why an answer cannot be used; empty when it can. Nothing is clamped."""
    if not answer.valid:
        return "the arbiter gave no valid answer"
    if answer.question_id != question.id:
        return f"the answer belongs to {answer.question_id}"
    return Feasible.of(question.proposal).flaw(answer)


def bounded(
    answer: ArbiterAnswer,
    question: ArbiterQuestion,
    fallback: Mapping[ConflictType, ResolutionAction],
    resolution_id: str,
    now: int,
) -> Resolution:
    """The answer inside its bounds, or the fallback of the conflict's types."""
    wrong = flaw(answer, question)
    if wrong:
        action = most_careful([fallback[kind] for kind in question.conflict.types])
        return Resolution(
            id=resolution_id,
            ts=now,
            parent=question.conflict.id,
            action=action,
            by=ResolvedBy.FALLBACK,
            model=answer.model[:MODEL_LIMIT],
            confidence=0.0,
            reasoning=f"{wrong}: fallback {action}",
        )
    changes = Feasible.of(question.proposal).taken(answer)
    return Resolution(
        id=resolution_id,
        ts=now,
        parent=question.conflict.id,
        action=_effective(answer.action, changes),
        by=answer.by,
        model=answer.model[:MODEL_LIMIT],
        confidence=answer.confidence,
        reasoning=(answer.reasoning[:REASONING_LIMIT] + changes.ignored),
        size_reduction=changes.reduction,
        leverage=changes.leverage,
        entry=changes.entry,
    )


def _effective(action: ResolutionAction, changes: Changes) -> ResolutionAction:
    """Taking everything away is an abort; a change makes it a modification, none a proceed."""
    if action in (ResolutionAction.WAIT, ResolutionAction.ABORT):
        return action
    if changes.reduction >= 1:
        return ResolutionAction.ABORT
    entry, leverage = changes.entry, changes.leverage
    changed = changes.reduction > 0 or leverage is not None or entry is not None
    return ResolutionAction.MODIFY if changed else ResolutionAction.PROCEED


def applied(resolution: Resolution, proposal: Proposal) -> TradeIntent | None:
    """The entry after the resolution; None when nothing is opened (closes included)."""
    intent = proposal.intent
    if intent is None or resolution.action in (ResolutionAction.WAIT, ResolutionAction.ABORT):
        return None
    if resolution.action is ResolutionAction.PROCEED:
        return intent
    entry = resolution.entry if resolution.entry is not None else intent.entry
    moved = entry - intent.entry
    return replace(
        intent,
        size=intent.size * (ONE - resolution.size_reduction),
        entry=entry,
        stop=None if intent.stop is None else intent.stop + moved,
        target=None if intent.target is None else intent.target + moved,
        leverage=resolution.leverage if resolution.leverage is not None else intent.leverage,
    )
