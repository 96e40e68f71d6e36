"""FAULTS B3, the network: each fault injected at a local exchange, the whole desk looking on.

| row | here |
|---|---|
| N01 link down, flapping | one alarm, at most one try per 2 s, entries refused once stale, gap told |
| N02 half-open | silent sockets are given up within twice the heartbeat |
| N03 slow drip, N04 huge body, N05 429, N06 5xx and maintenance, N07 HTML, N08 redirect | at start |
|   | (the desk does not open, and says why) and in a run (what was missed is told as lost) |
| N09 TLS, N10 names | at start; there is no way to plain HTTP |
| N11 proxy variables | lead nowhere; `doctor` lists them (test_cli_doctor_checks.py) |
| N12 dead-man's switch | does not apply: nothing is ordered at a real venue, no private call is made |

N05's budget for cancels and N06's order outcomes likewise need a venue that takes orders; the paper
exchange has a budget of its own (tests/execution/test_rate_limits.py).
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.exchanges.kraken import KrakenServer
from tests.live.session import Session, asked, session
from tests.wired.stage import BTC, XRP
from tradeterm.desk import Desk
from tradeterm.errors import ExchangeError

Reply = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
MEBIBYTE = 2**20


# -- what an exchange can answer ---------------------------------------------------------------


async def drip(request: web.Request) -> web.StreamResponse:
    """N03: a byte every half second, for ever."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.5)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def huge(request: web.Request) -> web.StreamResponse:
    """N04: it does not end by itself."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        await response.write(b'{"error":[],"result":{')
        for _ in range(150):
            await response.write(b" " * MEBIBYTE)
    except (ConnectionError, asyncio.CancelledError):
        return response
    return response


async def limited(_: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"error": ["EAPI:Rate limit exceeded"]}, status=429, headers={"Retry-After": "1"}
    )


async def broken(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="upstream connect error")


def refusing(text: str) -> Reply:
    """Kraken's way of refusing: status 200 and one of its documented errors."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": [text]})

    return refuse


async def page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Please log in to this network</html>", content_type="text/html")


async def nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(text="")


async def half(_: web.Request) -> web.StreamResponse:
    return web.Response(text='{"error":[],"result":{"XBT', content_type="application/json")


def elsewhere(port: int) -> Reply:
    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": f"http://127.0.0.2:{port}/stolen"})

    return redirect


