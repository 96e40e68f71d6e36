"""Rules about the trade's own shape: confidence, stop, target, price and leverage."""

from __future__ import annotations

from functools import partial

from tradeterm.model.money import ZERO
from tradeterm.model.proposals import RuleOutcome
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import FAIL, PASS, percent


def confidence(case: Case) -> RuleOutcome:
    """Confidence after the consensus; more is asked for in wild markets and after losses."""
    value = case.intent.confidence
    least, text = case.allowances.confidence(case.facts.regime, case.account.loss_streak)
    return RuleOutcome(
        "confidence", _CONFIDENCE, percent(value), text, PASS if value >= least else FAIL
    )


def stop(case: Case) -> RuleOutcome:
    """A stop is required; where the settings allow it, risk sets a missing one by the ATR."""
    value = case.intent.stop
    code = _STOP_SET if case.stop_set else _STOP_MISSING
    if value is None:
        return RuleOutcome("stop", code, "none", "required", FAIL)
    return RuleOutcome("stop", code, f"{value:f}", "required", PASS)


def stop_side(case: Case) -> RuleOutcome:
    """The stop lies on the losing side of entry and book, so that it does not fire at once."""
    value, entry, facts = case.intent.stop, case.intent.entry, case.facts
    assert value is not None
    if case.long:
        bound = min(entry, facts.bid)
        return RuleOutcome(
            "stop_side", _STOP_SIDE, f"{value:f}", f"< {bound:f}", PASS if value < bound else FAIL
        )
    bound = max(entry, facts.ask)
    return RuleOutcome(
        "stop_side", _STOP_SIDE, f"{value:f}", f"> {bound:f}", PASS if value > bound else FAIL
    )


def stop_distance(case: Case) -> RuleOutcome:
    """Percent of the entry, between the bounds of the asset."""
    value, entry = case.intent.stop, case.intent.entry
    assert value is not None
    distance = abs(entry - value) * HUNDRED / entry
    least, most = case.allowances.min_stop, case.allowances.max_stop
    code = _STOP_TOO_CLOSE if distance < least else _STOP_TOO_WIDE
    ok = least <= distance <= most
    text = case.allowances.texts["stop_distance"]
    return RuleOutcome("stop_distance", code, percent(distance), text, PASS if ok else FAIL)


def target(case: Case) -> RuleOutcome:
    """A target on the winning side of entry and book."""
    value, fill = case.intent.target, case.fill
    assert fill is not None
    if value is None:
        return RuleOutcome("target", _TARGET_MISSING, "none", "required", FAIL)
    long = case.long
    ok = value > fill if long else value < fill
    limit = f"> {fill:f}" if long else f"< {fill:f}"
    return RuleOutcome("target", _TARGET_SIDE, f"{value:f}", limit, PASS if ok else FAIL)


def reward_risk(case: Case) -> RuleOutcome:
    """Reward over risk from the expected fill, taker fees paid on both sides of both."""
    intent, fill, fee = case.intent, case.fill, case.facts.taker_fee
    assert intent.stop is not None
    assert intent.target is not None
    assert fill is not None
    won, lost = intent.target - fill, fill - intent.stop
    if not case.long:
        won, lost = -won, -lost
    won -= fee * (fill + intent.target)
    lost += fee * (fill + intent.stop)
    risked = lost > ZERO
    ratio = won / lost if risked else ZERO
    ok = risked and won >= case.settings.min_reward_risk * lost
    text = case.allowances.texts["reward_risk"]
    return RuleOutcome("reward_risk", _REWARD_RISK, percent(ratio), text, PASS if ok else FAIL)


def cost(case: Case) -> RuleOutcome:
    """Spread, fees and expected slippage of both sides, in percent of the way to the target."""
    intent, facts, fill, settings = case.intent, case.facts, case.fill, case.settings
    assert intent.target is not None
    assert fill is not None
    per_side = facts.taker_fee + case.allowances.expected_slippage
    costs = facts.ask - facts.bid + per_side * (fill + intent.target)
    way = intent.target - fill if case.long else fill - intent.target
    there, costs = way > ZERO, costs * HUNDRED
    ok = there and costs <= settings.max_cost * way
    shown = percent(costs / way) if there else "endless"
    return RuleOutcome("cost", _COST, shown, case.allowances.texts["cost"], PASS if ok else FAIL)


def collar(case: Case) -> RuleOutcome:
    """Percent between the entry and the mid of the book."""
    mid, limit = case.mid, case.allowances.max_collar
    assert mid is not None
    away = abs(case.intent.entry - mid) * HUNDRED / mid
    text = case.allowances.texts["collar"]
    return RuleOutcome("collar", _COLLAR, percent(away), text, PASS if away <= limit else FAIL)


# -- leverage ------------------------------------------------------------------------------


def _leverage(rule: str, code: RiskCode, case: Case) -> RuleOutcome:
    value, cap = case.intent.leverage, case.caps[rule]
    outcome = PASS if value <= cap else FAIL
    return RuleOutcome(rule, code, case.leverage_text, "<= " + str(cap), outcome)


leverage = partial(_leverage, "leverage", RiskCode.LEVERAGE)
"""The most anyone gets."""
leverage_regime = partial(_leverage, "leverage_regime", RiskCode.LEVERAGE_REGIME)
"""By market regime."""
leverage_drawdown = partial(_leverage, "leverage_drawdown", RiskCode.LEVERAGE_DRAWDOWN)
"""By drawdown."""
leverage_streak = partial(_leverage, "leverage_streak", RiskCode.LEVERAGE_STREAK)
"""By losses in a row."""
leverage_confidence = partial(_leverage, "leverage_confidence", RiskCode.LEVERAGE_CONFIDENCE)
"""By confidence."""

#: An enum looks a member up ten times as slowly as a module does a name.
_CONFIDENCE, _STOP_SET = RiskCode.CONFIDENCE, RiskCode.STOP_SET
_STOP_MISSING, _STOP_SIDE = RiskCode.STOP_MISSING, RiskCode.STOP_SIDE
_STOP_TOO_CLOSE, _STOP_TOO_WIDE = RiskCode.STOP_TOO_CLOSE, RiskCode.STOP_TOO_WIDE
_TARGET_MISSING, _TARGET_SIDE = RiskCode.TARGET_MISSING, RiskCode.TARGET_SIDE
_REWARD_RISK, _COST, _COLLAR = RiskCode.REWARD_RISK, RiskCode.COST, RiskCode.COLLAR
