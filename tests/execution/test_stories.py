"""Stories: given a market, when this happens, then orders, positions and ledger say that.

Each amount is calculated by hand in the comment beside it.
"""

from __future__ import annotations

import pytest

from tests.execution.world import BTC, CROSS, D, World, btc_world, long_btc
from tradeterm.errors import InvalidOrder
from tradeterm.model.account import FEES, PNL, TRADING
from tradeterm.model.market import Candle
from tradeterm.model.orders import OrderChanged, OrderRequest, PositionChanged
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    ExitReason,
    Liquidity,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def test_an_entry_fills_after_its_latency_and_is_protected_in_the_same_step() -> None:
    world = btc_world()
    request = world.enter(BTC, LONG, "0.01", "64000", "67000")
    assert world.last(request.id).status is OrderStatus.PENDING
    assert not world.wait(0.039)
    events = world.wait(0.6)
    kinds = [
        (event.what if isinstance(event, PositionChanged) else type(event).__name__)
        for event in events
    ]
    assert kinds == ["Filled", "OrderChanged", "opened", "OrderChanged", "OrderChanged"]
    told = [event.order for event in events if isinstance(event, OrderChanged)]
    assert [(order.request.purpose, order.status) for order in told] == [
        (Purpose.ENTRY, OrderStatus.FILLED),  # it was open for no time at all
        (Purpose.STOP, OrderStatus.OPEN),  # held at the venue: nobody saw it pending
        (Purpose.TARGET, OrderStatus.OPEN),
    ]
    stop, target = world.execution.protective(world.position.id)
    assert stop is not None
    assert target is not None
    assert (stop.status, stop.request.trigger, stop.request.size) == (
        OrderStatus.OPEN, D("64000"), D("0.01"),
    )  # fmt: skip
    assert (target.status, target.request.trigger) == (OrderStatus.OPEN, D("67000"))
    assert stop.request.reduce_only
    assert world.fills[0].fill.ts == stop.created


def test_opening_moves_collateral_and_fee() -> None:
    world = long_btc()
    # 0.01 × 65,000 = 650 collateral; fee 0.4 % of 650 = 2.60
    assert world.balance(f"margin:{world.position.id}") == D(650)
    assert world.balance(FEES) == D("2.6")
    assert world.balance(TRADING) == D("9347.40")
    fill = world.fills[0].fill
    assert (fill.evidence, fill.liquidity) == (Evidence.BOOK_WALK, Liquidity.TAKER)


def test_the_stop_closes_a_long_and_the_ledger_says_so_to_the_cent() -> None:
    world = long_btc()
    position = world.position
    world.book(BTC, ((63990.0, 1.0),), ((63991.0, 1.0),))
    assert not world.trade(BTC, 64000.1)
    world.trade(BTC, 63995.0)
    assert not world.execution.positions
    # (63,990 − 65,000) × 0.01 = −10.10; fee 639.90 × 0.4 % = 2.5596
    # 10,000 − 2.60 − 10.10 − 2.5596 = 9,984.7404
    assert world.balance(TRADING) == D("9984.7404")
    assert world.balance(PNL) == D("10.10")
    assert world.balance(f"margin:{position.id}") == 0
    closed = world.fills[-1].after
    assert closed is not None
    assert (closed.exit_reason, closed.exit, closed.pnl) == (
        ExitReason.STOP, D("63990"), D("-15.2596"),
    )  # fmt: skip
    assert not world.execution.working


def test_the_target_closes_a_leveraged_short_and_cancels_the_stop() -> None:
    world = btc_world()
    world.enter(BTC, SHORT, "0.1", "66000", "63000", leverage=5)
    world.wait(1)
    # sold at 64,999: collateral 6,499.9 ÷ 5 = 1,299.98; fee 6,499.9 × 0.4 % = 25.9996
    assert world.balance(f"margin:{world.position.id}") == D("1299.98")
    assert world.balance(TRADING) == D("8674.0204")
    stop, _ = world.execution.protective(world.position.id)
    world.book(BTC, ((62989.0, 1.0),), ((62990.0, 1.0),))
    world.trade(BTC, 63000.0)
    # (64,999 − 62,990) × 0.1 = 200.90 (leverage does not multiply it); fee 6,299 × 0.4 % = 25.196
    # 10,000 − 25.9996 + 200.90 − 25.196 = 10,149.7044
    assert world.balance(TRADING) == D("10149.7044")
    assert stop is not None
    assert world.last(stop.id).status is OrderStatus.CANCELLED
    assert world.last(stop.id).reason == "position closed"
    assert world.fills[-1].exit_reason is ExitReason.TARGET


