"""How the connection fares, symbol by symbol: for the screen, not for the engine."""

from __future__ import annotations

from dataclasses import dataclass

from tradeterm.model.vocabulary import FeedSource


@dataclass(slots=True)
class SymbolHealth:
    """One symbol; written by the market's thread, read by anybody."""

    symbol: str
    source: FeedSource = FeedSource.DOWN
    heard: int = 0
    """Receive time of its last event, ns."""
    reconnects: int = 0
    resyncs: int = 0
    rejected: int = 0
    """Prices, trades or messages that were refused."""
