"""Orders that wait at the venue for a price: one list per symbol and the band nothing happens in.

While the last price stays strictly inside (``low``, ``high``) no order can fire, so the check of
an event is two comparisons however many orders rest.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf

import msgspec

from tradeterm.model.market import Candle
from tradeterm.model.money import ZERO, exact
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import OrderType, Side


class Live(msgspec.Struct):
    """An order at the venue (or on its way), as the venue knows it."""

    request: OrderRequest
    rank: int
    """Order of arrival of the submits; ties in time and price are settled by it."""
    filled: Decimal = ZERO
    trades: int = 0
    entered: bool = False

    @property
    def remaining(self) -> Decimal:
        """Base size still unfilled."""
        return self.request.size - self.filled


class RestState(msgspec.Struct, frozen=True):
    """Resting, written down (the orders themselves are the exchange's)."""

    symbol: str
    last: float | None
    seen: int
    fresh: bool
    orders: list[str]


class Resting:
    """What rests on one symbol."""

    __slots__ = ("fresh", "high", "last", "low", "orders", "seen", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.orders: dict[str, Live] = {}
        self.last: float | None = None
        """The last trade price or bar close seen."""
        self.seen = 0
        """When that was."""
        self.fresh = True
        """No event looked at yet: the first one decides whether more need looking at."""
        self.low = inf
        self.high = -inf

    def add(self, live: Live) -> None:
        """Let an order rest."""
        self.orders[live.request.id] = live
        self.reband()

    def remove(self, order_id: str) -> None:
        """Take an order off; harmless when it does not rest."""
        if self.orders.pop(order_id, None) is not None:
            self.reband()

    def reband(self) -> None:
        """Work out the band again."""
        if self.fresh:
            return
        self.low, self.high = -inf, inf
        for live in self.orders.values():
            level = float(level_of(live.request))
            if fires_below(live.request):
                self.low = max(self.low, level)
            else:
                self.high = min(self.high, level)

    def passed(self, bar: Candle) -> bool:
        """Note a bar that can set nothing off; False (and no change) when it may."""
        if self.low < bar.low and bar.high < self.high:
            self.last = bar.close
            self.seen = bar.ts
            return True
        return False

    def fired_by_price(self, price: float) -> list[Live]:
        """Orders a trade at ``price`` sets off: stops first, then by arrival."""
        return self._sorted([live for live in self.orders.values() if reaches(live.request, price)])

    def fired_by_bar(self, bar: Candle) -> list[Live]:
        """Orders a bar's range sets off: stops first, whatever came first inside the bar."""
        return self._sorted([
            live for live in self.orders.values()
            if reaches(live.request, bar.low if fires_below(live.request) else bar.high)
        ])  # fmt: skip

    @staticmethod
    def _sorted(orders: list[Live]) -> list[Live]:
        return sorted(
            orders, key=lambda live: (live.request.type is not OrderType.STOP_LOSS, live.rank)
        )


def level_of(request: OrderRequest) -> Decimal:
    """The price a resting order waits for."""
    level = request.limit if request.type is OrderType.LIMIT else request.trigger
    assert level is not None, "checked on arrival"
    return level


def fires_below(request: OrderRequest) -> bool:
    """Whether it waits for the price to come down to its level."""
    if request.type is OrderType.STOP_LOSS:
        return request.side is Side.SELL
    return request.side is Side.BUY


def reaches(request: OrderRequest, price: float) -> bool:
    """Whether a print at ``price`` sets it off; a limit needs one beyond it (trade-through)."""
    level = float(level_of(request))
    if request.type is OrderType.LIMIT:
        return price < level if request.side is Side.BUY else price > level
    return price <= level if fires_below(request) else price >= level


def bar_reference(request: OrderRequest, bar: Candle) -> Decimal:
    """Where a bar fills an order it set off, before slippage: never better than its level.

    A stop the market gapped through fills at the open; a target gapped over still fills at the
    target, because a bar does not say how long its open lasted.
    """
    level = level_of(request)
    if request.type is not OrderType.STOP_LOSS:
        return level
    opening = exact(bar.open)
    return min(level, opening) if request.side is Side.SELL else max(level, opening)
