"""A thousand orders in one moment through the engine: the venue's limits hold, cancels get out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.engine.test_account_machine import BTC, START, Account
from tradeterm.engine.picture import PacingFacts, build_view
from tradeterm.execution.paper import PaperExchange
from tradeterm.model.commands import CancelOrder
from tradeterm.model.orders import ApprovedOrder, OrderRequest
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import AccountBook, OrderStatus, OrderType, Purpose, Side

ORDERS = 1_000
MARKET = 0
"""A seed of the machine whose entries go out at market."""


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, int]]:
    """(when, what, how many orders) of every call that reaches the venue."""
    calls: list[tuple[int, str, int]] = []
    submit, cancel = PaperExchange.submit, PaperExchange.cancel

    def submitted(venue: PaperExchange, order: ApprovedOrder, now: int) -> None:
        calls.append((now, "order", 1))
        submit(venue, order, now)

    def cancelled(venue: PaperExchange, order_ids: Sequence[str], now: int) -> None:
        calls.append((now, "cancel", len(order_ids)))
        cancel(venue, order_ids, now)

    monkeypatch.setattr(PaperExchange, "submit", submitted)
    monkeypatch.setattr(PaperExchange, "cancel", cancelled)
    return calls


def a_thousand_bids(account: Account) -> None:
    """Far below the market, so that they rest."""
    books = account.engine.books
    for number in range(ORDERS):
        request = OrderRequest(
            id=f"BID-{number}", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT,
            size=Decimal("0.0001"), purpose=Purpose.REBALANCE, book=AccountBook.SPOT, parent="test",
            limit=Decimal(60_000) - number,
        )  # fmt: skip
        books.place(ApprovedOrder(request, "verdict-1", account.engine.now))


def most_in_a_minute(times: list[int]) -> int:
    return max(bisect_right(times, ts + MINUTE) - n for n, ts in enumerate(times))


def rooms(account: Account) -> dict[str, tuple[float, float]]:
    """What the screen says is left."""
    facts = PacingFacts(1.0, False, account.engine.now, 0.0, 0.0)
    headroom = build_view(account.engine, facts, 1).portfolio.headroom
    return {room.name: (room.left, room.of) for room in headroom}


def test_the_buckets_hold_and_cancels_leave_at_once(wire: list[tuple[int, str, int]]) -> None:
    account = Account(MARKET)
    account.twin = None
    engine = account.engine
    limits = account.chosen.execution.rate_limit
    a_thousand_bids(account)
    left = limits.orders.count - limits.orders.reserved
    assert rooms(account) == {
        "calls": (limits.calls.count - left, limits.calls.count),
        "orders": (limits.orders.reserved, limits.orders.count),
    }
    asked = START + 5 * SECOND
    for order_id in list(engine.books.execution.working):
        assert engine.command(CancelOrder(order_id=order_id), asked).accepted
    while engine.advance(asked + SECOND):
        engine.take_rows()
    assert [(ts, size) for ts, what, size in wire if what == "cancel"] == [(asked, left)]
    assert not engine.books.execution.working
    states = [order.status for order in engine.books.execution.recent]
    assert states == [OrderStatus.CANCELLED] * ORDERS


def test_left_to_themselves_they_leave_in_steps_until_patience_ends(
    wire: list[tuple[int, str, int]],
) -> None:
    account = Account(MARKET)
    account.twin = None
    engine = account.engine
    limits = account.chosen.execution.rate_limit
    a_thousand_bids(account)
    while engine.advance(START + 5 * MINUTE):
        engine.take_rows()
    assert most_in_a_minute([ts for ts, what, _ in wire if what == "order"]) <= limits.orders.count
    assert most_in_a_minute([ts for ts, *_ in wire]) <= limits.calls.count
    ended = {order.status for order in engine.books.execution.recent}
    assert ended == {OrderStatus.REJECTED}, "the others were given up, in words"
    assert len(engine.books.execution.recent) + len(engine.books.execution.working) == ORDERS
    assert len(engine.books.execution.working) == sum(what == "order" for _, what, _ in wire)
