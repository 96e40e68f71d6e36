"""Order states: every edge declared, every permutation of reports ends in the same place."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, D
from tradeterm.errors import InvalidOrder
from tradeterm.execution.orders import GRAPH, KEPT, Orders, OrdersState, moved
from tradeterm.model.orders import (
    ApprovedOrder,
    Order,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderRequest,
    OrderUncertain,
    VenueReport,
)
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    Liquidity,
    OrderStatus,
    OrderType,
    Purpose,
    Side,
)

S = OrderStatus


def approved(order_id: str = "PAPER-1", size: str = "1") -> ApprovedOrder:
    request = OrderRequest(
        id=order_id, symbol=BTC, side=Side.BUY, type=OrderType.MARKET, size=D(size),
        purpose=Purpose.ENTRY, book=AccountBook.MARGIN, parent="verdict-1", stop=D(1),
        position_id="pos-1",
    )  # fmt: skip
    return ApprovedOrder(request, "verdict-1", 0)


def fill(n: int, size: str, price: str = "100") -> OrderFilled:
    return OrderFilled(
        n, "PAPER-1", f"t{n}", D(price), D(size), Liquidity.TAKER, Evidence.BOOK_WALK
    )


#: The venue took 0.6 at 101 instead; or it did not.
SMALLER = OrderAmended(3, "PAPER-1", 1, D("0.6"), D("101"))
KEPT_TERMS = OrderAmended(3, "PAPER-1", 1, D("1"), None, "too late")


def run(reports: tuple[VenueReport, ...] | list[VenueReport]) -> tuple[Orders, int]:
    orders = Orders()
    orders.open(approved(), 0)
    if SMALLER in reports or KEPT_TERMS in reports:
        request = replace(approved().request, size=D("0.6"), limit=D("101"), revision=1)
        orders.ask(ApprovedOrder(request, "verdict-2", 0))
    return orders, sum(orders.apply(report)[1] for report in reports)


@pytest.mark.parametrize("before", list(OrderStatus))
@pytest.mark.parametrize("after", list(OrderStatus))
def test_only_declared_moves_are_possible(before: OrderStatus, after: OrderStatus) -> None:
    order = Order(approved().request, "verdict-1", before, 0, 0)
    if after is before or after in GRAPH[before]:
        assert moved(order, after, 1).status is after
    else:
        with pytest.raises(InvalidOrder, match=f"cannot go from {before} to {after}"):
            moved(order, after, 1)


@pytest.mark.parametrize(
    ("reports", "status", "filled"),
    [
        ([OrderAccepted(1, "PAPER-1"), fill(2, "0.4"), fill(3, "0.6")], S.FILLED, "1"),
        (
            [OrderAccepted(1, "PAPER-1"), fill(2, "0.3"), fill(3, "0.3"), fill(2, "0.3"),
             OrderEnded(4, "PAPER-1", S.CANCELLED, "cancelled")],
            S.CANCELLED, "0.6",
        ),
        (
            [OrderAccepted(1, "PAPER-1"), fill(2, "0.4"), fill(3, "0.6"),
             OrderEnded(4, "PAPER-1", S.CANCELLED, "cancelled")],
            S.FILLED, "1",
        ),
        (
            [OrderAccepted(1, "PAPER-1"), OrderEnded(4, "PAPER-1", S.EXPIRED, "expired"),
             fill(2, "0.1"), OrderAccepted(1, "PAPER-1")],
            S.EXPIRED, "0.1",
        ),
        ([OrderAccepted(1, "PAPER-1"), fill(2, "0.4"), SMALLER, fill(4, "0.2")], S.FILLED, "0.6"),
        (
            [OrderAccepted(1, "PAPER-1"), fill(2, "0.4"), SMALLER, SMALLER,
             OrderEnded(4, "PAPER-1", S.EXPIRED, "expired")],
            S.EXPIRED, "0.4",
        ),
        (
            [OrderUncertain(1, "PAPER-1", "no answer"), OrderAccepted(1, "PAPER-1"), SMALLER,
             fill(2, "0.1"), OrderEnded(4, "PAPER-1", S.CANCELLED, "cancelled")],
            S.CANCELLED, "0.1",
        ),
        (
            [OrderAccepted(1, "PAPER-1"), fill(2, "0.4"), fill(3, "0.2"), KEPT_TERMS,
             OrderEnded(4, "PAPER-1", S.CANCELLED, "cancelled")],
            S.CANCELLED, "0.6",
        ),
    ],
)  # fmt: skip
def test_every_permutation_of_reports_ends_in_the_same_state(
    reports: list[VenueReport], status: OrderStatus, filled: str
) -> None:
    ends = set()
    for order_of_arrival in permutations(reports):
        orders, _ = run(order_of_arrival)
        order = orders.get("PAPER-1")
        assert order is not None
        assert (order.status, order.filled) == (status, D(filled))
        assert order.average == 100
        assert not orders.working
        ends.add((order.request, order.verdict_id, order.unknown))
    assert len(ends) == 1


def test_a_duplicate_fill_is_booked_once() -> None:
    orders, booked = run([fill(1, "0.4"), fill(1, "0.4")])
    assert (booked, orders.duplicates) == (1, 1)
    assert orders.notices == []


def test_late_unknown_and_unfitting_fills_raise_an_alarm() -> None:
    orders, booked = run([
        OrderEnded(1, "PAPER-1", S.CANCELLED, "cancelled"), fill(2, "0.4"), fill(3, "0.7"),
        OrderFilled(4, "PAPER-7", "x", D(1), D(1), Liquidity.TAKER, Evidence.BOOK_WALK),
    ])  # fmt: skip
    assert booked == 1
    assert [notice.code for notice in orders.notices] == [
        "fill_late", "order_overfilled", "order_unknown",
    ]  # fmt: skip
    assert {notice.severity for notice in orders.notices} == {"critical"}


def test_ids_are_unique_and_amending_needs_a_working_order() -> None:
    orders, _ = run([fill(1, "0.4")])
    with pytest.raises(InvalidOrder, match="used before"):
        orders.open(approved(), 5)
    with pytest.raises(InvalidOrder, match="has filled more than"):
        orders.amend(approved(size="0.4"), 5)
    assert orders.amend(approved(size="2"), 5).order.remaining == D("1.6")
    with pytest.raises(InvalidOrder, match="not working"):
        orders.amend(approved("PAPER-2"), 5)


def test_memory_is_bounded_and_dump_restores_everything() -> None:
    orders = Orders()
    for n in range(KEPT + 20):
        orders.open(approved(f"PAPER-{n}"), 0)
        orders.apply(OrderEnded(1, f"PAPER-{n}", S.REJECTED, "no price"))
    orders.open(approved("PAPER-9999"), 0)
    orders.note_cancel("PAPER-9999", "halted")
    assert len(orders.recent) == KEPT
    other = Orders()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(orders.dump()), type=OrdersState))
    assert other.recent == orders.recent
    assert other.working == orders.working
    for each in (orders, other):
        each.apply(OrderEnded(2, "PAPER-9999", S.CANCELLED, "cancelled"))
    assert other.get("PAPER-9999") == orders.get("PAPER-9999")
    last = other.get("PAPER-9999")
    assert last is not None
    assert last.reason == "halted"
