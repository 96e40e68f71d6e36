"""Reduce first: the largest leverage and size that fit every limit, to one lot."""

from __future__ import annotations

from decimal import Decimal
from math import inf

from msgspec.structs import replace

from tradeterm.model.money import ONE, ZERO
from tradeterm.risk.allowances import HUNDRED
from tradeterm.risk.case import Case
from tradeterm.risk.codes import RiskCode
from tradeterm.risk.limits import Limit

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
    limits = _limits(case)
    for limit in limits:
        case.limits.setdefault(limit.rule, []).append(limit)
    if case.instrument is not None and case.unit_risk > 0:
        _fit_size(case, limits, ONE - headroom / HUNDRED if headroom else ONE)


def _fit_leverage(case: Case) -> None:
    wish, caps = case.intent.leverage, case.caps
    allowed = min(caps.values())
    if wish > allowed:
        case.cut.update(rule for rule, cap in caps.items() if wish > cap)
        case.intent = replace(case.intent, leverage=allowed)


def _fit_size(case: Case, limits: list[Limit], part: Decimal) -> None:
    """A size nothing fits is left as it is, so that the verdict shows by how much it fails."""
    instrument, wish = case.instrument, case.intent.size
    assert instrument is not None
    tight = [limit for limit in limits if not limit.fits(wish, part)]
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


def _settled(limits: list[Limit], size: Decimal, lot: Decimal, part: Decimal) -> Decimal:
    """Correct the last lot: the division before was rounded at 28 digits."""
    if not all(limit.fits(size, part) for limit in limits):
        return size - lot
    larger = size + lot
    return larger if all(limit.fits(larger, part) for limit in limits) else size


def _limits(case: Case) -> list[Limit]:
    """Every limit on the size, in the order of the rules."""
    settings, allowances, burden = case.settings, case.allowances, case.burden
    assert burden is not None
    unit, leverage, share = case.unit_notional, case.intent.leverage, case.share
    limits = _parts(case)
    if case.unit_risk > 0:
        budget, case.sizing_text = allowances.risk(case.facts.regime, case.intent.confidence)
        for rule, code, percent in (
            ("sizing", RiskCode.SIZING, budget),
            ("risk_at_stop", RiskCode.RISK_AT_STOP, allowances.max_risk),
        ):
            limits.append(Limit(rule, code, case.unit_risk, ONE, ZERO, share(percent)))
    position, exposure = share(allowances.max_position), share(settings.max_exposure)
    stacked, margin = share(settings.max_correlated), share(settings.max_margin)
    limits += [
        Limit("position_size", RiskCode.POSITION_SIZE, unit, leverage, ZERO, position),
        Limit("exposure", RiskCode.EXPOSURE, unit, ONE, burden.notional, exposure),
        *(
            Limit("correlated", RiskCode.CORRELATED, unit * felt, ONE, carried, stacked)
            for carried, felt in case.views
        ),
        Limit("margin_use", RiskCode.MARGIN, unit, leverage, burden.margin, margin),
        Limit(
            "cash", RiskCode.CASH, unit * (ONE + case.facts.taker_fee * leverage), leverage, ZERO,
            case.account.free,
        ),
    ]  # fmt: skip
    return limits


def _parts(case: Case) -> list[Limit]:
    """What a spike or a streak of losses leaves of the wish, taken away only once."""
    wished = case.intent.wished or case.intent.size
    parts = []
    if spiking(case):
        left = wished * case.settings.volatility.part / HUNDRED
        parts.append(Limit("volatility", RiskCode.VOLATILITY, ONE, ONE, ZERO, left))
    if case.facts.standing.halved:
        parts.append(Limit("losses", RiskCode.LOSSES, ONE, ONE, ZERO, wished * HALF))
    if parts and case.intent.wished is None:
        case.intent = replace(case.intent, wished=wished)
    return parts


def spiking(case: Case) -> bool:
    """Whether the ATR is far above its mean; what is no number is no spike but fails its rule."""
    ratio = case.facts.volatility
    return ratio is not None and case.allowances.spike < ratio < inf
