"""Signed correlated exposure: how much of one bet a trade would be, seen from every symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from tradeterm.model.money import ZERO
from tradeterm.risk.facts import Pair

#: The lower and the higher of what is configured and what was measured.
Bounds = tuple[Decimal, Decimal]


class Correlations:
    """Bounds of the correlation of every pair asked for; worked out anew with each measurement."""

    def __init__(self, configured: Callable[[str, str], Decimal]) -> None:
        self._configured = configured
        self._measured: Mapping[Pair, Decimal] = {}
        self._bounds: dict[Pair, Bounds] = {}
        self._others: tuple[str, ...] = ()
        self._rows: dict[str, tuple[Bounds, ...]] = {}
        """Symbol → its bounds with each of ``_others``."""

    def given(self, measured: Mapping[Pair, Decimal]) -> Correlations:
        """These, beside what was measured."""
        if measured is not self._measured:
            self._measured = measured
            self._bounds, self._rows = {}, {}
        return self

    def bounds(self, one: str, other: str) -> Bounds:
        """Low and high; the same where nothing was measured."""
        known = self._bounds.get((one, other))
        if known is None:
            rho = self._configured(one, other)
            seen = self._measured.get((one, other), rho)
            known = self._bounds[one, other] = (min(rho, seen), max(rho, seen))
        return known

    def row(self, one: str, others: tuple[str, ...]) -> tuple[Bounds, ...]:
        """``bounds`` with each of the others, which hardly ever change."""
        if others != self._others:
            self._others, self._rows = others, {}
        known = self._rows.get(one)
        if known is None:
            known = self._rows[one] = tuple(self.bounds(one, other) for other in others)
        return known


def correlated_views(
    symbol: str, sign: int, signed: Mapping[str, Decimal], correlations: Correlations
) -> list[tuple[Decimal, Decimal]]:
    """Per symbol: (what it carries in the trade's direction, how much of the trade it feels).

    Seen from symbol *i* the book is E_i = Σ_j ρ_ij · s_j · n_j. A trade of notional *n* and sign
    *s* adds ρ·s·n. It makes *i* worse in a direction *d* where d·ρ·s > 0: d·E_i + |ρ|·n must be
    ≤ L. Of the configured and the measured ρ each term takes the one that makes it larger: what
    stacks counts at the higher, what hedges at the lower.
    """
    views, others, amounts = [], tuple(signed), signed.values()
    for view in others if symbol in signed else (symbol, *others):
        low, high = correlations.bounds(view, symbol)
        if sign < 0:
            low, high = -high, -low
        if high > 0:
            views.append((_carried(amounts, correlations.row(view, others), up=True), high))
        if low < 0:
            views.append((_carried(amounts, correlations.row(view, others), up=False), -low))
    return views


def _carried(amounts: Iterable[Decimal], row: tuple[Bounds, ...], *, up: bool) -> Decimal:
    """What a symbol carries upwards (or downwards) at most."""
    carried = ZERO
    for amount, (low, high) in zip(amounts, row, strict=True):
        carried += amount * (high if (amount > 0) is up else low)
    return carried if up else -carried
