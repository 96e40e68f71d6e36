"""What agents say. Every output names the figures it followed from (``figures``).

msgspec structs, not dataclasses: one is made per bar and agent, and the tag lets a snapshot
tell the members of the union apart.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.model.vocabulary import Action, AgentName, Bias, Regime, Timing, VolatilityClass


class TechnicalView(msgspec.Struct, frozen=True, gc=False, tag="technical"):
    """Technical analysis of one symbol. Confidence and strength are fractions 0–1."""

    symbol: str
    bias: Bias
    confidence: float
    trend_strength: float
    trend_alignment: float
    """Share of the timeframes that point the way of ``bias``."""
    momentum: float
    """Rate of change over ten bars, percent."""
    rsi_state: str
    macd_state: str
    support: float
    resistance: float
    figures: dict[str, float]
    reasoning: str


class RegimeView(msgspec.Struct, frozen=True, gc=False, tag="regime"):
    """The regime of one symbol, after hysteresis."""

    symbol: str
    regime: Regime
    confidence: float
    volatility: VolatilityClass
    bias: Bias
    size_multiplier: float
    stop_multiplier: float
    previous: Regime | None
    """Set on the output in which the regime changed."""
    figures: dict[str, float]
    reasoning: str


class SentimentView(msgspec.Struct, frozen=True, gc=False, tag="sentiment"):
    """Sentiment of one symbol from untrusted text: scores only. ``score`` is in −1…1."""

    symbol: str
    score: float
    bias: Bias
    confidence: float
    items: int
    """How many texts were read."""
    figures: dict[str, float]
    reasoning: str


class TradeSignal(msgspec.Struct, frozen=True, gc=False, tag="signal"):
    """A trading decision on one symbol. ``size`` is a wish in base currency."""

    symbol: str
    action: Action
    confidence: float
    entry: Decimal
    stop: Decimal
    target: Decimal
    size: Decimal
    leverage: Decimal
    figures: dict[str, float]
    reasoning: str


class RebalanceLeg(msgspec.Struct, frozen=True, gc=False):
    """One spot order towards the targets: sign of ``notional`` (USDT) is the direction."""

    symbol: str
    notional: Decimal


class AllocationView(msgspec.Struct, frozen=True, gc=False, tag="allocation", omit_defaults=True):
    """Weights of the trading balances against their targets, as percentages."""

    symbol: str
    """Always ``"*"``: the portfolio is one."""
    weights: dict[str, float]
    targets: dict[str, float]
    deviation: float
    """Largest absolute difference in points."""
    legs: tuple[RebalanceLeg, ...]
    """Sells first; empty when nothing is due."""
    figures: dict[str, float]
    reasoning: str
    timing: Timing = Timing.RULES
    """When and how the orders are carried out: all that a model may choose."""


AgentOutput = TechnicalView | RegimeView | SentimentView | TradeSignal | AllocationView


class Published(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An output with the identity the journal gave it."""

    id: str
    ts: int
    agent: AgentName
    by: str
    """``RULES`` or the model that answered."""
    inputs: tuple[str, ...]
    """Ids of the rows it followed from."""
    output: AgentOutput
    why: str = ""
    """Why the rule version spoke although a model is configured."""
