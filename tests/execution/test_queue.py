"""A resting limit stands behind what the book showed when it came, and moves up as trades print."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, INSTRUMENTS, START, D, settings
from tradeterm.execution.paper import PaperExchange, PaperState
from tradeterm.market.book import BookState, OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, Trade
from tradeterm.model.orders import ApprovedOrder, OrderFilled, OrderRequest
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    Liquidity,
    OrderType,
    Purpose,
    Side,
)

BIDS = ((64999.0, 1.0), (64998.0, 2.0), (64990.0, 5.0))
ASKS = ((65001.0, 1.0), (65010.0, 3.0))


class Pit:
    """One book, one exchange, one clock."""

    def __init__(self) -> None:
        self.now = START
        self.book = OrderBook(BTC)
        self.book.snapshot(BookSnapshot(START, BTC, BIDS, ASKS))
        self.exchange = PaperExchange(settings(), INSTRUMENTS, {BTC: self.book}, 7)
        self.count = 0

    def rest(self, price: str, size: str = "0.5", side: Side = Side.BUY) -> str:
        self.count += 1
        request = OrderRequest(
            id=f"PAPER-{self.count}", symbol=BTC, side=side, type=OrderType.LIMIT, size=D(size),
            purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="verdict-1", limit=D(price),
        )  # fmt: skip
        self.exchange.submit(ApprovedOrder(request, "verdict-1", self.now), self.now)
        self.now += SECOND
        assert len(self.exchange.advance(self.now)) == 1
        return request.id

    def trade(self, price: float, size: float, taker: str = "sell") -> list[tuple[str, object]]:
        self.now += SECOND
        reports = self.exchange.on_market(Trade(self.now, BTC, price, size, taker))
        fills = [report for report in reports if isinstance(report, OrderFilled)]
        assert all(fill.liquidity is Liquidity.MAKER for fill in fills)
        return [(fill.order_id, fill.size) for fill in fills]

    def shows(self, price: float, size: float) -> None:
        self.now += SECOND
        self.book.delta(BookDelta(self.now, BTC, ((price, size),), ()))

    def reborn(self) -> Pit:
        other = Pit()
        other.now, other.count = self.now, self.count
        state, book = msgspec.msgpack.encode(self.exchange.dump()), self.book.dump()
        other.book.load(msgspec.msgpack.decode(msgspec.msgpack.encode(book), type=BookState))
        other.exchange.load(msgspec.msgpack.decode(state, type=PaperState))
        return other


def test_prints_at_the_price_feed_the_queue_first_and_then_us_in_parts() -> None:
    pit = Pit()
    order = pit.rest("64998")  # behind 2.0
    assert pit.trade(64998.0, 1.5) == []
    assert pit.trade(64998.0, 0.7) == [(order, D("0.2"))]  # 0.5 was left before us
    assert pit.trade(64998.0, 0.1) == [(order, D("0.1"))]
    assert pit.trade(64998.0, 9.0) == [(order, D("0.2"))]


def test_the_evidence_says_queue() -> None:
    pit = Pit()
    pit.rest("64998")
    (fill,) = pit.exchange.on_market(Trade(pit.now, BTC, 64998.0, 2.5, "sell"))
    assert isinstance(fill, OrderFilled)
    assert (fill.evidence, fill.price) == (Evidence.QUEUE, D("64998"))


def test_a_print_beyond_the_price_fills_all_of_it() -> None:
    pit = Pit()
    order = pit.rest("64998")
    (fill,) = pit.exchange.on_market(Trade(pit.now, BTC, 64997.9, 0.001, "sell"))
    assert isinstance(fill, OrderFilled)
    assert (fill.order_id, fill.size, fill.evidence) == (order, D("0.5"), Evidence.TRADE_THROUGH)
    assert fill.price == D("64998")


def test_takers_of_our_own_side_do_not_serve_our_queue() -> None:
    pit = Pit()
    pit.rest("64998")
    assert pit.trade(64998.0, 50.0, taker="buy") == []


def test_a_level_that_shrank_moves_us_forward_and_growing_again_does_not_move_us_back() -> None:
    pit = Pit()
    order = pit.rest("64998")
    pit.shows(64998.0, 0.3)
    pit.shows(64998.0, 7.0)
    assert pit.trade(64998.0, 0.5) == [(order, D("0.2"))]


def test_a_statement_stamped_like_the_print_is_not_counted_twice() -> None:
    pit = Pit()
    pit.rest("64998")
    pit.shows(64998.0, 1.0)  # this is the print below, seen from the book
    assert pit.exchange.on_market(Trade(pit.now, BTC, 64998.0, 1.0, "sell")) == []
    order = "PAPER-1"
    assert pit.trade(64998.0, 1.2) == [(order, D("0.2"))]  # 1.0 was still before us


def test_alone_inside_the_spread_we_are_first() -> None:
    pit = Pit()
    order = pit.rest("65000")
    assert pit.trade(65000.0, 0.2) == [(order, D("0.2"))]


def test_outside_the_shown_book_only_a_print_beyond_fills() -> None:
    pit = Pit()
    order = pit.rest("64000")
    assert pit.trade(64000.0, 100.0) == []
    assert pit.trade(63999.9, 0.1) == [(order, D("0.5"))]


def test_a_level_that_comes_into_view_tells_our_place_at_last() -> None:
    pit = Pit()
    order = pit.rest("64000")
    pit.shows(64000.0, 0.4)
    assert pit.trade(64000.0, 0.5) == [(order, D("0.1"))]


def test_the_edge_of_the_shown_book_going_away_is_no_promotion() -> None:
    pit = Pit()
    pit.rest("64990")  # behind 5.0, the last level shown
    pit.shows(64990.0, 0.0)
    assert pit.trade(64990.0, 1.0) == []


def test_a_print_is_shared_once_among_our_own_orders() -> None:
    pit = Pit()
    first, second = pit.rest("65000", "0.3"), pit.rest("65000", "0.3")
    assert pit.trade(65000.0, 0.4) == [(first, D("0.3")), (second, D("0.1"))]


def test_less_size_keeps_the_place_and_another_price_loses_it() -> None:
    pit = Pit()
    kept, moved = pit.rest("64998"), pit.rest("64997.9")
    pit.trade(64998.0, 1.9)
    for order, size, price in ((kept, "0.4", "64998"), (moved, "0.5", "64998")):
        live = next(live for live in pit.exchange.dump().floor.orders if live.request.id == order)
        terms = replace(live.request, size=D(size), limit=D(price), revision=1)
        pit.exchange.amend(ApprovedOrder(terms, "verdict-2", pit.now), pit.now)
    pit.now += SECOND
    pit.exchange.advance(pit.now)
    # 0.1 was before the first; the second came to a level that shows 2.0
    assert pit.trade(64998.0, 1.0) == [(kept, D("0.4"))]
    assert pit.trade(64998.0, 1.6) == [(moved, D("0.5"))]


@pytest.mark.parametrize("cut", range(4))
def test_a_restart_keeps_the_place(cut: int) -> None:
    pit = Pit()
    order = pit.rest("64998")
    steps: list[Callable[[Pit], object]] = [
        lambda p: p.trade(64998.0, 0.5), lambda p: p.shows(64998.0, 1.1),
        lambda p: p.trade(64998.0, 0.6), lambda p: p.trade(64998.0, 0.75),
    ]  # fmt: skip
    fills = []
    for number, step in enumerate(steps):
        if number == cut:
            pit = pit.reborn()
        fills.append(step(pit))
    # 2.0 − 0.5, then 1.1 stated, − 0.6: 0.5 before us when 0.75 trades
    assert fills == [[], None, [], [(order, D("0.25"))]]
