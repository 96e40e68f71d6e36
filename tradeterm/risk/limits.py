"""What grows with the size of a trade: one line per limit, read by sizing and by the rules."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from tradeterm.risk.codes import RiskCode


class Limit(msgspec.Struct, frozen=True, gc=False):
    """A limit linear in the size, exact without a division: size · unit ≤ (allowed − carried) · scale.

    ``scale`` is the leverage where collateral is meant, else 1.
    """

    rule: str
    code: RiskCode
    unit: Decimal
    scale: Decimal
    carried: Decimal
    """What the account carries already."""
    allowed: Decimal

    def room(self, part: Decimal) -> Decimal:
        """What ``size · unit`` may come to when only ``part`` (fraction) of the limit is used."""
        return (self.allowed * part - self.carried) * self.scale

    def fits(self, size: Decimal, part: Decimal) -> bool:
        """Whether this size does."""
        return size * self.unit <= (self.allowed * part - self.carried) * self.scale

    def used(self, size: Decimal) -> Decimal:
        """What is used of ``allowed`` with this size."""
        return self.carried + size * self.unit / self.scale


def broken_by(size: Decimal, limits: Iterable[Limit], part: Decimal) -> list[Limit]:
    """Those a size does not fit: ``fits`` by hand, for this is asked ten times per verdict."""
    return [
        limit
        for limit in limits
        if not size * limit.unit <= (limit.allowed * part - limit.carried) * limit.scale
    ]
