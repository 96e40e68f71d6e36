"""What a verdict says, for people: each figure in its unit. Its record keeps the bare figures."""

from __future__ import annotations

from tradeterm.model.proposals import RuleOutcome, Verdict

PERCENT, TIMES, SECONDS = "%", "x", "s"
#: Stand for the currencies of the symbol judged, and of the account.
BASE, QUOTE, ACCOUNT = "base", "quote", "account"

#: Rule → unit; empty where the figure is a count, a word, or names its unit itself.
UNITS = {
    "run_state": "", "level": "", "symbol": "", "numbers": "", "account": ACCOUNT, "market": "",
    "data_age": SECONDS, "reconciled": "", "clock_skew": SECONDS, "journal_health": SECONDS,
    "daily_loss": PERCENT, "daily_loss_24h": PERCENT,
    "weekly_loss": PERCENT, "drawdown": PERCENT, "breaker": "", "cooldown": "",
    "entry_rate": "a minute", "message_rate": "a minute", "repeated": SECONDS,
    "unusual_move": PERCENT, "confidence": "", "stop": QUOTE, "stop_side": QUOTE,
    "stop_distance": PERCENT, "target": QUOTE, "reward_risk": TIMES, "cost": PERCENT,
    "collar": PERCENT, "leverage": TIMES, "leverage_regime": TIMES, "leverage_drawdown": TIMES,
    "leverage_streak": TIMES, "leverage_confidence": TIMES, "opposite": "",
    "positions_symbol": "", "positions": "", "volatility": TIMES, "losses": "in a row",
    "sizing": PERCENT, "risk_at_stop": PERCENT, "position_size": PERCENT, "exposure": PERCENT,
    "correlated": PERCENT, "margin_use": PERCENT, "cash": ACCOUNT, "minimum": BASE,
}  # fmt: skip


def with_unit(rule: str, figure: str, symbol: str = "", account: str = "") -> str:
    """``20.0000`` → ``20.0000 %``; words, and figures with words after them, as they are."""
    base, _, quote = symbol.partition("/")
    unit = UNITS.get(rule, "")
    unit = {BASE: base, QUOTE: quote, ACCOUNT: account}.get(unit, unit)
    if not unit or not figure[-1:].isdigit():
        return figure
    return f"{figure} {unit}"


def reasons(verdict: Verdict, symbol: str) -> str:
    """Its codes; those that refuse with the figure and what it should be."""
    stood = {rule.code: rule for rule in verdict.rules if rule.outcome == "fail"}
    return ", ".join(_reason(code, stood.get(code), symbol) for code in verdict.codes)


def _reason(code: str, rule: RuleOutcome | None, symbol: str) -> str:
    if rule is None or not any(map(str.isdigit, rule.value)):
        return code
    value, limit = (with_unit(rule.rule, each, symbol) for each in (rule.value, rule.limit))
    return f"{code} ({value}, needs {limit})" if limit else f"{code} ({value})"
