"""Where a stop moves by itself: behind the best price (trailing), and to where a close is free.

Levels are on the tick, rounded away from the market. A stop only ever moves towards the market,
and the level in a position is the level in force: a trailing stop follows in steps of at least
``trailing.step`` percent, so the best price since needs no memory of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ceil_to, floor_to
from tradeterm.model.orders import Position
from tradeterm.model.vocabulary import ExitReason, PositionSide
from tradeterm.settings.execution import ExecutionSettings

#: A stop and what a close at it would be.
Move = tuple[Decimal, ExitReason]


class StopRules:
    """The rules by which stops move, from the settings. Prices in quote currency."""

    def __init__(self, settings: ExecutionSettings, instruments: Mapping[str, Instrument]) -> None:
        trailing = settings.trailing
        activation, distance = trailing.activation / 100, trailing.distance / 100
        self._armed = {side: ONE + side.sign * activation for side in PositionSide}
        """What a price is of the entry when trailing begins."""
        self._behind = {side: ONE - side.sign * distance for side in PositionSide}
        """What a trailing stop is of the best price."""
        self._step = trailing.step / 100
        self._even = settings.break_even / 100
        self.counts_carry = bool(self._even)
        """Whether what borrowing cost moves a stop: the level at which a close is free."""
        self._instruments = instruments
        self._trailed: tuple[Position, Decimal, Decimal] | None = None
        """The position last asked for, its tick, and the price it trails from: guards, followings
        and moves ask about the same one in turn."""

    def move(self, position: Position, price: Decimal) -> Move | None:
        """Where a print at ``price`` moves the stop; None when it stays."""
        trailed: Move | None = None
        if position.trailing and _reached(position, price, self._trails_from(position)):
            level = self._on_tick(position, price * self._behind[position.side])
            trailed = level, ExitReason.TRAILING
        even_from = self._evens_from(position)
        if even_from is None or not _reached(position, price, even_from):
            return trailed
        even = self.break_even(position), ExitReason.BREAK_EVEN
        if trailed is None or (even[0] - trailed[0]) * position.side.sign > 0:
            return even
        return trailed

    def moves_from(self, position: Position) -> Decimal | None:
        """The price from which ``move`` acts; None while no price would."""
        trails_from = self._trails_from(position) if position.trailing else None
        even_from = self._evens_from(position)
        if trails_from is None or even_from is None:
            return even_from if trails_from is None else trails_from
        nearest = min if position.side is PositionSide.LONG else max
        return nearest(trails_from, even_from)

    def break_even(self, position: Position) -> Decimal:
        """The stop at which what is left of a position is closed without loss.

        Taker fees in and out and all carry are counted; slippage through the stop is not.
        """
        instrument = self._instruments[position.symbol]
        sign, fee = position.side.sign, instrument.taker_fee
        notional = position.collateral * position.leverage
        carry = position.carry / notional if notional > 0 else ONE
        level = position.entry * (ONE + sign * (fee + carry)) / (ONE - sign * fee)
        if position.side is PositionSide.LONG:
            return ceil_to(level, instrument.tick)
        return floor_to(level, instrument.tick)

    def tighter(self, position: Position, level: Decimal) -> bool:
        """Whether ``level`` is closer to the market than the stop in force."""
        return (level - position.stop) * position.side.sign > 0

    def _trails_from(self, position: Position) -> Decimal:
        """The price whose trailing level is worth a move, not before the stop is armed."""
        tick, known = self._instruments[position.symbol].tick, self._trailed
        if known is None or known[0] is not position or known[1] is not tick:
            known = self._trailed = position, tick, self._trailing_from(position, tick)
        return known[2]

    def _trailing_from(self, position: Position, tick: Decimal) -> Decimal:
        side, stop = position.side, position.stop
        following = position.stop_kind is ExitReason.TRAILING
        least = max(stop * self._step, tick) if following else tick
        behind, armed = self._behind[side], position.entry * self._armed[side]
        if side is PositionSide.LONG:
            return max(ceil_to(stop + least, tick) / behind, armed)
        return min(floor_to(stop - least, tick) / behind, armed)

    def _evens_from(self, position: Position) -> Decimal | None:
        """The price that moves the stop to break-even; None when it is there or not wanted."""
        if not self._even:
            return None
        level = self.break_even(position)
        if not self.tighter(position, level):
            return None
        sign, tick = position.side.sign, self._instruments[position.symbol].tick
        beyond, gained = level + sign * tick, position.entry * (ONE + sign * self._even)
        return max(beyond, gained) if sign > 0 else min(beyond, gained)

    def _on_tick(self, position: Position, level: Decimal) -> Decimal:
        tick = self._instruments[position.symbol].tick
        return floor_to(level, tick) if position.side is PositionSide.LONG else ceil_to(level, tick)


def _reached(position: Position, price: Decimal, level: Decimal) -> bool:
    return (price - level) * position.side.sign >= 0


def right_side(position: Position, price: Decimal, market: Decimal, *, stop: bool) -> bool:
    """Whether a stop (or target) at ``price`` waits for the market, which is at ``market``."""
    ahead = (price - market) * position.side.sign
    return ahead < 0 if stop else ahead > 0
