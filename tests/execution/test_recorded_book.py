"""Market orders on the recorded books cost what an independent reading of the raw file says.

The reading here keeps the file's own strings as Decimals, sorts the levels anew for every order,
and knows nothing of the order book or the exchange of the product.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.execution.world import START, D, instrument, settings
from tradeterm.execution.depth import Depth
from tradeterm.execution.paper import PaperExchange
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot
from tradeterm.model.money import ZERO
from tradeterm.model.orders import ApprovedOrder, OrderFilled, OrderRequest
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AccountBook, Evidence, OrderType, Purpose, Side

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
TAPE = DATA / "books" / "binance_spot_BTC_ETH_2024-08-08.jsonl.gz"
TICKS = {"BTC/USDT": "0.1", "ETH/USDT": "0.01"}
MULTIPLES = (1, 10, 100)
#: A comparison every so many book updates of a symbol: some 26 moments each over the recording.
EVERY = 250
Fills = list[tuple[Decimal, Decimal]]

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not TAPE.exists(), reason=f"no recorded market data at {DATA}"),
]


class Raw:
    """One symbol's levels straight from the file, and what we took from them since."""

    def __init__(self) -> None:
        self.levels: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self.taken: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}

    def apply(self, row: dict[str, Any]) -> None:
        """What is stated counts, and what we took there is forgotten."""
        for key in ("b", "a"):
            if row["t"] == "snap":
                self.levels[key], self.taken[key] = {}, {}
            for price, size in row[key]:
                self.levels[key][D(price)] = D(size)
                self.taken[key].pop(D(price), None)

    def top(self, side: Side) -> Decimal:
        """Size at the best price a taker of this side meets."""
        return next(shown for _, shown in self._best_first(side) if shown)

    def take(self, side: Side, size: Decimal) -> Fills:
        """What a taker gets: best price first, less what was taken there before."""
        key = "a" if side is Side.BUY else "b"
        fills: Fills = []
        for price, shown in self._best_first(side):
            part = min(shown - self.taken[key].get(price, ZERO), size)
            if part > 0:
                fills.append((price, part))
                self.taken[key][price] = self.taken[key].get(price, ZERO) + part
                size -= part
        return fills

    def _best_first(self, side: Side) -> Fills:
        if side is Side.BUY:
            return sorted(self.levels["a"].items())
        return sorted(self.levels["b"].items(), reverse=True)


class Both:
    """The file read by hand and by the product's order book, side by side."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.raw = Raw()
        self.book = OrderBook(symbol)
        self.updates = 0

    def moments(self) -> Iterator[int]:
        """Apply every row of the recording; stop now and then, before the next is applied."""
        with gzip.open(TAPE, "rt") as lines:
            for line in lines:
                if '"t":"trade"' in line:
                    continue  # most lines are, and none changes a book
                row = json.loads(line)
                if row["s"] == self.symbol:
                    self._apply(row)
                    self.updates += 1
                    if self.updates % EVERY == 0 and self.book.usable:
                        yield self.updates

    def _apply(self, row: dict[str, Any]) -> None:
        self.raw.apply(row)
        bids, asks = (tuple((float(p), float(q)) for p, q in row[key]) for key in ("b", "a"))
        if row["t"] == "snap":
            self.book.snapshot(BookSnapshot(row["ts"], self.symbol, bids, asks))
        else:
            self.book.delta(BookDelta(row["ts"], self.symbol, bids, asks))


@pytest.mark.parametrize("symbol", TICKS)
def test_the_walk_equals_an_independent_calculation(symbol: str) -> None:
    """Both sides at 1, 10 and 100 times the top size, each on the untouched book."""
    both, compared = Both(symbol), 0
    for _ in both.moments():
        for side in Side:
            for times in MULTIPLES:
                both.raw.taken = {"b": {}, "a": {}}
                size = both.raw.top(side) * times
                depth = Depth(both.book, instrument(symbol, TICKS[symbol]))
                fills = depth.take(side, size, None, lambda _price, part: part)
                assert fills == both.raw.take(side, size)
                for price, _ in fills:
                    both.book.unwatch(side.opposite, float(price))
                compared += 1
    assert compared >= 100


@pytest.mark.parametrize("symbol", TICKS)
def test_depth_taken_stays_taken_until_the_market_restates_it(symbol: str) -> None:
    """One memory over the whole recording: every order meets what the ones before it left."""
    both, remembered = Both(symbol), 0
    depth = Depth(both.book, instrument(symbol, TICKS[symbol]))
    for number in both.moments():
        side = Side.BUY if number // EVERY % 2 else Side.SELL
        for times in (10, 1, 10):
            size = both.raw.top(side) * times
            remembered += sum(map(len, both.raw.taken.values()))
            fills = depth.take(side, size, None, lambda _price, part: part)
            assert fills == both.raw.take(side, size)
    assert remembered > 100, "no order ever met depth that was taken before"


@pytest.mark.parametrize("symbol", TICKS)
@pytest.mark.parametrize("side", list(Side))
def test_the_exchange_fills_market_orders_at_those_prices(symbol: str, side: Side) -> None:
    """The same through the exchange, up to its collar of 1 %."""
    both = Both(symbol)
    venue = PaperExchange(
        settings(), {symbol: instrument(symbol, TICKS[symbol])}, {symbol: both.book}, 7
    )
    now, compared = START, 0
    for number in both.moments():
        for times in MULTIPLES:
            request = OrderRequest(
                id=f"PAPER-{number}-{times}", symbol=symbol, side=side, type=OrderType.MARKET,
                size=both.raw.top(side) * times, purpose=Purpose.REBALANCE, book=AccountBook.SPOT,
                parent="verdict-1",
            )  # fmt: skip
            now += 60 * SECOND
            venue.submit(ApprovedOrder(request, "verdict-1", now), now)
            reports = venue.advance(now + SECOND)
            filled = [report for report in reports if isinstance(report, OrderFilled)]
            assert {report.evidence for report in filled} <= {Evidence.BOOK_WALK}
            got = [(report.price, report.size) for report in filled]
            size = sum((part for _, part in got), ZERO)
            assert got == both.raw.take(side, size)
            compared += size == request.size
    assert compared >= 50
