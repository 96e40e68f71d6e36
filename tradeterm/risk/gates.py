"""Rules about whether anything may be entered at all: state, data, losses, cool-downs, rates."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Level, RunState
from tradeterm.risk.breakers import lost_percent
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import (
    FAIL,
    PASS,
    fresh,
    in_step,
    judged,
    open_to_entries,
    percent,
    reconciled,
    recorded,
)


def run_state(case: Case) -> RuleOutcome:
    """Only a running system enters."""
    state = case.account.state
    if state is _RUNS:
        return _RUNNING
    code = _PAUSED if state is RunState.PAUSED else _HALTED
    return RuleOutcome("run_state", code, str(state), "running", FAIL)


def level(case: Case) -> RuleOutcome:
    """EMERGENCY allows no new exposure."""
    now = case.account.level
    if now is _CALM:
        return _NORMAL
    ok = now in (Level.NORMAL, Level.REDUCED, Level.LIMITED)
    return RuleOutcome("level", _EMERGENCY, str(now), "below EMERGENCY", PASS if ok else FAIL)


def symbol(case: Case) -> RuleOutcome:
    """The symbol has an instrument and is open to entries."""
    if case.facts.restricted:
        return open_to_entries(case.facts)
    if case.instrument is not None:
        return case.allowances.ready["symbol"]
    return RuleOutcome("symbol", _UNKNOWN_SYMBOL, case.intent.symbol, "a known symbol", FAIL)


def numbers(case: Case) -> RuleOutcome:
    """Every figure of the trade is finite and positive, leverage at least 1."""
    if case.numbers_ok:
        return _NUMBERS
    return RuleOutcome("numbers", _BAD_NUMBER, "unusable", "usable", FAIL)


def account(case: Case) -> RuleOutcome:
    """There is equity, and everything held has a price."""
    value = case.trouble or f"{case.account.equity:.2f}"
    return RuleOutcome(
        "account", _BAD_ACCOUNT, value, "> 0", PASS if case.burden is not None else FAIL
    )


def market(case: Case) -> RuleOutcome:
    """There is a two-sided, uncrossed price, and a rate to the account currency."""
    if case.mid is not None:
        return _MARKET
    return RuleOutcome("market", _BAD_MARKET, "unusable", "usable", FAIL)


def data_age(case: Case) -> RuleOutcome:
    """Prices are fresh; by whose measure (stream or bars) the market has decided."""
    return fresh(case.facts)


def agreed(case: Case) -> RuleOutcome:
    """No difference with the venue stands open on the symbol."""
    return reconciled(case.facts)


def clock_skew(case: Case) -> RuleOutcome:
    """Our clock and the exchange's agree: ages and stamps mean what they say."""
    return in_step(case.facts, case.settings)


def journal_health(case: Case) -> RuleOutcome:
    """The book of record keeps up: nothing new that it could not tell of."""
    return recorded(case.facts, case.settings)


def breaker(case: Case) -> RuleOutcome:
    """No breaker waits to be lifted or reset."""
    tripped = case.facts.standing.tripped
    if not tripped:
        return _NONE_TRIPPED
    return RuleOutcome("breaker", _BREAKER, ", ".join(tripped), "none tripped", FAIL)


def daily_loss(case: Case) -> RuleOutcome:
    """Equity lost since 00:00 UTC; reaching the limit stops entries."""
    base, limit = case.account.day_start_equity, case.settings.max_daily_loss
    return _loss(case, "daily_loss", _DAILY_LOSS, base, limit)


def daily_loss_24h(case: Case) -> RuleOutcome:
    """Equity below its highest of the last 24 hours."""
    base, limit = case.account.high_equity, case.settings.max_daily_loss
    return _loss(case, "daily_loss_24h", _DAILY_LOSS_24H, base, limit)


def weekly_loss(case: Case) -> RuleOutcome:
    """Equity lost since Monday 00:00 UTC."""
    base, limit = case.account.week_start_equity, case.settings.max_weekly_loss
    return _loss(case, "weekly_loss", _WEEKLY_LOSS, base, limit)


