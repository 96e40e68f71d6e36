"""Rules about whether anything may be entered at all: state, data, account, breakers."""

from __future__ import annotations

from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.vocabulary import Level, RunState
from tradeterm.risk.case import HUNDRED, Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import fresh, judged, percent, stated


def run_state(case: Case) -> RuleOutcome:
    """Only a running system enters."""
    state = case.account.state
    code = RiskCode.PAUSED if state is RunState.PAUSED else RiskCode.HALTED
    return stated("run_state", code, str(state), "running", ok=state is RunState.RUNNING)


def level(case: Case) -> RuleOutcome:
    """EMERGENCY allows no new exposure."""
    now = case.account.level
    ok = now in (Level.NORMAL, Level.REDUCED, Level.LIMITED)
    return stated("level", RiskCode.EMERGENCY, str(now), "below EMERGENCY", ok=ok)


def symbol(case: Case) -> RuleOutcome:
    """The symbol has an instrument."""
    known = case.instrument is not None
    name = case.intent.symbol
    return stated("symbol", RiskCode.UNKNOWN_SYMBOL, name, "a known symbol", ok=known)


def numbers(case: Case) -> RuleOutcome:
    """Every figure of the trade is finite and positive, leverage at least 1."""
    ok = case.numbers_ok
    return stated("numbers", RiskCode.BAD_NUMBER, "usable" if ok else "unusable", "usable", ok=ok)


def account(case: Case) -> RuleOutcome:
    """There is equity, and everything held has a price."""
    value = case.trouble or f"{case.account.equity:.2f}"
    return judged("account", RiskCode.BAD_ACCOUNT, value, "> 0", ok=case.burden is not None)


def market(case: Case) -> RuleOutcome:
    """There is a two-sided, uncrossed price, and a rate to the account currency."""
    ok = case.mid is not None
    value = "usable" if ok else "unusable"
    return stated("market", RiskCode.BAD_MARKET, value, "usable", ok=ok)


def data_age(case: Case) -> RuleOutcome:
    """Prices are fresh; by whose measure (stream or bars) the market has decided."""
    return fresh(case.facts)


def daily_loss(case: Case) -> RuleOutcome:
    """Equity lost since 00:00 UTC; reaching the limit stops entries."""
    start = case.account.day_start_equity
    lost = (start - case.account.equity) * HUNDRED / start
    limit = case.settings.max_daily_loss
    return judged("daily_loss", RiskCode.DAILY_LOSS, percent(lost), f"< {limit!s}", ok=lost < limit)


def drawdown(case: Case) -> RuleOutcome:
    """Equity below its peak; reaching the limit stops entries."""
    fallen, limit = case.drawdown, case.settings.max_drawdown
    assert fallen is not None
    return judged("drawdown", RiskCode.DRAWDOWN, percent(fallen), f"< {limit!s}", ok=fallen < limit)
