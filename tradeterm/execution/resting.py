"""Orders that wait at the venue for a price: one list per symbol and the band nothing happens in.

While the last price stays strictly inside (``low``, ``high``) no order can fire, so the check of
an event is two comparisons however many orders rest.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from math import inf
from typing import Final

import msgspec

from tradeterm.model.market import Candle, Trade
from tradeterm.model.money import ZERO, exact
from tradeterm.model.orders import OrderRequest
from tradeterm.model.vocabulary import OrderType, Side

_STOPS: Final = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
#: Types that become a limit order once triggered.
TRIGGERED_LIMITS: Final = frozenset({OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class Live(msgspec.Struct):
    """An order at the venue (or on its way), as the venue knows it."""

    request: OrderRequest
    rank: int
    """Order of arrival of the submits; ties in time and price are settled by it."""
    filled: Decimal = ZERO
    trades: int = 0
    entered: bool = False
    triggered: bool = False
    """Whether a stop- or take-profit-limit has become a limit order."""
    ahead: Decimal | None = None
    """Base size that has to trade at its price before it does; None when nobody can know."""
    amending: OrderRequest | None = None
    """Other terms that are on their way here."""

    @property
    def remaining(self) -> Decimal:
        """Base size still unfilled."""
        return self.request.size - self.filled

    @property
    def is_limit(self) -> bool:
        """Whether it stands in the book at a price, now."""
        return self.triggered or self.request.type is OrderType.LIMIT

    @property
    def level(self) -> Decimal:
        """The price it waits for: its limit, or what triggers it."""
        level = self.request.limit if self.is_limit else self.request.trigger
        assert level is not None, "checked on arrival"
        return level

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a loss to be cut."""
        return not self.triggered and self.request.type in _STOPS

    @property
    def fires_below(self) -> bool:
        """Whether it waits for the price to come down to its level."""
        return self.request.side is (Side.SELL if self.is_stop else Side.BUY)

    def reached_by(self, price: float) -> bool:
        """Whether a print at ``price`` concerns it; at a limit's own price the queue decides."""
        level = float(self.level)
        return price <= level if self.fires_below else price >= level

    def passed_by(self, price: float) -> bool:
        """Whether a print lies beyond its level."""
        level = float(self.level)
        return price < level if self.fires_below else price > level


class RestState(msgspec.Struct, frozen=True):
    """Resting, written down (the orders themselves are the exchange's)."""

    symbol: str
    last: float | None
    seen: int
    fresh: bool
    orders: list[str]


class Resting:
    """What rests on one symbol."""

    __slots__ = (
        "_lines", "fence", "fresh", "high", "last", "levels", "low", "matching", "orders", "seen",
        "symbol",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.orders: dict[str, Live] = {}
        self._lines: dict[str, tuple[float, bool]] = {}
        """Order → (level, whether it fires below): neither changes while it rests."""
        self.levels: dict[tuple[bool, Decimal], dict[str, Live]] = {}
        """(is buy, price) → the limit orders that stand there, in order of arrival."""
        self.matching = False
        """Orders come and go right now; the band is worked out once, afterwards."""
        self.last: float | None = None
        """The last trade price or bar close seen."""
        self.seen = 0
        """When that was."""
        self.fresh = True
        """No event looked at yet: the first one decides whether more need looking at."""
        self.fence = (-inf, inf)
        """The band of whoever else looks at this symbol's prices (guards of positions)."""
        self.low = inf
        self.high = -inf

    def add(self, live: Live) -> None:
        """Let an order rest."""
        self.orders[live.request.id] = live
        line = self._lines[live.request.id] = float(live.level), live.fires_below
        if live.is_limit:
            self.levels.setdefault(_place(live), {})[live.request.id] = live
        if not self.fresh:
            self._narrow(*line)

    def move(self, live: Live, request: OrderRequest) -> None:
        """Let an order that waits to be triggered wait at another price."""
        before, _ = self._lines[request.id]
        live.request = request
        line = self._lines[request.id] = float(live.level), live.fires_below
        if before in (self.low, self.high):
            self.reband()
        elif not self.fresh:
            self._narrow(*line)

    def remove(self, order_id: str) -> None:
        """Take an order off; harmless when it does not rest."""
        live = self.orders.pop(order_id, None)
        if live is None:
            return
        if live.is_limit and (level := self.levels.get(place := _place(live))) is not None:
            level.pop(order_id, None)
            if not level:
                del self.levels[place]
        line, _ = self._lines.pop(order_id)
        if line in (self.low, self.high):
            self.reband()

    def reband(self) -> None:
        """Work out the band again."""
        if self.fresh or self.matching:
            return
        low, high = self.fence
        for level, below in self._lines.values():
            if below and level > low:
                low = level
            elif not below and level < high:
                high = level
        self.low, self.high = low, high

    def _narrow(self, level: float, below: bool) -> None:
        if below:
            self.low = max(self.low, level)
        else:
            self.high = min(self.high, level)

    def but(self, names: Collection[str]) -> tuple[float, float]:
        """The band of all other orders."""
        low, high = -inf, inf
        for order_id, (level, below) in self._lines.items():
            if order_id in names:
                continue
            if below:
                low = max(low, level)
            else:
                high = min(high, level)
        return low, high

    def beside(self, live: Live) -> list[Live]:
        """The other limit orders at the level of one."""
        level = self.levels.get(_place(live), {})
        return [other for other in level.values() if other is not live]

    def shares(self, live: Live) -> bool:
        """Whether limit orders stand at the level of one that does not."""
        return _place(live) in self.levels

    def passed(self, bar: Candle) -> bool:
        """Note a bar that can set nothing off; False (and no change) when it may."""
        if self.low < bar.low and bar.high < self.high:
            self.last = bar.close
            self.seen = bar.ts
            return True
        return False

    def ignores(self, trade: Trade) -> bool:
        """Note a print that can set nothing off; False (and no change) when it may."""
        if self.low < trade.price < self.high:
            self.last = trade.price
            self.seen = trade.ts
            return True
        return False

    def fired_by_price(self, price: float) -> list[Live]:
        """Orders a trade at ``price`` concerns: stops first, then by arrival."""
        return self._sorted([live for live in self.orders.values() if live.reached_by(price)])

    def fired_by_bar(self, bar: Candle) -> list[Live]:
        """Orders a bar's range sets off: stops first, whatever came first inside the bar.

        A limit needs a range beyond it: at its very price the bar does not say who was served.
        """
        return self._sorted([live for live in self.orders.values() if bar_fires(live, bar)])

    @staticmethod
    def _sorted(orders: list[Live]) -> list[Live]:
        return sorted(orders, key=lambda live: (not live.is_stop, live.rank))


def _place(live: Live) -> tuple[bool, Decimal]:
    return live.request.side is Side.BUY, live.level


def bar_fires(live: Live, bar: Candle) -> bool:
    """Whether a bar's range sets an order off."""
    extreme = bar.low if live.fires_below else bar.high
    return live.passed_by(extreme) if live.is_limit else live.reached_by(extreme)


def bar_reference(live: Live, bar: Candle) -> Decimal:
    """Where a bar fills an order it set off, before slippage: never better than its level.

    A stop the market gapped through fills at the open; a target gapped over still fills at the
    target, because a bar does not say how long its open lasted.
    """
    if not live.is_stop:
        return live.level
    opening = exact(bar.open)
    return min(live.level, opening) if live.fires_below else max(live.level, opening)
