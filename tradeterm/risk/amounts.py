"""Rules about how much: counts, and every limit that grows with the size of the trade."""

from __future__ import annotations

from functools import partial

from tradeterm.model.money import ONE
from tradeterm.model.proposals import RuleOutcome
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.limits import broken_by
from tradeterm.risk.outcomes import FAIL, PASS, percent, unjudged
from tradeterm.risk.sizing import spiking


def opposite(case: Case) -> RuleOutcome:
    """Same symbol, other side: never hedged. The other side is closed first."""
    longs, shorts = _sides(case)
    against = shorts if case.long else longs
    return RuleOutcome("opposite", _OPPOSITE, str(against), "<= 0", PASS if against <= 0 else FAIL)


def positions_symbol(case: Case) -> RuleOutcome:
    """Positions on the symbol, both sides, pending entries and this one included."""
    longs, shorts = _sides(case)
    count, limit = longs + shorts + 1, case.settings.max_positions_per_symbol
    code, text = _POSITIONS_SYMBOL, case.allowances.texts["positions_symbol"]
    return RuleOutcome("positions_symbol", code, str(count), text, PASS if count <= limit else FAIL)


def positions(case: Case) -> RuleOutcome:
    """Positions in all, pending entries and this one included."""
    assert case.burden is not None
    count, limit = case.burden.total + 1, case.settings.max_positions
    text = case.allowances.texts["positions"]
    return RuleOutcome("positions", _POSITIONS, str(count), text, PASS if count <= limit else FAIL)


def _sides(case: Case) -> tuple[int, int]:
    assert case.burden is not None
    return case.burden.sides.get(case.intent.symbol, (0, 0))


# -- limits that grow with the size --------------------------------------------------------


def volatility(case: Case) -> RuleOutcome:
    """ATR over its mean: in a spike only a part of the size is left; unknown while not warm."""
    ratio = case.facts.volatility
    if ratio is None:
        return case.allowances.ready["volatility"]
    limit = case.allowances.texts["volatility"]
    calm = 0 <= ratio <= case.allowances.spike
    ok = calm or (spiking(case) and _within(case, "volatility"))
    return RuleOutcome("volatility", _VOLATILITY, f"{ratio:.2f}", limit, PASS if ok else FAIL)


def losses(case: Case) -> RuleOutcome:
    """After too many losses in a row the next size is halved."""
    streak, text = case.account.loss_streak, case.allowances.texts["losses"]
    ok = not case.facts.standing.halved or _within(case, "losses")
    return RuleOutcome("losses", _LOSSES, str(streak), text, PASS if ok else FAIL)


def _within(case: Case, rule: str) -> bool:
    limits, size = case.limits.get(rule), case.intent.size
    return limits is not None and not broken_by(size, limits, ONE)


def _share(rule: str, case: Case) -> RuleOutcome:
    """A limit in percent of equity; of several views the one that is used most."""
    limits, size = case.limits.get(rule), case.intent.size
    if not limits:
        return unjudged(rule)
    first, ok = limits[0], case.fitting or not broken_by(size, limits, ONE)
    used = first.carried + size * first.unit / first.scale
    if len(limits) > 1:
        used = max([one.carried + size * one.unit / one.scale for one in limits])
    text = case.sizing_text if rule == "sizing" else case.allowances.texts[rule]
    value = percent(used / case.one_percent)
    return RuleOutcome(rule, first.code, value, text, PASS if ok else FAIL)


sizing = partial(_share, "sizing")
"""Lost at the stop, fees included, by confidence and regime."""
risk_at_stop = partial(_share, "risk_at_stop")
"""Lost at the stop, fees included, at most."""
position_size = partial(_share, "position_size")
"""Collateral of the position."""
exposure = partial(_share, "exposure")
"""Margin notional of everything, pending entries and this trade included."""
correlated = partial(_share, "correlated")
"""Signed correlated notional, seen from every symbol the trade makes worse."""
margin_use = partial(_share, "margin_use")
"""Collateral of everything, pending entries and this trade included."""


def cash(case: Case) -> RuleOutcome:
    """Free cash covers collateral and fee."""
    limits = case.limits.get("cash")
    if not limits:
        return unjudged("cash")
    limit, size = limits[0], case.intent.size
    needed, free = limit.used(size), limit.allowed
    ok = case.fitting or limit.fits(size, ONE)
    return RuleOutcome("cash", _CASH, f"{needed:.2f}", f"<= {free:.2f}", PASS if ok else FAIL)


def minimum(case: Case) -> RuleOutcome:
    """Large enough for the venue, at the lower of entry and bid."""
    instrument, intent = case.instrument, case.intent
    assert instrument is not None
    price = min(intent.entry, case.facts.bid)
    text, ok = case.allowances.minimum(instrument), instrument.meets_minimum(intent.size, price)
    return RuleOutcome("minimum", _MINIMUM, f"{intent.size:f}", text, PASS if ok else FAIL)


#: An enum looks a member up ten times as slowly as a module does a name.
_OPPOSITE, _POSITIONS_SYMBOL = RiskCode.OPPOSITE, RiskCode.POSITIONS_SYMBOL
_POSITIONS, _VOLATILITY, _LOSSES = RiskCode.POSITIONS, RiskCode.VOLATILITY, RiskCode.LOSSES
_CASH, _MINIMUM = RiskCode.CASH, RiskCode.MINIMUM
