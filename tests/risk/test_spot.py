"""Rebalance and DCA: spot, unleveraged, without a stop, by their own rules."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.risk.accounts import INSTRUMENTS, NOW, STATE, D, account, facts, request, settings
from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import OrderRequest
from tradeterm.model.proposals import Verdict
from tradeterm.model.vocabulary import (
    AccountBook,
    Level,
    OrderType,
    Purpose,
    RunState,
    Side,
    VerdictStatus,
)
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.spot import SpotWish

ENGINE = RiskEngine(settings(), INSTRUMENTS)
BUY = SpotWish("BTC/USDT", Side.BUY, D("0.02"), D(50000))
SELL = SpotWish("BTC/USDT", Side.SELL, D("0.02"), D(50000))
OWNER = account(holdings={"USDT": D(10000), "BTC": D("0.05")})
FEE = facts(taker_fee=D("0.004"))


def judge(wish: SpotWish = BUY, view: Any = OWNER, market: Any = FEE) -> Verdict:
    return ENGINE.spot(wish, view, market, verdict_id="v-1", parent="plan-1", now=NOW, state=STATE)


def spot_order(given: Verdict, **changes: Any) -> OrderRequest:
    assert given.intent is not None
    return request(
        **{
            "side": given.intent.side.entry,
            "size": given.intent.size,
            "stop": None,
            "target": None,
            "book": AccountBook.SPOT,
            "purpose": Purpose.REBALANCE,
            "type": OrderType.MARKET,
            **changes,
        }
    )


@pytest.mark.parametrize("wish", [BUY, SELL])
@pytest.mark.parametrize("purpose", [Purpose.REBALANCE, Purpose.DCA])
def test_it_needs_no_stop_and_becomes_an_order(wish: SpotWish, purpose: Purpose) -> None:
    verdict = judge(wish)
    assert verdict.status is VerdictStatus.APPROVED
    order = spot_order(verdict, purpose=purpose)
    assert order.side is wish.side
    assert ENGINE.approve(verdict, order, NOW, STATE).request is order


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": Purpose.ENTRY},
        {"book": AccountBook.MARGIN},
        {"leverage": D(2)},
        {"stop": D(49000)},
        {"size": D(1)},
        {"position_id": "pos-1"},
    ],
    ids=str,
)
def test_a_spot_verdict_permits_nothing_else(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder):
        ENGINE.approve(judge(), spot_order(judge(), **change), NOW, STATE)


def test_breakers_and_the_lack_of_a_stop_do_not_touch_spot() -> None:
    hurt = replace(OWNER, equity=D(7000), day_start_equity=D(10000), loss_streak=9)
    assert judge(view=hurt).status is VerdictStatus.APPROVED


@pytest.mark.parametrize(
    ("code", "given"),
    [
        (RiskCode.HALTED, {"view": replace(OWNER, state=RunState.HALTED)}),
        (RiskCode.PAUSED, {"view": replace(OWNER, state=RunState.PAUSED)}),
        (RiskCode.EMERGENCY, {"view": replace(OWNER, level=Level.EMERGENCY)}),
        (RiskCode.STALE_DATA, {"market": facts(stale=True)}),
        (RiskCode.BAD_MARKET, {"market": facts(bid=D("NaN"))}),
        (RiskCode.NOT_JUDGED, {"market": facts(ask=D(0))}),
        (RiskCode.UNKNOWN_SYMBOL, {"wish": replace(BUY, symbol="DOGE/USDT")}),
        (RiskCode.BAD_NUMBER, {"wish": replace(BUY, size=D("NaN"))}),
        (RiskCode.BAD_NUMBER, {"wish": replace(BUY, price=D(-1))}),
        (RiskCode.COLLAR, {"wish": replace(BUY, price=D(50501))}),
        (RiskCode.CASH, {"view": replace(OWNER, cash=D(0))}),
        (RiskCode.CASH, {"wish": SELL, "view": account()}),
        (RiskCode.MINIMUM, {"wish": replace(BUY, size=D("0.0009"))}),
    ],
)
def test_it_is_refused_with_its_code(code: RiskCode, given: dict[str, Any]) -> None:
    verdict = judge(**given)
    assert not verdict.allows
    assert verdict.intent is None
    assert code in verdict.codes


def test_a_purchase_is_cut_to_the_cash_fee_on_top() -> None:
    verdict = judge(view=replace(OWNER, cash=D(1000)))
    assert verdict.status is VerdictStatus.MODIFIED
    assert verdict.codes == (RiskCode.CASH,)
    assert verdict.intent is not None
    assert verdict.intent.size == D("0.0199")


def test_a_sale_is_cut_to_what_is_there() -> None:
    verdict = judge(replace(SELL, size=D("0.07")))
    assert verdict.intent is not None
    assert verdict.intent.size == D("0.05")


def test_a_cross_pair_is_paid_in_its_own_quote() -> None:
    wish = SpotWish("XRP/BTC", Side.BUY, D(10000), D("0.00001"))
    market = facts("XRP/BTC", taker_fee=D("0.004"))
    verdict = judge(wish, market=market)
    assert verdict.intent is not None
    assert verdict.intent.size == D("4980.07")  # 0.05 BTC ÷ (0.00001 × 1.004)


def test_a_rule_that_raises_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = account(holdings={"BTC": "many"})
    assert judge(SELL, broken).codes == (RiskCode.RULE_ERROR,)
    monkeypatch.setattr("tradeterm.risk.spot._fitted", lambda spot, instrument: (spot, set()))
    assert judge(SELL, broken).codes == (RiskCode.RULE_ERROR,)
