"""The only way out: hosts, redirects, sizes, and answers that are none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from tests.exchanges.kraken import KrakenServer
from tests.exchanges.kraken_market import usual_pairs
from tests.wired.stage import BTC, XRP
from tradeterm.adapters.feeds.live.exchange import close_exchange, load_instruments, open_exchange
from tradeterm.adapters.feeds.live.guard import GuardedSession, Refused
from tradeterm.errors import ConfigError, ExchangeError, UsageError
from tradeterm.settings.loading import load_settings


@pytest.fixture
async def session() -> AsyncIterator[GuardedSession]:
    guarded = GuardedSession(largest=0.25, seconds=1.0)
    yield guarded
    await guarded.close()


async def ask(session: GuardedSession, url: str) -> str:
    async with session.get(url) as answer:
        return await answer.text()


async def test_only_the_exchanges_hosts_are_contacted(session: GuardedSession) -> None:
    with KrakenServer() as server:
        with pytest.raises(Refused, match="E-HOST"):
            await ask(session, f"{server.rest}/0/public/Time")
        session.allow([server.rest])
        assert "unixtime" in await ask(session, f"{server.rest}/0/public/Time")
        with pytest.raises(Refused, match="E-HOST"):
            await ask(session, "https://example.org/")
        with pytest.raises(Refused, match="E-HOST"):
            session.ws_connect("wss://example.org/")
        assert server.asked == ["Time"]


async def test_a_redirect_is_not_followed(session: GuardedSession) -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://127.0.0.2:1/steal"})

    with KrakenServer() as server:
        server.replies["Time"] = elsewhere
        session.allow([server.rest, "http://127.0.0.2:1"])  # not even to a known host
        with pytest.raises(Refused, match=r"E-REDIRECT.*127\.0\.0\.2"):
            await ask(session, f"{server.rest}/0/public/Time")


async def test_a_huge_body_is_refused_unread(session: GuardedSession) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"[" * 65_536)
        except (ConnectionError, asyncio.CancelledError):
            return response

    with KrakenServer() as server:
        server.replies["Time"] = endless
        session.allow([server.rest])
        with pytest.raises(Refused, match="E-BIGREPLY"):
            await ask(session, f"{server.rest}/0/public/Time")


async def test_a_dripping_body_ends_in_time(session: GuardedSession) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(100):
                await response.write(b"[")
                await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            return response
        return response

    with KrakenServer() as server:
        server.replies["Time"] = drip
        session.allow([server.rest])
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await ask(session, f"{server.rest}/0/public/Time")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("body", ["<html>Checking your browser</html>", "", "   "])
async def test_a_200_without_json_is_no_answer(body: str) -> None:
    async def canned(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="text/html")

    with KrakenServer() as server:
        server.replies["AssetPairs"] = canned
        settings = load_settings(None, server.settings).settings
        exchange = open_exchange("kraken", settings.live)
        try:
            with pytest.raises(ExchangeError, match=r"does not tell its instruments.*E-NOTJSON"):
                await load_instruments(exchange, ["BTC/USDT"], settings.market)
        finally:
            await close_exchange(exchange)


async def test_half_a_json_and_an_empty_list_are_no_instruments() -> None:
    with KrakenServer() as server:
        settings = load_settings(None, server.settings).settings
        for body in ('{"error":[],"result":{"XBTUSDT":{"al', '{"error":[],"result":{}}'):

            async def canned(_: web.Request, text: str = body) -> web.StreamResponse:
                return web.Response(text=text, content_type="application/json")

            server.replies["AssetPairs"] = canned
            exchange = open_exchange("kraken", settings.live)
            try:
                with pytest.raises(ExchangeError, match="does not tell its instruments"):
                    await load_instruments(exchange, ["BTC/USDT"], settings.market)
            finally:
                await close_exchange(exchange)


async def test_an_unknown_exchange_is_told_with_the_nearest_name() -> None:
    settings = load_settings(None, ()).settings
    with pytest.raises(UsageError, match="did you mean kraken"):
        open_exchange("krakn", settings.live)


@pytest.mark.parametrize(
    "setting",
    [
        "live.endpoints.rest=http://example.org",
        "live.endpoints.ws=ws://10.0.0.1:80",
        "live.endpoints.rest=ftp://127.0.0.1",
        "live.endpoints.rest=http://user:word@127.0.0.1",
        "live.reconnect.first=0.5",
        "live.reconnect={first: 60, longest: 30}",
    ],
)
def test_an_unsafe_endpoint_stops_the_start(setting: str) -> None:
    with pytest.raises(ConfigError):
        load_settings(None, (setting,))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"order_min": "NaN"}, "BTC/USDT, smallest size"),
        ({"order_min": "-1"}, "BTC/USDT, smallest size"),
        ({"order_min": "1e400"}, "BTC/USDT, smallest size"),
        ({"cost_min": "-0.5"}, "BTC/USDT, smallest order value"),
        ({"lot_decimals": 99}, "BTC/USDT, step of its size"),
    ],
)
async def test_steps_and_minimums_nothing_can_be_ordered_by_are_refused_by_name(
    change: dict[str, Any], named: str
) -> None:
    pairs = [replace(pair, **change) if pair.symbol == BTC else pair for pair in usual_pairs()]
    with KrakenServer(pairs) as server:
        settings = load_settings(None, server.settings).settings
        exchange = open_exchange("kraken", settings.live)
        try:
            with pytest.raises(ExchangeError, match=named):
                await load_instruments(exchange, [BTC], settings.market)
            assert XRP in await load_instruments(exchange, [XRP], settings.market)
        finally:
            await close_exchange(exchange)


async def test_an_address_that_is_none_is_no_host(session: GuardedSession) -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://evil:99999999/"})

    with KrakenServer() as server:
        server.replies["OHLC"] = away
        session.allow([server.rest])
        with pytest.raises(Refused, match="sends us on to nowhere"):
            await ask(session, f"{server.rest}/0/public/OHLC")
    with pytest.raises(Refused, match="E-HOST"):
        session.check("http://[::1/")
