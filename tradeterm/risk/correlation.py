"""Signed correlated exposure: how much of one bet a trade would be, seen from every symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from tradeterm.model.money import ZERO
from tradeterm.risk.facts import Pair

Correlation = Callable[[str, str], Decimal]


def correlated_views(
    symbol: str,
    sign: int,
    signed: Mapping[str, Decimal],
    configured: Correlation,
    measured: Mapping[Pair, Decimal],
) -> list[tuple[Decimal, Decimal]]:
    """Per symbol: (what it carries in the trade's direction, how much of the trade it feels).

    Seen from symbol *i* the book is E_i = Σ_j ρ_ij · s_j · n_j. A trade of notional *n* and sign
    *s* adds ρ·s·n. It makes *i* worse in a direction *d* where d·ρ·s > 0: d·E_i + |ρ|·n must be
    ≤ L. Of the configured and the measured ρ each term takes the one that makes it larger: what
    stacks counts at the higher, what hedges at the lower.
    """
    views = []
    for view in (symbol, *(other for other in signed if other != symbol)):
        for direction in _directions(view, symbol, sign, configured, measured):
            carried = ZERO
            for other, amount in signed.items():
                carried += _worse(view, other, amount * direction, configured, measured)
            felt = _worse(view, symbol, Decimal(sign * direction), configured, measured)
            views.append((carried, felt))
    return views


def _directions(
    view: str, symbol: str, sign: int, configured: Correlation, measured: Mapping[Pair, Decimal]
) -> tuple[int, ...]:
    """The directions in which the trade adds to what ``view`` carries."""
    rho, seen = configured(view, symbol) * sign, measured.get((view, symbol))
    low, high = (rho, rho) if seen is None else sorted((rho, seen * sign))
    return (1,) * (high > 0) + (-1,) * (low < 0)


def _worse(
    view: str,
    other: str,
    amount: Decimal,
    configured: Correlation,
    measured: Mapping[Pair, Decimal],
) -> Decimal:
    counted, seen = configured(view, other) * amount, measured.get((view, other))
    return counted if seen is None else max(counted, seen * amount)
