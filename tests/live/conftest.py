"""Live tests ask a local exchange, which need not be spared."""

from __future__ import annotations

from typing import Any

import pytest

from tradeterm.adapters.feeds.live.exchange import open_exchange


@pytest.fixture(autouse=True)
def unrationed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second between two requests to Kraken, as ccxt keeps it, would be most of the time."""

    def opened(*given: Any, **named: Any) -> Any:
        exchange = open_exchange(*given, **named)
        exchange.enableRateLimit = False
        return exchange

    monkeypatch.setattr("tradeterm.adapters.feeds.live.feed.open_exchange", opened)
