"""How much the analysts agree with a signal, and what that does to its confidence."""

from __future__ import annotations

import math
from decimal import Decimal

from tradeterm.coordinator.evidence import Evidence
from tradeterm.model.proposals import Consensus
from tradeterm.model.vocabulary import Bias, PositionSide

#: The formula's own breakpoints (DESIGN §6).
AGREES, DISAGREES = 0.66, 0.33


def multiplier(agreeing: float) -> float:
    """Confidence factor for the agreeing share r.

    r ≥ 0.66 → 1 + (r − 0.5) · 0.6, up to 1.3; 0.33–0.66 → 1; below → 0.85 + r · (0.15 / 0.33).
    """
    if agreeing >= AGREES:
        return min(1.0 + (agreeing - 0.5) * 0.6, 1.3)
    if agreeing >= DISAGREES:
        return 1.0
    return 0.85 + agreeing * (0.15 / 0.33)


def consensus(side: PositionSide, evidence: Evidence) -> Consensus:
    """The share of the analysts heard that lean ``side``'s way; nobody heard changes nothing."""
    if evidence.silent:
        return Consensus(0.0, 1.0, {})
    wanted = Bias.LONG if side is PositionSide.LONG else Bias.SHORT
    heard = {name.value: bias.value for name, _, bias, _ in evidence.analysts()}
    if not heard:
        return Consensus(0.0, 1.0, heard)
    agreeing = sum(bias == wanted.value for bias in heard.values()) / len(heard)
    return Consensus(agreeing, multiplier(agreeing), heard)


def boosted(confidence: float, factor: float, cap: Decimal) -> Decimal:
    """Confidence after the consensus, never above ``cap``; NaN stays NaN for risk to refuse."""
    if not math.isfinite(confidence):
        return Decimal("NaN")
    return min(Decimal(str(round(confidence * factor, 4))), cap)
