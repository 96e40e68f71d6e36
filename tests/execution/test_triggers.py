"""Stop-limits, resting targets, post-only, expiry and amendments at the exchange and by config."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, D, World
from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import ApprovedOrder, OrderAmended, OrderRequest, OrderUncertain
from tradeterm.model.timing import HOUR, SECOND
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
    TimeInForce,
)

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
STOP_LIMIT: dict[str, Any] = {"stop": "stop_loss_limit", "stop_limit_offset": D("0.5")}
TARGET_LIMIT: dict[str, Any] = {"target": "take_profit_limit"}
STILL: dict[str, Any] = {
    "trailing": {"enabled": False, "activation": 1, "distance": 1.5, "step": 0.1}
}


def held(bars: bool = False, **changes: Any) -> World:
    """0.01 BTC long at about 65,000 with stop 64,000 and target 67,000, nothing trailing."""
    world = World(**STILL, **changes)
    if bars:
        world.bar(BTC, (65000, 65000, 65000, 65000))
    else:
        world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, LONG, "0.01", "64000", "67000")
    world.wait(1)
    return world


def limit(world: World, price: str, size: str = "0.01", **changes: object) -> OrderRequest:
    """A spot buy that rests."""
    request = OrderRequest(
        id="PAPER-90", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D(size),
        purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="verdict-1", limit=D(price),
    )  # fmt: skip
    request = replace(request, **changes)
    world.send(request)
    return request


# -- stop-limit ------------------------------------------------------------------------------


def test_a_stop_limit_takes_what_its_limit_allows_and_rests_with_the_remainder() -> None:
    world = held(**STOP_LIMIT)
    stop, _ = world.execution.protective(world.position.id)
    assert stop is not None
    assert (stop.request.type, stop.request.limit) == (OrderType.STOP_LOSS_LIMIT, D("63680"))
    # 64,000 × 0.995 = 63,680: the second bid is beyond it
    world.book(BTC, ((63900.0, 0.004), (63600.0, 1.0)), ((64001.0, 1.0),))
    world.trade(BTC, 63950.0)
    assert (world.fills[-1].fill.price, world.fills[-1].fill.size) == (D("63900"), D("0.004"))
    assert world.position.size == D("0.006")  # the danger of this type: not out yet
    world.trade(BTC, 63500.0)
    assert world.position.size == D("0.006")
    world.trade(BTC, 63680.1)
    fill = world.fills[-1].fill
    assert (fill.price, fill.liquidity, fill.evidence) == (
        D("63680"), Liquidity.MAKER, Evidence.TRADE_THROUGH,
    )  # fmt: skip
    assert not world.execution.positions
    assert world.fills[-1].exit_reason is ExitReason.STOP


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((64500, 64600, 63900, 64200), "63968"),  # 64,000 × 0.9995 is inside the limit
        ((63000, 63100, 62000, 62500), None),  # gap below the limit: still in
    ],
)
def test_a_stop_limit_on_bars(bar: tuple[float, ...], price: str | None) -> None:
    world = held(bars=True, **STOP_LIMIT)
    world.bar(BTC, bar)
    if price is not None:
        assert world.fills[-1].fill.price == D(price)
        return
    assert world.position.size == D("0.01")
    world.bar(BTC, (62500, 63680, 62500, 63000))  # touches the limit, not beyond
    assert world.execution.positions
    world.bar(BTC, (63000, 63700, 62900, 63500))
    fill = world.fills[-1].fill
    assert (fill.price, fill.liquidity) == (D("63680"), Liquidity.MAKER)


def test_a_short_stop_limit_buys_no_higher_than_its_limit() -> None:
    world = World(**STILL, **STOP_LIMIT)
    world.book(BTC, ((65000.0, 1.0),), ((65001.0, 1.0),))
    world.enter(BTC, SHORT, "0.01", "66000", "63000")
    world.wait(1)
    stop, _ = world.execution.protective(world.position.id)
    assert stop is not None
    assert stop.request.limit == D("66330")  # 66,000 × 1.005


def test_a_stop_moved_after_it_became_a_limit_is_armed_anew() -> None:
    world = held(**STOP_LIMIT)
    world.book(BTC, ((63600.0, 1.0),), ((64001.0, 1.0),))
    world.trade(BTC, 63950.0)
    assert world.execution.positions  # its limit at 63,680 rests, the market is below
    world.book(BTC, ((65999.0, 1.0),), ((66000.0, 1.0),))
    position = world.position
    world.take(world.execution.move_stop(
        position.id, D("65000"), ExitReason.STOP, world.now, "cmd-1"
    ))  # fmt: skip
    world.trade(BTC, 65500.0)
    assert world.execution.positions
    world.trade(BTC, 64999.9)  # the book still bids 65,999, which that print has consumed
    assert world.fills[-1].fill.price == D("64967.4")  # 64,999.9 × 0.9995
    assert not world.execution.positions


# -- resting targets -------------------------------------------------------------------------


def test_a_limit_target_waits_its_turn_and_pays_the_maker_fee() -> None:
    world = held(**TARGET_LIMIT)
    world.book(BTC, ((66990.0, 1.0),), ((67000.0, 2.0),))
    world.trade(BTC, 67000.0)
    assert world.execution.positions  # triggered: behind 2.0 at its price now
    world.trade(BTC, 67000.1)
    fill = world.fills[-1].fill
    # maker fee 670 × 0.25 % = 1.675
    assert (fill.price, fill.liquidity, fill.fee) == (D("67000"), Liquidity.MAKER, D("1.675"))
    assert world.fills[-1].exit_reason is ExitReason.TARGET


@pytest.mark.parametrize(("high", "filled"), [(67000, False), (67000.1, True)])
def test_a_limit_target_on_bars_needs_more_than_a_touch(high: float, filled: bool) -> None:
    world = held(bars=True, **TARGET_LIMIT)
    world.bar(BTC, (65000, high, 64900, 66000))
    assert (len(world.fills) == 2) is filled
    if filled:
        assert world.fills[-1].fill.price == D("67000")


def test_both_levels_in_one_bar_is_a_loss_even_with_a_limit_target() -> None:
    world = held(bars=True, **TARGET_LIMIT)
    world.bar(BTC, (65000, 68000, 63000, 67500))
    assert world.fills[-1].exit_reason is ExitReason.STOP


# -- entries by config -----------------------------------------------------------------------


def test_a_limit_entry_waits_at_its_price_and_is_protected_when_it_fills() -> None:
    world = World(entry={"type": "limit", "post_only": True, "expiry": 60})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = world.enter(BTC, LONG, "0.01", "64000", "67000", entry="65000")
    assert (request.type, request.limit, request.tif) == (
        OrderType.LIMIT, D("65000"), TimeInForce.GTD,
    )  # fmt: skip
    world.wait(1)
    assert world.last(request.id).status is OrderStatus.OPEN
    world.trade(BTC, 64999.5)
    assert world.position.entry == D("65000")
    assert world.fills[0].fill.liquidity is Liquidity.MAKER
    assert world.execution.protective(world.position.id)[0] is not None


def test_a_print_that_fills_an_entry_and_goes_through_its_stop_fires_both() -> None:
    world = World(entry={"type": "limit", "post_only": False, "expiry": 600})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    world.enter(BTC, LONG, "0.01", "64000", "67000", entry="64900")
    world.wait(1)
    world.book(BTC, ((62999.0, 1.0),), ((63001.0, 1.0),))
    world.trade(BTC, 63000.0)
    opened, closed = world.fills
    assert (opened.fill.price, opened.fill.liquidity) == (D("64900"), Liquidity.MAKER)
    assert (closed.fill.price, closed.exit_reason) == (D("62999"), ExitReason.STOP)
    assert world.execution.positions == {}


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((65000, 65000, 63900, 64500), "63968"),  # 64000 less 0.05 % of slippage
        ((63000, 65000, 62900, 64500), "62968.5"),  # gapped through both: the open
        ((65000, 65000, 64000.1, 64500), None),
    ],
)
def test_a_bar_that_fills_an_entry_and_goes_through_its_stop_fires_both(
    bar: tuple[float, float, float, float], price: str | None
) -> None:
    world = World(
        entry={"type": "limit", "post_only": False, "expiry": 600}, bar_slippage=D("0.05")
    )
    world.bar(BTC, (65000, 65000, 65000, 65000))
    world.enter(BTC, LONG, "0.01", "64000", "67000", entry="64900")
    world.wait(1)
    world.bar(BTC, bar)
    assert world.fills[0].fill.price == D("64900")
    closed = [filled.fill.price for filled in world.fills[1:]]
    assert closed == ([] if price is None else [D(price)])


def test_a_bar_does_not_judge_the_stop_of_an_entry_at_market() -> None:
    """What came after the bar's close did not see its low."""
    world = World(latency={"least": 0.0, "most": 0.0})
    world.bar(BTC, (65000, 65000, 63000, 64900))
    world.enter(BTC, LONG, "0.01", "64000", "67000")
    world.wait(1)
    assert len(world.fills) == 1


