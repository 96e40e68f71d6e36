"""Every rule at its limit, one step inside and one outside; and every kind of bad figure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.accounts import (
    INSTRUMENTS,
    NOW,
    STATE,
    D,
    account,
    entry,
    facts,
    judge,
    long,
    position,
    settings,
    short,
)
from tests.risk.test_health import CODES as HEALTH_CODES
from tests.risk.test_lately import CODES
from tradeterm.model.vocabulary import (
    Level,
    OrderType,
    PositionSide,
    Regime,
    RunState,
    Side,
    VerdictStatus,
)
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.facts import MarketFacts
from tradeterm.risk.rules import RULES

APPROVED, MODIFIED = VerdictStatus.APPROVED, VerdictStatus.MODIFIED
REJECTED, HALTED = VerdictStatus.REJECTED, VerdictStatus.HALTED


def test_a_plain_trade_passes_every_rule_unchanged() -> None:
    verdict = judge()
    assert verdict.status is APPROVED
    assert verdict.codes == ()
    assert verdict.intent == long()
    assert verdict.content_hash == long().content_hash()
    assert [rule.rule for rule in verdict.rules] == [name for name, _, _ in RULES]
    assert {rule.outcome for rule in verdict.rules} == {"pass"}


def test_a_plain_short_passes_too() -> None:
    assert judge(short()).status is APPROVED


# -- entries refused -----------------------------------------------------------------------

FEE = facts(taker_fee=D("0.004"))

REFUSED: dict[str, tuple[RiskCode, dict[str, Any]]] = {
    "halted": (RiskCode.HALTED, {"view": account(state=RunState.HALTED)}),
    "paused": (RiskCode.PAUSED, {"view": account(state=RunState.PAUSED)}),
    "emergency": (RiskCode.EMERGENCY, {"view": account(level=Level.EMERGENCY)}),
    "unknown symbol": (RiskCode.UNKNOWN_SYMBOL, {"intent": long(symbol="DOGE/USDT")}),
    "stale": (RiskCode.STALE_DATA, {"market": facts(stale=True)}),
    "age unknown": (RiskCode.STALE_DATA, {"market": facts(data_age_seconds=float("nan"))}),
    "age endless": (RiskCode.STALE_DATA, {"market": facts(data_age_seconds=float("inf"))}),
    "reduce_only": (RiskCode.REDUCE_ONLY, {"market": facts(restricted="its data lies")}),
    "unreconciled": (RiskCode.UNRECONCILED, {"market": facts(unreconciled="diff-1")}),
    "no stop": (RiskCode.STOP_MISSING, {"intent": long(stop=None)}),
    "long stop at entry": (RiskCode.STOP_SIDE, {"intent": long(stop=D(50000))}),
    "long stop above": (RiskCode.STOP_SIDE, {"intent": long(stop=D(51000))}),
    "short stop below": (RiskCode.STOP_SIDE, {"intent": short(stop=D(49000))}),
    "stop already through the book": (
        RiskCode.STOP_SIDE,
        {"intent": long(stop=D("49700")), "market": facts(bid=D(49650), ask=D(49660))},
    ),
    "stop too close": (RiskCode.STOP_TOO_CLOSE, {"intent": long(stop=D("49750.1"))}),
    "BTC stop too wide": (
        RiskCode.STOP_TOO_WIDE,
        {"intent": long(stop=D("48499.9"), target=D(60000))},
    ),
    "no target": (RiskCode.TARGET_MISSING, {"intent": long(target=None)}),
    "long target below": (RiskCode.TARGET_SIDE, {"intent": long(target=D(49500))}),
    "short target above": (RiskCode.TARGET_SIDE, {"intent": short(target=D(50500))}),
    "reward too small": (RiskCode.REWARD_RISK, {"intent": long(target=D("51499.9"))}),
    "fees eat the reward": (
        RiskCode.REWARD_RISK,
        {"intent": long(target=D(51500)), "market": FEE},
    ),
    "confidence": (RiskCode.CONFIDENCE, {"intent": long(confidence=D("0.5999"))}),
    "collar": (
        RiskCode.COLLAR,
        {"intent": long(entry=D("50500.1"), stop=D(49500), target=D(54000))},
    ),
    "daily loss": (RiskCode.DAILY_LOSS, {"view": account(equity=D(9500))}),
    "drawdown": (
        RiskCode.DRAWDOWN,
        {"view": account(equity=D(8000), day_start_equity=D(8000)), "intent": long(size=D("0.01"))},
    ),
    "below the high of 24 hours": (
        RiskCode.DAILY_LOSS_24H,
        {"view": account(high_equity=D("10526.32"))},
    ),
    "weekly loss": (RiskCode.WEEKLY_LOSS, {"view": account(week_start_equity=D("11111.12"))}),
    "costs eat the way to the target": (
        RiskCode.COST,
        {"intent": long(stop=D(49600), target=D(50800)), "market": FEE, "min_reward_risk": "0.1"},
    ),
    "opposite position": (
        RiskCode.OPPOSITE,
        {"view": account(positions=(position(side=PositionSide.SHORT),))},
    ),
    "opposite entry": (RiskCode.OPPOSITE, {"view": account(entries=(entry(side=Side.SELL),))}),
    "third on the symbol": (
        RiskCode.POSITIONS_SYMBOL,
        {"view": account(positions=tuple(position(n, size=D("0.001")) for n in (1, 2)))},
    ),
    "third, one still pending": (
        RiskCode.POSITIONS_SYMBOL,
        {"view": account(positions=(position(1),), entries=(entry(2),))},
    ),
    "sixth in all": (
        RiskCode.POSITIONS,
        {
            "view": account(
                positions=tuple(
                    position(n, symbol=symbol, size=D("0.001"))
                    for n, symbol in enumerate(["XRP/USDT"] * 3 + ["XRP/BTC"] * 2)
                )
            )
        },
    ),
    "no cash": (RiskCode.CASH, {"view": account(cash=D(0))}),
    "cash all reserved": (RiskCode.CASH, {"view": account(reserved=D(10001))}),
    "no exposure left": (
        RiskCode.EXPOSURE,
        {"view": account(positions=(position(symbol="XRP/USDT", size=D(16000)),))},
    ),
    "no margin left": (RiskCode.MARGIN, {"view": account(margin_used=D(5000))}),
    "nothing correlated left": (
        RiskCode.CORRELATED,
        {"view": account(positions=(position(size=D("0.08")),))},
    ),
    "below minimum size": (RiskCode.MINIMUM, {"intent": long(size=D("0.0009"))}),
    "less than a lot": (RiskCode.MINIMUM, {"intent": long(size=D("0.00001"))}),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_its_code(case: tuple[RiskCode, dict[str, Any]]) -> None:
    code, given = case
    verdict = judge(**given)
    assert not verdict.allows
    assert verdict.intent is None
    assert code in verdict.codes
    assert len(verdict.rules) == len(RULES), "every rule is listed, also after a failure"
    halting = {
        RiskCode.HALTED,
        RiskCode.PAUSED,
        RiskCode.EMERGENCY,
        RiskCode.DAILY_LOSS,
        RiskCode.DRAWDOWN,
        RiskCode.DAILY_LOSS_24H,
        RiskCode.WEEKLY_LOSS,
    }
    assert verdict.status is (HALTED if code in halting else REJECTED)


AT_THE_LIMIT: dict[str, dict[str, Any]] = {
    "stop distance 0.5 %": {"intent": long(stop=D(49750), target=D(51000))},
    "BTC stop distance 3 %": {"intent": long(stop=D(48500), target=D(52250))},
    "XRP stop distance 5 %": {
        "intent": long(
            symbol="XRP/USDT", size=D(2000), entry=D("0.5"), stop=D("0.475"), target=D("0.55")
        ),
        "market": facts("XRP/USDT"),
    },
    "reward/risk 1.5": {"intent": long(target=D(51500))},
    "confidence 0.60": {"intent": long(confidence=D("0.60"))},
    "a cent above the weekly loss": {"view": account(week_start_equity=D("11111.10"))},
    "a cent above the loss of 24 hours": {"view": account(high_equity=D("10526.30"))},
    "collar 1 %": {"intent": long(entry=D(50500), stop=D(49500), target=D(54000))},
    "one cent above the daily loss": {"view": account(equity=D("9500.01"))},
    "level LIMITED": {"view": account(level=Level.LIMITED)},
    "second on the symbol": {"view": account(positions=(position(),))},
    "fifth in all": {
        "view": account(
            positions=tuple(
                position(n, symbol=symbol, size=D("0.001"))
                for n, symbol in enumerate(["XRP/USDT"] * 2 + ["XRP/BTC"] * 2)
            )
        ),
    },
    "a partly filled entry counts once": {
        "view": account(positions=(position(1),), entries=(entry(1, size=D("0.01")),)),
    },
    "minimum size": {"intent": long(size=D("0.001"))},
    "collateral 20 %": {"intent": long(size=D("0.04"))},
    "cash to the cent": {"view": account(cash=D(1000))},
    "correlated 40 %": {"view": account(positions=(position(size=D("0.06")),))},
    "margin 50 %": {"view": account(margin_used=D(4000))},
    "exposure 80 %": {
        "view": account(positions=(position(symbol="XRP/USDT", size=D(14000)),)),
        "correlations": {"BTC/USDT": {"XRP/USDT": 0}},
        "max_correlated": D(70),
    },
    "risk 2 %": {"intent": long(size=D("0.04")), "max_risk": D("0.4")},
}


@pytest.mark.parametrize("given", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_exactly_at_the_limit_passes_unchanged(given: dict[str, Any]) -> None:
    verdict = judge(**given)
    assert verdict.status is APPROVED, verdict.codes
    assert verdict.intent == given.get("intent", long())


# -- entries reduced -----------------------------------------------------------------------

REDUCED: dict[str, tuple[RiskCode, Decimal, dict[str, Any]]] = {
    "collateral": (RiskCode.POSITION_SIZE, D("0.04"), {"intent": long(size=D("0.0401"))}),
    "risk": (
        RiskCode.RISK_AT_STOP,
        D("0.04"),
        {"intent": long(size=D("0.0401")), "max_risk": D("0.4"), "max_position": D(30)},
    ),
    "confidence leaves half of the risk": (
        RiskCode.SIZING,
        D("0.02"),
        {"intent": long(size=D("0.0201"), confidence=D("0.69")), "max_risk": D("0.4")},
    ),
    "three quarters": (
        RiskCode.SIZING,
        D("0.03"),
        {"intent": long(size=D("0.0301"), confidence=D("0.79")), "max_risk": D("0.4")},
    ),
    "a wild regime leaves 60 %": (
        RiskCode.SIZING,
        D("0.024"),
        {
            "intent": long(size=D("0.0241")),
            "max_risk": D("0.4"),
            "market": facts(regime=Regime.VOLATILE_BULL),
        },
    ),
    "a regime nobody knows leaves half": (
        RiskCode.SIZING,
        D("0.02"),
        {"intent": long(size=D("0.0201")), "max_risk": D("0.4"), "market": facts(regime=None)},
    ),
    "exposure": (
        RiskCode.EXPOSURE,
        D("0.0199"),
        {
            "view": account(positions=(position(symbol="XRP/USDT", size=D(14005)),)),
            "correlations": {"BTC/USDT": {"XRP/USDT": 0}},
            "max_correlated": D(75),
        },
    ),
    "exposure of pending entries": (
        RiskCode.EXPOSURE,
        D("0.0199"),
        {
            "view": account(entries=(entry(symbol="XRP/USDT", size=D(14005)),)),
            "correlations": {"BTC/USDT": {"XRP/USDT": 0}},
            "max_correlated": D(75),
            "max_margin": D(100),
        },
    ),
    "correlated": (
        RiskCode.CORRELATED,
        D("0.0199"),
        {"view": account(positions=(position(size=D("0.0601")),))},
    ),
    "margin": (RiskCode.MARGIN, D("0.0199"), {"view": account(margin_used=D(4001))}),
    "cash": (RiskCode.CASH, D("0.0199"), {"view": account(cash=D("999.99"))}),
    "cash for the fee": (
        RiskCode.CASH,
        D("0.0199"),
        {"intent": long(target=D(54000)), "view": account(cash=D(1000)), "market": FEE},
    ),
}


@pytest.mark.parametrize("case", REDUCED.values(), ids=REDUCED)
def test_too_much_is_cut_to_the_last_lot_that_fits(
    case: tuple[RiskCode, Decimal, dict[str, Any]],
) -> None:
    code, size, given = case
    verdict = judge(**given)
    assert verdict.status is MODIFIED, verdict.codes
    assert code in verdict.codes
    assert verdict.intent is not None
    assert verdict.intent.size == size
    assert any(rule.outcome == "reduced" for rule in verdict.rules)
    assert verdict.content_hash == verdict.intent.content_hash()


def test_a_reduction_below_the_minimum_is_a_refusal() -> None:
    verdict = judge(view=account(cash=D(49)))
    assert verdict.status is REJECTED
    assert verdict.codes == (RiskCode.MINIMUM,)


def test_a_hedge_makes_room_and_a_stack_takes_it() -> None:
    stack = account(positions=(position(symbol="XRP/USDT", size=D(7000)),))
    hedge = account(positions=(position(symbol="XRP/USDT", size=D(7000), side=PositionSide.SHORT),))
    wish = long(size=D("0.06"), leverage=D(3))
    assert RiskCode.CORRELATED in judge(wish, stack).codes
    assert judge(wish, hedge).status is APPROVED


LEVERAGE = [
    (RiskCode.LEVERAGE, D(5), {"max_leverage": 5}),
    (RiskCode.LEVERAGE_REGIME, D(3), {"market": facts(regime=Regime.TRENDING_BEAR)}),
    (RiskCode.LEVERAGE_REGIME, D(2), {"market": facts(regime=Regime.RANGING)}),
    (RiskCode.LEVERAGE_REGIME, D(2), {"market": facts(regime=Regime.VOLATILE_BULL)}),
    (RiskCode.LEVERAGE_REGIME, D(2), {"market": facts(regime=Regime.VOLATILE_BEAR)}),
    (RiskCode.LEVERAGE_REGIME, D(1), {"market": facts(regime=Regime.CHOPPY)}),
    (RiskCode.LEVERAGE_REGIME, D(3), {"market": facts(regime=Regime.BREAKOUT_POTENTIAL)}),
    (RiskCode.LEVERAGE_REGIME, D(1), {"market": facts(regime=None)}),
    (RiskCode.LEVERAGE_DRAWDOWN, D(3), {"view": account(peak_equity=D("10526.32"))}),
    (RiskCode.LEVERAGE_DRAWDOWN, D(2), {"view": account(peak_equity=D("11111.12"))}),
    (RiskCode.LEVERAGE_DRAWDOWN, D(1), {"view": account(peak_equity=D("11764.71"))}),
    (RiskCode.LEVERAGE_STREAK, D(2), {"view": account(loss_streak=3)}),
    (RiskCode.LEVERAGE_STREAK, D(2), {"view": account(loss_streak=4)}),
    (RiskCode.LEVERAGE_STREAK, D(1), {"view": account(loss_streak=5)}),
    (RiskCode.LEVERAGE_CONFIDENCE, D(3), {"confidence": D("0.79")}),
    (RiskCode.LEVERAGE_CONFIDENCE, D(2), {"confidence": D("0.69")}),
]


@pytest.mark.parametrize(("code", "cap", "given"), LEVERAGE)
def test_leverage_is_cut_to_its_cap(code: RiskCode, cap: Decimal, given: dict[str, Any]) -> None:
    given = dict(given)
    small = {"size": D("0.01"), "confidence": given.pop("confidence", D("0.8"))}
    verdict = judge(long(leverage=cap + D("0.01"), **small), **given)
    assert verdict.status is MODIFIED
    assert code in verdict.codes
    assert verdict.intent is not None
    assert verdict.intent.leverage == cap
    assert judge(long(leverage=cap, **small), **given).status is APPROVED


def test_leverage_steps_begin_exactly_where_they_say() -> None:
    wish = long(leverage=D(5), size=D("0.01"))
    assert judge(wish, account(equity=D(9501), peak_equity=D(10000))).status is APPROVED
    today = {"day_start_equity": D(9500), "high_equity": D(9500)}
    cut = judge(wish, account(equity=D(9500), peak_equity=D(10000), **today))
    assert cut.codes == (RiskCode.LEVERAGE_DRAWDOWN,)
    assert judge(wish, account(loss_streak=2)).status is APPROVED


def test_a_card_leaves_headroom_so_that_small_drift_does_not_void_it() -> None:
    engine = RiskEngine(settings(), INSTRUMENTS)
    first = engine.evaluate(
        long(size=D("0.05")),
        account(),
        facts(),
        verdict_id="v-1",
        parent="p",
        now=NOW,
        state=STATE,
        for_card=True,
    )
    assert first.intent is not None
    assert first.intent.size == D("0.0396")
    moved = facts(bid=D(50200), ask=D(50200))
    again = engine.evaluate(
        first.intent, account(), moved, verdict_id="v-2", parent="p", now=NOW, state=STATE
    )
    assert again.status is APPROVED
    assert again.content_hash == first.content_hash


def test_the_final_form_evaluated_again_is_the_same() -> None:
    first = judge(long(size=D(3), leverage=D(5), entry=D("50000.04"), target=D(54000)), market=FEE)
    assert first.intent is not None
    again = judge(first.intent, market=FEE)
    assert (again.status, again.intent) == (APPROVED, first.intent)


def test_risk_is_measured_from_the_worse_of_entry_and_book() -> None:
    spread = facts(bid=D(49990), ask=D(50100))
    figures = {rule.rule: rule.value for rule in judge(market=spread).rules}
    assert figures["risk_at_stop"] == "0.2200"  # 0.02 × (50,100 − 49,000) of 10,000
    figures = {rule.rule: rule.value for rule in judge(short(), market=spread).rules}
    assert figures["risk_at_stop"] == "0.2020"  # 0.02 × (51,000 − 49,990)


def test_a_cross_pair_is_counted_in_account_currency() -> None:
    wish = long(
        symbol="XRP/BTC",
        size=D(2000),
        entry=D("0.00001"),
        stop=D("0.0000098"),
        target=D("0.0000104"),
    )
    verdict = judge(wish, market=facts("XRP/BTC"))
    assert verdict.status is APPROVED
    figures = {rule.rule: rule.value for rule in verdict.rules}
    assert figures["exposure"] == "10.0000"


def test_every_code_has_a_test() -> None:
    seen = {code for code, _ in REFUSED.values()} | {code for code, _, _ in REDUCED.values()}
    seen |= {code for code, _, _ in LEVERAGE}
    elsewhere = {
        RiskCode.BAD_NUMBER,
        RiskCode.BAD_ACCOUNT,
        RiskCode.BAD_MARKET,
        RiskCode.NOT_JUDGED,
        RiskCode.RULE_ERROR,
        *CODES,
        *HEALTH_CODES,
    }
    assert seen | elsewhere == set(RiskCode)


def test_a_limit_above_the_ask_counts_at_its_limit() -> None:
    waiting = entry(symbol="XRP/USDT", type=OrderType.LIMIT, limit=D("0.6"), size=D(10000))
    figures = {rule.rule: rule.value for rule in judge(view=account(entries=(waiting,))).rules}
    assert figures["exposure"] == "70.0000"  # 10,000 × 0.6 + 1,000 of 10,000
    assert figures["margin_use"] == "70.0000"
    low = entry(symbol="XRP/USDT", type=OrderType.LIMIT, limit=D("0.4"), size=D(10000))
    figures = {rule.rule: rule.value for rule in judge(view=account(entries=(low,))).rules}
    assert figures["exposure"] == "60.0000", "a limit below the market is counted at the market"


@pytest.mark.parametrize(
    ("market", "value", "outcome"),
    [
        (facts(data_age_seconds=5.0), "5.000", "pass"),
        (facts(data_age_seconds=5.01, stale=True), "5.010", "fail"),
        (facts(data_age_seconds=0.5, stale=True), "crossed book", "fail"),
    ],
)
def test_data_age_shows_what_is_judged_and_its_limit(
    market: MarketFacts, value: str, outcome: str
) -> None:
    (found,) = [rule for rule in judge(market=market).rules if rule.rule == "data_age"]
    assert (found.value, found.limit, found.outcome) == (value, "<= 5", outcome)
