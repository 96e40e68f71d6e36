"""The rule arbiter: settles conflicts by stated rules, the same way every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tradeterm.adapters.advisors.unanswered import interrupted, unasked
from tradeterm.model.ports import (
    AgentQuestion,
    Answer,
    ArbiterAnswer,
    ArbiterQuestion,
    Question,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AgentName,
    Bias,
    ConflictType,
    PositionSide,
    ResolutionAction,
    ResolvedBy,
)
from tradeterm.settings.llm import LlmSettings

#: The arbiter's own rules, in its own terms (fractions and seconds).
WEAK, STRONG = 0.65, 0.75
"""Confidence of a proposal below which it is weak, and from which it is strong."""
STALE_MOOD = 1800.0
"""Seconds after which sentiment no longer stands up to fresh technicals."""
EVEN = 0.05
"""Confidences this close are even."""
HALF, QUARTER = 0.5, 0.25
TOO_LITTLE = 0.8
"""Share of the size risk takes away from which the rest is not worth an order."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one rule says about one contradiction."""

    action: ResolutionAction
    confidence: float
    reason: str
    reduction: float = 0.0


_CARE = (
    ResolutionAction.PROCEED,
    ResolutionAction.MODIFY,
    ResolutionAction.WAIT,
    ResolutionAction.ABORT,
)


class RulesAdvisor:
    """An arbiter without a model."""

    name = "rules"
    repeatable = True

    def __init__(self, settings: LlmSettings) -> None:
        """Thinks for ``latency`` seconds of market time."""
        self._latency = int(settings.latency * SECOND)

    async def settle(self, question: Question) -> Answer:
        """Answer by rule; an agent's rules are its own."""
        if isinstance(question, AgentQuestion):
            return unasked(question, "no model is configured", self._latency)
        return self.answer(question)

    async def interrupted(self, question: Question, latency: int) -> Answer:
        """Rules are never out; for the port's sake."""
        return interrupted(question, self.name, latency)

    def begin(self) -> None:
        """Nothing is to be loaded."""

    def finish(self) -> None:
        """Nothing is left over."""

    def answer(self, question: ArbiterQuestion) -> ArbiterAnswer:
        """Every contradiction gets its rule; the most careful opinion decides."""
        opinions = [RULES[kind](question) for kind in question.conflict.types]
        decided = max(
            opinions or [Opinion(ResolutionAction.PROCEED, 0.8, "Nothing speaks against it.")],
            key=lambda one: (_CARE.index(one.action), one.reduction),
        )
        return ArbiterAnswer(
            question_id=question.id,
            action=decided.action,
            by=ResolvedBy.RULES,
            model="rules",
            confidence=decided.confidence,
            reasoning=decided.reason,
            size_reduction=decided.reduction,
            leverage=None,
            entry=None,
            latency=self._latency,
        )


def _confidence(question: ArbiterQuestion) -> float:
    """The proposal's, 0 for a pure close."""
    intent = question.proposal.intent
    return 0.0 if intent is None else float(intent.confidence)


def _leans(question: ArbiterQuestion, analyst: AgentName) -> int:
    """+1 when the analyst leans the proposal's way, −1 against it, 0 neutral or unheard."""
    intent = question.proposal.intent
    bias = question.proposal.consensus.heard.get(analyst.value, Bias.NEUTRAL.value)
    if intent is None or bias == Bias.NEUTRAL.value:
        return 0
    with_it = Bias.LONG if intent.side is PositionSide.LONG else Bias.SHORT
    return 1 if bias == with_it.value else -1


def ta_sentiment(question: ArbiterQuestion) -> Opinion:
    """The older or weaker side loses; evenly matched, the proposal is halved or waits."""
    ta, mood = question.ta_confidence, question.sentiment_confidence
    with_ta = _leans(question, AgentName.TECHNICAL) > 0
    if question.sentiment_age > STALE_MOOD:
        minutes = question.sentiment_age / 60
        if with_ta:
            return Opinion(
                ResolutionAction.MODIFY,
                0.6,
                f"Sentiment is {minutes:.0f} minutes old against fresh technicals at {ta:.2f}: "
                "half the size.",
                HALF,
            )
        return Opinion(
            ResolutionAction.ABORT,
            0.65,
            f"The trade leans on sentiment {minutes:.0f} minutes old against technicals at "
            f"{ta:.2f}.",
        )
    if abs(ta - mood) <= EVEN:
        if _confidence(question) >= STRONG:
            return Opinion(
                ResolutionAction.MODIFY,
                0.55,
                f"Technicals {ta:.2f} and sentiment {mood:.2f} are even, the signal is strong at "
                f"{_confidence(question):.2f}: half the size.",
                HALF,
            )
        return Opinion(
            ResolutionAction.WAIT,
            0.5,
            f"Technicals {ta:.2f} and sentiment {mood:.2f} are even: wait for the next word.",
        )
    if (ta > mood) is with_ta:
        return Opinion(
            ResolutionAction.PROCEED,
            round(0.5 + abs(ta - mood), 4),
            f"The stronger side, {max(ta, mood):.2f} against {min(ta, mood):.2f}, is the trade's.",
        )
    return Opinion(
        ResolutionAction.ABORT,
        round(0.5 + abs(ta - mood), 4),
        f"The stronger side, {max(ta, mood):.2f} against {min(ta, mood):.2f}, is against the "
        "trade.",
    )


