"""A Kraken-compatible server for tests: public REST and websocket v2, and faults to order.

On a thread of its own, on real sockets. ``python -m tests.exchanges.kraken --port 9000`` serves a
market that moves by itself until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web

from tests.exchanges.kraken_market import Pair, TrueBook, Wander, stamp, trade_text, usual_pairs
from tests.exchanges.kraken_private import PrivatePart
from tests.exchanges.threaded import ThreadedServer

Reply = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@dataclass(eq=False)
class Caller:
    """One websocket and what it subscribed to."""

    ws: web.WebSocketResponse
    books: dict[str, int] = field(default_factory=dict)
    """Symbol → depth."""
    trades: set[str] = field(default_factory=set)
    others: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Channel (``ticker``, ``ohlc``) → symbols."""


class KrakenServer(ThreadedServer):
    """``with KrakenServer() as server:`` — addresses in ``rest`` and ``ws``.

    Everything that changes it may be called from any thread.
    """

    def __init__(self, pairs: list[Pair] | None = None, port: int = 0) -> None:
        super().__init__(port)
        self.pairs = {pair.symbol: pair for pair in pairs or usual_pairs()}
        self.books = {symbol: TrueBook(pair) for symbol, pair in self.pairs.items()}
        for book in self.books.values():
            book.fill()
        self.asked: list[str] = []
        """Paths of all REST requests, oldest first."""
        self.dialled: list[float] = []
        """Monotonic seconds of every websocket handshake, refused ones included."""
        self.replies: dict[str, Reply] = {}
        """Canned answers by the last part of the path (``OHLC``, ``v2``), instead of the true one."""
        self.mute = False
        """Nothing is sent any more although the sockets stay open."""
        self.deaf: set[str] = set()
        """Channels whose subscriptions are accepted and never served."""
        self.clock_ahead = 0.0
        """Seconds by which the exchange's clock goes before ours."""
        self.past: dict[str, list[list[Any]]] = {}
        """Pair key → trades as REST gives them: price, volume, time, side, type, misc, id."""
        self.bars: dict[tuple[str, int], list[list[Any]]] = {}
        """(pair key, minutes) → OHLC rows; made up around the middle where there are none."""
        self.private = PrivatePart()
        self.headers: set[str] = set()
        """Names of all headers that came with public requests and handshakes, in lower case."""
        self.trade_number = 1000
        self._callers: set[Caller] = set()

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def settings(self) -> tuple[str, ...]:
        """``--set`` lines that make this server the exchange."""
        return (f"live.endpoints.rest={self.rest}", f"live.endpoints.ws={self.ws}")

    @property
    def callers(self) -> int:
        """Open websockets."""
        return len(self._callers)

    # -- life ------------------------------------------------------------------------------

    def _routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v2", self._socket)
        router.add_get("/0/public/{name}", self._public)
        router.add_post("/0/private/{name}", self.private.answer)

    async def _wind_down(self, runner: web.AppRunner) -> None:
        await self._drop()
        for connection in runner.server.connections if runner.server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()  # nobody may read the rest of a long answer

    # -- what tests order ------------------------------------------------------------------

    def change(self, symbol: str, side: str, price: str, size: str) -> None:
        """One level (``bids`` or ``asks``) now has this size; 0 removes it."""
        book, level = self.books[symbol], (Decimal(price), Decimal(size))

        async def work() -> None:
            book.set(side, *level)
            change = [level]
            text = book.update(change if side == "bids" else [], change if side == "asks" else [])
            await self._tell(text, lambda caller: symbol in caller.books)

        self.call(work)

    def trade(self, symbol: str, price: str, size: str, side: str = "buy") -> None:
        """A print; REST knows it too."""

        async def work() -> None:
            self.remember(symbol, time.time(), price, size, side)
            text = trade_text(
                self.books[symbol], Decimal(price), Decimal(size), side, self.trade_number
            )
            await self._tell(text, lambda caller: symbol in caller.trades)

        self.call(work)

    def ticker(self, symbol: str, last: str) -> None:
        """The ticker's last price, as Kraken sends it after a trade."""
        bid, ask = (float(self.books[symbol].best(side, 1)[0][0]) for side in ("bids", "asks"))
        data = {"symbol": symbol, "bid": bid, "ask": ask, "last": float(last), "volume": 1234.5}
        self._beside("ticker", symbol, data)

    def candle(self, symbol: str, begun: float, figures: Sequence[float]) -> None:
        """The minute that began then, so far: open, high, low, close, volume."""
        names = ("open", "high", "low", "close", "volume")
        data = dict(zip(names, figures, strict=True))
        more = {"symbol": symbol, "interval": 1, "interval_begin": stamp(begun), "trades": 1}
        self._beside("ohlc", symbol, data | more)

    def _beside(self, channel: str, symbol: str, data: dict[str, Any]) -> None:
        text = json.dumps({"channel": channel, "type": "update", "data": [data]})
        self.call(partial(self._tell, text, lambda caller: symbol in caller.others[channel]))

    def remember(self, symbol: str, at: float, price: str, size: str, side: str = "buy") -> None:
        """A print that only REST tells of, at this second."""
        self.trade_number += 1
        row = [price, size, at, side[0], "m", "", self.trade_number]
        self.past.setdefault(self.pairs[symbol].key, []).append(row)

    def send(self, text: str) -> None:
        """Anything at all, to every socket."""
        self.call(partial(self._tell, text, _everybody))

    def drop(self) -> None:
        """Every socket is gone."""
        self.call(self._drop)

    async def _drop(self) -> None:
        for caller in tuple(self._callers):
            self._callers.discard(caller)
            transport = caller.ws._req.transport if caller.ws._req is not None else None
            if transport is not None:
                transport.abort()

    def wander(self, rate: float, seconds: float, *, seed: int = 1) -> None:
        """All books move by themselves for so long: ``rate`` messages a second in all."""

        async def work() -> None:
            markets = [Wander(book, seed + n) for n, book in enumerate(self.books.values())]
            begin, sent = time.monotonic(), 0
            while (passed := time.monotonic() - begin) < seconds:
                while sent < passed * rate:
                    market = markets[sent % len(markets)]
                    text, symbol = market.step(), market.book.pair.symbol
                    sent += 1
                    await self._tell(text, partial(_follows, symbol))
                await asyncio.sleep(0.002)

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(seconds + 30)

    async def _tell(self, text: str, who: Callable[[Caller], bool]) -> None:
        if self.mute:
            return
        for caller in tuple(self._callers):
            if who(caller) and not caller.ws.closed:
                try:
                    await caller.ws.send_str(text)
                except ConnectionError:
                    self._callers.discard(caller)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._tell('{"channel":"heartbeat"}', lambda c: bool(c.books or c.trades))

    # -- websocket v2 ----------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.dialled.append(time.monotonic())
        self.headers |= {header.lower() for header in request.headers}
        if "v2" in self.replies:
            return await self.replies["v2"](request)
        caller = Caller(web.WebSocketResponse())
        await caller.ws.prepare(request)
        self._callers.add(caller)
        status = {"system": "online", "api_version": "v2", "connection_id": 1, "version": "2.0.10"}
        await caller.ws.send_str(
            json.dumps({"channel": "status", "type": "update", "data": [status]})
        )
        try:
            async for message in caller.ws:
                if message.type is WSMsgType.TEXT:
                    await self._heard(caller, json.loads(message.data))
        finally:
            self._callers.discard(caller)
        return caller.ws

    async def _heard(self, caller: Caller, message: dict[str, Any]) -> None:
        if self.mute:
            return
        method, params = message.get("method"), message.get("params", {})
        if method == "ping":
            await caller.ws.send_str(
                json.dumps({"method": "pong", "req_id": message.get("req_id")})
            )
            return
        channel = params.get("channel", "")
        for symbol in params.get("symbol", []):
            if symbol not in self.pairs:
                await self._answer(
                    caller, message, symbol, error=f"Currency pair not supported {symbol}"
                )
            elif method == "unsubscribe":
                caller.books.pop(symbol, None) if channel == "book" else caller.trades.discard(
                    symbol
                )
                await self._answer(caller, message, symbol)
            elif method == "subscribe":
                await self._subscribe(caller, message, channel, symbol)

    async def _subscribe(
        self, caller: Caller, message: dict[str, Any], channel: str, symbol: str
    ) -> None:
        if channel in self.deaf:
            return
        await self._answer(caller, message, symbol)
        if channel == "book":
            depth = int(message["params"].get("depth", 10))
            caller.books[symbol] = depth
            await caller.ws.send_str(self.books[symbol].snapshot(depth))
        elif channel in {"ticker", "ohlc"}:
            caller.others[channel].add(symbol)
        elif channel == "trade":
            caller.trades.add(symbol)
            if message["params"].get("snapshot", True):
                await caller.ws.send_str(self._last_prints(symbol))

    def _last_prints(self, symbol: str) -> str:
        """The last fifty, as Kraken begins its trade channel."""
        prints = [
            {"symbol": symbol, "side": "buy" if side == "b" else "sell", "price": float(price),
             "qty": float(size), "ord_type": "market", "trade_id": number, "timestamp": stamp(at)}
            for price, size, at, side, _, _, number in self.past.get(self.pairs[symbol].key, [])
        ]  # fmt: skip
        return json.dumps({"channel": "trade", "type": "snapshot", "data": prints[-50:]})

    @staticmethod
    async def _answer(
        caller: Caller, message: dict[str, Any], symbol: str, *, error: str = ""
    ) -> None:
        said: dict[str, Any] = {
            "method": message["method"], "req_id": message.get("req_id"), "success": not error,
            "time_in": stamp(), "time_out": stamp(),
        }  # fmt: skip
        if error:
            said |= {"error": error, "symbol": symbol}
        else:
            said["result"] = {**message["params"], "symbol": symbol}
        await caller.ws.send_str(json.dumps(said))

    # -- REST ------------------------------------------------------------------------------

    async def _public(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        self.headers |= {header.lower() for header in request.headers}
        if name in self.replies:
            return await self.replies[name](request)
        answer = getattr(self, f"_{name.lower()}", None)
        if answer is None:
            return web.json_response({"error": ["EGeneral:Unknown method"]})
        try:
            return web.json_response({"error": [], "result": answer(request.query)})
        except KeyError:
            return web.json_response({"error": ["EQuery:Unknown asset pair"]})

    def _time(self, _: Any) -> dict[str, Any]:
        now = int(time.time() + self.clock_ahead)
        return {"unixtime": now, "rfc1123": "today"}

    def _systemstatus(self, _: Any) -> dict[str, Any]:
        return {"status": "online", "timestamp": stamp()}

    def _assets(self, _: Any) -> dict[str, Any]:
        return {}

    def _assetpairs(self, _: Any) -> dict[str, Any]:
        return {pair.key: pair.row() for pair in self.pairs.values()}

    def _pair(self, query: Any) -> Pair:
        asked = query["pair"]
        for pair in self.pairs.values():
            if asked in {pair.key, pair.wsname, pair.symbol}:
                return pair
        raise KeyError(asked)

    def _depth(self, query: Any) -> dict[str, Any]:
        pair, count = self._pair(query), int(query.get("count", 100))
        book, now = self.books[pair.symbol], int(time.time())
        return {
            pair.key: {
                side: [[book.price(p), book.size(q), now] for p, q in book.best(side, count)]
                for side in ("asks", "bids")
            }
        }

    def _trades(self, query: Any) -> dict[str, Any]:
        pair, since = self._pair(query), query.get("since", "0")
        after = int(since) / (1e9 if len(since) > 12 else 1)
        rows = sorted(self.past.get(pair.key, []), key=lambda row: row[2])
        page = [row for row in rows if row[2] > after][: int(query.get("count", 1000))]
        last = int(page[-1][2] * 1e9) if page else int(after * 1e9)
        return {pair.key: page, "last": str(last)}

    def _ohlc(self, query: Any) -> dict[str, Any]:
        pair, minutes = self._pair(query), int(query.get("interval", 1))
        since = int(query.get("since", 0))
        rows = self.bars.get((pair.key, minutes))
        if rows is None:
            rows = widened(made_up(pair, minutes), self.past.get(pair.key, []), minutes * 60)
        page = [row for row in rows if row[0] > since][-720:]
        return {pair.key: page, "last": page[-2][0] if len(page) > 1 else since}


def _follows(symbol: str, caller: Caller) -> bool:
    return symbol in caller.books


def _everybody(_: Caller) -> bool:
    return True


def made_up(pair: Pair, minutes: int) -> list[list[Any]]:
    """720 bars up to the unfinished one, gently waving around the middle."""
    span, rows = minutes * 60, []
    newest = int(time.time()) // span * span
    for n in range(720):
        at = newest - (719 - n) * span
        wave = pair.middle * (1 + 0.002 * ((at // span) % 20 - 10) / 10)
        figures = (wave, wave * 1.0005, wave * 0.9995, wave * 1.0001, wave)
        rows.append([at, *(f"{x:.{pair.price_decimals}f}" for x in figures), "12.50000000", 9])
    return rows


def widened(rows: list[list[Any]], prints: list[list[Any]], span: int) -> list[list[Any]]:
    """Bars that contain the prints of their time."""
    by_time = {row[0]: row for row in rows}
    for price, size, at, *_ in prints:
        row = by_time.get(int(at) // span * span)
        if row is not None:
            row[2], row[3] = max(row[2], price, key=float), min(row[3], price, key=float)
            row[4], row[6] = price, f"{float(row[6]) + float(size):.8f}"
    return rows


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--port", type=int, default=0)
    asked.add_argument("--rate", type=float, default=20.0, help="messages a second")
    asked.add_argument("--seconds", type=float, default=86_400.0)
    options = asked.parse_args()
    with KrakenServer(port=options.port) as server:
        print(f"{server.rest} {server.ws}", flush=True)  # noqa: T201
        server.wander(options.rate, options.seconds)


if __name__ == "__main__":
    main()
