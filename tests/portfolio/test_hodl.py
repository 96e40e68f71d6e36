"""What is put aside of profits: exact shares, earmarks, and a bag that only grows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.world import BTC, D, World
from tradeterm.errors import LedgerError
from tradeterm.model.account import TRADING, Posting
from tradeterm.model.money import LEDGER_STEP, total
from tradeterm.model.vocabulary import Purpose, Side
from tradeterm.portfolio.hodl import Earmarks, shares

money = st.integers(-(10**12), 10**12).map(lambda n: D(n) * LEDGER_STEP)
percents = st.integers(0, 100).map(Decimal)


@given(profit=money, percent=percents, first=percents)
def test_the_parts_of_a_share_sum_to_it_exactly(
    profit: Decimal, percent: Decimal, first: Decimal
) -> None:
    parts = shares(profit, percent, {"BTC": first, "XRP": 100 - first})
    if profit <= 0:
        assert parts == {}
        return
    whole = total(parts.values())
    assert whole <= profit * percent / 100 < whole + LEDGER_STEP
    assert all(amount > 0 for amount in parts.values())
    assert first or "BTC" not in parts
    assert first < 100 or "XRP" not in parts


def test_ten_percent_are_split_in_halves() -> None:
    assert shares(D("123.45678901"), D(10), {"BTC": D(50), "XRP": D(50)}) == {
        "BTC": D("6.17283945"), "XRP": D("6.17283945"),
    }  # fmt: skip
    assert shares(D(-5), D(10), {"BTC": D(100)}) == {}
    assert shares(D(5), D(0), {"BTC": D(100)}) == {}


@pytest.fixture
def world() -> World:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    return world


def test_a_purchase_leaves_trading_for_the_bag_and_no_base_sees_a_loss(world: World) -> None:
    world.portfolio.marks.note(world.now, world.view().equity)
    world.portfolio.earmarks.add("BTC", D(70))
    world.send(world.execution.requests.spot(
        BTC, Side.BUY, D("0.001"), Purpose.HODL, world.now, "verdict-1"
    ))  # fmt: skip
    world.wait(1)
    fill = world.fills[-1].fill
    entry = world.portfolio.keep(fill)
    # 65.001 paid, 0.260004 fee; worth 65.00 at mid
    assert (entry.kind, entry.parent) == ("hodl", fill.id)
    assert world.portfolio.bag("BTC") == D("0.001")
    assert world.balance(TRADING, "BTC") == 0
    assert world.portfolio.earmarks.amount("BTC") == D(70) - D("65.001") - D("0.260004")
    marks = world.portfolio.marks
    assert marks.day_start == marks.peak == 10_000 - 65
    # What equity lost against its bases is the spread and the fee, as with any order.
    assert world.view().equity - marks.peak == -D("0.001") - D("0.260004")


def test_nothing_comes_out_of_the_bag_that_is_not_in_it(world: World) -> None:
    world.portfolio.earmarks.add("USDT", D("12.5"))
    entry = world.portfolio.keep_cash(world.now, "hodl-1")
    assert entry.kind == "hodl"
    assert world.portfolio.bag("USDT") == D("12.5")
    assert world.portfolio.earmarks.amount("USDT") == 0
    world.portfolio.earmarks.add("USDT", D(10_000))
    with pytest.raises(LedgerError, match="would leave"):
        world.portfolio.keep_cash(world.now, "hodl-2")


def test_nothing_ever_leaves_the_bag(world: World) -> None:
    world.portfolio.earmarks.add("USDT", D(5))
    kept = world.portfolio.keep_cash(world.now, "hodl-1")
    back = tuple(Posting(leg.account, leg.asset, -leg.amount) for leg in kept.postings)
    with pytest.raises(LedgerError, match="takes 5 USDT out of the hodl bag"):
        world.portfolio.ledger.post(replace(kept, postings=back))
    assert world.portfolio.bag("USDT") == 5


def test_earmarks_survive_a_restart() -> None:
    marks, other = Earmarks(), Earmarks()
    marks.add("BTC", D("1.5"))
    marks.add("BTC", D("-2"))
    other.load(marks.dump())
    assert other.amounts() == {"BTC": D("-0.5")}
