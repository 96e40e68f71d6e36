"""What risk must know about the market at the very moment of a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tradeterm.model.vocabulary import Regime


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """One symbol's market. Prices in quote currency; ``rate`` is quote → account currency."""

    bid: Decimal
    ask: Decimal
    rate: Decimal
    taker_fee: Decimal
    """Fraction of notional."""
    data_age_seconds: float
    stale: bool
    regime: Regime | None
    journal_ok: bool
