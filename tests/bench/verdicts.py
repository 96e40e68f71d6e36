"""One verdict of the risk engine with ten positions and twenty open orders, the account's state and
the market's facts gathered for it included.
"""

from __future__ import annotations

import statistics
import time
from decimal import Decimal
from typing import Any

from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.model.account import AccountView
from tradeterm.model.market import BookDelta, BookSnapshot
from tradeterm.model.orders import Order, OrderRequest, Position
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import MILLISECOND, parse_instant
from tradeterm.model.vocabulary import (
    AccountBook,
    MarketMode,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)
from tradeterm.settings.loading import load_settings

D = Decimal
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
PRICES = {"BTC/USDT": 65_000.0, "XRP/USDT": 0.54, "XRP/BTC": 0.0000083}
START = parse_instant("2025-06-02T00:00:00Z")
POSITIONS = 10
#: The wish: a long of 1.5 % of equity with everything an entry needs.
WISH = TradeIntent(
    "BTC/USDT", PositionSide.LONG, D("0.0023"), D(65_000), D(63_800), D(69_000), D(1), D("0.8")
)


def _position(number: int) -> Position:
    symbol = SYMBOLS[number % 3]
    price = D(str(PRICES[symbol]))
    rate = D(65_000) if symbol == "XRP/BTC" else D(1)
    size = (D(200) / (price * rate)).quantize(D("0.0001"))
    return Position(
        id=f"pos-{number}", symbol=symbol, side=PositionSide.LONG, size=size, entry=price,
        leverage=D(1), collateral=D(200), opened=START, updated=START, order_id=f"PAPER-{number}",
        agent="trading_decision", stop=price * D("0.98"), target=price * D("1.05"),
        opened_size=size,
    )  # fmt: skip


def _protection(position: Position, number: int, purpose: Purpose) -> Order:
    stop = purpose is Purpose.STOP
    request = OrderRequest(
        f"PAPER-{number}", position.symbol, Side.SELL,
        OrderType.STOP_LOSS if stop else OrderType.TAKE_PROFIT, position.size, purpose,
        AccountBook.MARGIN, position.id, trigger=position.stop if stop else position.target,
        reduce_only=True, position_id=position.id,
    )  # fmt: skip
    return Order(request, "verdict-1", OrderStatus.OPEN, START, START)


def _entry(symbol: str, number: int) -> Order:
    request = OrderRequest(
        f"PAPER-{number}", symbol, Side.BUY, OrderType.LIMIT, D("0.001"), Purpose.ENTRY,
        AccountBook.MARGIN, "verdict-1", limit=D(str(PRICES[symbol])),
    )  # fmt: skip
    return Order(request, "verdict-1", OrderStatus.OPEN, START, START)


def _engine() -> Engine:
    chosen = load_settings(
        None, ("risk.max_positions=50", "risk.max_positions_per_symbol=20")
    ).settings
    steps = {s: i for s in SYMBOLS if (i := chosen.market.instrument(s)) is not None}
    engine = Engine(chosen, steps, SYMBOLS, MarketMode.SIM, 7, Approver())
    engine.begin(START, "run")
    for symbol, price in PRICES.items():
        levels = [
            [(price * (1 + sign * k / 10_000), 10.0) for k in range(1, 20)] for sign in (-1, 1)
        ]
        engine.run([BookSnapshot(START + 1, symbol, tuple(levels[0]), tuple(levels[1]))], 0, 1)
    return engine


def _measured(engine: Engine, working: dict[str, Order], rounds: int) -> dict[str, Any]:
    """Each verdict follows a changed book, as it would in life: no price is known from before."""
    positions = {p.id: p for p in map(_position, range(POSITIONS))}
    core, books = engine.core, engine.books

    def account(without: str = "") -> AccountView:
        return books.portfolio.account_view(core.now, positions, working, core.state, core.level)

    books.account = account  # type: ignore[method-assign]
    judging, took = engine.trading.judging, []
    verdict = judging.what_if(WISH)
    for number in range(rounds):
        bid = 65_000.0 - 6.5 - (number % 7) * 0.1
        changed = BookDelta(core.now + MILLISECOND, "BTC/USDT", ((bid, 1.0 + number % 3),), ())
        engine.run([changed], 0, 1)
        begin = time.perf_counter_ns()
        verdict = judging.what_if(WISH)
        took.append(time.perf_counter_ns() - begin)
    return {
        "median_us": statistics.median(took) / 1000,
        "status": verdict.status.value,
        "rules": len(verdict.rules),
    }


def measure(rounds: int) -> dict[str, Any]:
    """Twenty protective orders of the ten positions; and twenty working entries instead."""
    held = [_position(number) for number in range(POSITIONS)]
    protective = [
        _protection(p, 100 + 2 * n + (purpose is Purpose.TARGET), purpose)
        for n, p in enumerate(held)
        for purpose in (Purpose.STOP, Purpose.TARGET)
    ]
    entries = [_entry(SYMBOLS[n % 3], 200 + n) for n in range(20)]
    return {
        "protective_orders": _measured(_engine(), {o.id: o for o in protective}, rounds),
        "working_entries": _measured(_engine(), {o.id: o for o in entries}, rounds),
    }