def test_a_post_only_entry_that_would_take_is_refused_with_the_reason() -> None:
    world = World(entry={"type": "limit", "post_only": True, "expiry": 60})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = world.enter(BTC, LONG, "0.01", "64000", "67000", entry="65000")
    world.book(BTC, ((64989.0, 1.0),), ((64999.0, 1.0),))  # the market came while it travelled
    world.wait(1)
    order = world.last(request.id)
    assert (order.status, order.reason) == (
        OrderStatus.REJECTED, "post-only would take at 64999",
    )  # fmt: skip


def test_what_would_be_rejected_never_leaves() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "70000")
    order = world.last(request.id)
    assert order.status is OrderStatus.REJECTED
    assert order.updated == order.created == world.now
    assert world.execution.headroom(world.now).rooms[0].left == 60


# -- expiry ----------------------------------------------------------------------------------


def test_gtd_ends_at_its_time_to_the_nanosecond_and_never_fills_after() -> None:
    world = World(latency={"least": 0.1, "most": 0.1})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    end = world.now + 5 * SECOND
    request = limit(world, "64990", tif=TimeInForce.GTD, expires=end)
    world.wait(10)
    order = world.last(request.id)
    assert (order.status, order.updated) == (OrderStatus.EXPIRED, end)


def test_an_order_that_expires_on_its_way_never_fills() -> None:
    world = World(latency={"least": 1, "most": 1})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(
        world, "65001", tif=TimeInForce.GTD, expires=world.now + SECOND // 2,
    )  # fmt: skip
    world.wait(2)
    assert world.last(request.id).status is OrderStatus.EXPIRED
    assert not world.fills


