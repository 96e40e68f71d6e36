"""What makes an agent's opinion invalid: the one check, at the border and in the engine alike."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Final

from tradeterm.model.opinions import (
    DecisionOpinion,
    Opinion,
    RegimeOpinion,
    SentimentOpinion,
    TechnicalOpinion,
    TimingOpinion,
)
from tradeterm.model.ports import AgentQuestion, Allowed, Scope
from tradeterm.model.vocabulary import Action, AgentName, Timing

#: Who may say what.
SAYS: Final[dict[AgentName, type]] = {
    AgentName.TECHNICAL: TechnicalOpinion,
    AgentName.REGIME: RegimeOpinion,
    AgentName.SENTIMENT: SentimentOpinion,
    AgentName.TRADING: DecisionOpinion,
    AgentName.PORTFOLIO: TimingOpinion,
}
HUNDRED: Final = Decimal(100)


def flaw(said: Opinion, question: AgentQuestion) -> str:
    """Why this is no answer to the question; empty when it is. Nothing is cut to fit."""
    if type(said) is not SAYS[question.agent]:
        return f"{type(said).__name__} is no answer of {question.agent}"
    if not (isfinite(said.confidence) and 0 <= said.confidence <= 1):
        return "confidence is not between 0 and 1"
    if isinstance(said, TechnicalOpinion):
        return _chart(said)
    if isinstance(said, SentimentOpinion) and not (isfinite(said.score) and -1 <= said.score <= 1):
        return "score is not between -1 and 1"
    if isinstance(said, TimingOpinion) and said.timing is Timing.RULES:
        return "timing must be now, batches or wait"
    if isinstance(said, DecisionOpinion):
        return _decision(said, question.scope)
    return ""


def _chart(said: TechnicalOpinion) -> str:
    for name in ("trend_strength", "trend_alignment"):
        value = getattr(said, name)
        if not (isfinite(value) and 0 <= value <= 1):
            return f"{name} is not between 0 and 1"
    if not (isfinite(said.support) and isfinite(said.resistance)):
        return "support and resistance must be prices"
    if not 0 < said.support <= said.resistance:
        return "support must be above 0 and not above resistance"
    return ""


def _decision(said: DecisionOpinion, scope: Scope | None) -> str:
    if scope is None:
        return "nothing was allowed"
    if said.action is Action.HOLD:
        return ""
    if said.action in (Action.CLOSE_LONG, Action.CLOSE_SHORT):
        return "" if said.action in scope.closes else f"{said.action}: no such position is open"
    for allowed in scope.entries:
        if allowed.action is said.action:
            return _entry(said, allowed)
    return f"{said.action} is not allowed: {scope.refused.get(said.action.value, 'refused')}"


def _entry(said: DecisionOpinion, allowed: Allowed) -> str:
    """Every figure of an entry against what was given."""
    if said.stop is None or said.target is None or said.size is None or said.leverage is None:
        return f"{said.action} needs stop, target, size and leverage"
    entry = allowed.price if said.entry is None else said.entry
    figures = (entry, said.stop, said.target, said.size, said.leverage)
    if not all(value.is_finite() and value > 0 for value in figures):
        return "entry, stop, target, size and leverage must be above 0"
    if said.confidence < allowed.min_confidence:
        return f"confidence {said.confidence:g} is below {allowed.min_confidence:g}"
    if said.size > allowed.max_size:
        return f"size {said.size:f} is above max_size {allowed.max_size:f}"
    if not 1 <= said.leverage <= allowed.max_leverage:
        return f"leverage {said.leverage:f} is not between 1 and {allowed.max_leverage:f}"
    if abs(entry - allowed.price) * HUNDRED > allowed.max_collar * allowed.price:
        return f"entry {entry:f} is more than {allowed.max_collar:f} % away from {allowed.price:f}"
    return _levels(said.stop, said.target, said.size, entry, allowed)


def _levels(stop: Decimal, target: Decimal, size: Decimal, entry: Decimal, allowed: Allowed) -> str:
    long = allowed.action is Action.BUY
    if not (stop < entry < target if long else target < entry < stop):
        order = "below the entry and target above" if long else "above the entry and target below"
        return f"stop must be {order}"
    risked = abs(entry - stop)
    percent = risked * HUNDRED / entry
    if not allowed.min_stop <= percent <= allowed.max_stop:
        return f"stop is {percent:.2f} % away, not {allowed.min_stop:f} to {allowed.max_stop:f} %"
    if risked * size > allowed.max_loss:
        return f"{risked * size:.2f} would be lost at the stop, more than {allowed.max_loss:.2f}"
    fees = allowed.fee * (entry + stop)
    gain = abs(target - entry) - allowed.fee * (entry + target)
    if gain < allowed.min_reward * (risked + fees):
        return f"reward/risk after fees is below {allowed.min_reward:f}"
    return ""
