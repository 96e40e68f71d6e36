"""The exchange's private part: never asked by us, and a faithful stand-in for whoever will ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.exchanges.kraken import KrakenServer
from tests.exchanges.kraken_private import KEY, SECRET
from tests.live.session import session
from tradeterm.adapters.feeds.live.exchange import close_exchange, open_exchange
from tradeterm.settings.loading import load_settings


async def test_a_session_asks_for_nothing_private_and_shows_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET", "KRAKEN_APIKEY", "KRAKEN_SECRET"):
        monkeypatch.setenv(name, KEY)
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as live:
            await live.until(lambda: live.counts["past"] >= 1)
            server.drop()
            await live.until(lambda: live.health()[0].reconnects >= 1)
        assert server.private.asked == []
        assert {"OHLC", "AssetPairs"} <= set(server.asked)
        assert server.headers.isdisjoint({"api-key", "api-sign", "authorization", "cookie"})


@pytest.fixture
async def signed() -> AsyncIterator[tuple[KrakenServer, Any]]:
    """The server, and a ccxt exchange with the account's keys."""
    with KrakenServer() as server:
        settings = load_settings(None, server.settings).settings.live
        exchange = open_exchange("kraken", settings)
        exchange.apiKey, exchange.secret, exchange.enableRateLimit = KEY, SECRET, False
        try:
            yield server, exchange
        finally:
            await close_exchange(exchange)


async def test_a_request_signed_as_documented_is_answered(
    signed: tuple[KrakenServer, Any],
) -> None:
    server, exchange = signed
    for _ in range(2):
        assert (await exchange.privatePostBalance())["result"]["XXBT"] == "0.5"
    assert server.private.asked == ["/0/private/Balance"] * 2


async def test_a_wrong_signature_an_old_nonce_and_too_many_calls_are_refused_by_name(
    signed: tuple[KrakenServer, Any],
) -> None:
    server, exchange = signed
    exchange.secret = "d3Jvbmc="
    # ccxt knows no finer class for it (4.5.90).
    with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
        await exchange.privatePostBalance()
    exchange.secret = SECRET
    exchange.incrementing_nonce = lambda: 5
    await exchange.privatePostBalance()
    with pytest.raises(ccxt.InvalidNonce, match="EAPI:Invalid nonce"):
        await exchange.privatePostBalance()
    exchange.incrementing_nonce, server.private.budget = lambda: 6, 0
    with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
        await exchange.privatePostBalance()
    exchange.apiKey = "another"
    with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
        await exchange.privatePostBalance()
