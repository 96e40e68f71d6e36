"""Recorded messages of four exchanges: our book equals an independent reconstruction, step by step.

The reconstruction is dictionaries and ``sorted``, read off the venue's documentation; the book is
the one the live feed keeps (``WireBook``), and behind it the engine's own, fed with what it told.
The v1 messages of 2021 are parsed here.

| venue | recording | messages |
|---|---|---|
| Kraken | ``raw/cryptofeed/KRAKEN.ws.50.0``, websocket v1, book-1000 | raw, 4,269 checksums |
| Coinbase | ``raw/cryptofeed/COINBASE.ws.28.0``, ``level2`` | raw |
| Bitstamp | ``BITSTAMP.ws.1.0`` (differences) and ``BITSTAMP.http.0.0`` (snapshots) | raw |
| Binance | ``books/binance_spot_BTC_ETH_2024-08-08.jsonl.gz``: no raw messages exist here | a tape |
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tradeterm.adapters.feeds.live.book import WireBook
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, Levels
from tradeterm.model.vocabulary import Side

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
RAW = DATA / "raw" / "cryptofeed"
DEEP = 1_000_000
"""Levels of a venue that sends the whole book."""

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not RAW.is_dir(), reason="the recorded data is absent (TRADETERM_DATA)"),
]


class Step(NamedTuple):
    """One message about one book: levels as the venue wrote them."""

    symbol: str
    whole: bool
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    checksum: int | None = None


@dataclass
class Plain:
    """The independent reconstruction: two dictionaries of texts by price."""

    depth: int
    bids: dict[float, tuple[str, str]] = field(default_factory=dict)
    asks: dict[float, tuple[str, str]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        if step.whole:
            self.bids, self.asks = {}, {}
        for side, levels in ((self.bids, step.bids), (self.asks, step.asks)):
            for price, size in levels:
                if float(size) == 0.0:
                    side.pop(float(price), None)
                else:
                    side[float(price)] = price, size
        if len(self.bids) > self.depth:
            for low in sorted(self.bids, reverse=True)[self.depth :]:
                del self.bids[low]
        if len(self.asks) > self.depth:
            for high in sorted(self.asks)[self.depth :]:
                del self.asks[high]

    def sizes(self, side: dict[float, tuple[str, str]]) -> dict[float, float]:
        return {price: float(size) for price, (_, size) in side.items()}

    def checksum(self) -> int:
        """Kraken's: ten asks upwards, ten bids downwards, digits without point and leading zeros."""
        texts = [self.asks[price] for price in sorted(self.asks)[:10]]
        texts += [self.bids[price] for price in sorted(self.bids, reverse=True)[:10]]
        digits = "".join(
            part.replace(".", "").lstrip("0") for price_size in texts for part in price_size
        )
        return zlib.crc32(digits.encode())


def received(name: str) -> Iterator[Any]:
    """What the client got over a websocket, in order."""
    for line in (RAW / name).read_text("utf-8").splitlines():
        stamp, _, body = line.partition(": ")
        if stamp.replace(".", "").isdigit():
            yield json.loads(body)


def kraken() -> Iterator[Step]:
    for message in received("KRAKEN.ws.50.0"):
        if not isinstance(message, list):
            continue
        sides = {key: value for part in message[1:-2] for key, value in part.items()}
        whole = "as" in sides
        bids, asks = (sides.get(key, []) for key in (("bs", "as") if whole else ("b", "a")))
        yield Step(
            message[-1], whole, [(row[0], row[1]) for row in bids],
            [(row[0], row[1]) for row in asks], int(sides["c"]) if "c" in sides else None,
        )  # fmt: skip


def coinbase() -> Iterator[Step]:
    for message in received("COINBASE.ws.28.0"):
        if message["type"] == "snapshot":
            yield Step(
                message["product_id"], True, [tuple(row) for row in message["bids"]],
                [tuple(row) for row in message["asks"]],
            )  # fmt: skip
        elif message["type"] == "l2update":
            sides: dict[str, list[tuple[str, str]]] = {"buy": [], "sell": []}
            for side, price, size in message["changes"]:
                sides[side].append((price, size))
            yield Step(message["product_id"], False, sides["buy"], sides["sell"])


