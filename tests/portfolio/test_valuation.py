"""Sums kept from one look to the next are what a plain sum over everything says."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.world import BTC, CROSS, INSTRUMENTS, START, XRP, D
from tradeterm.model.money import ZERO, ledger_cost
from tradeterm.model.orders import Order, OrderRequest, Position
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)
from tradeterm.portfolio.valuation import Gains, Prices, Reserves

SYMBOLS = (BTC, XRP, CROSS)
AROUND = {BTC: 65_000.0, XRP: 0.54, CROSS: 0.0000083}

moves = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.sampled_from(SYMBOLS), st.integers(-50, 50)),
        st.tuples(st.just("gone"), st.sampled_from(SYMBOLS), st.just(0)),
        st.tuples(st.just("position"), st.sampled_from(SYMBOLS), st.integers(-5, 5)),
        st.tuples(st.just("order"), st.sampled_from(SYMBOLS), st.integers(0, 7)),
        st.tuples(st.just("fill"), st.sampled_from(SYMBOLS), st.integers(1, 3)),
        st.tuples(st.just("end"), st.sampled_from(SYMBOLS), st.integers(0, 5)),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def position(number: int, symbol: str, lots: int) -> Position:
    price = D(str(AROUND[symbol]))
    return Position(
        f"pos-{number}", symbol, PositionSide.LONG if lots >= 0 else PositionSide.SHORT,
        D(abs(lots) + 1), price, D(2), D(100), START, START, "PAPER-1", "agent", price, None,
        D(abs(lots) + 1),
    )  # fmt: skip


def order(number: int, symbol: str, kind: int) -> Order:
    spot, sells, limited = kind & 1, kind & 2, kind & 4
    request = OrderRequest(
        f"PAPER-{number}", symbol, Side.SELL if sells else Side.BUY,
        OrderType.LIMIT if limited else OrderType.MARKET, D(3),
        Purpose.DCA if spot else Purpose.ENTRY,
        AccountBook.SPOT if spot else AccountBook.MARGIN, "verdict-1",
        limit=D(str(AROUND[symbol])) if limited else None, leverage=D(1 if spot else 2),
    )  # fmt: skip
    return Order(request, "verdict-1", OrderStatus.OPEN, START, START)


def plain_gain(positions: list[Position], prices: Prices) -> Decimal:
    worth = ZERO
    for one in positions:
        side = prices.bids if one.side is PositionSide.LONG else prices.asks
        price, rate = side.get(one.symbol), prices.rates.get(one.symbol.split("/")[1])
        if price is not None and rate is not None:
            worth += price_gain(one, price, one.size, rate)
    return worth


def plain_reserve(orders: list[Order], prices: Prices) -> Decimal:
    cost = ZERO
    for one in orders:
        request, instrument = one.request, INSTRUMENTS[one.request.symbol]
        spot = request.book is AccountBook.SPOT
        if spot and request.side is Side.SELL:
            continue
        book = prices.asks if request.side is Side.BUY else prices.bids
        price, rate = request.limit or book.get(request.symbol), prices.rates.get(instrument.quote)
        if price is not None and rate is not None:
            share = D(1) / request.leverage + instrument.taker_fee
            cost += ledger_cost(one.remaining * price * rate * share)
    return cost


@given(moves)
def test_kept_sums_equal_plain_ones_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    quotes: dict[str, tuple[float | None, float | None]] = dict.fromkeys(SYMBOLS, (None, None))
    prices = Prices("USDT", (), INSTRUMENTS, lambda symbol: quotes.get(symbol, (None, None)))
    gains, reserves = Gains(), Reserves(INSTRUMENTS)
    positions: list[Position] = []
    orders: list[Order] = []
    for number, (what, symbol, amount) in enumerate(steps):
        if what == "price":
            mid = AROUND[symbol] * (1 + amount / 1000)
            quotes[symbol] = (mid * 0.999, mid * 1.001)
        elif what == "gone":
            quotes[symbol] = (None, None)
        elif what == "position":
            positions.append(position(number, symbol, amount))
        elif what == "order":
            orders.append(order(number, symbol, amount))
        elif what == "fill":
            orders = [replace(o, filled=D(1)) if o.request.symbol == symbol else o for o in orders]
            positions = [
                replace(p, size=p.size / 2) if p.symbol == symbol else p for p in positions
            ]
        else:
            positions, orders = positions[amount:], orders[amount:]
        prices.refresh()
        assert gains.of(tuple(positions), prices) == plain_gain(positions, prices)
        assert reserves.of(tuple(orders), prices) == plain_reserve(orders, prices)
        entries = [o for o in orders if o.request.purpose is Purpose.ENTRY]
        assert list(reserves.entries) == entries
