"""Signed correlated exposure: how much of one bet a trade would be, seen from every symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from operator import mul
from typing import NamedTuple

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
        self._plans: dict[tuple[str, int], Plan] = {}
        """Symbol and sign of a trade → its plan for what was held last."""

    def given(self, measured: Mapping[Pair, Decimal]) -> Correlations:
        """These, beside what was measured."""
        if measured is not self._measured:
            self._measured = measured
            self._bounds, self._plans = {}, {}
        return self

    def bounds(self, one: str, other: str) -> Bounds:
        """Low and high; the same where nothing was measured."""
        known = self._bounds.get((one, other))
        if known is None:
            rho = self._configured(one, other)
            seen = self._measured.get((one, other), rho)
            known = self._bounds[one, other] = (min(rho, seen), max(rho, seen))
        return known

    def plan(self, symbol: str, sign: int, signed: Mapping[str, Decimal]) -> Plan:
        """The sums to form for this trade, as long as what is held keeps its signs."""
        held, rises = tuple(signed), [amount > ZERO for amount in signed.values()]
        known = self._plans.get((symbol, sign))
        if known is None or known.held != held or known.rises != rises:
            views = tuple(self._views(symbol, sign, held, rises))
            known = self._plans[symbol, sign] = Plan(held, rises, views)
        return known

    def _views(
        self, symbol: str, sign: int, held: tuple[str, ...], rises: list[bool]
    ) -> Iterator[tuple[Decimal, tuple[Decimal, ...]]]:
        for view in held if symbol in held else (symbol, *held):
            low, high = self.bounds(view, symbol)
            if sign < 0:
                low, high = -high, -low
            rows = [(self.bounds(view, other), up) for other, up in zip(held, rises, strict=True)]
            if high > 0:
                yield high, tuple(most if up else least for (least, most), up in rows)
            if low < 0:
                yield -low, tuple(-least if up else -most for (least, most), up in rows)


class Plan(NamedTuple):
    """How much of a trade each symbol feels, and by what the notionals held count there."""

    held: tuple[str, ...]
    rises: list[bool]
    views: tuple[tuple[Decimal, tuple[Decimal, ...]], ...]


def correlated_views(
    symbol: str, sign: int, signed: Mapping[str, Decimal], correlations: Correlations
) -> list[tuple[Decimal, Decimal]]:
    """Per symbol: (what it carries in the trade's direction, how much of the trade it feels).

    Seen from symbol *i* the book is E_i = Σ_j ρ_ij · s_j · n_j. A trade of notional *n* and sign
    *s* adds ρ·s·n. It makes *i* worse in a direction *d* where d·ρ·s > 0: d·E_i + |ρ|·n must be
    ≤ L. Of the configured and the measured ρ each term takes the one that makes it larger: what
    stacks counts at the higher, what hedges at the lower.
    """
    views, amounts = correlations.plan(symbol, sign, signed).views, signed.values()
    return [(sum(map(mul, amounts, factors), ZERO), felt) for felt, factors in views]
