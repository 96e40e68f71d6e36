"""The truth behind the Kraken-compatible server: pairs, books with checksums, messages to send."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


@dataclass
class Pair:
    """One row of AssetPairs; figures as Kraken gave them in 2025-11."""

    key: str
    symbol: str
    """As websocket v2 and ccxt name it; AssetPairs calls it ``wsname``."""
    wsname: str
    base: str
    quote: str
    price_decimals: int
    lot_decimals: int = 8
    order_min: str = "0.00005"
    cost_min: str = "0.5"
    status: str = "online"
    middle: float = 65_000.0

    def row(self) -> dict[str, Any]:
        tick = Decimal(1).scaleb(-self.price_decimals)
        return {
            "altname": self.key, "wsname": self.wsname, "aclass_base": "currency",
            "base": self.base, "aclass_quote": "currency", "quote": self.quote, "lot": "unit",
            "cost_decimals": 8, "pair_decimals": self.price_decimals,
            "lot_decimals": self.lot_decimals, "lot_multiplier": 1, "leverage_buy": [],
            "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
            "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40,
            "ordermin": self.order_min, "costmin": self.cost_min, "tick_size": f"{tick:f}",
            "status": self.status,
        }  # fmt: skip


def usual_pairs() -> list[Pair]:
    return [
        Pair("XBTUSDT", "BTC/USDT", "XBT/USDT", "XXBT", "USDT", 1),
        Pair("XRPUSDT", "XRP/USDT", "XRP/USDT", "XXRP", "USDT", 5, order_min="2", middle=0.54),
        Pair("XXRPXXBT", "XRP/BTC", "XRP/XBT", "XXRP", "XXBT", 8, order_min="2",
             cost_min="0.00002", middle=0.0000083),
    ]  # fmt: skip


@dataclass
class TrueBook:
    """Both sides of one pair: price text → size text, exactly as they are sent."""

    pair: Pair
    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)

    def fill(self, levels: int = 120) -> None:
        """A book around the pair's middle."""
        tick = Decimal(1).scaleb(-self.pair.price_decimals)
        middle = Decimal(str(self.pair.middle)).quantize(tick)
        for step in range(1, levels + 1):
            self.bids[middle - step * tick] = Decimal("1.00000000") + step
            self.asks[middle + step * tick] = Decimal("1.50000000") + step

    def set(self, side: str, price: Decimal, size: Decimal) -> None:
        levels = self.bids if side == "bids" else self.asks
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)

    def best(self, side: str, depth: int) -> list[tuple[Decimal, Decimal]]:
        levels = self.bids if side == "bids" else self.asks
        return sorted(levels.items(), reverse=side == "bids")[:depth]

    def checksum(self) -> int:
        """Kraken's: ten best asks, then ten best bids, digits without point and leading zeros."""
        text = ""
        for side in ("asks", "bids"):
            for price, size in self.best(side, 10):
                text += self.price(price).replace(".", "").lstrip("0")
                text += self.size(size).replace(".", "").lstrip("0")
        return zlib.crc32(text.encode())

    def price(self, value: Decimal) -> str:
        return f"{value:.{self.pair.price_decimals}f}"

    def size(self, value: Decimal) -> str:
        return f"{value:.{self.pair.lot_decimals}f}"

    def levels(self, rows: list[tuple[Decimal, Decimal]]) -> str:
        """Numbers keep their zeros on the wire, so this is text and no dict."""
        parts = (f'{{"price":{self.price(p)},"qty":{self.size(q)}}}' for p, q in rows)
        return f"[{','.join(parts)}]"

    def snapshot(self, depth: int) -> str:
        return self._message("snapshot", self.best("bids", depth), self.best("asks", depth))

    def update(
        self, bids: list[tuple[Decimal, Decimal]], asks: list[tuple[Decimal, Decimal]]
    ) -> str:
        return self._message("update", bids, asks)

    def _message(
        self, kind: str, bids: list[tuple[Decimal, Decimal]], asks: list[tuple[Decimal, Decimal]]
    ) -> str:
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.pair.symbol}",'
            f'"bids":{self.levels(bids)},"asks":{self.levels(asks)},'
            f'"checksum":{self.checksum()},"timestamp":"{stamp()}"}}]}}'
        )


def stamp(seconds: float | None = None) -> str:
    """RFC 3339 with microseconds, as Kraken writes it; now by default."""
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def trade_text(
    book: TrueBook, price: Decimal, size: Decimal, side: str, number: int, at: float | None = None
) -> str:
    return (
        f'{{"channel":"trade","type":"update","data":[{{"symbol":"{book.pair.symbol}",'
        f'"side":"{side}","price":{book.price(price)},"qty":{book.size(size)},'
        f'"ord_type":"market","trade_id":{number},"timestamp":"{stamp(at)}"}}]}}'
    )


@dataclass
class Wander:
    """A market that moves by itself: seeded changes of levels near the touch, some trades."""

    book: TrueBook
    seed: int = 1
    trades_in: int = 5
    """One message of so many is a trade."""
    number: int = 1

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    def step(self) -> str:
        """Change the book, or trade; the message that says so."""
        draw, book = self.draw, self.book
        if draw.randrange(self.trades_in) == 0:
            side = draw.choice(("buy", "sell"))
            price, size = book.best("asks" if side == "buy" else "bids", 1)[0]
            self.number += 1
            return trade_text(book, price, min(size, Decimal("0.01")), side, self.number)
        side = draw.choice(("bids", "asks"))
        price, _ = draw.choice(book.best(side, 8))
        size = Decimal(draw.randrange(1, 90_000)).scaleb(-4)
        book.set(side, price, size)
        change = [(price, size)]
        return book.update(change if side == "bids" else [], change if side == "asks" else [])
