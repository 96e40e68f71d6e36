"""Bad figures from every source, and rules that break: a refusal with a code, never a pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import fields

from tests.risk.accounts import PRICES, D, account, entry, facts, judge, long, position
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import VerdictStatus
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.facts import Standing
from tradeterm.risk.outcomes import percent
from tradeterm.risk.rules import RULES

REJECTED = VerdictStatus.REJECTED


BAD = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(0), D(-1), D("1e30")]
INTENT_FIELDS = ["size", "entry", "stop", "target", "leverage", "wished"]


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("field", INTENT_FIELDS)
def test_a_bad_figure_in_the_trade_is_never_a_pass(field: str, bad: Decimal) -> None:
    verdict = judge(long(**{field: bad}))
    assert verdict.status is REJECTED
    assert RiskCode.BAD_NUMBER in verdict.codes
    assert len(verdict.rules) == len(RULES)


@pytest.mark.parametrize("bad", [D("NaN"), D("sNaN"), D("-0.1"), D("1.1"), D("Infinity")], ids=str)
def test_a_bad_confidence_is_never_a_pass(bad: Decimal) -> None:
    assert RiskCode.BAD_NUMBER in judge(long(confidence=bad)).codes


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("field", ["bid", "ask", "rate"])
def test_a_bad_figure_from_the_market_is_never_a_pass(field: str, bad: Any) -> None:
    verdict = judge(market=facts(**{field: bad}))
    assert verdict.status is REJECTED
    assert {RiskCode.BAD_MARKET, RiskCode.NOT_JUDGED} <= set(verdict.codes)


@pytest.mark.parametrize("bad", [D("NaN"), D("sNaN"), D("-0.01"), D(1), D("Infinity")], ids=str)
def test_a_bad_fee_is_never_a_pass(bad: Decimal) -> None:
    assert RiskCode.BAD_MARKET in judge(market=facts(taker_fee=bad)).codes


def test_a_crossed_book_is_never_a_pass() -> None:
    assert RiskCode.BAD_MARKET in judge(market=facts(bid=D(50001), ask=D(50000))).codes


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.1], ids=str)
def test_a_bad_move_is_never_a_pass(bad: float) -> None:
    assert RiskCode.UNUSUAL_MOVE in judge(market=facts(move=bad)).codes


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0], ids=str)
def test_a_bad_volatility_is_never_a_pass(bad: float) -> None:
    assert RiskCode.VOLATILITY in judge(market=facts(volatility=bad)).codes


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0], ids=str)
def test_a_bad_atr_sets_no_stop(bad: float) -> None:
    verdict = judge(long(stop=None), market=facts(atr=bad))
    assert not verdict.allows
    assert RiskCode.STOP_MISSING in verdict.codes


@pytest.mark.parametrize("bad", [D("NaN"), D("sNaN")], ids=str)
def test_a_bad_measured_correlation_is_never_a_pass(bad: Decimal) -> None:
    measured = {("BTC/USDT", "XRP/USDT"): bad, ("XRP/USDT", "BTC/USDT"): bad}
    held = account(positions=(position(symbol="XRP/USDT", size=D(100)),))
    assert RiskCode.BAD_ACCOUNT in judge(view=held, market=facts(measured=measured)).codes


@pytest.mark.parametrize("bad", [float("nan"), -1.0], ids=str)
def test_a_bad_stamp_of_the_last_entry_is_never_a_pass(bad: float) -> None:
    standing = Standing(since_same=(bad, None))
    assert RiskCode.REPEATED in judge(market=facts(standing=standing)).codes


ACCOUNT_FIELDS = [
    "equity", "cash", "reserved", "margin_used", "day_start_equity", "high_equity",
    "week_start_equity", "peak_equity",
]  # fmt: skip


@pytest.mark.parametrize("bad", [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity")], ids=str)
@pytest.mark.parametrize("field", ACCOUNT_FIELDS)
def test_a_bad_figure_in_the_account_is_never_a_pass(field: str, bad: Decimal) -> None:
    verdict = judge(view=account(**{field: bad}))
    assert not verdict.allows
    assert RiskCode.BAD_ACCOUNT in verdict.codes
    assert len(verdict.rules) == len(RULES)


@pytest.mark.parametrize("equity", [D(0), D(-1), D("-1e9")], ids=str)
def test_without_equity_nothing_opens(equity: Decimal) -> None:
    verdict = judge(view=account(equity=equity))
    assert not verdict.allows
    assert RiskCode.BAD_ACCOUNT in verdict.codes


@pytest.mark.parametrize(
    "broken",
    [
        {"bids": {}, "asks": {}},
        {"rates": {}},
        {"bids": {**PRICES, "XRP/BTC": D("NaN")}},
        {"rates": {"BTC": D("NaN")}},
        {"rates": {"BTC": D(0)}},
        {"bids": {**PRICES, "XRP/BTC": D(-1)}},
    ],
    ids=str,
)
def test_a_position_without_a_price_blocks_entries(broken: dict[str, Any]) -> None:
    held = account(positions=(position(symbol="XRP/BTC", size=D(100)),), **broken)
    verdict = judge(view=held)
    assert not verdict.allows
    assert RiskCode.BAD_ACCOUNT in verdict.codes


def test_an_entry_without_a_price_blocks_entries() -> None:
    held = account(entries=(entry(symbol="XRP/BTC", size=D(100)),), asks={})
    assert RiskCode.BAD_ACCOUNT in judge(view=held).codes


def test_a_rule_that_raises_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: object) -> object:
        raise ZeroDivisionError

    table = tuple((n, need, broken if n == "collar" else rule) for n, need, rule in RULES)
    monkeypatch.setattr("tradeterm.risk.rules.judge.__defaults__", (table,))
    verdict = judge()
    assert verdict.status is REJECTED
    assert verdict.codes == (RiskCode.RULE_ERROR,)


def test_an_engine_that_raises_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("tradeterm.risk.engine.fit", broken)
    verdict = judge()
    assert verdict.status is REJECTED
    assert verdict.codes == (RiskCode.RULE_ERROR,)
    assert verdict.intent is None


def test_every_figure_of_a_trade_is_checked() -> None:
    checked = {*INTENT_FIELDS, "symbol", "side", "confidence"}
    assert {field.name for field in fields(TradeIntent)} == checked


@pytest.mark.parametrize(
    "value",
    ["0", "-0", "-0.00001", "0E+3", "0.00005", "0.00015", "12.345678901234567890123456789",
     "1E+23", "1E+30", "NaN", "sNaN", "Infinity"],
)  # fmt: skip
def test_a_percentage_has_four_decimals_whatever_it_is(value: str) -> None:
    assert percent(D(value)) == f"{D(value):.4f}"
