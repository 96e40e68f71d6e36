"""The rule book: every rule in order, with what it needs to be judged at all."""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.model.proposals import RuleOutcome
from tradeterm.risk import amounts, gates, shape
from tradeterm.risk.case import Case
from tradeterm.risk.outcomes import broken, changed, unjudged


class Need:
    """What has to be usable before a rule can be judged (plain ints: this is a hot path)."""

    NOTHING, SYMBOL, NUMBERS, ACCOUNT, MARKET, STOP, TARGET = 0, 1, 2, 4, 8, 16, 32


Rule = tuple[str, int, Callable[[Case], RuleOutcome]]

_TRADE = Need.NUMBERS | Need.MARKET
_LOAD = Need.NUMBERS | Need.MARKET | Need.ACCOUNT

RULES: tuple[Rule, ...] = (
    ("run_state", Need.NOTHING, gates.run_state),
    ("level", Need.NOTHING, gates.level),
    ("symbol", Need.NOTHING, gates.symbol),
    ("numbers", Need.NOTHING, gates.numbers),
    ("account", Need.NOTHING, gates.account),
    ("market", Need.NOTHING, gates.market),
    ("data_age", Need.NOTHING, gates.data_age),
    ("reconciled", Need.NOTHING, gates.agreed),
    ("clock_skew", Need.NOTHING, gates.clock_skew),
    ("journal_health", Need.NOTHING, gates.journal_health),
    ("daily_loss", Need.ACCOUNT, gates.daily_loss),
    ("daily_loss_24h", Need.ACCOUNT, gates.daily_loss_24h),
    ("weekly_loss", Need.ACCOUNT, gates.weekly_loss),
    ("drawdown", Need.ACCOUNT, gates.drawdown),
    ("breaker", Need.NOTHING, gates.breaker),
    ("cooldown", Need.NOTHING, gates.cooldown),
    ("entry_rate", Need.NOTHING, gates.entry_rate),
    ("message_rate", Need.NOTHING, gates.message_rate),
    ("repeated", Need.NOTHING, gates.repeated),
    ("unusual_move", Need.NOTHING, gates.unusual_move),
    ("confidence", Need.NUMBERS, shape.confidence),
    ("stop", Need.NUMBERS, shape.stop),
    ("stop_side", _TRADE | Need.STOP, shape.stop_side),
    ("stop_distance", Need.NUMBERS | Need.STOP, shape.stop_distance),
    ("target", _TRADE, shape.target),
    ("reward_risk", _TRADE | Need.STOP | Need.TARGET, shape.reward_risk),
    ("cost", _TRADE | Need.TARGET, shape.cost),
    ("collar", _TRADE, shape.collar),
    ("leverage", _LOAD, shape.leverage),
    ("leverage_regime", _LOAD, shape.leverage_regime),
    ("leverage_drawdown", _LOAD, shape.leverage_drawdown),
    ("leverage_streak", _LOAD, shape.leverage_streak),
    ("leverage_confidence", _LOAD, shape.leverage_confidence),
    ("opposite", Need.ACCOUNT, amounts.opposite),
    ("positions_symbol", Need.ACCOUNT, amounts.positions_symbol),
    ("positions", Need.ACCOUNT, amounts.positions),
    ("volatility", Need.NUMBERS, amounts.volatility),
    ("losses", Need.NUMBERS, amounts.losses),
    ("sizing", _LOAD | Need.STOP, amounts.sizing),
    ("risk_at_stop", _LOAD | Need.STOP, amounts.risk_at_stop),
    ("position_size", _LOAD, amounts.position_size),
    ("exposure", _LOAD, amounts.exposure),
    ("correlated", _LOAD, amounts.correlated),
    ("margin_use", _LOAD, amounts.margin_use),
    ("cash", _LOAD, amounts.cash),
    ("minimum", _TRADE | Need.SYMBOL, amounts.minimum),
)


def usable(case: Case) -> int:
    """What this case can be judged on."""
    found = Need.NOTHING
    if case.instrument is not None:
        found |= Need.SYMBOL
    if case.numbers_ok:
        found |= Need.NUMBERS
    if case.burden is not None:
        found |= Need.ACCOUNT
    if case.mid is not None:
        found |= Need.MARKET
    if case.intent.stop is not None:
        found |= Need.STOP
    if case.intent.target is not None:
        found |= Need.TARGET
    return found


def judge(case: Case, rules: tuple[Rule, ...] = RULES) -> tuple[RuleOutcome, ...]:
    """Every rule's finding on the final form; one that raises or cannot be judged fails."""
    missing, cut = _EVERYTHING & ~usable(case), case.cut
    try:  # nothing is missing and nothing raises: no rule is looked at twice
        found = [] if missing else [rule(case) for _, _, rule in rules]
    except Exception:  # noqa: BLE001 - found out below, rule by rule
        found = []
    if not found:
        found = [_found(rule, case, missing) for rule in rules]
    if cut:
        found = [changed(finding) if finding.rule in cut else finding for finding in found]
    return tuple(found)


def _found(rule: Rule, case: Case, missing: int) -> RuleOutcome:
    name, need, judged = rule
    if need & missing:
        return unjudged(name)
    try:
        return judged(case)
    except Exception as error:  # noqa: BLE001 - fail closed: a rule's bug is never a pass
        return broken(name, error)


_EVERYTHING = Need.SYMBOL | Need.NUMBERS | Need.ACCOUNT | Need.MARKET | Need.STOP | Need.TARGET
