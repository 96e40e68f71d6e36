"""What a model may say in an agent's place: judgement only. Arithmetic stays with the rules.

An opinion holds no symbol, limit or mode: whatever a model writes, it can change none of them.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.model.vocabulary import Action, Bias, Regime, Timing, VolatilityClass


class TechnicalOpinion(msgspec.Struct, frozen=True, gc=False, tag="technical"):
    """Of a chart. Fractions 0–1; levels in quote currency."""

    bias: Bias
    confidence: float
    trend_strength: float
    trend_alignment: float
    support: float
    resistance: float
    reasoning: str

    @property
    def says(self) -> str:
        """In a word."""
        return self.bias


class RegimeOpinion(msgspec.Struct, frozen=True, gc=False, tag="regime"):
    """Of a market's regime, before hysteresis."""

    regime: Regime
    confidence: float
    volatility: VolatilityClass
    reasoning: str

    @property
    def says(self) -> str:
        """In a word."""
        return self.regime


class SentimentOpinion(msgspec.Struct, frozen=True, gc=False, tag="sentiment"):
    """Of what was written: scores only. ``score`` is in −1…1."""

    score: float
    confidence: float
    reasoning: str

    @property
    def says(self) -> str:
        """In a word."""
        return f"{self.score:+.2f}"


class DecisionOpinion(msgspec.Struct, frozen=True, gc=False, tag="decision"):
    """Of what to do. An entry names stop, target, size and leverage; HOLD and CLOSE_* none."""

    action: Action
    confidence: float
    reasoning: str
    stop: Decimal | None = None
    """Quote currency; the next field too."""
    target: Decimal | None = None
    size: Decimal | None = None
    """Base currency."""
    leverage: Decimal | None = None
    entry: Decimal | None = None
    """None: at the price of the moment."""

    @property
    def says(self) -> str:
        """In a word."""
        return self.action


class TimingOpinion(msgspec.Struct, frozen=True, gc=False, tag="timing"):
    """Of when and how to carry out a rebalance whose orders stand already."""

    timing: Timing
    confidence: float
    reasoning: str

    @property
    def says(self) -> str:
        """In a word."""
        return self.timing


Opinion = TechnicalOpinion | RegimeOpinion | SentimentOpinion | DecisionOpinion | TimingOpinion
