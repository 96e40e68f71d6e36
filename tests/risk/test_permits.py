"""Only what a verdict of this moment allows, or what can only reduce, gets a permit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.risk.accounts import (
    INSTRUMENTS,
    NOW,
    STATE,
    D,
    account,
    facts,
    long,
    position,
    request,
    settings,
)
from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import Order, OrderRequest
from tradeterm.model.proposals import Verdict
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    RunState,
    Side,
)
from tradeterm.risk.engine import RiskEngine

ENGINE = RiskEngine(settings(), INSTRUMENTS)


def verdict(**changes: Any) -> Verdict:
    given = ENGINE.evaluate(
        long(), account(), facts(), verdict_id="v-1", parent="p-1", now=NOW, state=STATE
    )
    return replace(given, **changes)


def test_the_very_order_of_the_verdict_is_approved() -> None:
    approved = ENGINE.approve(verdict(), request(), NOW, STATE)
    assert (approved.request, approved.verdict_id, approved.approved_at) == (request(), "v-1", NOW)


def test_a_limit_order_at_the_entry_is_approved() -> None:
    order = request(type=OrderType.LIMIT, limit=D(50000))
    assert ENGINE.approve(verdict(), order, NOW, STATE).request is order


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "XRP/USDT"},
        {"side": Side.SELL},
        {"size": D("0.0201")},
        {"size": D("0.0199")},
        {"size": D("NaN")},
        {"stop": D(48000)},
        {"stop": None},
        {"target": D(53000)},
        {"target": None},
        {"leverage": D(2)},
        {"book": AccountBook.SPOT},
        {"reduce_only": True},
        {"purpose": Purpose.REBALANCE},
        {"purpose": Purpose.EXIT},
        {"parent": "v-2"},
        {"type": OrderType.STOP_LOSS},
        {"limit": D(50000)},
        {"trigger": D(50000)},
        {"type": OrderType.LIMIT, "limit": D(51000)},
        {"type": OrderType.LIMIT},
    ],
    ids=str,
)
def test_any_other_order_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder, match="ord-9"):
        ENGINE.approve(verdict(), request(**change), NOW, STATE)


def test_a_verdict_of_another_moment_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="evaluate again"):
        ENGINE.approve(verdict(), request(), NOW + 1, STATE)


def test_a_verdict_on_another_state_is_refused() -> None:
    """Something was booked since: the account is not the one that was judged."""
    with pytest.raises(InvalidOrder, match=r"is of state 1\.1, not 1\.2 at"):
        ENGINE.approve(verdict(), request(), NOW, "1.2")


def test_a_verdict_altered_afterwards_is_refused() -> None:
    larger = long(size=D(1))
    with pytest.raises(InvalidOrder, match="altered"):
        ENGINE.approve(verdict(intent=larger), request(size=D(1)), NOW, STATE)


def test_a_refusal_is_no_permit() -> None:
    no = ENGINE.evaluate(
        long(),
        account(state=RunState.HALTED),
        facts(),
        verdict_id="v-1",
        parent="p-1",
        now=NOW,
        state=STATE,
    )
    with pytest.raises(InvalidOrder, match="halted"):
        ENGINE.approve(no, request(), NOW, STATE)


def close(**changes: Any) -> OrderRequest:
    plain = OrderRequest(
        id="ord-5",
        symbol="BTC/USDT",
        side=Side.SELL,
        type=OrderType.MARKET,
        size=D("0.02"),
        purpose=Purpose.EXIT,
        book=AccountBook.MARGIN,
        parent="cmd-1",
        reduce_only=True,
        position_id="pos-1",
    )
    return replace(plain, **changes)


HOLDING = account(positions=(position(),))


@pytest.mark.parametrize("purpose", [Purpose.EXIT, Purpose.STOP, Purpose.TARGET])
def test_reducing_needs_an_open_position_and_nothing_else(purpose: Purpose) -> None:
    approved = ENGINE.reduce(close(purpose=purpose), HOLDING.positions, NOW)
    assert approved.verdict_id == "cmd-1"
    given = ENGINE.reduce(close(), HOLDING.positions, NOW, verdict_id="v-8")
    assert given.verdict_id == "v-8"
    with pytest.raises(InvalidOrder, match="pos-1 is not an open position"):
        ENGINE.reduce(close(purpose=purpose), (), NOW)


def test_a_short_is_bought_back() -> None:
    short = account(positions=(position(side=PositionSide.SHORT),))
    assert ENGINE.reduce(close(side=Side.BUY), short.positions, NOW).request.side is Side.BUY


@pytest.mark.parametrize(
    "change",
    [
        {"reduce_only": False},
        {"position_id": None},
        {"position_id": "pos-2"},
        {"size": D("0.0201")},
        {"size": D(0)},
        {"size": D(-1)},
        {"size": D("NaN")},
        {"side": Side.BUY},
        {"symbol": "XRP/USDT"},
        {"purpose": Purpose.ENTRY},
        {"book": AccountBook.SPOT},
    ],
    ids=str,
)
def test_what_could_do_more_than_reduce_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder, match="ord-5"):
        ENGINE.reduce(close(**change), HOLDING.positions, NOW)


def test_protection_is_permitted_in_the_step_of_its_fill() -> None:
    stop = close(purpose=Purpose.STOP, type=OrderType.STOP_LOSS, trigger=D(49000))
    approved = ENGINE.protect(stop, "v-1", NOW)
    assert (approved.request, approved.verdict_id) == (stop, "v-1")


@pytest.mark.parametrize(
    "change",
    [
        {"trigger": None},
        {"trigger": D("NaN")},
        {"trigger": D(0)},
        {"purpose": Purpose.EXIT},
        {"reduce_only": False},
        {"size": D(0)},
        {"position_id": None},
    ],
    ids=str,
)
def test_what_does_not_protect_is_refused(change: dict[str, Any]) -> None:
    stop = close(purpose=Purpose.STOP, type=OrderType.STOP_LOSS, trigger=D(49000))
    with pytest.raises(InvalidOrder):
        ENGINE.protect(replace(stop, **change), "v-1", NOW)


def test_amounts_compare_by_value_not_by_spelling() -> None:
    approved = ENGINE.approve(verdict(), request(size=Decimal("0.0200")), NOW, STATE)
    assert approved.verdict_id == "v-1"


# -- amendments ------------------------------------------------------------------------------


def working(**changes: Any) -> Order:
    """A limit entry of the verdict at 50,000, a quarter of it filled."""
    sent = request(type=OrderType.LIMIT, limit=D(50000), confidence=D("0.7"), **changes)
    return Order(
        sent, "v-0", OrderStatus.PARTIALLY_FILLED, NOW, NOW, filled=sent.size / 4,
        average=D(50000),
    )  # fmt: skip


def test_less_of_an_order_needs_no_verdict() -> None:
    order = working()
    smaller = replace(order.request, size=order.request.size / 2, revision=1)
    approved = ENGINE.amend(order, smaller, None, NOW, STATE)
    assert (approved.request, approved.verdict_id) == (smaller, "v-0")


@pytest.mark.parametrize("part", ["0.25", "0.1", "1.0001", "0", "-1", "NaN"])
def test_an_amendment_never_adds_size_nor_undoes_fills(part: str) -> None:
    order = working()
    other = replace(order.request, size=order.request.size * D(part), revision=1)
    with pytest.raises(InvalidOrder, match="is not between"):
        ENGINE.amend(order, other, None, NOW, STATE)


def test_another_price_of_an_entry_needs_a_verdict_on_exactly_the_rest() -> None:
    order = working()
    rest = order.request.size - order.filled
    moved = replace(order.request, limit=D(50010), revision=1)
    with pytest.raises(InvalidOrder, match="needs a verdict"):
        ENGINE.amend(order, moved, None, NOW, STATE)
    given = ENGINE.evaluate(
        replace(long(), size=rest, entry=D(50010)), account(), facts(), verdict_id="v-2",
        parent="cmd-1", now=NOW, state=STATE,
    )  # fmt: skip
    assert ENGINE.amend(order, moved, given, NOW, STATE).verdict_id == "v-2"
    for other in (replace(moved, limit=D(50011)), replace(moved, size=moved.size - D("0.001"))):
        with pytest.raises(InvalidOrder, match="v-2 allows"):
            ENGINE.amend(order, other, given, NOW, STATE)
    with pytest.raises(InvalidOrder, match="evaluate again"):
        ENGINE.amend(order, moved, given, NOW + 1, STATE)


@pytest.mark.parametrize(
    "change",
    [
        {"stop": D(1)}, {"leverage": D(5)}, {"side": Side.SELL}, {"type": OrderType.MARKET},
        {"post_only": True}, {"revision": 2}, {"position_id": "pos-9"}, {"target": None},
    ],
)  # fmt: skip
def test_an_amendment_changes_nothing_but_size_and_limit(change: dict[str, Any]) -> None:
    order = working()
    other = replace(order.request, **({"revision": 1} | change))
    with pytest.raises(InvalidOrder, match="size and limit, nothing else"):
        ENGINE.amend(order, other, None, NOW, STATE)


def test_what_reduces_may_stand_at_any_price() -> None:
    order = working(purpose=Purpose.EXIT, reduce_only=True, side=Side.SELL, stop=None, target=None)
    moved = replace(order.request, limit=D(1), revision=1)
    assert ENGINE.amend(order, moved, None, NOW, STATE).request is moved