def regime_choppy(question: ArbiterQuestion) -> Opinion:
    """Choppy markets eat weak signals and halve the others."""
    confidence = _confidence(question)
    if confidence < WEAK:
        return Opinion(
            ResolutionAction.ABORT,
            0.7,
            f"The market is choppy and the signal weak at {confidence:.2f} (below {WEAK}).",
        )
    if confidence < STRONG:
        return Opinion(
            ResolutionAction.MODIFY,
            0.6,
            f"The market is choppy, the signal fair at {confidence:.2f}: half the size.",
            HALF,
        )
    return Opinion(
        ResolutionAction.MODIFY,
        0.65,
        f"The market is choppy, the signal strong at {confidence:.2f}: a quarter less.",
        QUARTER,
    )


def regime_change(question: ArbiterQuestion) -> Opinion:
    """A new regime that leans against the trade ends it; any other makes it smaller."""
    leans, name = _leans(question, AgentName.REGIME), question.regime or "unknown"
    if leans < 0:
        return Opinion(
            ResolutionAction.ABORT, 0.65, f"The regime has just turned to {name}, against it."
        )
    if leans > 0:
        return Opinion(
            ResolutionAction.MODIFY,
            0.6,
            f"The regime has just turned to {name}, the trade's way but young: a quarter less.",
            QUARTER,
        )
    return Opinion(
        ResolutionAction.MODIFY,
        0.55,
        f"A regime has just changed under an open position ({name} here): half the size.",
        HALF,
    )


def open_position(question: ArbiterQuestion) -> Opinion:
    """Close (or open the other side) on agreement of the analysts; otherwise hear them again."""
    agreeing = question.proposal.consensus.agreeing
    heard = len(question.proposal.consensus.heard)
    turning = question.proposal.intent is not None
    leaning = "lean the other way" if turning else "lean against the open position"
    advice = "open that side" if turning else "close it"
    if not heard or agreeing >= HALF:
        return Opinion(
            ResolutionAction.PROCEED,
            round(0.5 + agreeing / 2, 4),
            f"{agreeing * 100:.0f} % of {heard} analysts {leaning}: {advice}."
            if heard
            else f"No analyst was heard to the contrary: {advice}.",
        )
    return Opinion(
        ResolutionAction.WAIT,
        0.5,
        f"Only {agreeing * 100:.0f} % of {heard} analysts {leaning}.",
    )


def correlated(question: ArbiterQuestion) -> Opinion:
    """The same bet twice is half a bet; a weak one waits until the analysts have spoken again."""
    if _confidence(question) < WEAK:
        return Opinion(
            ResolutionAction.WAIT,
            0.55,
            f"It repeats an open bet on a weak signal of {_confidence(question):.2f}: wait.",
        )
    return Opinion(
        ResolutionAction.MODIFY,
        0.6,
        f"It repeats an open bet (correlation {question.conflict.severity:.2f} or the like): "
        "half the size.",
        HALF,
    )


def rebalance(question: ArbiterQuestion) -> Opinion:
    """Trading wins."""
    return Opinion(
        ResolutionAction.PROCEED,
        0.7,
        f"Trading goes before rebalancing; the signal stands at {_confidence(question):.2f}.",
    )


def risk_change(question: ArbiterQuestion) -> Opinion:
    """The smaller trade is still the trade, unless nobody was sure of it."""
    confidence, cut = _confidence(question), question.conflict.severity
    if question.conflict.types == (ConflictType.RISK_CHANGE,) and cut >= TOO_LITTLE:
        return Opinion(
            ResolutionAction.ABORT,
            0.6,
            f"Risk takes {cut * 100:.0f} % of it away: too little is left to pay for the trade.",
        )
    if confidence < WEAK:
        return Opinion(
            ResolutionAction.ABORT,
            0.55,
            f"What risk leaves of it is not worth a signal of {confidence:.2f}.",
        )
    return Opinion(
        ResolutionAction.PROCEED,
        0.65,
        f"Risk makes it smaller; the signal stands at {confidence:.2f}.",
    )


RULES: dict[ConflictType, Callable[[ArbiterQuestion], Opinion]] = {
    ConflictType.TA_SENTIMENT: ta_sentiment,
    ConflictType.REGIME_CHOPPY: regime_choppy,
    ConflictType.REGIME_CHANGE: regime_change,
    ConflictType.OPEN_POSITION: open_position,
    ConflictType.CORRELATED: correlated,
    ConflictType.REBALANCE: rebalance,
    ConflictType.RISK_CHANGE: risk_change,
}
