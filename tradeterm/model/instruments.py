"""What can be traded, and the steps its prices and sizes move in."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.model.money import exact, floor_to, nearest


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """One symbol. Sizes in base currency, prices and notionals in quote; fees are fractions."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_size: Decimal
    min_notional: Decimal
    taker_fee: Decimal
    derived: bool = False
    """True when steps were read off a data file instead of being configured."""

    def price(self, value: float | Decimal) -> Decimal:
        """``value`` on the tick grid (nearest)."""
        return nearest(exact(value), self.tick)

    def size(self, value: float | Decimal) -> Decimal:
        """``value`` on the lot grid, never rounded up."""
        return floor_to(exact(value), self.lot)

    def meets_minimum(self, size: Decimal, price: Decimal) -> bool:
        """Whether an order of this size and price is large enough for the venue."""
        return size >= self.min_size and size * price >= self.min_notional
