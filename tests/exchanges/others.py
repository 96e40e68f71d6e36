"""Binance, Coinbase and Bitstamp, as little of each as a book and its trades need.

Each speaks its venue's own websocket protocol; what ccxt makes of it is what is tested.
"""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import WSMsgType, web

from tests.exchanges.threaded import ThreadedServer

Side = dict[str, str]
"""Price → size, as text."""


class MinimalServer(ThreadedServer):
    """``with BinanceServer() as server:``; one market, ``BTC/USDT`` or what it calls so."""

    NAME: ClassVar[str] = ""
    SYMBOL: ClassVar[str] = "BTC/USDT"

    def __init__(self) -> None:
        super().__init__()
        self.bids: Side = {f"{60_000 - n}.5": f"{n + 1}.25" for n in range(30)}
        self.asks: Side = {f"{60_001 + n}.5": f"{n + 1}.75" for n in range(30)}
        self.asked: list[str] = []
        self.heard: list[Any] = []
        self.number = 100
        """Of the book's newest change."""
        self.printed = 100
        """Number of the newest print."""
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}

    @property
    def settings(self) -> tuple[str, ...]:
        return (
            f"live.exchange={self.NAME}",
            f"live.endpoints.rest=http://127.0.0.1:{self._port}",
            f"live.endpoints.ws=ws://127.0.0.1:{self._port}",
        )

    # -- what each venue says in its own words ---------------------------------------------

    def rest(self, path: str) -> Any:
        """The answer to a path; None: it does not know it."""
        raise NotImplementedError

    def topics(self, message: Any) -> list[tuple[str, list[Any]]]:
        """What a message subscribes to, and what is said at once."""
        raise NotImplementedError

    def leaves(self, message: Any) -> list[tuple[str, list[Any]]]:
        """What a message ends the subscription of, and what is said at once."""
        raise NotImplementedError

    def book_message(self, side: str, price: str, size: str) -> tuple[str, Any]:
        """(topic, message) of one changed level; ``bids`` or ``asks``."""
        raise NotImplementedError

    def trade_message(self, price: str, size: str, side: str) -> tuple[str, Any]:
        """(topic, message) of a print."""
        raise NotImplementedError

    # -- what tests order ------------------------------------------------------------------

    def change(self, side: str, price: str, size: str) -> None:
        levels = self.bids if side == "bids" else self.asks
        if Decimal(size):
            levels[price] = size
        else:
            levels.pop(price, None)
        self.number += 1
        self.tell(*self.book_message(side, price, size))

    def trade(self, price: str, size: str, side: str) -> None:
        self.printed += 1
        self.tell(*self.trade_message(price, size, side))

    def subscribed(self) -> set[str]:
        return {topic for topics in self._sockets.values() for topic in topics}

    def drop(self) -> None:
        async def work() -> None:
            for ws in tuple(self._sockets):
                await ws.close()

        self.call(work)

    def best(self, count: int = 30) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Both sides as numbers, best first."""
        return _numbers(self.bids, -1)[:count], _numbers(self.asks, 1)[:count]

    def tell(self, topic: str, message: Any) -> None:
        async def work() -> None:
            for ws, topics in tuple(self._sockets.items()):
                if topic in topics and not ws.closed:
                    await self._say(ws, message)

        self.call(work)

    # -- life ------------------------------------------------------------------------------

    def _routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/{path:.*}", self._any)

    async def _wind_down(self, runner: web.AppRunner) -> None:
        for ws in tuple(self._sockets):
            await ws.close()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        self.asked.append(request.path)
        answer = self.rest(request.path)
        return web.json_response({} if answer is None else answer)

    async def _say(self, ws: web.WebSocketResponse, message: Any) -> None:
        await ws.send_str(json.dumps(message))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self._sockets[ws] = set()
        try:
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    continue
                said = json.loads(message.data)
                self.heard.append(said)
                for change, told in (
                    (self._sockets[ws].discard, self.leaves(said)),
                    (self._sockets[ws].add, self.topics(said)),
                ):
                    for topic, answers in told:
                        change(topic)
                        for each in answers:
                            await self._say(ws, each)
        finally:
            self._sockets.pop(ws, None)
        return ws


class BinanceServer(MinimalServer):
    """Diffs numbered U … u over a snapshot that is asked for by REST."""

    NAME = "binance"

    def rest(self, path: str) -> Any:
        if path.endswith("exchangeInfo"):
            spot = path.startswith("/api/")
            return {"timezone": "UTC", "symbols": [_BINANCE_SYMBOL] if spot else []}
        if path.endswith("/depth"):
            return {
                "lastUpdateId": self.number,
                "bids": [list(level) for level in self.bids.items()],
                "asks": [list(level) for level in self.asks.items()],
            }
        return {"serverTime": _ms()} if path.endswith("/time") else None

    def topics(self, message: Any) -> list[tuple[str, list[Any]]]:
        return self._answered(message, "SUBSCRIBE")

    def leaves(self, message: Any) -> list[tuple[str, list[Any]]]:
        return self._answered(message, "UNSUBSCRIBE")

    def _answered(self, message: Any, method: str) -> list[tuple[str, list[Any]]]:
        accepted = {"result": None, "id": message.get("id")}
        wanted = message.get("params", []) if message.get("method") == method else []
        return [(topic.split("@")[1], [accepted]) for topic in wanted]

    def book_message(self, side: str, price: str, size: str) -> tuple[str, Any]:
        change = [[price, size]]
        return "depth", {
            "e": "depthUpdate", "E": _ms(), "s": "BTCUSDT", "U": self.number, "u": self.number,
            "b": change if side == "bids" else [], "a": change if side == "asks" else [],
        }  # fmt: skip

    def trade_message(self, price: str, size: str, side: str) -> tuple[str, Any]:
        return "trade", {
            "e": "trade", "E": _ms(), "s": "BTCUSDT", "t": self.printed, "p": price, "q": size,
            "T": _ms(), "m": side == "sell", "M": True,
        }  # fmt: skip


class CoinbaseServer(MinimalServer):
    """A snapshot, then changed levels; prints on ``market_trades``. All of a connection's messages
    are numbered.
    """

    NAME = "coinbase"

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[web.WebSocketResponse, int] = {}

    async def _say(self, ws: web.WebSocketResponse, message: Any) -> None:
        number = self._next.get(ws, 0)
        self._next[ws] = number + 1
        await super()._say(ws, message | {"sequence_num": number})

    def swallow(self) -> None:
        """The next message of every connection is lost on its way."""
        for ws in self._next:
            self._next[ws] += 1

    def rest(self, path: str) -> Any:
        if path.endswith("/market/products"):
            return {"products": [_COINBASE_PRODUCT], "num_products": 1}
        return None

    def topics(self, message: Any) -> list[tuple[str, list[Any]]]:
        channel = message.get("channel", "")
        if message.get("type") != "subscribe":
            return []
        if channel != "level2":
            return [(channel, [])]
        levels = [
            _update(side, price, size)
            for side, levels in (("bid", self.bids), ("offer", self.asks))
            for price, size in levels.items()
        ]
        return [(channel, [self._event("snapshot", levels)])]

    def leaves(self, message: Any) -> list[tuple[str, list[Any]]]:
        if message.get("type") != "unsubscribe":
            return []
        rest = {"channel": "subscriptions", "events": [{"subscriptions": {"market_trades": []}}]}
        return [(message["channel"], [rest])]

    def _event(self, kind: str, updates: list[Any]) -> Any:
        return {
            "channel": "l2_data", "client_id": "", "timestamp": _iso(),
            "events": [{"type": kind, "product_id": "BTC-USDT", "updates": updates}],
        }  # fmt: skip

    def book_message(self, side: str, price: str, size: str) -> tuple[str, Any]:
        told = _update("bid" if side == "bids" else "offer", price, size)
        return "level2", self._event("update", [told])

    def trade_message(self, price: str, size: str, side: str) -> tuple[str, Any]:
        print_ = {
            "trade_id": str(self.printed), "product_id": "BTC-USDT", "price": price, "size": size,
            "side": side.upper(), "time": _iso(),
        }  # fmt: skip
        return "market_trades", {
            "channel": "market_trades", "client_id": "", "timestamp": _iso(),
            "events": [{"type": "update", "trades": [print_]}],
        }  # fmt: skip


class BitstampServer(MinimalServer):
    """Diffs only; ccxt asks for the snapshot by REST after the sixth of them."""

    NAME = "bitstamp"
    SYMBOL = "BTC/USD"

    def rest(self, path: str) -> Any:
        if path.rstrip("/").endswith(("markets", "trading-pairs-info")):
            return [_BITSTAMP_MARKET]
        if "order_book" in path:
            return self._data(list(self.bids.items()), list(self.asks.items()))
        return None

    def _data(self, bids: list[Any], asks: list[Any]) -> dict[str, Any]:
        now = str(1_700_000_000_000_000 + self.number)
        return {"timestamp": now[:10], "microtimestamp": now, "bids": bids, "asks": asks}

    def topics(self, message: Any) -> list[tuple[str, list[Any]]]:
        if message.get("event") != "bts:subscribe":
            return []
        channel = message["data"]["channel"]
        accepted = {"event": "bts:subscription_succeeded", "channel": channel, "data": {}}
        return [(channel, [accepted])]

    def leaves(self, message: Any) -> list[tuple[str, list[Any]]]:
        if message.get("event") != "bts:unsubscribe":
            return []
        channel = message["data"]["channel"]
        return [
            (channel, [{"event": "bts:unsubscription_succeeded", "channel": channel, "data": {}}])
        ]

    def book_message(self, side: str, price: str, size: str) -> tuple[str, Any]:
        change = [[price, size]]
        data = self._data(change if side == "bids" else [], change if side == "asks" else [])
        channel = "diff_order_book_btcusd"
        return channel, {"event": "data", "channel": channel, "data": data}

    def trade_message(self, price: str, size: str, side: str) -> tuple[str, Any]:
        channel, now = "live_trades_btcusd", str(_ms())
        data = {
            "id": self.printed, "timestamp": now[:10], "microtimestamp": now + "000",
            "amount": float(size), "amount_str": size, "price": float(price), "price_str": price,
            "type": 0 if side == "buy" else 1, "buy_order_id": 1, "sell_order_id": 2,
        }  # fmt: skip
        return channel, {"event": "trade", "channel": channel, "data": data}


def _numbers(levels: Side, sign: int) -> list[tuple[float, float]]:
    found = [(float(price), float(size)) for price, size in levels.items()]
    return sorted(found, key=lambda level: sign * level[0])


def _update(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "event_time": _iso(), "price_level": price, "new_quantity": size}


def _ms() -> int:
    return int(time.time() * 1000)


def _iso() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"


_BINANCE_SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8,
    "quoteAsset": "USDT", "quotePrecision": 8, "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False, "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000",
         "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000"},
    ],
}  # fmt: skip
_COINBASE_PRODUCT = {
    "product_id": "BTC-USDT", "price": "60001", "base_increment": "0.00000001",
    "quote_increment": "0.01", "price_increment": "0.01", "quote_min_size": "1",
    "quote_max_size": "10000000", "base_min_size": "0.00000001", "base_max_size": "3400",
    "base_name": "Bitcoin", "quote_name": "Tether", "status": "online", "product_type": "SPOT",
    "base_currency_id": "BTC", "quote_currency_id": "USDT", "trading_disabled": False,
    "is_disabled": False, "cancel_only": False, "post_only": False, "limit_only": False,
    "auction_mode": False, "view_only": False, "alias": "", "alias_to": [],
}  # fmt: skip
_BITSTAMP_MARKET = {
    "name": "BTC/USD", "market_symbol": "btcusd", "url_symbol": "btcusd", "base_decimals": 8,
    "counter_decimals": 2, "base_currency": "BTC", "counter_currency": "USD",
    "minimum_order": "10 USD", "minimum_order_value": "10", "trading": "Enabled",
    "instant_and_market_orders": "Enabled", "instant_order_counter_decimals": 2,
    "market_type": "SPOT", "description": "Bitcoin / U.S. dollar",
}  # fmt: skip
