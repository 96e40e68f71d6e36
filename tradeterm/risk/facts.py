"""What risk must know about the market, and about what was done lately, at the very moment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradeterm.model.health import Health
from tradeterm.model.vocabulary import Regime

Pair = tuple[str, str]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What was done lately, as far as it bears on the next entry of one symbol."""

    cooldowns: tuple[tuple[str, int], ...] = ()
    """(what happened, until when in ns of market time); those that are over may be among them."""
    entries: int = 0
    """Sent within the last minute."""
    messages: int = 0
    """Orders and cancels sent within the last minute."""
    since_same: tuple[float | None, float | None] = (None, None)
    """Seconds since the last long and the last short entry of this symbol was sent."""
    tripped: tuple[str, ...] = ()
    """Breakers that wait for their reset."""
    halved: bool = False
    """The next entry is half as large: the losses breaker tripped."""


class MarketFacts(msgspec.Struct, frozen=True, gc=False):
    """One symbol's market. Prices in quote currency; ``rate`` is quote → account currency.

    A struct like ``Standing``: both are made for every verdict.
    """

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
    atr: float | None = None
    """In quote currency; None while not warm."""
    volatility: float | None = None
    """ATR over its mean; None while not warm."""
    move: float | None = None
    """Percent the price moved lately; None where bars are too long to tell."""
    standing: Standing = Standing()
    measured: Mapping[Pair, Decimal] = msgspec.field(default_factory=dict)
    """Correlation of two symbols as measured; pairs that are not warm are absent."""
    unreconciled: str = ""
    """The difference with the venue that makes our orders or positions here uncertain."""
    restricted: str = ""
    """What keeps new exposure off the symbol: its data lies, or it is traded no longer."""
    health: Health | None = None
    """What the machinery says of itself; None where nothing can skew or lag (sim, replay)."""
