"""Position arithmetic, and what happens when a venue reports what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.world import BTC, D, World
from tradeterm.errors import InvalidOrder
from tradeterm.execution import positions
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Fill, OrderFilled, OrderRequest, Position
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    ExitReason,
    Liquidity,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)

REQUEST = OrderRequest(
    id="PAPER-1", symbol=BTC, side=Side.BUY, type=OrderType.MARKET, size=D(1),
    purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent="verdict-1", position_id="pos-1",
    leverage=D(3), stop=D(1),
)  # fmt: skip
PRICES = st.decimals("10", "99999", places=1)
SIZES = st.decimals("0.0001", "9", places=4)


def fill(side: Side, price: object, size: object, fee: str = "0") -> Fill:
    return Fill(
        id="fill-1", ts=1, order_id="PAPER-1", symbol=BTC, side=side, book=AccountBook.MARGIN,
        price=D(str(price)), size=D(str(size)), fee=D(fee), fee_asset="USDT", rate=D(1),
        liquidity=Liquidity.TAKER, evidence=Evidence.BOOK_WALK, position_id="pos-1",
    )  # fmt: skip


def opened(price: object = 100, size: object = 1) -> Position:
    return positions.opened(fill(Side.BUY, price, size), REQUEST, ZERO, trailing=False)


@given(st.lists(st.tuples(PRICES, SIZES), min_size=1, max_size=6))
def test_the_entry_is_the_mean_and_lies_between_the_fills(
    entries: list[tuple[object, object]],
) -> None:
    position = opened(*entries[0])
    for price, size in entries[1:]:
        position = positions.increased(position, fill(Side.BUY, price, size), ZERO)
    prices, sizes = zip(*((D(str(p)), D(str(s))) for p, s in entries), strict=True)
    assert min(prices) <= position.entry <= max(prices)
    mean = sum((p * s for p, s in zip(prices, sizes, strict=True)), ZERO) / sum(sizes)
    assert abs(position.entry - mean) < D("1E-14")
    assert position.size == position.opened_size == sum(sizes)


@given(st.lists(st.integers(1, 999), min_size=1, max_size=5, unique=True), PRICES)
def test_closing_in_parts_returns_all_collateral_and_the_whole_gain(
    cuts: list[int], price: object
) -> None:
    position = whole = opened(50_000, 1)
    for before, after in zip([0, *sorted(cuts)], [*sorted(cuts), 1000], strict=True):
        part = D(after - before) / 1000
        position = positions.reduced(position, fill(Side.SELL, price, part), ExitReason.SIGNAL)
    assert (position.size, position.collateral, position.is_open) == (ZERO, ZERO, False)
    one = positions.reduced(whole, fill(Side.SELL, price, 1), ExitReason.SIGNAL)
    assert abs(position.realised - one.realised) <= D("0.00000001") * (len(cuts) + 1)
    assert position.exit == D(str(price))


def test_what_would_flip_a_position_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="would flip"):
        positions.reduced(opened(), fill(Side.SELL, 100, "1.1"), ExitReason.SIGNAL)
    with pytest.raises(InvalidOrder, match="would flip"):
        positions.reduced(opened(), fill(Side.BUY, 100, "0.1"), ExitReason.SIGNAL)
    with pytest.raises(InvalidOrder, match="needs a position id and a stop"):
        positions.opened(fill(Side.BUY, 100, 1), replace(REQUEST, stop=None), ZERO, trailing=False)


def test_a_venue_that_overfills_a_close_is_reported_and_not_booked() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "64000")
    world.wait(1)
    close = world.close(world.position)
    stop, _ = world.execution.protective(world.position.id)
    assert stop is not None
    reports = [
        OrderFilled(
            world.now, order_id, f"x{order_id}", D(64000), D("0.01"), Liquidity.TAKER,
            Evidence.BOOK_WALK,
        )
        for order_id in (stop.id, close.id)
    ]  # fmt: skip
    world.take(world.execution._digest(list(reports), world.now))
    assert not world.execution.positions
    assert [notice.code for notice in world.execution.take_notices()] == ["fill_unfitting"]
    assert len(world.fills) == 2
    assert all(
        amount >= 0
        for account, assets in world.portfolio.ledger.balances().items()
        if account == "trading" or account.startswith("margin")
        for amount in assets.values()
    )
