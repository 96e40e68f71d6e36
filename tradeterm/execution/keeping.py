"""What guards do to open positions: stops follow, margin is called, fees fall due, time runs out.

Every decision is exact and made on the figures of the event; ``guards`` only says when to look.
Within one event the venue comes first: a stop is judged against the level before the event. Then
the price (on bars without prints: the extreme of the bar) moves the stop, and if a bar closed
beyond where its own extreme has put the stop, the stop fires at that level. Last come margin call
and liquidation, judged on the mid; bars alone state a mid only at their close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from tradeterm.errors import InvalidOrder
from tradeterm.execution.guards import Guards
from tradeterm.execution.margin import borrowing_share, charged, share_left
from tradeterm.execution.protection import Protection
from tradeterm.execution.stops import StopRules, right_side
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, Trade
from tradeterm.model.money import exact, on_grid, plain
from tradeterm.model.orders import (
    ExecutionEvent,
    ExitDue,
    Position,
    PositionAlarm,
    PositionChanged,
    VenueReport,
)
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import ExitReason, PositionSide
from tradeterm.settings.execution import ExecutionSettings

#: What states a price that stops follow.
PRICED: Final = (Trade, Candle)


class Keeper:
    """Acts on open positions. ``mid`` is a symbol's mark, ``cash`` what trading has."""

    def __init__(
        self,
        settings: ExecutionSettings,
        instruments: Mapping[str, Instrument],
        positions: dict[str, Position],
        guards: Guards,
        rules: StopRules,
        protection: Protection,
        *,
        rate: Callable[[str], Decimal],
        mid: Callable[[str], Decimal | None],
        cash: Callable[[], Decimal],
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._positions = positions
        self._guards = guards
        self._rules = rules
        self._protection = protection
        self._rate = rate
        self._mid = mid
        self._cash = cash

    # -- on every print --------------------------------------------------------------------

    def follow(
        self, symbol: str, low: float, high: float, now: int, events: list[ExecutionEvent]
    ) -> bool:
        """Let stops follow prices between ``low`` and ``high``; whether one moved."""
        moved = False
        for position in list(self._positions.values()):
            if position.symbol != symbol or position.stop_kind is ExitReason.LIQUIDATION:
                continue
            best = high if position.side is PositionSide.LONG else low
            move = self._rules.move(position, exact(best))
            if move is not None:
                stop, _ = self._protection.of(position.id)
                parent = position.order_id if stop is None else stop.id
                self.put_stop(position, *move, parent, now, events)
                moved = True
        return moved

    def put_stop(
        self, position: Position, level: Decimal, kind: ExitReason, parent: str, now: int,
        events: list[ExecutionEvent],
    ) -> None:  # fmt: skip
        """Move a stop, in the position and at the venue."""
        self.change(replace(position, stop=level, stop_kind=kind, updated=now), parent, events)

    def change(self, after: Position, parent: str, events: list[ExecutionEvent]) -> None:
        """Take a position whose protection is another one now."""
        self._positions[after.id] = after
        events.append(PositionChanged(after, "protected", parent))
        self._protection.fit(after, after.updated, events)

    # -- by order --------------------------------------------------------------------------

    def move_stop(
        self, position_id: str, price: Decimal, kind: ExitReason, now: int, parent: str
    ) -> list[ExecutionEvent]:
        """Put a stop elsewhere; InvalidOrder when it is off the tick or would fire at once."""
        position = self._movable(position_id)
        self._check(position, price, stop=True)
        return self._ordered(replace(position, stop=price, stop_kind=kind), now, parent)

    def move_target(
        self, position_id: str, price: Decimal | None, now: int, parent: str
    ) -> list[ExecutionEvent]:
        """Put a target elsewhere, or take it away; InvalidOrder as for ``move_stop``."""
        position = self._movable(position_id)
        if price is not None:
            self._check(position, price, stop=False)
        return self._ordered(replace(position, target=price), now, parent)

    def set_trailing(
        self, position_id: str, now: int, parent: str, *, on: bool
    ) -> list[ExecutionEvent]:
        """Let a stop follow the price from the next print on, or stay where it is."""
        return self._ordered(replace(self._movable(position_id), trailing=on), now, parent)

    def _ordered(self, after: Position, now: int, parent: str) -> list[ExecutionEvent]:
        events: list[ExecutionEvent] = []
        self.change(replace(after, updated=now), parent, events)
        self._guards.reband(after.symbol)
        return events

    def _movable(self, position_id: str) -> Position:
        position = self._positions.get(position_id)
        if position is None:
            raise InvalidOrder(f"no open position {position_id}")
        if position.stop_kind is ExitReason.LIQUIDATION:
            raise InvalidOrder(f"{position_id} is being liquidated")
        return position

    def _check(self, position: Position, price: Decimal, *, stop: bool) -> None:
        what, tick = "stop" if stop else "target", self._instruments[position.symbol].tick
        if not on_grid(price, tick) or price <= 0:
            raise InvalidOrder(f"{what} {price} is not on the tick of {plain(tick)}")
        market = self._mid(position.symbol)
        if market is None or not right_side(position, price, market, stop=stop):
            at = "unknown" if market is None else plain(market)
            raise InvalidOrder(
                f"a {what} at {plain(price)} would fire at once: {position.side} {position.id}, "
                f"market at {at}"
            )

    # -- on every mid ----------------------------------------------------------------------

    def judge_margins(
        self, symbol: str, now: int, events: list[ExecutionEvent]
    ) -> list[VenueReport]:
        """Tell the operator of a shrinking collateral, and liquidate where too little is left."""
        reports: list[VenueReport] = []
        band, mid = self._guards.bands.get(symbol), self._mid(symbol)
        if band is not None and mid is not None and band.floor < mid < band.ceiling:
            return reports  # something else brought the price here
        for position in self._guards.concerned(symbol):
            mark = self._mid(position.symbol)
            if mark is None or position.stop_kind is ExitReason.LIQUIDATION:
                continue
            left = share_left(position, mark, self._rate_of(position))
            if left <= self._settings.liquidation:
                reports += self._liquidate(position, left, now, events)
            elif left <= self._settings.margin.call:
                self._call(position, left, events)
        return reports

    def _liquidate(
        self, position: Position, left: Decimal, now: int, events: list[ExecutionEvent]
    ) -> list[VenueReport]:
        """The venue's own act: the stop is set off wherever the price is, and has no collar."""
        text = f"is closed: liquidation with {left:.1f} % of its collateral left"
        events.append(PositionAlarm(position, "R-LIQUIDATION", text))
        parent = position.order_id
        self.put_stop(position, position.stop, ExitReason.LIQUIDATION, parent, now, events)
        return self._protection.fire(position, now)

    def _call(self, position: Position, left: Decimal, events: list[ExecutionEvent]) -> None:
        watch = self._guards.watches[position.id]
        if watch.called:
            return
        watch.called = True
        text = (
            f"margin call: {left:.1f} % of its collateral left, "
            f"liquidation at {plain(self._settings.liquidation)} %"
        )
        events.append(PositionAlarm(position, "R-MARGIN-CALL", text))

    # -- at their time ---------------------------------------------------------------------

    def dates(self, now: int, events: list[ExecutionEvent]) -> None:
        """Rollovers first, then time exits; an exit that is not done is due again a minute on."""
        for position_id, watch in list(self._guards.watches.items()):
            if watch.roll_due <= now:
                watch.roll_due += self._settings.margin.interval * SECOND
                self._roll(self._positions[position_id], now, events)
            if watch.exit_due <= now:
                watch.exit_due = now + MINUTE
                events.append(ExitDue(self._positions[position_id], ExitReason.TIME))
        self._guards.plan()

    def _roll(self, position: Position, now: int, events: list[ExecutionEvent]) -> None:
        mark = self._mid(position.symbol)
        if mark is None:
            mark = position.entry
        share = borrowing_share(position.side, position.leverage, self._settings.margin.rollover)
        notional = position.size * mark * self._rate_of(position)
        event = charged(position, notional, share, self._cash(), now)
        self._positions[position.id] = event.after
        events += (event, PositionChanged(event.after, "charged", position.order_id))
        if self._rules.counts_carry or event.after.collateral is not position.collateral:
            self._guards.reband(position.symbol)

    def _rate_of(self, position: Position) -> Decimal:
        return self._rate(self._instruments[position.symbol].quote)


def price_range(event: Trade | Candle, *, whole: bool) -> tuple[float, float]:
    """The lowest and highest price an event states; a bar's own range only when it is news."""
    if isinstance(event, Trade):
        return event.price, event.price
    return (event.low, event.high) if whole else (event.close, event.close)
