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
    """Since the connection's last message (streams) or the symbol's last bar."""
    data_age_limit: float
    """Seconds; older than this is ``stale``."""
    stale: bool
    regime: Regime | None