def bitstamp() -> Iterator[Step]:
    """Differences by websocket, snapshots by REST: what is older than the snapshot is dropped."""
    since: dict[str, int] = {}
    for line in (RAW / "BITSTAMP.http.0.0").read_text("utf-8").splitlines():
        address, _, answer = line.partition(" -> ")
        if "/order_book/" in address:
            symbol, book = address.rpartition("/")[2], json.loads(answer.partition(": ")[2])
            since[symbol] = int(book["microtimestamp"])
            yield Step(symbol, True, [tuple(row) for row in book["bids"]],
                       [tuple(row) for row in book["asks"]])  # fmt: skip
    for message in received("BITSTAMP.ws.1.0"):
        if message["event"] == "data" and "diff_order_book" in message["channel"]:
            symbol, data = message["channel"].rpartition("_")[2], message["data"]
            if int(data["microtimestamp"]) > since[symbol]:
                yield Step(symbol, False, [tuple(row) for row in data["bids"]],
                           [tuple(row) for row in data["asks"]])  # fmt: skip


def binance() -> Iterator[Step]:
    with gzip.open(DATA / "books" / "binance_spot_BTC_ETH_2024-08-08.jsonl.gz", "rt") as lines:
        for line in lines:
            event = json.loads(line)
            if event["t"] in {"snap", "delta"}:
                yield Step(event["s"], event["t"] == "snap", [tuple(row) for row in event["b"]],
                           [tuple(row) for row in event["a"]])  # fmt: skip


def written(levels: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(price.encode(), size.encode()) for price, size in levels]


def engines(book: OrderBook, step: Step, told: tuple[Levels, Levels], number: int) -> None:
    if step.whole:
        book.snapshot(BookSnapshot(number, step.symbol, *told))
    else:
        book.delta(BookDelta(number, step.symbol, *told))


VENUES = {
    "kraken": (kraken, 1000, 10, 4_269), "coinbase": (coinbase, DEEP, 10, 0),
    "bitstamp": (bitstamp, DEEP, 10, 0), "binance": (binance, DEEP, 2, 0),
}  # fmt: skip

#: Every level is compared at every so many steps (what a step changed, at each): of thousands of
#: levels all the time it would take minutes.
WHOLE = {"kraken": 10, "coinbase": 10, "bitstamp": 1, "binance": 50}


@pytest.mark.parametrize("venue", VENUES)
def test_the_book_equals_an_independent_one_at_every_step(venue: str) -> None:
    steps, depth, symbols, checksums = VENUES[venue]
    ours: dict[str, tuple[WireBook, OrderBook]] = {}
    plain: dict[str, Plain] = {}
    checked = taken = crossed = 0
    for number, step in enumerate(steps(), 1):
        if step.whole:
            ours[step.symbol] = WireBook(step.symbol, depth), OrderBook(step.symbol)
            plain[step.symbol] = Plain(depth)
        wire, book = ours[step.symbol]
        truth = plain[step.symbol]
        truth.take(step)
        crossed += bool(truth.bids and truth.asks and max(truth.bids) >= min(truth.asks))
        take = wire.snapshot if step.whole else wire.update
        told = take(written(step.bids), written(step.asks), step.checksum)
        engines(book, step, told, number)
        taken += 1
        if step.checksum is not None:
            assert truth.checksum() == step.checksum
            checked += 1
        assert book.best_bid == max(truth.bids, default=None)
        assert book.best_ask == min(truth.asks, default=None)
        for side, levels, true in (
            (Side.BUY, step.bids, truth.bids), (Side.SELL, step.asks, truth.asks),
        ):  # fmt: skip
            for price, _ in levels:
                size = float(true.get(float(price), ("", "0"))[1])
                assert book.size_at(side, float(price)) == size
        if step.whole or number % WHOLE[venue] == 0:
            assert wire.levels == (
                tuple(sorted(truth.bids, reverse=True)), tuple(sorted(truth.asks)),
            )  # fmt: skip
            assert dict(book.levels(Side.BUY, DEEP)) == truth.sizes(truth.bids)
            assert dict(book.levels(Side.SELL, DEEP)) == truth.sizes(truth.asks)
    assert len(ours) == symbols
    assert checked == checksums
    assert crossed == 0
    assert taken > 300
    for symbol, (_, book) in ours.items():
        assert dict(book.levels(Side.BUY, DEEP)) == plain[symbol].sizes(plain[symbol].bids)
        assert dict(book.levels(Side.SELL, DEEP)) == plain[symbol].sizes(plain[symbol].asks)
