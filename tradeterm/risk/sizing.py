"""Reduce first: the largest leverage and size that fit every limit, to one lot."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from math import inf

from msgspec.structs import replace

from tradeterm.model.money import ONE, ZERO
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.limits import Limit, broken_by

HALF = Decimal("0.5")
#: What these take away is known before anybody wishes: the settings, our losses, the market's mood.
STANDING = frozenset({"volatility", "losses", "position_size"})


def fit(case: Case, headroom: Decimal) -> None:
    """Cut leverage, then size; ``headroom`` (percent) is left free below each size limit."""
    if case.caps:
        _fit_leverage(case)
        case.leverage_text = f"{case.intent.leverage:f}"
    if case.burden is None or case.fill is None:
        return
    case.limits = _limits(case)
    if case.instrument is not None and case.unit_risk > 0:
        _fit_size(case, ONE - headroom / HUNDRED if headroom else ONE)


def _fit_leverage(case: Case) -> None:
    wish, caps = case.intent.leverage, case.caps
    allowed = min(caps.values())
    if wish > allowed:
        case.cut.update(rule for rule, cap in caps.items() if wish > cap)
        case.intent = replace(case.intent, leverage=allowed)


def _fit_size(case: Case, part: Decimal) -> None:
    """A size nothing fits is left as it is, so that the verdict shows by how much it fails."""
    instrument, wish = case.instrument, case.intent.size
    assert instrument is not None
    tight = broken_by(wish, chain.from_iterable(case.limits.values()), part)
    if not tight:
        case.fitting = part == ONE
        return
    rooms = [(limit.rule, limit.room(part) / limit.unit) for limit in tight]
    case.foreseen = min((room for rule, room in rooms if rule in STANDING), default=None)
    size = instrument.size(min(room for _, room in rooms))
    size = _settled(tight, size, instrument.lot, part)
    if size > 0:
        case.cut.update(limit.rule for limit in tight)
        case.resize(size)
        case.fitting = not broken_by(size, chain.from_iterable(case.limits.values()), ONE)


def _settled(limits: list[Limit], size: Decimal, lot: Decimal, part: Decimal) -> Decimal:
    """Correct the last lot: the division before was rounded at 28 digits."""
    if broken_by(size, limits, part):
        return size - lot
    larger = size + lot
    return size if broken_by(larger, limits, part) else larger


def _limits(case: Case) -> dict[str, tuple[Limit, ...]]:
    """Every limit on the size by its rule, in the order of the rules."""
    settings, allowances, burden = case.settings, case.allowances, case.burden
    assert burden is not None
    unit, leverage, one = case.unit_notional, case.intent.leverage, case.one_percent
    risk, found = case.unit_risk, _parts(case)
    if risk > 0:
        budget, case.sizing_text = allowances.risk(case.facts.regime, case.intent.confidence)
        found["sizing"] = (Limit("sizing", _SIZING, risk, ONE, ZERO, one * budget),)
        most = one * allowances.max_risk
        found["risk_at_stop"] = (Limit("risk_at_stop", _RISK_AT_STOP, risk, ONE, ZERO, most),)
    most = one * allowances.max_position
    found["position_size"] = (Limit("position_size", _POSITION_SIZE, unit, leverage, ZERO, most),)
    most = one * settings.max_exposure
    found["exposure"] = (Limit("exposure", _EXPOSURE, unit, ONE, burden.notional, most),)
    most = one * settings.max_correlated
    found["correlated"] = tuple([
        Limit("correlated", _CORRELATED, unit * felt, ONE, carried, most)
        for carried, felt in case.views
    ])  # fmt: skip
    most = one * settings.max_margin
    found["margin_use"] = (Limit("margin_use", _MARGIN, unit, leverage, burden.margin, most),)
    paid = unit * (ONE + case.facts.taker_fee * leverage)
    found["cash"] = (Limit("cash", _CASH, paid, leverage, ZERO, case.account.free),)
    return found


def _parts(case: Case) -> dict[str, tuple[Limit, ...]]:
    """What a spike or a streak of losses leaves of the wish, taken away only once."""
    parts: dict[str, tuple[Limit, ...]] = {}
    spiked, halved = spiking(case), case.facts.standing.halved
    if not (spiked or halved):
        return parts
    wished = case.intent.wished or case.intent.size
    if spiked:
        left = wished * case.settings.volatility.part / HUNDRED
        parts["volatility"] = (Limit("volatility", _VOLATILITY, ONE, ONE, ZERO, left),)
    if halved:
        parts["losses"] = (Limit("losses", _LOSSES, ONE, ONE, ZERO, wished * HALF),)
    if case.intent.wished is None:
        case.intent = replace(case.intent, wished=wished)
    return parts


def spiking(case: Case) -> bool:
    """Whether the ATR is far above its mean; what is no number is no spike but fails its rule."""
    ratio = case.facts.volatility
    return ratio is not None and case.allowances.spike < ratio < inf


#: An enum looks a member up ten times as slowly as a module does a name.
_VOLATILITY, _LOSSES, _CASH = RiskCode.VOLATILITY, RiskCode.LOSSES, RiskCode.CASH
_SIZING, _RISK_AT_STOP, _MARGIN = RiskCode.SIZING, RiskCode.RISK_AT_STOP, RiskCode.MARGIN
_POSITION_SIZE, _EXPOSURE = RiskCode.POSITION_SIZE, RiskCode.EXPOSURE
_CORRELATED = RiskCode.CORRELATED
