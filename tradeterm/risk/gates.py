"""Rules about whether anything may be entered at all: state, data, losses, cool-downs, rates."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Level, PositionSide, RunState
from tradeterm.risk.breakers import lost_percent
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import fresh, judged, percent, reconciled


def run_state(case: Case) -> RuleOutcome:
    """Only a running system enters."""
    state = case.account.state
    if state is RunState.RUNNING:
        return _RUNNING
    code = RiskCode.PAUSED if state is RunState.PAUSED else RiskCode.HALTED
    return judged("run_state", code, str(state), "running", ok=False)


def level(case: Case) -> RuleOutcome:
    """EMERGENCY allows no new exposure."""
    now = case.account.level
    if now is Level.NORMAL:
        return _NORMAL
    ok = now in (Level.NORMAL, Level.REDUCED, Level.LIMITED)
    return judged("level", RiskCode.EMERGENCY, str(now), "below EMERGENCY", ok=ok)


def symbol(case: Case) -> RuleOutcome:
    """The symbol has an instrument."""
    known = case.instrument is not None
    name = case.intent.symbol
    return judged("symbol", RiskCode.UNKNOWN_SYMBOL, name, "a known symbol", ok=known)


def numbers(case: Case) -> RuleOutcome:
    """Every figure of the trade is finite and positive, leverage at least 1."""
    if case.numbers_ok:
        return _NUMBERS
    return judged("numbers", RiskCode.BAD_NUMBER, "unusable", "usable", ok=False)


def account(case: Case) -> RuleOutcome:
    """There is equity, and everything held has a price."""
    value = case.trouble or f"{case.account.equity:.2f}"
    return judged("account", RiskCode.BAD_ACCOUNT, value, "> 0", ok=case.burden is not None)


def market(case: Case) -> RuleOutcome:
    """There is a two-sided, uncrossed price, and a rate to the account currency."""
    if case.mid is not None:
        return _MARKET
    return judged("market", RiskCode.BAD_MARKET, "unusable", "usable", ok=False)


def data_age(case: Case) -> RuleOutcome:
    """Prices are fresh; by whose measure (stream or bars) the market has decided."""
    return fresh(case.facts)


def agreed(case: Case) -> RuleOutcome:
    """No difference with the venue stands open on the symbol."""
    return reconciled(case.facts)


def breaker(case: Case) -> RuleOutcome:
    """No breaker waits to be lifted or reset."""
    tripped = case.facts.standing.tripped
    shown = ", ".join(tripped) or "none"
    return judged("breaker", RiskCode.BREAKER, shown, "none tripped", ok=not tripped)


def daily_loss(case: Case) -> RuleOutcome:
    """Equity lost since 00:00 UTC; reaching the limit stops entries."""
    base, limit = case.account.day_start_equity, case.settings.max_daily_loss
    return _loss(case, "daily_loss", RiskCode.DAILY_LOSS, base, limit)


def daily_loss_24h(case: Case) -> RuleOutcome:
    """Equity below its highest of the last 24 hours."""
    base, limit = case.account.high_equity, case.settings.max_daily_loss
    return _loss(case, "daily_loss_24h", RiskCode.DAILY_LOSS_24H, base, limit)


def weekly_loss(case: Case) -> RuleOutcome:
    """Equity lost since Monday 00:00 UTC."""
    base, limit = case.account.week_start_equity, case.settings.max_weekly_loss
    return _loss(case, "weekly_loss", RiskCode.WEEKLY_LOSS, base, limit)


def drawdown(case: Case) -> RuleOutcome:
    """Equity below its peak since the last reset."""
    base, limit = case.account.peak_equity, case.settings.max_drawdown
    return _loss(case, "drawdown", RiskCode.DRAWDOWN, base, limit)


def _loss(case: Case, rule: str, code: RiskCode, base: Decimal, limit: Decimal) -> RuleOutcome:
    lost = lost_percent(base, case.account.equity)
    text = case.allowances.texts[rule]
    return judged(rule, code, percent(lost), text, ok=lost < limit)


# -- what was done lately ------------------------------------------------------------------


def cooldown(case: Case) -> RuleOutcome:
    """No entry for a while after what happened; the longest one that still runs is named."""
    if not case.facts.standing.cooldowns:
        return _NONE_RUNS
    now, name, until = case.account.ts, "none", 0
    for cause, end in case.facts.standing.cooldowns:
        if end > max(until, now):
            name, until = cause, end
    if not until:
        return _NONE_RUNS
    left = -(-(until - now) // SECOND)
    shown = f"{name}: {left} s left"
    return judged("cooldown", RiskCode.COOLDOWN, shown, "none runs", ok=False)


def entry_rate(case: Case) -> RuleOutcome:
    """Entries within a minute, this one included."""
    count, limit = case.facts.standing.entries + 1, case.settings.throttle.entries_per_minute
    text = case.allowances.texts["entry_rate"]
    return judged("entry_rate", RiskCode.ENTRY_RATE, str(count), text, ok=count <= limit)


def message_rate(case: Case) -> RuleOutcome:
    """Orders and cancels within a minute, this one included: the rest is left to reductions."""
    count, limit = case.facts.standing.messages + 1, case.settings.throttle.messages_per_minute
    code = RiskCode.MESSAGE_RATE
    text = case.allowances.texts["message_rate"]
    return judged("message_rate", code, str(count), text, ok=count <= limit)


def repeated(case: Case) -> RuleOutcome:
    """The same side of the same symbol was not entered just now."""
    since = case.facts.standing.since_same[case.intent.side is PositionSide.SHORT]
    text = case.allowances.texts["repeated"]
    if since is None:
        return judged("repeated", RiskCode.REPEATED, "never", text, ok=True)
    ok = since >= case.settings.throttle.repeat
    return judged("repeated", RiskCode.REPEATED, f"{since:.3f} s", text, ok=ok)


def unusual_move(case: Case) -> RuleOutcome:
    """How far the price went within minutes; bars that are longer cannot tell."""
    move, text = case.facts.move, case.allowances.texts["unusual_move"]
    if move is None:
        return judged("unusual_move", RiskCode.UNUSUAL_MOVE, "unknown", text, ok=True)
    ok = 0 <= move <= case.allowances.unusual
    return judged("unusual_move", RiskCode.UNUSUAL_MOVE, f"{move:.4f}", text, ok=ok)


_RUNNING = judged("run_state", RiskCode.HALTED, "running", "running", ok=True)
_NORMAL = judged("level", RiskCode.EMERGENCY, "NORMAL", "below EMERGENCY", ok=True)
_NUMBERS = judged("numbers", RiskCode.BAD_NUMBER, "usable", "usable", ok=True)
_MARKET = judged("market", RiskCode.BAD_MARKET, "usable", "usable", ok=True)
_NONE_RUNS = judged("cooldown", RiskCode.COOLDOWN, "none", "none runs", ok=True)
