"""Market orders on the recorded book cost what an independent reading of the raw file says."""

from __future__ import annotations

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from tests.execution.world import D, instrument
from tradeterm.execution.depth import Depth
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot
from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import Side

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
TAPE = DATA / "books" / "binance_spot_BTC_ETH_2024-08-08.jsonl.gz"
SYMBOL, LINES, EVERY = "BTC/USDT", 12_000, 1_500

Raw = dict[str, dict[Decimal, Decimal]]


def _by_hand(raw: Raw, side: Side, size: Decimal) -> tuple[Decimal, Decimal]:
    """Cost and size of a taker, straight from strings, sorted anew each time."""
    levels = sorted(raw["a"].items()) if side is Side.BUY else sorted(raw["b"].items())[::-1]
    cost, got = ZERO, ZERO
    for price, shown in levels:
        part = min(shown, size - got)
        cost, got = cost + part * price, got + part
        if got == size:
            break
    return cost, got


@pytest.mark.recorded
@pytest.mark.skipif(not TAPE.exists(), reason=f"no recorded market data at {DATA}")
@pytest.mark.parametrize("side", list(Side))
def test_the_walk_price_equals_an_independent_calculation(side: Side) -> None:
    book = OrderBook(SYMBOL)
    raw: Raw = {"b": {}, "a": {}}
    compared = 0
    with gzip.open(TAPE, "rt") as lines:
        for number, line in enumerate(lines):
            if number == LINES:
                break
            row = json.loads(line)
            if row["s"] != SYMBOL or row["t"] not in ("snap", "delta"):
                continue
            _apply(book, raw, row)
            if number % EVERY < 2 and book.usable:
                compared += _compare(book, raw, side)
    assert compared >= 9


def _apply(book: OrderBook, raw: Raw, row: dict[str, object]) -> None:
    levels = {key: [(D(p), D(q)) for p, q in row[key]] for key in ("b", "a")}  # type: ignore[attr-defined]
    bids, asks = (tuple((float(p), float(q)) for p, q in levels[key]) for key in ("b", "a"))
    ts = int(str(row["ts"]))
    if row["t"] == "snap":
        raw["b"].clear()
        raw["a"].clear()
        book.snapshot(BookSnapshot(ts, SYMBOL, bids, asks))
    else:
        book.delta(BookDelta(ts, SYMBOL, bids, asks))
    for key, rows in levels.items():
        for price, size in rows:
            if size:
                raw[key][price] = size
            else:
                raw[key].pop(price, None)


def _compare(book: OrderBook, raw: Raw, side: Side) -> int:
    top = min(raw["a"].items()) if side is Side.BUY else max(raw["b"].items())
    for times in (1, 10, 100):
        size = top[1] * times
        depth = Depth(book, instrument(SYMBOL, "0.1"))
        fills = depth.take(side, size, None, lambda price, part: part)
        cost = sum((price * part for price, part in fills), ZERO)
        assert (cost, sum((part for _, part in fills), ZERO)) == _by_hand(raw, side, size)
        for level, _ in book.levels(side.opposite, len(fills)):
            book.unwatch(side.opposite, level)
    return 3
