"""Rules about how much: counts, and every limit that grows with the size of the trade."""

from __future__ import annotations

from tradeterm.model.money import ONE
from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.vocabulary import PositionSide
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import judged, percent, unjudged
from tradeterm.risk.sizing import spiking


def opposite(case: Case) -> RuleOutcome:
    """Same symbol, other side: never hedged. The other side is closed first."""
    longs, shorts = _sides(case)
    against = shorts if case.intent.side is PositionSide.LONG else longs
    return judged("opposite", RiskCode.OPPOSITE, str(against), "<= 0", ok=against <= 0)


def positions_symbol(case: Case) -> RuleOutcome:
    """Positions on the symbol, both sides, pending entries and this one included."""
    count, limit = sum(_sides(case)) + 1, case.settings.max_positions_per_symbol
    code, text = RiskCode.POSITIONS_SYMBOL, case.allowances.texts["positions_symbol"]
    return judged("positions_symbol", code, str(count), text, ok=count <= limit)


def positions(case: Case) -> RuleOutcome:
    """Positions in all, pending entries and this one included."""
    assert case.burden is not None
    count, limit = case.burden.total + 1, case.settings.max_positions
    text = case.allowances.texts["positions"]
    return judged("positions", RiskCode.POSITIONS, str(count), text, ok=count <= limit)


def _sides(case: Case) -> tuple[int, int]:
    assert case.burden is not None
    return case.burden.sides.get(case.intent.symbol, (0, 0))


# -- limits that grow with the size --------------------------------------------------------


def volatility(case: Case) -> RuleOutcome:
    """ATR over its mean: in a spike only a part of the size is left; unknown while not warm."""
    ratio = case.facts.volatility
    limit = case.allowances.texts["volatility"]
    if ratio is None:
        return judged("volatility", RiskCode.VOLATILITY, "not warm", limit, ok=True)
    calm = 0 <= ratio <= case.allowances.spike
    ok = calm or (spiking(case) and _within(case, "volatility"))
    return judged("volatility", RiskCode.VOLATILITY, f"{ratio:.2f}", limit, ok=ok)


def losses(case: Case) -> RuleOutcome:
    """After too many losses in a row the next size is halved."""
    streak, text = case.account.loss_streak, case.allowances.texts["losses"]
    ok = not case.facts.standing.halved or _within(case, "losses")
    return judged("losses", RiskCode.LOSSES, str(streak), text, ok=ok)


def _within(case: Case, rule: str) -> bool:
    limits, size = case.limits.get(rule), case.intent.size
    return limits is not None and all(limit.fits(size, ONE) for limit in limits)


def sizing(case: Case) -> RuleOutcome:
    """Lost at the stop, fees included, by confidence and regime."""
    return _share(case, "sizing")


def risk_at_stop(case: Case) -> RuleOutcome:
    """Lost at the stop, fees included, at most."""
    return _share(case, "risk_at_stop")


def position_size(case: Case) -> RuleOutcome:
    """Collateral of the position."""
    return _share(case, "position_size")


def exposure(case: Case) -> RuleOutcome:
    """Margin notional of everything, pending entries and this trade included."""
    return _share(case, "exposure")


def correlated(case: Case) -> RuleOutcome:
    """Signed correlated notional, seen from every symbol the trade makes worse."""
    return _share(case, "correlated")


def margin_use(case: Case) -> RuleOutcome:
    """Collateral of everything, pending entries and this trade included."""
    return _share(case, "margin_use")


def _share(case: Case, rule: str) -> RuleOutcome:
    """A limit in percent of equity; of several views the one that is used most."""
    limits, size = case.limits.get(rule), case.intent.size
    if not limits:
        return unjudged(rule)
    first = limits[0]
    used, ok = first.used(size), case.fitting or all(limit.fits(size, ONE) for limit in limits)
    for limit in limits[1:]:
        used = max(used, limit.used(size))
    text = case.sizing_text if rule == "sizing" else case.allowances.texts[rule]
    return judged(rule, first.code, percent(used / case.one_percent), text, ok=ok)


def cash(case: Case) -> RuleOutcome:
    """Free cash covers collateral and fee."""
    limits = case.limits.get("cash")
    if not limits:
        return unjudged("cash")
    limit, size = limits[0], case.intent.size
    needed, free = limit.used(size), limit.allowed
    ok = limit.fits(size, ONE)
    return judged("cash", RiskCode.CASH, f"{needed:.2f}", f"<= {free:.2f}", ok=ok)


def minimum(case: Case) -> RuleOutcome:
    """Large enough for the venue, at the lower of entry and bid."""
    instrument, intent = case.instrument, case.intent
    assert instrument is not None
    price = min(intent.entry, case.facts.bid)
    return judged(
        "minimum",
        RiskCode.MINIMUM,
        f"{intent.size:f}",
        f">= {instrument.min_size:f} and {instrument.min_notional:f} {instrument.quote}",
        ok=instrument.meets_minimum(intent.size, price),
    )
