"""When a position must be looked at: the prices and the times at which a guard may act.

Guards are the trailing and break-even rules (on every print), margin call and liquidation (on
every mid), rollover and time exit (at their exact times). Per symbol there is one band of prices
inside which none of them does anything, so that an event costs one look-up and two comparisons.
A band only says when to look; what is done is decided exactly, so it need not be stored. That
asks of a band that nothing would be done inside it, whoever looked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import inf
from typing import Final

import msgspec

from tradeterm.execution.latency import NEVER
from tradeterm.execution.margin import borrowing_share, level_left
from tradeterm.execution.stops import StopRules
from tradeterm.model.orders import Position
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ExitReason, PositionSide
from tradeterm.settings.execution import ExecutionSettings

#: Relative distance a band keeps from its levels: far more than a float can be off.
_MARGIN: Final = 1e-9
#: How far a conversion rate may move before the bands that rest on it are worked out again.
_DRIFT: Final = Decimal("0.01")


class Watch(msgspec.Struct):
    """What is remembered about one open position."""

    exit_due: int
    roll_due: int
    called: bool = False
    """Whether the operator was told that its collateral shrinks."""


class Band(msgspec.Struct):
    """Strictly inside (``low``, ``high``) no print, in (``floor``, ``ceiling``) no mid matters."""

    low: float = -inf
    high: float = inf
    floor: float = -inf
    ceiling: float = inf

    def keep_above(self, price: float, *, mid: bool) -> None:
        """Something happens at ``price`` or below it."""
        level = price * (1 + _MARGIN)
        if level > self.low:
            self.low = level
        if mid and level > self.floor:
            self.floor = level

    def keep_below(self, price: float, *, mid: bool) -> None:
        """Something happens at ``price`` or above it."""
        level = price * (1 - _MARGIN)
        if level < self.high:
            self.high = level
        if mid and level < self.ceiling:
            self.ceiling = level


class Guards:
    """Bands and due times of all open positions.

    ``mid`` is a symbol's mark, ``priced_by`` names the symbol an asset's rate comes from;
    ``fence`` tells the venue which prices of a symbol concern us.
    """

    def __init__(
        self,
        settings: ExecutionSettings,
        rules: StopRules,
        positions: Mapping[str, Position],
        rate: Callable[[str], Decimal],
        mid: Callable[[str], Decimal | None],
        priced_by: Callable[[str], str | None],
        fence: Callable[[str, float, float], None],
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._positions = positions
        self._rate = rate
        self._mid = mid
        self._priced_by = priced_by
        self._fence = fence
        self.watches: dict[str, Watch] = {}
        self.bands: dict[str, Band] = {}
        """By symbol; the dict itself stays, whoever holds it."""
        self.next_due = NEVER
        self._rated: dict[str, str | None] = {}
        """Symbol → the symbol its conversion rests on; which one that is never changes."""
        self._margins: dict[str, tuple[tuple[Decimal, ...], float, float]] = {}
        """Position → what its margin rests on, its liquidation level and that of the margin call:
        most bands are worked out again because a stop followed, and that moves neither."""

    def follow(self, changed: Mapping[str, str]) -> None:
        """Positions (id → symbol) opened, changed or closed."""
        for position_id in changed:
            position = self._positions.get(position_id)
            if position is None:
                self.watches.pop(position_id, None)
                self._margins.pop(position_id, None)
            elif position_id not in self.watches:
                first = self._first_rollover(position)
                self.watches[position_id] = Watch(
                    position.opened + self._settings.time_exit * SECOND, first
                )
        self.plan()
        for symbol in dict.fromkeys(changed.values()):
            self.reband(symbol)

    def _first_rollover(self, position: Position) -> int:
        rollover = self._settings.margin.rollover
        if not borrowing_share(position.side, position.leverage, rollover):
            return NEVER
        return position.opened + self._settings.margin.interval * SECOND

    def plan(self) -> None:
        """Find the next due time again."""
        due = NEVER
        for watch in self.watches.values():
            due = min(due, watch.exit_due, watch.roll_due)
        self.next_due = due

    # -- bands -----------------------------------------------------------------------------

    def concerned(self, symbol: str) -> list[Position]:
        """Open positions on ``symbol``, and those whose conversion rests on its price."""
        return [
            position for position in self._positions.values()
            if position.symbol == symbol or self._rate_symbol(position.symbol) == symbol
        ]  # fmt: skip

    def reband(self, symbol: str) -> None:
        """Work out the bands of ``symbol`` and of whatever rests on its rate."""
        concerned = self.concerned(symbol)
        symbols = {symbol: None}
        for position in concerned:
            symbols[position.symbol] = None
            rated_by = self._rate_symbol(position.symbol)
            if rated_by is not None:
                symbols[rated_by] = None
        if symbol in self.bands:  # the last cross may just have closed
            symbols.update(dict.fromkeys(self.bands))
        for name in symbols:
            band = self._band(name, concerned if name == symbol else self.concerned(name))
            if band is not None:
                self.bands[name] = band
                self._fence(name, band.low, band.high)
            elif self.bands.pop(name, None) is not None:
                self._fence(name, -inf, inf)

    def _band(self, symbol: str, concerned: list[Position]) -> Band | None:
        if not concerned:
            return None
        band = Band()
        for position in concerned:
            if position.symbol == symbol:
                self._narrow(band, position)
            if self._rate_symbol(position.symbol) == symbol:
                rate = self._rate(_quote(position))
                band.keep_above(float(rate * (1 - _DRIFT)), mid=True)
                band.keep_below(float(rate * (1 + _DRIFT)), mid=True)
                if not self._at_ease(position):
                    return Band(inf, -inf, inf, -inf)
        return band

    def _at_ease(self, position: Position) -> bool:
        """Whether its margin is safe at its own mid at any rate within the drift."""
        own, mid = Band(), self._mid(position.symbol)
        self._narrow(own, position)
        return mid is None or own.floor < float(mid) < own.ceiling

    def _narrow(self, band: Band, position: Position) -> None:
        if position.stop_kind is ExitReason.LIQUIDATION:
            return  # under way; nothing else is decided about it
        long = position.side is PositionSide.LONG
        ahead, behind = band.keep_below, band.keep_above
        if not long:
            ahead, behind = behind, ahead
        moves_from = self._rules.moves_from(position)
        if moves_from is not None:
            ahead(float(moves_from), mid=False)
        rate = self._rate(_quote(position))
        if self._rate_symbol(position.symbol) is not None:
            rate *= 1 + _DRIFT  # the worst until the band is worked out again
        liquidation, call = self._levels(position, rate)
        behind(liquidation, mid=True)
        if not self.watches[position.id].called:
            behind(call, mid=True)

    def _levels(self, position: Position, rate: Decimal) -> tuple[float, float]:
        """Where it is liquidated, and where its margin is called."""
        at, call = self._settings.liquidation, self._settings.margin.call
        rests = (position.size, position.entry, position.collateral, rate, at, call)
        known = self._margins.get(position.id)
        if known is None or known[0] != rests:
            called, gone = level_left(position, call, rate), level_left(position, at, rate)
            known = self._margins[position.id] = (rests, float(gone), float(called))
        return known[1:]

    def _rate_symbol(self, symbol: str) -> str | None:
        rated = self._rated
        if symbol not in rated:
            rated[symbol] = self._priced_by(symbol.partition("/")[2])
        return rated[symbol]

    # -- state -----------------------------------------------------------------------------

    def dump(self) -> dict[str, Watch]:
        """What cannot be worked out again."""
        return {key: msgspec.structs.replace(watch) for key, watch in self.watches.items()}

    def load(self, state: Mapping[str, Watch]) -> None:
        """Become what was dumped. The first event of each symbol finds its band again."""
        self.watches = {key: msgspec.structs.replace(watch) for key, watch in state.items()}
        self.plan()
        self.bands.clear()
        for position in self._positions.values():
            for symbol in (position.symbol, self._rate_symbol(position.symbol)):
                if symbol is not None:
                    self.bands[symbol] = Band(inf, -inf, inf, -inf)
                    self._fence(symbol, inf, -inf)


def _quote(position: Position) -> str:
    return position.symbol.partition("/")[2]