def test_a_cross_is_settled_in_usdt_at_the_rate_of_each_fill() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    world.book(CROSS, ((0.00000839, 50_000.0),), ((0.00000840, 50_000.0),))
    world.enter(CROSS, LONG, "10000", "0.00000820", "0.00000880", leverage=5)
    world.wait(1)
    # 10,000 × 0.0000084 = 0.084 BTC × 65,000 = 5,460; ÷ 5 = 1,092; fee 21.84
    assert world.balance(f"margin:{world.position.id}") == D(1092)
    assert world.balance(TRADING) == D("8886.16")
    assert world.fills[0].fill.fee_asset == "USDT"
    assert world.fills[0].fill.rate == 65_000
    world.book(BTC, ((65999.0, 1.0),), ((66001.0, 1.0),))
    world.book(CROSS, ((0.00000860, 50_000.0),), ((0.00000861, 50_000.0),))
    world.close(world.position)
    world.wait(1)
    # (0.0000086 − 0.0000084) × 10,000 = 0.002 BTC × 66,000 = 132
    # fee 0.086 × 66,000 × 0.4 % = 22.704; 10,000 − 21.84 + 132 − 22.704 = 10,087.456
    assert world.balance(TRADING) == D("10087.456")
    assert world.balance(TRADING, "BTC") == 0


def test_what_does_not_fit_the_collar_is_cancelled_and_the_stop_fits_the_filled_part() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 0.004), (65010.0, 0.006), (65651.0, 1.0)))
    request = world.enter(BTC, LONG, "0.02", "64000", "67000")
    world.wait(1)
    order = world.last(request.id)
    # collar 65,000 × 1.01 = 65,650; (0.004 × 65,000 + 0.006 × 65,010) ÷ 0.01 = 65,006
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, D("0.01"))
    assert order.reason == "no depth within collar"
    assert world.position.entry == order.average == D("65006")
    stop, target = world.execution.protective(world.position.id)
    assert stop is not None
    assert target is not None
    assert stop.remaining == target.remaining == D("0.01")
    assert world.balance(f"margin:{world.position.id}") == D("650.06")


def test_depth_taken_is_gone_until_the_market_restates_it() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 0.01), (65010.0, 1.0)))
    world.enter(BTC, LONG, "0.01", "64000")
    world.wait(1)
    world.enter(BTC, LONG, "0.01", "64000")
    world.wait(1)
    world.delta(BTC, asks=((65000.0, 0.01),))
    world.enter(BTC, LONG, "0.01", "64000")
    world.wait(1)
    assert [filled.fill.price for filled in world.fills] == [65_000, 65_010, 65_000]


def test_closing_a_part_shrinks_protection_and_brings_its_share_back() -> None:
    world = long_btc()
    world.close(world.position, "0.004")
    world.wait(1)
    # (64,999 − 65,000) × 0.004 = −0.004; 650 × 0.4 = 260 back; fee 259.996 × 0.4 % = 1.039984
    assert world.balance(TRADING) == D("9347.40") + 260 - D("0.004") - D("1.039984")
    assert world.position.collateral == world.balance(f"margin:{world.position.id}") == D(390)
    stop, target = world.execution.protective(world.position.id)
    assert stop is not None
    assert target is not None
    assert stop.remaining == target.remaining == world.position.size == D("0.006")
    world.close(world.position)
    world.wait(1)
    assert not world.execution.positions
    assert not world.execution.working
    closed = world.fills[-1].after
    assert closed is not None
    assert closed.exit_reason is ExitReason.OPERATOR
    assert closed.realised == D("-0.01")


def test_protection_stays_while_a_close_is_under_way_and_never_flips_the_position() -> None:
    world = long_btc()
    close = world.close(world.position)
    stop, _ = world.execution.protective(world.position.id)
    assert stop is not None
    assert stop.working
    with pytest.raises(InvalidOrder, match="already being closed"):
        world.close(world.position)
    world.book(BTC, ((63990.0, 1.0),), ((63991.0, 1.0),))
    world.trade(BTC, 63990.0)  # the stop is faster than the close
    assert world.last(close.id).status is OrderStatus.CANCELLED
    world.wait(1)
    assert [filled.fill.side for filled in world.fills] == [Side.BUY, Side.SELL]
    assert not world.execution.working


def test_a_stop_eats_through_a_thin_book_and_finishes_when_depth_returns() -> None:
    world = long_btc()
    world.book(BTC, ((63000.0, 0.002), (60000.0, 0.003)), ((65000.0, 1.0),))
    world.trade(BTC, 63000.0)
    assert world.position.size == D("0.005")
    stop, target = world.execution.protective(world.position.id)
    assert stop is not None
    assert target is not None
    assert (stop.status, stop.remaining) == (OrderStatus.PARTIALLY_FILLED, D("0.005"))
    assert target.remaining == D("0.005")
    world.delta(BTC, bids=((60000.0, 1.0),))
    world.wait(1.5)
    assert not world.execution.positions
    assert not world.execution.working