def drawdown(case: Case) -> RuleOutcome:
    """Equity below its peak since the last reset."""
    base, limit = case.account.peak_equity, case.settings.max_drawdown
    return _loss(case, "drawdown", _DRAWDOWN, base, limit)


def _loss(case: Case, rule: str, code: RiskCode, base: Decimal, limit: Decimal) -> RuleOutcome:
    known = case.lost.get(base)
    if known is None:
        lost = lost_percent(base, case.account.equity)
        known = case.lost[base] = (lost, percent(lost))
    lost, shown = known
    return RuleOutcome(
        rule, code, shown, case.allowances.texts[rule], PASS if lost < limit else FAIL
    )


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
    return RuleOutcome("cooldown", _COOLDOWN, shown, "none runs", FAIL)


def entry_rate(case: Case) -> RuleOutcome:
    """Entries within a minute, this one included."""
    count, limit = case.facts.standing.entries + 1, case.settings.throttle.entries_per_minute
    text = case.allowances.texts["entry_rate"]
    return RuleOutcome(
        "entry_rate", _ENTRY_RATE, str(count), text, PASS if count <= limit else FAIL
    )


def message_rate(case: Case) -> RuleOutcome:
    """Orders and cancels within a minute, this one included: the rest is left to reductions."""
    count, limit = case.facts.standing.messages + 1, case.settings.throttle.messages_per_minute
    code = _MESSAGE_RATE
    text = case.allowances.texts["message_rate"]
    return RuleOutcome("message_rate", code, str(count), text, PASS if count <= limit else FAIL)


def repeated(case: Case) -> RuleOutcome:
    """The same side of the same symbol was not entered just now."""
    since = case.facts.standing.since_same[not case.long]
    if since is None:
        return case.allowances.ready["repeated"]
    text = case.allowances.texts["repeated"]
    ok = since >= case.settings.throttle.repeat
    return RuleOutcome("repeated", _REPEATED, f"{since:.3f} s", text, PASS if ok else FAIL)


def unusual_move(case: Case) -> RuleOutcome:
    """How far the price went within minutes; bars that are longer cannot tell."""
    move, text = case.facts.move, case.allowances.texts["unusual_move"]
    if move is None:
        return case.allowances.ready["unusual_move"]
    ok = 0 <= move <= case.allowances.unusual
    return RuleOutcome("unusual_move", _UNUSUAL_MOVE, f"{move:.4f}", text, PASS if ok else FAIL)


#: An enum looks a member up ten times as slowly as a module does a name.
_PAUSED, _HALTED, _EMERGENCY = RiskCode.PAUSED, RiskCode.HALTED, RiskCode.EMERGENCY
_UNKNOWN_SYMBOL, _BAD_NUMBER = RiskCode.UNKNOWN_SYMBOL, RiskCode.BAD_NUMBER
_BAD_ACCOUNT, _BAD_MARKET, _BREAKER = RiskCode.BAD_ACCOUNT, RiskCode.BAD_MARKET, RiskCode.BREAKER
_DAILY_LOSS, _DAILY_LOSS_24H = RiskCode.DAILY_LOSS, RiskCode.DAILY_LOSS_24H
_WEEKLY_LOSS, _DRAWDOWN, _COOLDOWN = RiskCode.WEEKLY_LOSS, RiskCode.DRAWDOWN, RiskCode.COOLDOWN
_ENTRY_RATE, _MESSAGE_RATE = RiskCode.ENTRY_RATE, RiskCode.MESSAGE_RATE
_REPEATED, _UNUSUAL_MOVE = RiskCode.REPEATED, RiskCode.UNUSUAL_MOVE

_RUNS, _CALM = RunState.RUNNING, Level.NORMAL
_RUNNING = judged("run_state", _HALTED, "running", "running", ok=True)
_NORMAL = judged("level", _EMERGENCY, "NORMAL", "below EMERGENCY", ok=True)
_NUMBERS = judged("numbers", _BAD_NUMBER, "usable", "usable", ok=True)
_MARKET = judged("market", _BAD_MARKET, "usable", "usable", ok=True)
_NONE_TRIPPED = judged("breaker", _BREAKER, "none", "none tripped", ok=True)
_NONE_RUNS = judged("cooldown", _COOLDOWN, "none", "none runs", ok=True)
