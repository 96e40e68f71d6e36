"""Rules about what was done and what happened lately: cool-downs, rates, spikes, moves, breakers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.accounts import NOW, D, account, facts, judge, long, position, settings, short
from tradeterm.model.orders import Position
from tradeterm.model.proposals import Verdict
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Regime, VerdictStatus
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.conduct import LOSS, LOSSES, Conduct
from tradeterm.risk.facts import MarketFacts, Standing

#: Reasons that are told by the cases of this file.
CODES = {
    RiskCode.BREAKER, RiskCode.COOLDOWN, RiskCode.ENTRY_RATE, RiskCode.MESSAGE_RATE,
    RiskCode.REPEATED, RiskCode.UNUSUAL_MOVE, RiskCode.STOP_SET, RiskCode.VOLATILITY,
    RiskCode.LOSSES,
}  # fmt: skip


def lately(**standing: Any) -> MarketFacts:
    return facts(standing=Standing(**standing))


def figure(verdict: Verdict, rule: str) -> tuple[str, str]:
    found = next(each for each in verdict.rules if each.rule == rule)
    return found.value, found.outcome


REFUSED: dict[str, tuple[RiskCode, MarketFacts]] = {
    "a breaker waits": (RiskCode.BREAKER, lately(tripped=("weekly",))),
    "a cool-down of a nanosecond more": (RiskCode.COOLDOWN, lately(cooldowns=(("loss", NOW + 1),))),
    "the sixth entry within a minute": (RiskCode.ENTRY_RATE, lately(entries=5)),
    "the 21st message": (RiskCode.MESSAGE_RATE, lately(messages=20)),
    "again after 9.999 s": (RiskCode.REPEATED, lately(since_same=(9.999, None))),
    "3.01 % in five minutes": (RiskCode.UNUSUAL_MOVE, facts(move=3.01)),
}
PASSED = {
    "a cool-down that is over": lately(cooldowns=(("loss", NOW),)),
    "the fifth entry": lately(entries=4),
    "the 20th message": lately(messages=19),
    "again after ten seconds": lately(since_same=(10.0, None)),
    "the other side just now": lately(since_same=(None, 0.0)),
    "3 % in five minutes": facts(move=3.0),
    "ATR three times its mean": facts(volatility=3.0),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_its_code(case: tuple[RiskCode, MarketFacts]) -> None:
    code, market = case
    verdict = judge(market=market)
    assert verdict.codes == (code,)
    assert verdict.intent is None


@pytest.mark.parametrize("market", PASSED.values(), ids=PASSED)
def test_at_the_limit_it_passes_unchanged(market: MarketFacts) -> None:
    assert judge(market=market).status is VerdictStatus.APPROVED


def test_the_longest_cooldown_is_named_with_its_remaining_time() -> None:
    waits = (("trade", NOW + 5 * SECOND), ("loss", NOW + 90 * SECOND + 1), ("spike", NOW - 1))
    verdict = judge(market=lately(cooldowns=waits))
    assert figure(verdict, "cooldown") == ("loss: 91 s left", "fail")


@pytest.mark.parametrize(
    ("market", "code"),
    [(facts(volatility=3.1), RiskCode.VOLATILITY), (lately(halved=True), RiskCode.LOSSES)],
    ids=["spike", "losses"],
)
def test_half_the_size_is_left_and_taken_away_only_once(market: MarketFacts, code: str) -> None:
    first = judge(long(size=D("0.02")), market=market)
    assert (first.status, first.codes) == (VerdictStatus.MODIFIED, (code,))
    assert first.intent is not None
    assert (first.intent.size, first.intent.wished) == (D("0.01"), D("0.02"))
    again = judge(first.intent, market=market)
    assert again.status is VerdictStatus.APPROVED
    assert again.content_hash == first.content_hash
    calm = judge(first.intent)
    assert calm.content_hash == first.content_hash, "what is over gives nothing back"


def test_a_missing_stop_is_set_by_the_atr() -> None:
    verdict = judge(long(stop=None, target=D(53000)), market=facts(atr=400.0))
    assert verdict.codes == (RiskCode.STOP_SET,)
    assert verdict.intent is not None
    assert verdict.intent.stop == D(49200)  # 2 × 400 below
    other = judge(short(stop=None, target=D(47000)), market=facts(atr=400.0))
    assert other.intent is not None
    assert other.intent.stop == D(50800)


@pytest.mark.parametrize(("atr", "stop"), [(50.0, "49749.9"), (4000.0, "48500.1")])
def test_the_stop_by_the_atr_keeps_to_the_bounds_of_stops(atr: float, stop: str) -> None:
    verdict = judge(long(stop=None, target=D(53000)), market=facts(atr=atr))
    assert verdict.intent is not None
    assert verdict.intent.stop == D(stop)  # 0.5 % and 3 % of 50,000, a tick inside


def test_without_leave_or_atr_no_stop_is_set() -> None:
    assert RiskCode.STOP_MISSING in judge(long(stop=None)).codes
    refused = judge(long(stop=None), market=facts(atr=400.0), atr_stop=0)
    assert RiskCode.STOP_MISSING in refused.codes


@pytest.mark.parametrize(
    ("regime", "streak", "least"),
    [
        (Regime.TRENDING_BULL, 0, "0.60"), (Regime.CHOPPY, 0, "0.63"), (None, 0, "0.63"),
        (Regime.TRENDING_BULL, 3, "0.63"), (Regime.TRENDING_BULL, 5, "0.65"),
        (Regime.CHOPPY, 5, "0.68"),
    ],
)  # fmt: skip
def test_wild_markets_and_losses_ask_for_more_confidence(
    regime: Regime | None, streak: int, least: str
) -> None:
    view, market = account(loss_streak=streak), facts(regime=regime)
    sure = long(size=D("0.01"), confidence=D(least))
    assert RiskCode.CONFIDENCE not in judge(sure, view, market).codes
    unsure = long(size=D("0.01"), confidence=D(least) - D("0.0001"))
    assert RiskCode.CONFIDENCE in judge(unsure, view, market).codes


def test_a_symbol_has_limits_of_its_own_and_the_tightest_counts() -> None:
    tight = {
        "BTC": {"max_leverage": 2, "max_position": 9, "min_confidence": "0.9"},
        "BTC/USDT": {"max_collar": "0.1", "max_risk": "0.1", "max_position": 12},
    }
    wish = long(leverage=D(3), size=D("0.05"), entry=D(50100), confidence=D("0.85"))
    codes = judge(wish, by_symbol=tight).codes
    assert {RiskCode.COLLAR, RiskCode.CONFIDENCE} <= set(codes)
    cut = judge(long(leverage=D(3), size=D("0.05"), confidence=D("0.95")), by_symbol=tight)
    assert {"leverage", "position_size", "risk_at_stop"} <= set(cut.codes)
    assert cut.intent is not None
    assert cut.intent.leverage == 2
    assert settings(by_symbol=tight).limit("max_position", "BTC/USDT") == 9


def pair(rho: str) -> dict[tuple[str, str], Decimal]:
    return {("BTC/USDT", "XRP/USDT"): D(rho), ("XRP/USDT", "BTC/USDT"): D(rho)}


@pytest.mark.parametrize(
    ("side", "rho", "used"),
    [
        (
            "long",
            "0.9",
            "29.0000",
        ),  # XRP's view: 2,000 + 0.9 × 1,000; higher than configured counts
        ("long", "0.1", "26.0000"),  # … lower does not: 2,000 + 0.6 × 1,000
        (
            "short",
            "0.9",
            "-2.0000",
        ),  # BTC's view: a hedge counts as configured, 1,000 − 0.6 × 2,000
        ("short", "0.1", "8.0000"),  # … or less: 1,000 − 0.1 × 2,000
    ],
)
def test_of_two_correlations_the_more_careful_counts(side: str, rho: str, used: str) -> None:
    held = account(positions=(position(symbol="XRP/USDT", size=D(4000)),))
    wish = long() if side == "long" else short()
    verdict = judge(
        wish, held, facts(measured=pair(rho)), correlations={"BTC/USDT": {"XRP/USDT": "0.6"}}
    )
    assert figure(verdict, "correlated")[0] == used


# -- what leads to it ----------------------------------------------------------------------


def lost(pnl: str = "-1", symbol: str = "BTC/USDT") -> Position:
    return position(symbol=symbol, realised=D(pnl))


def test_a_shorter_cooldown_never_shortens_a_longer_one() -> None:
    conduct = Conduct(settings())
    conduct.settled(lost(), 5, NOW)
    assert conduct.until(LOSSES) == NOW + 3600 * SECOND
    later = NOW + 60 * SECOND
    conduct.settled(lost(), 3, later)  # 30 minutes from here would end earlier
    assert conduct.until(LOSSES) == NOW + 3600 * SECOND
    assert conduct.until(LOSS) == later + 600 * SECOND
    conduct.settled(lost("5"), 0, later)
    assert conduct.until(LOSSES) == NOW + 3600 * SECOND, "a gain ends no cool-down"


def test_a_restart_keeps_every_cooldown_and_stamp() -> None:
    conduct = Conduct(settings())
    conduct.settled(lost(), 3, NOW)
    conduct.entered("BTC/USDT", NOW)
    conduct.rebalanced(NOW)
    conduct.cancelled(NOW)
    conduct.halved = True
    other = Conduct(settings())
    other.load(conduct.dump())
    assert other.dump() == conduct.dump()
    assert other.standing("BTC/USDT", NOW + 1) == conduct.standing("BTC/USDT", NOW + 1)
    assert other.running(NOW) == {
        "loss": NOW + 600 * SECOND, "losses in a row": NOW + 1800 * SECOND,
        "trade BTC/USDT": NOW + 300 * SECOND, "rebalance": NOW + 1800 * SECOND,
    }  # fmt: skip
    assert other.running(NOW + 3600 * SECOND) == {}
