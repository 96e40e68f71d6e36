"""Rebalancing is arithmetic: weights, legs and what cash can pay."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.world import INSTRUMENTS, SETTINGS, account, context
from tradeterm.agents.rebalance import RebalanceAgent
from tradeterm.model.account import AccountView
from tradeterm.model.outputs import AllocationView

FEE = INSTRUMENTS["BTC/USDT"].taker_fee


def check(view: AccountView) -> AllocationView:
    found = RebalanceAgent(SETTINGS.portfolio).run(context(symbol="*", view=view))
    assert found is not None
    return found


def legs(found: AllocationView) -> dict[str, Decimal]:
    return {leg.symbol: leg.notional for leg in found.legs}


def test_cash_is_spread_over_the_targets() -> None:
    found = check(account({"USDT": "10000"}))
    assert legs(found) == {"BTC/USDT": Decimal(3333), "XRP/USDT": Decimal(3333)}
    assert found.deviation == pytest.approx(66.66)


def test_small_deviations_are_left_alone() -> None:
    found = check(account({"USDT": "3500", "BTC": "0.05", "XRP": "6500"}))
    assert found.legs == ()
    assert found.deviation < 5


def test_five_points_are_enough() -> None:
    found = check(account({"USDT": "3834", "BTC": str(Decimal(2833) / 65000), "XRP": "6666"}))
    assert found.deviation == 5.0
    assert legs(found) == {"BTC/USDT": Decimal(500)}


def test_sells_come_first_and_pay_for_the_buys() -> None:
    found = check(account({"BTC": "0.153846153"}))
    assert [leg.symbol for leg in found.legs] == ["BTC/USDT", "XRP/USDT"]
    sold, bought = -found.legs[0].notional, found.legs[1].notional
    assert sold > 0
    assert bought * (1 + FEE) <= sold * (1 - FEE)


def test_collateral_counts_as_cash_but_cannot_be_spent() -> None:
    found = check(account({"USDT": "1000"}, margin="9000"))
    assert found.weights["USDT"] == 100.0
    assert sum(legs(found).values()) * (1 + FEE) <= 1000


def test_a_target_that_cannot_be_traded_stays_cash() -> None:
    found = check(account({"USDT": "10000"}, bids={"BTC/USDT": "65000"}))
    assert set(legs(found)) == {"BTC/USDT"}
    assert found.targets == {"USDT": 66.67, "BTC": 33.33}


def test_a_holding_without_a_price_stops_the_arithmetic() -> None:
    agent = RebalanceAgent(SETTINGS.portfolio)
    assert agent.run(context(symbol="*", view=account({"USDT": "1", "DOGE": "5"}))) is None
    assert agent.run(context(symbol="*", view=account({"USDT": "0"}))) is None


def test_an_asset_that_has_no_target_is_not_touched() -> None:
    bids = {"BTC/USDT": "65000", "XRP/USDT": "0.5", "ETH/USDT": "3000"}
    found = check(account({"USDT": "5000", "ETH": "1"}, bids=bids))
    assert "ETH/USDT" not in legs(found)


amounts = st.decimals("0", "20000", places=2)


@given(usdt=amounts, btc=amounts, xrp=amounts, margin=amounts)
def test_orders_never_cost_more_than_there_is(
    usdt: Decimal, btc: Decimal, xrp: Decimal, margin: Decimal
) -> None:
    holdings = {"USDT": str(usdt), "BTC": str(btc / 65000), "XRP": str(xrp * 2)}
    view = account(holdings, margin=str(margin))
    found = RebalanceAgent(SETTINGS.portfolio).run(context(symbol="*", view=view))
    if found is None:
        return
    signs = [leg.notional > 0 for leg in found.legs]
    assert signs == sorted(signs)
    bought = sum((leg.notional for leg in found.legs if leg.notional > 0), Decimal(0))
    sold = sum((-leg.notional for leg in found.legs if leg.notional < 0), Decimal(0))
    assert bought * (1 + FEE) <= usdt + sold * (1 - FEE)
    assert all(abs(leg.notional) >= SETTINGS.portfolio.min_order for leg in found.legs)
    values = {"BTC/USDT": btc, "XRP/USDT": xrp}
    assert all(-leg.notional <= values[leg.symbol] + 1 for leg in found.legs)
    assert sum(found.weights.values()) == pytest.approx(100, abs=0.001)
