"""The account as risk and screen see it: equity, reserves, marks."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, CROSS, START, XRP, D, World
from tradeterm.errors import LedgerError
from tradeterm.model.account import EXTERNAL, TRADING
from tradeterm.model.timing import DAY, HOUR
from tradeterm.model.vocabulary import PositionSide, Purpose, Side
from tradeterm.portfolio.marks import Marks, MarksState

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def world() -> World:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65001.0, 1.0),))
    world.book(XRP, ((0.5399, 90_000.0),), ((0.5401, 90_000.0),))
    world.book(CROSS, ((0.00000830, 50_000.0),), ((0.00000832, 50_000.0),))
    return world


def test_equity_counts_positions_at_the_exit_side() -> None:
    a = world()
    a.enter(BTC, LONG, "0.01", "64000", leverage=5)
    a.wait(1)
    a.enter(CROSS, SHORT, "1000", "0.00000850")
    a.wait(1)
    view = a.view()
    # long: (64,999 − 65,001) × 0.01 = −0.02; short: (0.0000083 − 0.00000832) × 1,000 × 65,000 = −1.3
    assert view.unrealised == D("-1.32")
    # fees: 650.01 × 0.4 % = 2.60004; 0.0083 × 65,000 × 0.4 % = 2.158
    assert view.equity == D(10_000) - D("2.60004") - D("2.158") - D("1.32")
    # collateral: 650.01 ÷ 5 = 130.002; 539.5
    assert view.margin_used == D("669.502")
    assert view.cash == a.balance(TRADING) == D(10_000) - D("669.502") - D("4.75804")
    assert view.equity == a.portfolio.equity(a.execution.positions)
    assert [position.symbol for position in view.positions] == [BTC, CROSS]


def test_equity_values_holdings_at_mid_and_leaves_what_has_no_price_out() -> None:
    a = world()
    a.send(a.execution.requests.spot(XRP, Side.BUY, D(1000), Purpose.DCA, a.now, "verdict-1"))
    a.wait(1)
    # 540.1 + 0.4 % = 542.2604 paid; 1,000 at mid 0.54 = 540
    assert a.view().equity == D(10_000) - D("542.2604") + 540
    assert a.view().rates["XRP"] == D("0.54")
    assert a.view().holdings["XRP"] == 1000


def test_working_orders_reserve_what_they_may_cost() -> None:
    a = world()
    a.enter(BTC, LONG, "0.01", "64000", leverage=5)
    a.enter(CROSS, SHORT, "1000", "0.00000850", leverage=2)
    a.send(a.execution.requests.spot(XRP, Side.BUY, D(1000), Purpose.DCA, a.now, "verdict-1"))
    a.send(a.execution.requests.spot(XRP, Side.SELL, D(1000), Purpose.DCA, a.now, "verdict-1"))
    view = a.view()
    long = D("650.01") / 5 + D("2.60004")
    short = D("539.5") / 2 + D("2.158")
    spot = D("540.1") + D("2.1604")
    assert view.reserved == long + short + spot
    assert view.free == view.cash - view.reserved
    assert [order.request.symbol for order in view.entries] == [BTC, CROSS]
    a.wait(1)
    assert a.view().reserved == 0


def test_looking_changes_nothing_and_a_restart_sees_the_same() -> None:
    a, b = world(), world()
    for each in (a, b):
        each.send(
            each.execution.requests.spot(
                BTC, Side.BUY, D("0.1"), Purpose.DCA, each.now, "verdict-1"
            )
        )
        each.wait(1)
        each.trade(BTC, 65000.0)
        if each is a:
            a.view()
        each.delta(BTC, bids=((70000.0, 1.0),))
    assert a.view() == b.view() == a.reborn(World).view()
    # A crossed book is worth its last price: 0.1 × 65,000 with 6,500.1 × 1.004 paid.
    assert a.view().equity == D(10_000) - D("6526.1004") + 6_500


def test_an_asset_without_a_price_has_no_rate() -> None:
    with pytest.raises(LedgerError, match="add DOGE/USDT to the run"):
        world().portfolio.rate("DOGE")


def test_hodl_is_not_equity() -> None:
    a = world()
    entry = a.portfolio.deposit(a.now, D(50), "cmd-1")
    hodl = tuple(
        replace(posting, account="hodl") if posting.account == TRADING else posting
        for posting in entry.postings
    )
    before = a.view().equity
    a.portfolio.ledger.post(replace(entry, postings=hodl))
    assert a.view().equity == before
    assert a.balance(EXTERNAL) == -10_100


def test_marks_know_day_peak_and_streak() -> None:
    marks = Marks()
    marks.shift(D(10_000))
    assert marks.note(START + HOUR, D(10_000))
    assert marks.next_due == START + DAY
    assert not marks.note(START + 2 * HOUR, D(9_000))
    assert marks.note(START + 3 * HOUR, D(11_000))
    assert (marks.day_start, marks.peak, marks.current) == (D(10_000), D(11_000), D(11_000))
    assert marks.note(marks.next_due, D(10_500))
    assert (marks.day_start, marks.peak) == (D(10_500), D(11_000))
    marks.shift(D(-500))
    assert (marks.day_start, marks.peak, marks.current) == (D(10_000), D(10_500), D(10_000))


def test_only_losses_after_all_costs_make_a_streak() -> None:
    a = world()
    a.enter(BTC, LONG, "0.01", "64000")
    a.wait(1)
    won = replace(a.position, realised=D(5))
    lost = replace(won, realised=D("2.6"))  # the fee of 2.60004 turns it into a loss
    marks = Marks()
    for position, streak in ((lost, 1), (lost, 2), (won, 0), (lost, 1)):
        settled = marks.settle(position)
        assert marks.loss_streak == streak
        assert settled.pnl == position.realised - D("2.60004")
    other = Marks()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(marks.dump()), type=MarksState))
    assert other.dump() == marks.dump()