def test_nothing_is_due_for_an_order_that_has_filled() -> None:
    """Its expiry would have interrupted a run of quiet bars for nothing."""
    world = World(latency={"least": 0.1, "most": 0.1})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "65001", tif=TimeInForce.GTD, expires=world.now + HOUR)
    world.wait(1)
    assert world.last(request.id).status is OrderStatus.FILLED
    assert world.execution.next_due > world.now + HOUR


# -- amendments ------------------------------------------------------------------------------


def amend(world: World, order_id: str, size: str, price: str) -> None:
    order = world.execution.order(order_id)
    assert order is not None
    request = replace(
        order.request, size=D(size), limit=D(price), revision=order.request.revision + 1
    )
    world.take(world.execution.amend(ApprovedOrder(request, "verdict-2", world.now), world.now))


def test_an_amendment_travels_and_is_in_force_when_the_venue_has_it() -> None:
    world = World(latency={"least": 0.2, "most": 0.2})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "64900")
    world.wait(1)
    amend(world, request.id, "0.008", "64950")
    assert world.last(request.id).request.limit == D("64900")
    assert world.execution.amending(request.id)
    world.wait(0.3)
    order = world.last(request.id)
    assert (order.request.size, order.request.limit, order.verdict_id) == (
        D("0.008"), D("64950"), "verdict-2",
    )  # fmt: skip
    world.trade(BTC, 64949.9)
    assert (world.fills[-1].fill.price, world.fills[-1].fill.size) == (D("64950"), D("0.008"))
    assert world.last(request.id).status is OrderStatus.FILLED


