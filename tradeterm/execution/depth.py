"""Taking liquidity: a walk through the live book that remembers what it took.

Depth taken here is not in the market's own data, so it is subtracted until the market states
the level's size again; then the market's word counts and ours is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tradeterm.market.book import OrderBook
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import Side

#: How much of ``size`` the account can pay for at ``price``.
Afford = Callable[[Decimal, Decimal], Decimal]
#: (is bid, price, size taken, refresh count when it was taken)
Taken = tuple[bool, float, Decimal, int]
#: Prices remembered per symbol.
KNOWN: Final = 10_000


class Depth:
    """One book and what we took from it."""

    def __init__(self, book: OrderBook, instrument: Instrument) -> None:
        self._book = book
        self._instrument = instrument
        self._taken: dict[tuple[bool, float], tuple[Decimal, int]] = {}
        self._prices: dict[float, Decimal] = {}
        """Levels as prices on the tick: the same ones are met again and again."""

    def relist(self, instrument: Instrument) -> None:
        """The venue has other steps from now on."""
        self._instrument = instrument
        self._prices.clear()

    def take(
        self, side: Side, size: Decimal, limit: Decimal | None, afford: Afford,
        gone: Decimal | None = None,
    ) -> list[tuple[Decimal, Decimal]]:  # fmt: skip
        """Fill up to ``size`` for a taker of ``side``, no worse than ``limit``: (price, size).

        Levels better than ``gone`` were consumed, whatever the book still shows.
        """
        self._forget_refreshed()
        resting = side.opposite
        fills: list[tuple[Decimal, Decimal]] = []
        for level, shown in self._book.walk(resting):
            price = self._prices.get(level) or self._exactly(level)
            if limit is not None and (price > limit if side is Side.BUY else price < limit):
                break
            if gone is not None and (price < gone if side is Side.BUY else price > gone):
                continue
            part = min(size, self._available(resting, level, shown))
            granted = afford(price, part) if part > 0 else ZERO
            if granted > 0:
                fills.append((price, granted))
                size -= granted
                self._remember(resting, level, granted)
            if size <= 0 or granted < part:
                break
        return fills

    def _exactly(self, level: float) -> Decimal:
        if len(self._prices) >= KNOWN:
            self._prices.clear()
        price = self._prices[level] = self._instrument.price(level)
        return price

    def _available(self, side: Side, level: float, shown: float) -> Decimal:
        taken = self._taken.get((side is Side.BUY, level))
        size = self._instrument.size(shown)
        return size if taken is None else size - taken[0]

    def _remember(self, side: Side, level: float, size: Decimal) -> None:
        key = (side is Side.BUY, level)
        before = self._taken.get(key)
        if before is None:
            self._taken[key] = (size, self._book.watch(side, level))
        else:
            self._taken[key] = (before[0] + size, before[1])

    def _forget_refreshed(self) -> None:
        for key, (_, seen) in list(self._taken.items()):
            side = Side.BUY if key[0] else Side.SELL
            if self._book.refreshed(side, key[1]) != seen:
                del self._taken[key]
                self._book.unwatch(side, key[1])

    def dump(self) -> list[Taken]:
        """What we took and the market has not restated."""
        return [(bid, price, size, n) for (bid, price), (size, n) in self._taken.items()]

    def load(self, taken: list[Taken]) -> None:
        """Remember what was dumped."""
        self._taken = {(bid, price): (size, n) for bid, price, size, n in taken}
