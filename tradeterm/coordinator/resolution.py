"""Bounds around an arbiter's answer: what may be asked of a trade, and what it does to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from tradeterm.model.money import ONE, ZERO, exact
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import Proposal, Resolution, TradeIntent
from tradeterm.model.vocabulary import (
    ConflictType,
    PositionSide,
    ResolutionAction,
    ResolvedBy,
)

#: Hard bounds (DESIGN §6): no setting widens them.
LEAST_LEVERAGE, MOST_LEVERAGE = 1.0, 5.0
ENTRY_RANGE, LEAST_ENTRY = Decimal("0.5"), 0.0001
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
    for name, value, least, most in (
        ("confidence", answer.confidence, 0.0, 1.0),
        ("size reduction", answer.size_reduction, 0.0, 1.0),
        ("leverage", answer.leverage, LEAST_LEVERAGE, MOST_LEVERAGE),
    ):
        if value is not None and not least <= value <= most:
            return f"{name} {value} is outside {least:g}–{most:g}"
    return _entry_flaw(answer.entry, question.proposal.intent)


def _entry_flaw(entry: float | None, intent: TradeIntent | None) -> str:
    if entry is None:
        return ""
    if not (math.isfinite(entry) and entry > LEAST_ENTRY):
        return f"entry {entry} is not above {LEAST_ENTRY}"
    if intent is None:
        return ""
    away = abs(exact(entry) - intent.entry)
    if not away <= intent.entry * ENTRY_RANGE:
        return f"entry {entry} is more than 50 % away from {intent.entry}"
    return ""


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
    reduction, leverage, entry, ignored = _tightened(answer, question.proposal.intent)
    return Resolution(
        id=resolution_id,
        ts=now,
        parent=question.conflict.id,
        action=_effective(answer.action, reduction, leverage, entry),
        by=answer.by,
        model=answer.model[:MODEL_LIMIT],
        confidence=answer.confidence,
        reasoning=(answer.reasoning[:REASONING_LIMIT] + ignored),
        size_reduction=reduction,
        leverage=leverage,
        entry=entry,
    )


def _effective(
    action: ResolutionAction, reduction: Decimal, leverage: Decimal | None, entry: Decimal | None
) -> ResolutionAction:
    """Taking everything away is an abort; a change makes it a modification, none a proceed."""
    if action in (ResolutionAction.WAIT, ResolutionAction.ABORT):
        return action
    if reduction >= 1:
        return ResolutionAction.ABORT
    changed = reduction > 0 or leverage is not None or entry is not None
    return ResolutionAction.MODIFY if changed else ResolutionAction.PROCEED


def _tightened(
    answer: ArbiterAnswer, intent: TradeIntent | None
) -> tuple[Decimal, Decimal | None, Decimal | None, str]:
    """(reduction, leverage, entry, what was ignored): risk may be lowered, never raised."""
    reduction = exact(answer.size_reduction)
    if intent is None:  # a close is whole or not at all
        return (ONE if reduction >= 1 else ZERO), None, None, ""
    leverage = None if answer.leverage is None else exact(answer.leverage)
    entry = None if answer.entry is None else exact(answer.entry)
    ignored = ""
    if leverage is not None and not leverage < intent.leverage:
        if leverage > intent.leverage:
            ignored += f" [leverage {leverage:f} ignored: it would raise risk]"
        leverage = None
    if entry is not None and not _better(entry, intent):
        if entry != intent.entry:
            ignored += f" [entry {entry:f} ignored: it is worse than {intent.entry:f}]"
        entry = None
    return reduction, leverage, entry, ignored


def _better(entry: Decimal, intent: TradeIntent) -> bool:
    return entry < intent.entry if intent.side is PositionSide.LONG else entry > intent.entry


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