FAULTS: dict[str, tuple[Reply, str]] = {
    "N03 a dripping body": (drip, "within 4 s"),
    "N04 a huge body": (huge, "E-BIGREPLY"),
    "N05 too many requests": (limited, "Rate limit"),
    "N06 a server that fails": (broken, "503"),
    **{
        f"N06 {text}": (refusing(text), text)
        for text in (
            "EService:Unavailable",
            "EService:Busy",
            "EService:Market in cancel_only mode",
            "EGeneral:Internal error",
            "EGeneral:Temporary lockout",
            "EGeneral:Invalid arguments",
            "EQuery:Unknown asset pair",
            "EAPI:Rate limit exceeded",
        )
    },
    "N07 a captive portal": (page, "E-NOTJSON"),
    "N07 an empty answer": (nothing, "E-NOTJSON"),
    "N07 half an answer": (half, ""),
    "N08 a redirect": (elsewhere(9), "E-REDIRECT"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_at_the_start_it_says_what_is_wrong_and_leaves_nothing_behind(
    tmp_path: Path, fault: tuple[Reply, str]
) -> None:
    reply, said = fault
    with KrakenServer() as server:
        server.replies["AssetPairs"] = reply
        with pytest.raises(ExchangeError, match="kraken") as caught:
            await Desk.open(asked(server, tmp_path / "run.db"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not any(thread.name == "market" for thread in threading.enumerate())


async def _cut_off(db: Path, fault: Reply) -> None:
    with KrakenServer() as server:
        async with session(server, db) as live:
            server.replies["OHLC"] = server.replies["Trades"] = fault
            server.drop()
            await live.until(lambda: live.said("E-GAP-UNKNOWN"))
            await live.fresh()
            assert len(live.said("F-link_down")) == 1


async def test_what_was_missed_and_cannot_be_asked_for_is_said_to_be_lost(tmp_path: Path) -> None:
    faults = (huge, page, elsewhere(9))
    async with asyncio.TaskGroup() as group:
        for number, fault in enumerate(faults):
            group.create_task(_cut_off(tmp_path / f"{number}.db", fault))


# -- the connection ----------------------------------------------------------------------------


def _dialled(server: KrakenServer, times: int) -> bool:
    return len(server.dialled) > times


def spaces(server: KrakenServer) -> list[float]:
    """Seconds between two tries to connect."""
    times = server.dialled
    return [after - before for before, after in pairwise(times)]


async def test_n01_a_link_that_is_cut_again_and_again_is_one_alarm(tmp_path: Path) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", "market.stale_after=1") as live:
            for cut in range(1, 3):
                server.drop()
                await live.until(partial(_dialled, server, cut))
                await live.until(lambda: server.callers)
            await live.fresh()
            assert len(live.said("F-link_down")) == 1, "not one per try"
            assert min(spaces(server)) >= 2.0
            (health,) = [health for health in live.health() if health.symbol == BTC]
            assert health.reconnects >= 2


async def test_n01_prices_of_a_link_that_is_down_grow_old_and_let_nothing_in(
    tmp_path: Path,
) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", "market.stale_after=1") as live:
            assert "stale_data" not in live.verdict()
            server.replies["v2"] = broken
            server.drop()
            await live.until(live.stale)
            await live.until(lambda: "stale_data" in live.verdict())
            ages = [view.status.data_age for view in live.views if view.status.data_age is not None]
            await live.until(lambda: (live.views[-1].status.data_age or 0) > max(ages))
            del server.replies["v2"]
            await live.fresh()
            assert "stale_data" not in live.verdict()
            assert live.said("E-GAP"), "what was missed was settled"


async def test_n02_a_socket_nothing_comes_through_is_given_up(tmp_path: Path) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as live:
            server.mute = True
            await live.until(lambda: live.said("F-link_down"), seconds=4.0)
            assert "silent" in live.said("F-link_down")[0]
            server.mute = False
            await live.fresh()


async def test_without_websockets_prices_are_asked_for_and_it_says_so(tmp_path: Path) -> None:
    with KrakenServer() as server:
        server.replies["v2"] = broken
        async with session(
            server, tmp_path / "run.db", "live.poll_after=1", "live.poll_interval=0.5"
        ) as live:
            assert live.said("F-polling")
            await live.until(
                lambda: {health.source.value for health in live.health()} == {"polling"}
            )


# -- who is asked ------------------------------------------------------------------------------


def certificate(folder: Path) -> ssl.SSLContext:
    """One that nobody vouches for."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class Listener:
    """A server that should not be asked anything."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        told = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.append(self.path)
                self.send_error(404)

            do_CONNECT = do_POST = do_GET  # noqa: N815 - http.server asks for them by these names

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


async def test_n09_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with KrakenServer() as server, Listener(certificate(tmp_path)) as impostor:
        request = asked(
            server, tmp_path / "run.db", f"live.endpoints.rest=https://127.0.0.1:{impostor.port}"
        )
        with pytest.raises(ExchangeError, match=r"(?i)certificate"):
            await Desk.open(request)
        assert impostor.asked == [], "nothing was asked, encrypted or not"
        assert server.asked == []


async def test_n10_a_name_nobody_knows_is_said(tmp_path: Path) -> None:
    with KrakenServer() as server:
        request = asked(
            server, tmp_path / "run.db", "live.endpoints.rest=https://no-such-host.invalid"
        )
        with pytest.raises(ExchangeError, match=r"no-such-host\.invalid"):
            await Desk.open(request)


async def test_n11_proxy_variables_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KrakenServer() as server, Listener() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with session(server, tmp_path / "run.db") as live:
            await live.fresh(XRP)
        assert proxy.asked == []


async def test_the_session_is_closed_without_leaving_sockets_or_threads(tmp_path: Path) -> None:
    live: Session
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as live:
            await live.until(lambda: server.callers == 1)
        assert not any(thread.name == "market" for thread in threading.enumerate())
        assert live.running.done()
