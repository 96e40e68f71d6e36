"""Refusals, cancels, expiry and the ends of positions, on the real venue and ledger."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, CROSS, XRP, D, World, btc_world, long_btc
from tradeterm.errors import InvalidOrder, LedgerError
from tradeterm.model.account import PNL, TRADING
from tradeterm.model.orders import OrderChanged, OrderRequest
from tradeterm.model.timing import HOUR, SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    ExitReason,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
    TimeInForce,
)

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def half_filled() -> tuple[World, OrderRequest]:
    """A limit entry of 0.01 BTC at 65,000 of which the book had only half."""
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 0.005),))
    request = OrderRequest(
        id="PAPER-90", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent="verdict-1", limit=D("65000"),
        position_id="pos-9", stop=D("64000"), target=D("67000"),
    )  # fmt: skip
    world.send(request)
    world.wait(1)
    return world, request


@pytest.mark.parametrize(
    ("symbol", "size", "reason"),
    [
        (BTC, "0.00004", "below the minimum"),
        (BTC, "0.000000001", "not on the lot"),
        (XRP, "10", "no price"),
    ],
)
def test_the_venue_rejects_with_a_reason(symbol: str, size: str, reason: str) -> None:
    world = btc_world()
    request = world.enter(symbol, LONG, size, "1")
    world.wait(1)
    assert world.last(request.id).status is OrderStatus.REJECTED
    assert reason in world.last(request.id).reason
    assert not world.execution.working


def test_a_cancel_takes_time_and_tells_why() -> None:
    world = btc_world(latency={"least": 1.0, "most": 1.0})
    request = world.enter(BTC, LONG, "0.01", "64000")
    slow = world.enter(BTC, LONG, "0.01", "64000")
    world.wait(0.5)
    world.take(world.execution.cancel_entries(world.now, "halted by operator"))
    world.wait(2)
    # Both were on the way before the cancel, so both fill: a real venue would do the same.
    assert world.last(request.id).status is OrderStatus.FILLED
    assert world.last(slow.id).status is OrderStatus.FILLED
    assert len(world.execution.positions) == 2


def test_cancelling_a_resting_order_ends_it_with_the_callers_reason() -> None:
    world = btc_world()
    request = OrderRequest(
        id="PAPER-90", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent="verdict-1", limit=D("60000"),
        position_id="pos-9", stop=D("59000"),
    )  # fmt: skip
    world.send(request)
    world.wait(1)
    world.take(world.execution.cancel_entries(world.now, "halted by operator"))
    world.wait(1)
    order = world.last(request.id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "halted by operator")


def test_an_entry_expires_after_a_day() -> None:
    world = btc_world()
    request = OrderRequest(
        id="PAPER-90", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent="verdict-1", limit=D("60000"),
        position_id="pos-9", stop=D("59000"),
            tif=TimeInForce.GTD, expires=world.now + 24 * HOUR,
    )  # fmt: skip
    world.send(request)
    world.wait(86_390)
    assert world.last(request.id).status is OrderStatus.OPEN
    world.wait(20)
    assert world.last(request.id).status is OrderStatus.EXPIRED


def test_protection_cannot_be_cancelled_while_the_position_is_open() -> None:
    world = long_btc()
    for order in world.execution.protective(world.position.id):
        assert order is not None
        with pytest.raises(InvalidOrder, match="close the position instead"):
            world.execution.cancel(order.id, world.now, "no")


def test_when_a_position_closes_the_rest_of_its_entry_is_cancelled() -> None:
    world, request = half_filled()
    assert world.last(request.id).status is OrderStatus.PARTIALLY_FILLED
    world.book(BTC, ((63990.0, 1.0),), ((65001.0, 1.0),))
    world.trade(BTC, 64000.0)
    assert not world.execution.positions
    assert world.last(request.id).status is OrderStatus.CANCELLED
    assert not world.execution.working


def test_a_second_entry_fill_grows_the_position_and_its_protection() -> None:
    world, _ = half_filled()
    world.trade(BTC, 64999.0)
    stop, target = world.execution.protective("pos-9")
    assert stop is not None
    assert target is not None
    assert world.position.size == stop.remaining == target.remaining == D("0.01")
    protective = [
        event.order.id for event in world.events
        if isinstance(event, OrderChanged) and event.order.request.purpose is Purpose.STOP
    ]  # fmt: skip
    assert set(protective) == {stop.id}


def test_a_loss_never_exceeds_the_isolated_margin() -> None:
    world = long_btc(leverage=5)
    before = world.balance(TRADING)
    world.book(BTC, ((40000.0, 1.0),), ((40001.0, 1.0),))  # the mid alone liquidates
    # collateral 130; raw loss 250; fee 400 × 0.4 % = 1.60; so 128.40 lost, 1.60 fee, 0 back
    assert world.balance(TRADING) == before
    assert world.balance(PNL) == D("128.4")
    closed = world.fills[-1].after
    assert closed is not None
    assert closed.pnl == D("-130") - D("2.6")


def test_refusals_of_requests_nobody_should_send() -> None:
    world = long_btc()
    good = world.execution.requests.close(world.position, ExitReason.OPERATOR, "cmd-1")
    with pytest.raises(InvalidOrder, match="is not open"):
        world.send(_changed(good, position_id="pos-77"))
    with pytest.raises(InvalidOrder, match="does not reduce"):
        world.send(_changed(good, side=Side.BUY))
    with pytest.raises(InvalidOrder, match="unknown symbol"):
        world.send(_changed(good, symbol="DOGE/USDT"))
    with pytest.raises(InvalidOrder, match="placed by execution itself"):
        world.send(_changed(good, purpose=Purpose.STOP))
    with pytest.raises(InvalidOrder, match="needs a stop"):
        world.send(_changed(good, purpose=Purpose.ENTRY))
    spot = World().execution.requests.spot(CROSS, Side.BUY, D(10), Purpose.DCA, 0, "verdict-1")
    with pytest.raises(LedgerError, match="no price for BTC in USDT"):
        World().send(spot)
    with pytest.raises(InvalidOrder, match="nothing to cancel"):
        world.execution.cancel("PAPER-99", world.now, "no")
    world.send(good)
    with pytest.raises(InvalidOrder):
        world.send(good)


def _changed(request: OrderRequest, **changes: object) -> OrderRequest:
    return replace(request, **changes)


def test_latency_depends_on_seed_and_id_only() -> None:
    def arrival(seed: int) -> int:
        world = btc_world(seed=seed)
        world.enter(BTC, LONG, "0.01", "64000")
        return world.execution.next_due - world.now

    assert arrival(1) == arrival(1)
    assert len({arrival(seed) for seed in range(20)}) > 10
    assert all(0.04 * SECOND <= arrival(seed) <= 0.6 * SECOND for seed in range(20))


def test_a_symbol_with_a_book_costs_nothing_while_nothing_rests() -> None:
    world = btc_world()
    assert BTC in world.execution.interested
    world.trade(BTC, 65000.0)
    assert BTC not in world.execution.interested
    world.enter(BTC, LONG, "0.01", "64000", "67000")
    world.wait(1)
    assert BTC in world.execution.interested
    world.trade(BTC, 65000.0)
    resting = world.execution.interested[BTC]
    assert (resting.low, resting.high) == (64000.0, 67000.0)
    world.close(world.position)
    world.wait(1)
    world.trade(BTC, 65000.0)
    assert BTC not in world.execution.interested
