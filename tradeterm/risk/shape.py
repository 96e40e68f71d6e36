"""Rules about the trade's own shape: confidence, stop, target, price and leverage."""

from __future__ import annotations

from tradeterm.model.money import ZERO
from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.vocabulary import PositionSide
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import judged, percent


def confidence(case: Case) -> RuleOutcome:
    """Confidence after the consensus; more is asked for in wild markets and after losses."""
    value = case.intent.confidence
    least, text = case.allowances.confidence(case.facts.regime, case.account.loss_streak)
    return judged("confidence", RiskCode.CONFIDENCE, percent(value), text, ok=value >= least)


def stop(case: Case) -> RuleOutcome:
    """A stop is required; where the settings allow it, risk sets a missing one by the ATR."""
    value = case.intent.stop
    return judged(
        "stop",
        RiskCode.STOP_SET if case.stop_set else RiskCode.STOP_MISSING,
        "none" if value is None else f"{value:f}",
        "required",
        ok=value is not None,
    )


def stop_side(case: Case) -> RuleOutcome:
    """The stop lies on the losing side of entry and book, so that it does not fire at once."""
    value, entry, facts = case.intent.stop, case.intent.entry, case.facts
    assert value is not None
    if case.intent.side is PositionSide.LONG:
        bound = min(entry, facts.bid)
        return judged(
            "stop_side", RiskCode.STOP_SIDE, f"{value:f}", f"< {bound:f}", ok=value < bound
        )
    bound = max(entry, facts.ask)
    return judged("stop_side", RiskCode.STOP_SIDE, f"{value:f}", f"> {bound:f}", ok=value > bound)


def stop_distance(case: Case) -> RuleOutcome:
    """Percent of the entry, between the bounds of the asset."""
    value, entry = case.intent.stop, case.intent.entry
    assert value is not None
    distance = abs(entry - value) * HUNDRED / entry
    least, most = case.allowances.min_stop, case.allowances.max_stop
    code = RiskCode.STOP_TOO_CLOSE if distance < least else RiskCode.STOP_TOO_WIDE
    ok = least <= distance <= most
    text = case.allowances.texts["stop_distance"]
    return judged("stop_distance", code, percent(distance), text, ok=ok)


def target(case: Case) -> RuleOutcome:
    """A target on the winning side of entry and book."""
    value, fill = case.intent.target, case.fill
    assert fill is not None
    if value is None:
        return judged("target", RiskCode.TARGET_MISSING, "none", "required", ok=False)
    long = case.intent.side is PositionSide.LONG
    ok = value > fill if long else value < fill
    limit = f"> {fill:f}" if long else f"< {fill:f}"
    return judged("target", RiskCode.TARGET_SIDE, f"{value:f}", limit, ok=ok)


def reward_risk(case: Case) -> RuleOutcome:
    """Reward over risk from the expected fill, taker fees paid on both sides of both."""
    intent, fill, fee = case.intent, case.fill, case.facts.taker_fee
    least = case.settings.min_reward_risk
    assert intent.stop is not None
    assert intent.target is not None
    assert fill is not None
    sign = case.sign
    won = sign * (intent.target - fill) - fee * (fill + intent.target)
    lost = sign * (fill - intent.stop) + fee * (fill + intent.stop)
    ratio = won / lost if lost > 0 else ZERO
    ok = lost > 0 and won >= least * lost
    text = case.allowances.texts["reward_risk"]
    return judged("reward_risk", RiskCode.REWARD_RISK, percent(ratio), text, ok=ok)


def cost(case: Case) -> RuleOutcome:
    """Spread, fees and expected slippage of both sides, in percent of the way to the target."""
    intent, facts, fill, settings = case.intent, case.facts, case.fill, case.settings
    assert intent.target is not None
    assert fill is not None
    per_side = facts.taker_fee + settings.expected_slippage / HUNDRED
    costs = facts.ask - facts.bid + per_side * (fill + intent.target)
    way, most = case.sign * (intent.target - fill), settings.max_cost
    ok = way > 0 and costs * HUNDRED <= most * way
    shown = percent(costs * HUNDRED / way) if way > 0 else "endless"
    return judged("cost", RiskCode.COST, shown, case.allowances.texts["cost"], ok=ok)


def collar(case: Case) -> RuleOutcome:
    """Percent between the entry and the mid of the book."""
    mid, limit = case.mid, case.allowances.max_collar
    assert mid is not None
    away = abs(case.intent.entry - mid) * HUNDRED / mid
    text = case.allowances.texts["collar"]
    return judged("collar", RiskCode.COLLAR, percent(away), text, ok=away <= limit)


# -- leverage ------------------------------------------------------------------------------


def _leverage(case: Case, rule: str, code: RiskCode) -> RuleOutcome:
    value, cap = case.intent.leverage, case.caps[rule]
    return judged(rule, code, case.leverage_text, f"<= {cap}", ok=value <= cap)


def leverage(case: Case) -> RuleOutcome:
    """The most anyone gets."""
    return _leverage(case, "leverage", RiskCode.LEVERAGE)


def leverage_regime(case: Case) -> RuleOutcome:
    """By market regime."""
    return _leverage(case, "leverage_regime", RiskCode.LEVERAGE_REGIME)


def leverage_drawdown(case: Case) -> RuleOutcome:
    """By drawdown."""
    return _leverage(case, "leverage_drawdown", RiskCode.LEVERAGE_DRAWDOWN)


def leverage_streak(case: Case) -> RuleOutcome:
    """By losses in a row."""
    return _leverage(case, "leverage_streak", RiskCode.LEVERAGE_STREAK)


def leverage_confidence(case: Case) -> RuleOutcome:
    """By confidence."""
    return _leverage(case, "leverage_confidence", RiskCode.LEVERAGE_CONFIDENCE)
