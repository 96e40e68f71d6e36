"""Resting orders on the recorded book fill when and as far as a naive reading of the file says."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.execution.world import D, instrument, settings
from tradeterm.execution.paper import PaperExchange
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, Trade
from tradeterm.model.orders import ApprovedOrder, OrderFilled, OrderRequest
from tradeterm.model.vocabulary import AccountBook, OrderType, Purpose, Side
from tradeterm.settings.execution import LatencySettings

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
TAPE = DATA / "books" / "binance_spot_BTC_ETH_2024-08-08.jsonl.gz"
SYMBOL, LINES, EVERY, SIZE = "BTC/USDT", 25_000, 700, "0.02"

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not TAPE.exists(), reason=f"no recorded market data at {DATA}"),
]


@dataclass
class Naive:
    """One bid of ours: what is ahead of it, by every statement and print in the file."""

    price: Decimal
    ahead: Decimal
    left: Decimal = D(SIZE)
    stated: list[tuple[int, Decimal]] = field(default_factory=list)
    fills: list[tuple[int, Decimal, str]] = field(default_factory=list)

    def read(self, row: dict[str, Any]) -> None:
        if row["t"] == "delta":
            self.stated += [(row["ts"], D(q)) for p, q in row["b"] if D(p) == self.price]
        elif D(row["p"]) < self.price:
            self._fill(row["ts"], self.left, "trade_through")
        elif D(row["p"]) == self.price and row["side"] == "sell":
            before = [size for ts, size in self.stated if ts < row["ts"]]
            self.stated = [(ts, size) for ts, size in self.stated if ts >= row["ts"]]
            self.ahead = min([self.ahead, *before])
            size = D(row["q"])
            free = max(size - self.ahead, Decimal(0))
            self.ahead = max(self.ahead - size, Decimal(0))
            self._fill(row["ts"], min(free, self.left), "queue")

    def _fill(self, ts: int, size: Decimal, evidence: str) -> None:
        if size > 0:
            self.left -= size
            self.fills.append((ts, size, evidence))


def rows() -> list[dict[str, Any]]:
    with gzip.open(TAPE, "rt") as lines:
        found = (json.loads(line) for _, line in zip(range(LINES), lines, strict=False))
        return [row for row in found if row["s"] == SYMBOL]


def levels(pairs: list[list[str]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(price), float(size)) for price, size in pairs)


def test_queue_fills_equal_a_naive_reading_of_the_tape() -> None:
    book = OrderBook(SYMBOL)
    steps = instrument(SYMBOL, "0.01")
    still = settings(latency=LatencySettings(least=0, most=0))
    exchange = PaperExchange(still, {SYMBOL: steps}, {SYMBOL: book}, 7)
    naive: dict[str, Naive] = {}
    ours: dict[str, list[tuple[int, Decimal, str]]] = {}
    for number, row in enumerate(rows()):
        for bid in naive.values():
            if row["t"] != "snap":
                bid.read(row)
        if row["t"] == "snap":
            book.snapshot(BookSnapshot(row["ts"], SYMBOL, levels(row["b"]), levels(row["a"])))
        elif row["t"] == "delta":
            book.delta(BookDelta(row["ts"], SYMBOL, levels(row["b"]), levels(row["a"])))
        else:
            trade = Trade(row["ts"], SYMBOL, float(row["p"]), float(row["q"]), row["side"])
            for report in exchange.on_market(trade):
                assert isinstance(report, OrderFilled)
                fill = (report.ts, report.size, report.evidence.value)
                ours[report.order_id].append(fill)
        if number % EVERY == 0 and book.usable:
            name = f"PAPER-{number}"
            # In turn at the touch and some levels behind it, never two at one price at a time.
            price, shown = book.levels(Side.BUY, 6)[number // EVERY % 6]
            if any(bid.left and bid.price == D(str(price)) for bid in naive.values()):
                continue
            naive[name], ours[name] = Naive(D(str(price)), D(str(shown))), []
            request = OrderRequest(
                id=name, symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, size=D(SIZE),
                purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="v", limit=D(str(price)),
            )  # fmt: skip
            exchange.submit(ApprovedOrder(request, "v", row["ts"]), row["ts"])
            exchange.advance(row["ts"])
    assert ours == {name: bid.fills for name, bid in naive.items()}
    evidence = [kind for fills in ours.values() for _, _, kind in fills]
    assert evidence.count("queue") >= 3
    assert evidence.count("trade_through") >= 3
