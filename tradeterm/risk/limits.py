"""Rules about how much: counts, and every limit that grows with the size of the trade."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.model.proposals import RuleOutcome
from tradeterm.model.vocabulary import PositionSide
from tradeterm.risk.case import HUNDRED, Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.outcomes import judged, percent, stated


def opposite(case: Case) -> RuleOutcome:
    """Same symbol, other side: never hedged. The other side is closed first."""
    longs, shorts = _sides(case)
    against = shorts if case.intent.side is PositionSide.LONG else longs
    return stated("opposite", RiskCode.OPPOSITE, str(against), "<= 0", ok=against <= 0)


def positions_symbol(case: Case) -> RuleOutcome:
    """Positions on the symbol, both sides, pending entries and this one included."""
    count, limit = sum(_sides(case)) + 1, case.settings.max_positions_per_symbol
    return stated(
        "positions_symbol",
        RiskCode.POSITIONS_SYMBOL,
        str(count),
        f"<= {limit!s}",
        ok=count <= limit,
    )


def positions(case: Case) -> RuleOutcome:
    """Positions in all, pending entries and this one included."""
    assert case.burden is not None
    count, limit = case.burden.total + 1, case.settings.max_positions
    return stated("positions", RiskCode.POSITIONS, str(count), f"<= {limit!s}", ok=count <= limit)


def _sides(case: Case) -> tuple[int, int]:
    assert case.burden is not None
    return case.burden.sides.get(case.intent.symbol, (0, 0))


# -- limits that grow with the size --------------------------------------------------------


def _share(case: Case, rule: str, code: RiskCode, used: Decimal, limit: Decimal) -> RuleOutcome:
    shown = percent(used * HUNDRED / case.account.equity)
    return judged(rule, code, shown, f"<= {limit!s}", ok=used <= case.share(limit))


def position_size(case: Case) -> RuleOutcome:
    """Collateral of the position."""
    used = case.collateral(case.intent.size)
    return _share(case, "position_size", RiskCode.POSITION_SIZE, used, case.settings.max_position)


def risk_at_stop(case: Case) -> RuleOutcome:
    """What is lost when the stop fills, fees included."""
    used = case.risk(case.intent.size)
    return _share(case, "risk_at_stop", RiskCode.RISK_AT_STOP, used, case.settings.max_risk)


def exposure(case: Case) -> RuleOutcome:
    """Margin notional of everything, pending entries and this trade included."""
    assert case.burden is not None
    used = case.burden.notional + case.notional(case.intent.size)
    return _share(case, "exposure", RiskCode.EXPOSURE, used, case.settings.max_exposure)


def correlated(case: Case) -> RuleOutcome:
    """Signed correlated notional, seen from every symbol the trade makes worse."""
    used = case.stacked(case.intent.size)
    return _share(case, "correlated", RiskCode.CORRELATED, used, case.settings.max_correlated)


def margin_use(case: Case) -> RuleOutcome:
    """Collateral of everything, pending entries and this trade included."""
    assert case.burden is not None
    used = case.burden.margin + case.collateral(case.intent.size)
    return _share(case, "margin_use", RiskCode.MARGIN, used, case.settings.max_margin)


def cash(case: Case) -> RuleOutcome:
    """Free cash covers collateral and fee."""
    needed, free = case.cost(case.intent.size), case.account.free
    return judged("cash", RiskCode.CASH, f"{needed:.2f}", f"<= {free:.2f}", ok=needed <= free)


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
