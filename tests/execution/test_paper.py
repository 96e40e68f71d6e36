"""The paper exchange by itself: what it refuses, limits on bars, exits that must wait."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, INSTRUMENTS, START, D, World, settings
from tradeterm.errors import InvalidOrder
from tradeterm.execution.paper import PaperExchange
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookSnapshot, Candle, News, Trade
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderEnded,
    OrderFilled,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    Liquidity,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
    TimeInForce,
)

BUY = OrderRequest(
    id="PAPER-1", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
    purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="verdict-1", limit=D(64000),
)  # fmt: skip


def venue(bars: bool = False) -> PaperExchange:
    book = OrderBook(BTC)
    exchange = PaperExchange(settings(), INSTRUMENTS, {BTC: book}, 7)
    if bars:
        exchange.on_market(Candle(START, BTC, 60, 65000, 65000, 65000, 65000, 1))
    else:
        book.snapshot(BookSnapshot(START, BTC, ((64999.0, 1.0),), ((65000.0, 0.004),)))
    return exchange


def send(exchange: PaperExchange, request: OrderRequest) -> list[VenueReport]:
    exchange.submit(ApprovedOrder(request, "verdict-1", START), START)
    return exchange.advance(START + SECOND)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (replace(BUY, symbol="DOGE/USDT"), "unknown symbol DOGE/USDT"),
        (replace(BUY, type=OrderType.STOP_LOSS_LIMIT), "stop_loss_limit without a price"),
        (replace(BUY, tif=TimeInForce.GTD), "GTD without a time of expiry"),
        (replace(BUY, post_only=True, tif=TimeInForce.IOC), "post-only is for limit orders"),
        (replace(BUY, post_only=True, limit=D(65000)), "post-only would take at 65000"),
        (replace(BUY, limit=D("68250.1")), "limit 68250.1 is beyond the collar at 68250"),
        (replace(BUY, limit=None), "limit without a price"),
        (replace(BUY, limit=D("64000.05")), "not on the tick of 0.1"),
        (replace(BUY, size=D(0)), "not on the lot"),
        (replace(BUY, limit=D(-1)), "not on the tick"),
        (replace(BUY, reduce_only=True), "nothing to reduce"),
        (replace(BUY, reduce_only=True, position_id="pos-9"), "nothing to reduce"),
    ],
)
def test_refusals(request_: OrderRequest, reason: str) -> None:
    (report,) = send(venue(), request_)
    assert isinstance(report, OrderEnded)
    assert report.status is OrderStatus.REJECTED
    assert reason in report.reason


def test_an_id_is_taken_once_and_amended_once_at_a_time() -> None:
    exchange = venue()
    send(exchange, BUY)
    approved = ApprovedOrder(BUY, "verdict-1", START)
    with pytest.raises(InvalidOrder, match="already has an order"):
        exchange.submit(approved, START)
    exchange.amend(approved, START)
    with pytest.raises(InvalidOrder, match="already being amended"):
        exchange.amend(approved, START)
    exchange.advance(START + 2 * SECOND)
    exchange.amend(replace(approved, request=replace(BUY, id="PAPER-77")), START)
    exchange.cancel(("PAPER-77",), START)
    assert exchange.advance(START + 2 * SECOND) == []
    assert exchange.on_market(News(START, "wire", "hello")) == []
    assert exchange.on_market(Trade(START, "DOGE/USDT", 1.0, 1.0, "buy")) == []
    assert exchange.on_market(Candle(START, "DOGE/USDT", 60, 1, 1, 1, 1, 1)) == []


def test_a_marketable_limit_takes_up_to_its_price_and_rests() -> None:
    exchange = venue()
    _, taken = send(exchange, replace(BUY, limit=D(65005)))
    assert isinstance(taken, OrderFilled)
    assert (taken.size, taken.liquidity) == (D("0.004"), Liquidity.TAKER)
    (made,) = exchange.on_market(Trade(START, BTC, 65004.0, 1.0, "sell"))
    assert isinstance(made, OrderFilled)
    assert (made.size, made.price, made.liquidity) == (D("0.006"), D(65005), Liquidity.MAKER)


def test_ioc_cancels_what_it_cannot_take() -> None:
    reports = send(venue(), replace(BUY, limit=D(65005), tif=TimeInForce.IOC))
    assert [type(report).__name__ for report in reports] == [
        "OrderAccepted", "OrderFilled", "OrderEnded",
    ]  # fmt: skip


def test_a_limit_on_bars_needs_the_range_to_go_beyond_it() -> None:
    exchange = venue(bars=True)
    send(exchange, BUY)
    later = START + 60 * SECOND
    assert not exchange.on_market(Candle(later, BTC, 60, 65000, 65000, 64000, 64500, 1))
    later += 60 * SECOND
    (fill,) = exchange.on_market(Candle(later, BTC, 60, 63000, 65000, 62000, 64500, 1))
    assert isinstance(fill, OrderFilled)
    # The open was better (63,000); a bar is no proof that we would have got it.
    assert (fill.price, fill.evidence) == (D(64000), Evidence.BAR_ESTIMATE)
    sell = replace(BUY, id="PAPER-2", side=Side.SELL, limit=D(64000))
    _, fill = send(exchange, sell)
    assert isinstance(fill, OrderFilled)
    assert fill.price == D("64467.7")  # last close 64,500 × 0.9995, floored to the tick


def test_without_any_price_an_order_is_rejected() -> None:
    exchange = PaperExchange(settings(), INSTRUMENTS, {}, 7)
    (report,) = send(exchange, replace(BUY, type=OrderType.MARKET, limit=None))
    assert isinstance(report, OrderEnded)
    assert report.reason == "no price"


def test_candles_beside_a_book_are_only_prices() -> None:
    exchange = venue()
    send(exchange, BUY)
    later = START + 60 * SECOND
    assert not exchange.on_market(Candle(later, BTC, 60, 65000, 65000, 63000, 64500, 1))
    (fill,) = exchange.on_market(Candle(later, BTC, 60, 65000, 65000, 63000, 63999, 1))
    assert isinstance(fill, OrderFilled)


def test_a_half_done_stop_goes_on_with_what_something_else_left_of_the_position() -> None:
    world = World(latency={"least": 0.1, "most": 0.1})
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "64000", "67000")
    world.wait(1)
    world.book(BTC, ((64000.0, 0.002),), ((64001.0, 1.0),))
    world.trade(BTC, 64000.0)
    old, _ = world.execution.protective(world.position.id)
    assert old is not None
    assert old.filled == D("0.002")
    world.close(world.position, "0.003")
    world.delta(BTC, bids=((64000.0, 0.003),))
    world.wait(0.2)
    new, target = world.execution.protective(world.position.id)
    assert new is not None
    assert target is not None
    assert new.id == old.id
    assert (new.request.size, new.filled) == (D("0.007"), D("0.002"))
    assert new.remaining == target.remaining == world.position.size == D("0.005")
    world.delta(BTC, bids=((64000.0, 1.0),))
    world.wait(1)  # it was set off; it tries again until it is done
    assert not world.execution.positions
    assert not world.execution.working


def test_a_targets_rest_goes_back_to_waiting() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "64000", "67000")
    world.wait(1)
    world.book(BTC, ((67000.0, 0.004), (60000.0, 1.0)), ((67001.0, 1.0),))
    world.trade(BTC, 67000.0)
    stop, target = world.execution.protective(world.position.id)
    assert stop is not None
    assert target is not None
    assert target.status is OrderStatus.PARTIALLY_FILLED
    assert stop.remaining == target.remaining == D("0.006")
    world.book(BTC, ((67000.0, 1.0),), ((67001.0, 1.0),))
    world.trade(BTC, 67000.0)
    assert not world.execution.positions


def test_a_stop_limit_set_off_at_market_leaves_its_place_in_the_queue() -> None:
    book = OrderBook(BTC)
    exchange = PaperExchange(settings(), INSTRUMENTS, {BTC: book}, 7)
    book.snapshot(BookSnapshot(START, BTC, ((64999.0, 1.0),), ((65000.0, 1.0),)))
    entry = replace(
        BUY, type=OrderType.MARKET, limit=None, purpose=Purpose.ENTRY, position_id="pos-1",
        book=AccountBook.MARGIN, stop=D(64000),
    )  # fmt: skip
    send(exchange, entry)
    stop = replace(
        entry, id="PAPER-2", side=Side.SELL, type=OrderType.STOP_LOSS_LIMIT, purpose=Purpose.STOP,
        trigger=D(64000), limit=D(63936), reduce_only=True, stop=None,
    )  # fmt: skip
    send(exchange, stop)
    book.snapshot(BookSnapshot(START + SECOND, BTC, ((60000.0, 1.0),), ((60001.0, 1.0),)))
    exchange.on_market(Trade(START + SECOND, BTC, 60000.0, 1.0, "sell"))
    assert [level[1] for level in book.dump().attended] == [63936.0]
    (filled,) = exchange.fire("PAPER-2", START + SECOND)
    assert isinstance(filled, OrderFilled)
    assert (filled.price, filled.size) == (D(60000), D("0.01"))
    assert book.dump().attended == []
