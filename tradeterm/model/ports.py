"""Ports: what the engine asks of the edge. Adapters implement them; the engine never awaits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tradeterm.model.market import Candle, MarketEvent
from tradeterm.model.orders import ApprovedOrder, VenueReport
from tradeterm.model.proposals import Conflict, Proposal
from tradeterm.model.reconciling import VenueSnapshot
from tradeterm.model.vocabulary import Regime, ResolutionAction, ResolvedBy


@dataclass(frozen=True, slots=True)
class ArbiterQuestion:
    """Everything an arbiter may look at. Facts only; no prose from outside."""

    id: str
    ts: int
    proposal: Proposal
    conflict: Conflict
    regime: Regime | None
    ta_confidence: float
    sentiment_confidence: float
    ta_age: float
    """Seconds since the technical output; the next field likewise for sentiment."""
    sentiment_age: float
    regime_age: float


@dataclass(frozen=True, slots=True)
class ArbiterAnswer:
    """A settled question; ``latency`` in nanoseconds of market time. Numbers are unchecked."""

    question_id: str
    action: ResolutionAction
    by: ResolvedBy
    model: str
    confidence: float
    reasoning: str
    size_reduction: float
    leverage: float | None
    entry: float | None
    latency: int
    valid: bool = True


class Advisor(Protocol):
    """Who settles conflicts: rules, a cassette, or a language model."""

    name: str
    repeatable: bool
    """True when asking again after a crash gives the same answer."""

    async def settle(self, question: ArbiterQuestion) -> ArbiterAnswer:
        """Answer one question; raises nothing: an invalid answer has ``valid=False``."""
        ...


class Venue(Protocol):
    """Where orders go. Takes only what the risk engine approved; speaks in reports."""

    def submit(self, order: ApprovedOrder, now: int) -> None:
        """Send an order; what becomes of it arrives as reports."""
        ...

    def cancel(self, order_ids: Sequence[str], now: int) -> None:
        """Ask in one call for the rest of orders to be cancelled."""
        ...

    def amend(self, order: ApprovedOrder, now: int) -> None:
        """Send other terms for a working order (``request.revision`` is one higher)."""
        ...

    def on_market(self, event: MarketEvent) -> list[VenueReport]:
        """What a market event did to resting orders, in order."""
        ...

    def advance(self, now: int) -> list[VenueReport]:
        """What happened up to ``now`` (orders and cancels leaving latency, expiry)."""
        ...

    def snapshot(self) -> VenueSnapshot:
        """What the venue holds now: working orders, position sizes, balances."""
        ...


__all__ = ["Advisor", "ArbiterAnswer", "ArbiterQuestion", "Candle", "Venue"]