def test_a_stop_waits_out_a_crossed_book() -> None:
    world = long_btc()
    world.delta(BTC, bids=((65000.0, 1.0),))
    world.trade(BTC, 63990.0)
    assert world.execution.positions
    world.book(BTC, ((63900.0, 1.0),), ((63901.0, 1.0),))
    world.wait(1.5)
    assert world.fills[-1].fill.price == 63_900


def test_on_bars_an_order_fills_at_the_close_against_us_and_says_so() -> None:
    world = World()
    world.bar(BTC, (64900, 65100, 64800, 65000))
    world.enter(BTC, LONG, "0.01", "64000", "67000")
    world.wait(1)
    fill = world.fills[0].fill
    assert (fill.price, fill.evidence) == (D("65032.5"), Evidence.BAR_ESTIMATE)  # × 1.0005


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ((64500, 64600, 63900, 64200), D("63968"), ExitReason.STOP),  # 64,000 × 0.9995
        ((63000, 63100, 62000, 62500), D("62968.5"), ExitReason.STOP),  # gap: open × 0.9995
        ((65000, 68000, 63000, 67500), D("63968"), ExitReason.STOP),  # both: stop before target
        ((68000, 68500, 67500, 68000), D("66966.5"), ExitReason.TARGET),  # 67,000 × 0.9995
    ],
)
def test_on_bars_exits_are_judged_by_the_range(
    bar: tuple[float, ...], price: object, reason: ExitReason
) -> None:
    world = World()
    world.bar(BTC, (64900, 65100, 64800, 65000))
    world.enter(BTC, LONG, "0.01", "64000", "67000")
    world.bar(BTC, (65000, 65200, 64500, 64600))
    assert world.execution.positions
    world.bar(BTC, bar)
    assert world.fills[-1].fill.price == price
    assert world.fills[-1].exit_reason is reason
    assert len(world.fills) == 2


def test_a_coarser_bar_does_not_judge_time_already_judged() -> None:
    world = World()
    world.bar(BTC, (65000, 65000, 63000, 65000))  # the dip lies before the entry
    world.enter(BTC, LONG, "0.01", "64000")
    world.bar(BTC, (65000, 65100, 64900, 65000))
    coarse = Candle(world.now, BTC, 300, 65000, 65100, 63000, 65000, 1.0)
    assert not world.take(world.execution.on_market(coarse))
    assert world.execution.positions


def test_a_limit_rests_and_fills_as_maker_when_prints_go_through_it() -> None:
    world = btc_world()
    request = OrderRequest(
        id="PAPER-90", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="verdict-1", limit=D("64900"),
    )  # fmt: skip
    world.send(request)
    world.wait(1)
    assert world.last(request.id).status is OrderStatus.OPEN
    assert not world.trade(BTC, 64900.0)
    world.trade(BTC, 64899.9)
    fill = world.fills[0].fill
    assert (fill.price, fill.liquidity, fill.evidence) == (
        D("64900"), Liquidity.MAKER, Evidence.TRADE_THROUGH,
    )  # fmt: skip
    # 649 + maker fee 0.25 % = 1.6225, in the quote asset, on top
    assert world.balance(TRADING) == D("10000") - 649 - D("1.6225")
    assert world.balance(TRADING, "BTC") == D("0.01")


def test_spot_fees_on_a_cross_are_in_btc() -> None:
    world = btc_world()
    world.book(CROSS, ((0.00000839, 50_000.0),), ((0.00000840, 50_000.0),))
    for symbol, side, size in ((BTC, Side.BUY, "0.1"), (CROSS, Side.BUY, "1000")):
        world.send(world.execution.requests.spot(
            symbol, side, D(size), Purpose.REBALANCE, world.now, "verdict-1"
        ))  # fmt: skip
        world.wait(1)
    # 0.1 − 1,000 × 0.0000084 × 1.004 = 0.1 − 0.0084336
    assert world.balance(TRADING, "BTC") == D("0.0915664")
    assert world.balance(FEES, "BTC") == D("0.0000336")
    assert world.balance(TRADING, "XRP") == 1000


def test_no_fill_overdraws_the_account() -> None:
    world = btc_world(deposit="500")
    request = world.enter(BTC, LONG, "0.01", "64000")
    world.wait(1)
    order = world.last(request.id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "insufficient funds")
    assert D("0.0076") < order.filled < D("0.00767")  # 500 ÷ (65,000 × 1.004)
    assert D(0) <= world.balance(TRADING) < D("0.01")
