"""How a rule states its finding: a figure, its limit, and pass, reduced or fail."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.proposals import RuleOutcome
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.facts import MarketFacts

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


def percent(value: Decimal) -> str:
    """A percentage with four decimals: fine enough to show which side of a limit it is on."""
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