def test_while_it_travels_limits_count_the_dearer_terms() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "60000")
    world.wait(1)
    amend(world, request.id, "0.01", "64000")
    committed = world.execution.committed()[request.id]
    assert committed.request.limit == D("64000")
    with pytest.raises(InvalidOrder, match="already being amended"):
        amend(world, request.id, "0.01", "64100")


def test_an_amendment_to_a_price_that_takes_is_a_taker() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "64900")
    world.wait(1)
    amend(world, request.id, "0.01", "65001")
    world.wait(1)
    fill = world.fills[-1].fill
    assert (fill.price, fill.liquidity) == (D("65001"), Liquidity.TAKER)


def test_a_refused_amendment_leaves_the_order_as_it_was_and_says_why() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "64900", post_only=True)
    world.wait(1)
    amend(world, request.id, "0.01", "65001")
    world.wait(1)
    order = world.last(request.id)
    assert (order.status, order.request.limit) == (OrderStatus.OPEN, D("64900"))
    (notice,) = world.execution.take_notices()
    assert notice.text == "order PAPER-90 keeps its terms: post-only would take at 65001"
    amend(world, request.id, "0.01", "64950")
    world.wait(1)
    assert world.last(request.id).request.limit == D("64950")


def test_an_amendment_that_comes_too_late_changes_nothing() -> None:
    world = World(latency={"least": 1, "most": 1})
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "64900")
    world.wait(2)
    amend(world, request.id, "0.005", "64800")
    world.trade(BTC, 64899.9)
    world.wait(2)
    order = world.last(request.id)
    assert (order.status, order.filled, order.request.size) == (
        OrderStatus.FILLED, D("0.01"), D("0.01"),
    )  # fmt: skip
    assert world.execution.take_notices() == []


def test_an_unknown_order_stays_pending_and_counts_until_something_is_heard_of_it() -> None:
    world = World(latency={"least": 5, "most": 5})
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    request = world.enter(BTC, LONG, "0.01", "64000")
    lost = OrderUncertain(world.now, request.id, "no answer within 3 s")
    world.take(world.execution.adopt_reports([lost], world.now))
    order = world.last(request.id)
    assert (order.status, order.unknown) == (OrderStatus.PENDING, "no answer within 3 s")
    assert [entry.id for entry in world.view().entries] == [request.id]
    assert world.view().reserved > 650  # 0.01 × 65,000 and fees stay reserved
    assert [notice.severity for notice in world.execution.take_notices()] == ["critical"]
    world.wait(6)
    assert (world.last(request.id).status, world.last(request.id).unknown) == (
        OrderStatus.FILLED, "",
    )  # fmt: skip


def test_reports_of_an_amendment_nobody_asked_for_are_ignored() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    request = limit(world, "64900")
    world.wait(1)
    report = OrderAmended(world.now, request.id, 3, D("0.02"), D("1"))
    assert world.execution.adopt_reports([report], world.now) == []


@pytest.mark.parametrize("shown", [64_990.0, 64_100.0])
def test_a_stop_fills_no_better_than_the_print_that_set_it_off(shown: float) -> None:
    """A book that lags behind its prints still shows what they have consumed."""
    world = held()
    world.book(BTC, ((shown, 0.004), (63_800.0, 0.004)), ((65_001.0, 1.0),))
    world.trade(BTC, 63_900.0)
    assert not world.execution.positions
    fills = [(each.fill.evidence, each.fill.price, each.fill.size) for each in world.fills[1:]]
    # what the book shows from the print on, then 63,900 × 0.9995 on the tick
    assert fills == [
        (Evidence.BOOK_WALK, D("63800"), D("0.004")),
        (Evidence.BAR_ESTIMATE, D("63868.0"), D("0.006")),
    ]


def test_a_stop_set_off_where_the_book_stands_walks_it_as_ever() -> None:
    world = held()
    world.book(BTC, ((63_900.0, 0.004), (63_800.0, 1.0)), ((63_901.0, 1.0),))
    world.trade(BTC, 63_900.0)
    assert [(each.fill.price, each.fill.size) for each in world.fills[1:]] == [
        (D("63900"), D("0.004")), (D("63800"), D("0.006")),
    ]  # fmt: skip
