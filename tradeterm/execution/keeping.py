"""What guards do to open positions: stops follow, margin is called, fees fall due, time runs out.

Every decision is exact and made on the figures of the event; ``guards`` only says when to look.
Within one event the venue comes first: a stop is judged against the level before the event. Then
the price (on bars without prints: the extreme of the bar) moves the stop, and if a bar closed
beyond where its own extreme has put the stop, the stop fires at that level. Last come margin call
and liquidation, judged on the mid; bars alone state a mid only at their close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from tradeterm.execution.guards import Guards
from tradeterm.execution.margin import borrowing_share, charged, share_left
from tradeterm.execution.protection import Protection
from tradeterm.execution.stops import StopRules
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import exact, plain
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

    # -- on every mid ----------------------------------------------------------------------

    def judge_margins(
        self, symbol: str, now: int, events: list[ExecutionEvent]
    ) -> list[VenueReport]:
        """Tell the operator of a shrinking collateral, and liquidate where too little is left."""
        reports: list[VenueReport] = []
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
        share = borrowing_share(
            position.side, position.leverage, self._settings.margin.rollover
        )
        notional = position.size * mark * self._rate_of(position)
        event = charged(position, notional, share, self._cash(), now)
        self._positions[position.id] = event.after
        events += (event, PositionChanged(event.after, "charged", position.order_id))
        self._guards.reband(position.symbol)

    def _rate_of(self, position: Position) -> Decimal:
        return self._rate(self._instruments[position.symbol].quote)
