"""How a rule states its finding: a figure, its limit, and pass, reduced or fail."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from tradeterm.model.proposals import RuleOutcome
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.facts import MarketFacts
from tradeterm.settings.risk import RiskSettings

_PLACES = Decimal("0.0001")
PASS, REDUCED, FAIL = "pass", "reduced", "fail"


def judged(rule: str, code: RiskCode, value: str, limit: str, *, ok: bool) -> RuleOutcome:
    """A finding in words; a code is a string as it is."""
    return RuleOutcome(rule, code, value, limit, PASS if ok else FAIL)


def fresh(facts: MarketFacts) -> RuleOutcome:
    """Data no older than its limit; the market has the last word (a crossed book is stale, too)."""
    age, limit = facts.data_age_seconds, facts.data_age_limit
    in_time = 0 <= age <= limit
    whole = facts.stale is False
    value = f"{age:.3f}" if whole or not in_time else "crossed book"
    outcome = PASS if whole and in_time else FAIL
    return RuleOutcome("data_age", _STALE_DATA, value, f"<= {limit:g}", outcome)


def reconciled(facts: MarketFacts) -> RuleOutcome:
    """The venue agrees on the symbol's orders and positions, or an operator adopted its word."""
    if not facts.unreconciled:
        return _AGREED
    return judged("reconciled", RiskCode.UNRECONCILED, facts.unreconciled, "none", ok=False)


def open_to_entries(facts: MarketFacts) -> RuleOutcome:
    """Whether something keeps new exposure off the symbol."""
    why = facts.restricted
    return judged("symbol", RiskCode.REDUCE_ONLY, why, "open to entries", ok=not why)


def in_step(facts: MarketFacts, settings: RiskSettings) -> RuleOutcome:
    """Our clock goes with the exchange's; a market that waits for us has no other clock."""
    health = facts.health
    if health is None:
        return _ONE_CLOCK
    limit = settings.max_clock_skew
    value, text = health.clock_skew, f"<= {limit:g}"
    if value is None:
        return judged("clock_skew", RiskCode.CLOCK_SKEW, "unknown", text, ok=False)
    ok = abs(value) <= limit  # False for NaN
    return judged("clock_skew", RiskCode.CLOCK_SKEW, f"{value:+.3f}", text, ok=ok)


def recorded(facts: MarketFacts, settings: RiskSettings) -> RuleOutcome:
    """What is decided gets to disk; a market that waits for the disk cannot run ahead of it."""
    health = facts.health
    if health is None:
        return _HELD
    limit = settings.max_journal_lag
    ok = not health.fault and 0 <= health.journal_lag <= limit
    value = "cannot be written" if health.fault else f"{health.journal_lag:.3f}"
    return judged("journal_health", RiskCode.JOURNAL, value, f"<= {limit:g}", ok=ok)


def percent(value: Decimal) -> str:
    """A percentage with four decimals: fine enough to show which side of a limit it is on."""
    try:  # said twenty times per verdict, and twice as fast as a format
        return str(value.quantize(_PLACES))
    except InvalidOperation:  # more digits than are computed with
        return f"{value:.4f}"


def changed(finding: RuleOutcome) -> RuleOutcome:
    """A finding on what was cut until it passed."""
    if finding.outcome != PASS:
        return finding
    return RuleOutcome(finding.rule, finding.code, finding.value, finding.limit, REDUCED)


def unjudged(rule: str) -> RuleOutcome:
    """A rule whose figures are missing: never a pass."""
    return RuleOutcome(rule, RiskCode.NOT_JUDGED.value, "unknown", "-", FAIL)


def broken(rule: str, error: Exception) -> RuleOutcome:
    """A rule that raised: never a pass."""
    return RuleOutcome(rule, RiskCode.RULE_ERROR.value, type(error).__name__, "-", FAIL)


_STALE_DATA = RiskCode.STALE_DATA
_AGREED = judged("reconciled", RiskCode.UNRECONCILED, "none", "none", ok=True)
_ONE_CLOCK = judged("clock_skew", RiskCode.CLOCK_SKEW, "n/a", "nothing to differ from", ok=True)
_HELD = judged("journal_health", RiskCode.JOURNAL, "n/a", "the market waits for the disk", ok=True)
