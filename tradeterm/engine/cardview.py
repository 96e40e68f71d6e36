"""A card as the screen shows it, and the lines of its verdict."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class SideView(msgspec.Struct, frozen=True):
    """An analyst's word on the symbol of a card."""

    name: str
    leans: str
    """``long``, ``short`` or ``neutral``."""
    agrees: bool | None
    """With the card's order; None when it leans nowhere."""
    confidence: float
    age: float
    """Seconds since it last said so."""
    by: str
    """A model's name, or RULES."""


class RuleView(msgspec.Struct, frozen=True):
    """One line of a risk verdict."""

    rule: str
    value: str
    limit: str
    outcome: str


class CardView(msgspec.Struct, frozen=True):
    """A conflict waiting for the operator, or one already decided."""

    id: str
    content_hash: str
    symbol: str
    action: str
    """What approval sends, in words: ``buy 0.05 BTC/USDT at market`` or ``close pos-3``."""
    headline: str
    """e.g. ``TA long .62 vs sentiment short .55``."""
    types: tuple[str, ...]
    evidence: tuple[str, ...]
    resolution: str
    """``proceed``, ``modify`` …"""
    by: str
    reasoning: str
    """Quotation: text of an arbiter, shown below the facts."""
    confidence: float
    model: str
    """Who that was; ``rules`` for the rule arbiter."""
    misquoted: tuple[str, ...]
    """Figures in the reasoning that the arbiter was not told."""
    closing: bool
    """It closes what is open: no entry, stop, target or leverage belongs to it."""
    follows: str
    """What comes after approval besides ``action``; empty when nothing does, or once decided."""
    size: Decimal | None
    """What is bought, sold or closed; None for closes that are decided."""
    notional: Decimal | None
    """Account currency. Here and below None for what would need a rate, a position or an exposure
    of the moment of a past decision: only facts of the card itself outlive it."""
    entry: Decimal
    stop: Decimal | None
    target: Decimal | None
    leverage: Decimal
    risk_at_stop: Decimal | None
    """Account currency, fees included."""
    reward_risk: float | None
    exposure_after: float | None
    """Percent of equity; None once decided."""
    rules: tuple[RuleView, ...]
    created: int
    expires: int
    price: Decimal
    """Mid when the card appeared."""
    price_now: Decimal | None
    """None once decided."""
    decided: int
    """When it was; 0 while it waits."""
    state: str
    """``pending``, ``approved``, ``rejected``, ``expired``, ``drifted`` or ``void``."""
    reason: str
    codes: tuple[str, ...] = ()
    """Of the contradictions, as scripts know them."""
    severity: float = 0.0
    """0–1, of the worst of them."""
    verdict: str = ""
    """What risk says to the order: ``approved``, or ``modified: R-MAX-RISK``."""
    sides: tuple[SideView, ...] = ()
    """Who leans which way, now; empty once decided."""
    cost: Decimal = Decimal(0)
    """What settling it cost, USD."""
    latency: float = 0.0
    """Seconds it took."""
    deferred: bool = False
    """Left to its deadline."""
