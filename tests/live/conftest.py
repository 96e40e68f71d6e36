"""Live tests ask a local exchange, which need not be spared."""

from __future__ import annotations

from typing import Any

import pytest

from tradeterm.adapters.feeds.live import feed


@pytest.fixture(autouse=True)
def unrationed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second between two requests to Kraken, as ccxt keeps it, would be most of the time."""
    honest = feed.open_exchange

    def opened(*given: Any, **named: Any) -> Any:
        exchange = honest(*given, **named)
        exchange.enableRateLimit = False
        return exchange

    monkeypatch.setattr(feed, "open_exchange", opened)
