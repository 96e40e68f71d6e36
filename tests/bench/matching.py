"""How fast the paper exchange matches, each figure beside plain dicts and lists doing the same.

The floors do only the arithmetic of the task: no states, no reports, no memory of what was taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

from tradeterm.execution.paper import PaperExchange
from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import BookDelta, BookSnapshot, Trade
from tradeterm.model.orders import ApprovedOrder, OrderFilled, OrderRequest
from tradeterm.model.timing import MILLISECOND, SECOND
from tradeterm.model.vocabulary import AccountBook, OrderType, Purpose, Side
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings

SYMBOL = "BTC/USDT"
START = 1_748_822_400 * SECOND
LEVELS = 1_000
ORDERS = 100
"""Market orders per round, each through all levels of a book stated anew."""
DELTAS = 100_000
CHECKS = 200_000
RESTING = 1_000
#: Wide enough for 1,000 levels a tick of 0.1 apart.
WIDE = ("execution.max_slippage=50",)

Levels = tuple[tuple[float, float], ...]


def matching(rounds: int = 3) -> dict[str, Any]:
    """Every figure, per second, with its floor and the share of the floor that is reached."""
    chosen = load_settings(None, WIDE).settings
    pairs: dict[str, tuple[int, Callable[[], float], Callable[[], float]]] = {
        "market_order_1000_levels": (ORDERS, lambda: _orders(chosen), _orders_floor),
        "deltas": (DELTAS, _deltas, _deltas_floor),
        "resting_checks": (CHECKS, lambda: _checks(chosen, fires=False), _checks_floor),
    }
    figures: dict[str, Any] = {}
    for name, (count, ours, floor) in pairs.items():
        mine, plain = (count / median(run() for _ in range(rounds)) for run in (ours, floor))
        figures[name] = {"per_second": mine, "floor": plain, "ratio": mine / plain}
    fired = RESTING / median(_checks(chosen, fires=True) for _ in range(rounds))
    figures["resting_orders_filled"] = {"per_second": fired}
    order = figures["market_order_1000_levels"]
    order["milliseconds"] = 1000 / order["per_second"]
    return figures


def _sides() -> tuple[Levels, Levels]:
    bids = tuple((65_000.0 - n / 10, 0.5 + n % 7) for n in range(LEVELS))
    asks = tuple((65_000.1 + n / 10, 0.5 + n % 5) for n in range(LEVELS))
    return bids, asks


def _venue(chosen: Settings) -> tuple[OrderBook, PaperExchange]:
    instrument = chosen.market.instrument(SYMBOL)
    assert isinstance(instrument, Instrument)
    book = OrderBook(SYMBOL)
    return book, PaperExchange(chosen.execution, {SYMBOL: instrument}, {SYMBOL: book}, 1)


def _request(number: int, size: Decimal, limit: Decimal | None = None) -> ApprovedOrder:
    request = OrderRequest(
        id=f"PAPER-{number}", symbol=SYMBOL, side=Side.BUY, size=size, limit=limit,
        type=OrderType.MARKET if limit is None else OrderType.LIMIT, parent="verdict-1",
        purpose=Purpose.REBALANCE, book=AccountBook.SPOT,
    )  # fmt: skip
    return ApprovedOrder(request, "verdict-1", START)


# -- a market order through every level ----------------------------------------------------------


def _orders(chosen: Settings) -> float:
    """Seconds the exchange needs for all orders: arrival, walk, a report per level."""
    book, venue = _venue(chosen)
    bids, asks = _sides()
    size = sum((Decimal(str(size)) for _, size in asks), Decimal(0))
    spent, now = 0.0, START
    for number in range(ORDERS):
        book.snapshot(BookSnapshot(now, SYMBOL, bids, asks))
        venue.submit(_request(number, size), now)
        now += 60 * SECOND
        began = time.perf_counter()
        reports = venue.advance(now)
        spent += time.perf_counter() - began
        filled = sum(isinstance(report, OrderFilled) for report in reports)
        if filled != LEVELS:
            raise RuntimeError(f"the order met {filled} of {LEVELS} levels")
    return spent


def _orders_floor() -> float:
    """The same sums over a sorted list of Decimals."""
    _, asks = _sides()
    levels = [(Decimal(str(price)), Decimal(str(size))) for price, size in asks]
    size = sum((size for _, size in levels), Decimal(0))
    began = time.perf_counter()
    for _ in range(ORDERS):
        left, cost, fills = size, Decimal(0), []
        for price, shown in levels:
            part = min(left, shown)
            fills.append((price, part))
            cost += price * part
            left -= part
            if not left:
                break
    return time.perf_counter() - began


# -- deltas --------------------------------------------------------------------------------------


def _changes() -> list[BookDelta]:
    bids, asks = _sides()
    return [
        BookDelta(
            START + n * MILLISECOND, SYMBOL,
            ((bids[n * 7 % LEVELS][0], float(n % 9 and 1 + n % 4)),),
            ((asks[n * 11 % LEVELS][0], float(n % 8 and 1 + n % 3)),),
        )
        for n in range(DELTAS)
    ]  # fmt: skip


def _deltas() -> float:
    book, events = OrderBook(SYMBOL), _changes()
    book.snapshot(BookSnapshot(START, SYMBOL, *_sides()))
    began = time.perf_counter()
    for event in events:
        book.delta(event)
    return time.perf_counter() - began


def _deltas_floor() -> float:
    """Two dicts; nobody knows the best price."""
    events = _changes()
    bids, asks = map(dict, _sides())
    began = time.perf_counter()
    for event in events:
        for side, levels in ((bids, event.bids), (asks, event.asks)):
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
    return time.perf_counter() - began


# -- resting orders ------------------------------------------------------------------------------


def _checks(chosen: Settings, *, fires: bool) -> float:
    """1,000 limits rest: prints that touch none of them, or one print that fills them all."""
    book, venue = _venue(chosen)
    bids, asks = _sides()
    book.snapshot(BookSnapshot(START, SYMBOL, bids, asks))
    for number in range(RESTING):
        limit = Decimal(64_000) - Decimal(number) / 10
        venue.submit(_request(number, Decimal("0.001"), limit), START)
    venue.advance(START + SECOND)
    now = START + 2 * SECOND
    count = 1 if fires else CHECKS
    prints = [
        Trade(now + n, SYMBOL, 60_000.0 if fires else 64_900.0 + n % 100, 1_000.0, "sell")
        for n in range(count)
    ]
    filled = 0
    began = time.perf_counter()
    for event in prints:
        filled += len(venue.on_market(event))
    spent = time.perf_counter() - began
    if bool(filled) is not fires:
        raise RuntimeError(f"{filled} reports, fires={fires}")
    return spent


def _checks_floor() -> float:
    """The print against the nearest limit of a sorted list."""
    limits = sorted(64_000.0 - number / 10 for number in range(RESTING))
    prints = [Trade(START + n, SYMBOL, 64_900.0 + n % 100, 1_000.0, "sell") for n in range(CHECKS)]
    fired = 0
    began = time.perf_counter()
    for event in prints:
        if event.price < limits[-1]:
            fired += 1
    spent = time.perf_counter() - began
    if fired:
        raise RuntimeError("a print reached a limit")
    return spent
