"""What a price move is worth: the one formula for realised and unrealised P&L."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal

from tradeterm.model.money import LEDGER_STEP, ONE
from tradeterm.model.orders import Position
from tradeterm.model.vocabulary import PositionSide

#: A context of its own rounds faster than an argument, which makes one for every call.
_floor = Context(rounding=ROUND_FLOOR).quantize


def price_gain(position: Position, price: Decimal, size: Decimal, rate: Decimal) -> Decimal:
    """P&L of ``size`` at ``price`` in account currency, before fees, rounded down.

    ``rate`` converts quote to account currency. Leverage has no part in it.
    """
    move = (price - position.entry) * position.side.sign
    return _floor(move * size * rate, LEDGER_STEP)


def signed_size(position: Position) -> Decimal:
    """What a rise by one is worth, in quote currency: negative for a short."""
    return position.size if position.side is PositionSide.LONG else -position.size


def gain_of(entry: Decimal, signed: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """``price_gain`` of a whole position whose ``signed_size`` is known."""
    return _floor((price - entry) * signed * rate, LEDGER_STEP)


def price_gains(position: Position, prices: Iterable[Decimal], rate: Decimal) -> list[Decimal]:
    """``price_gain`` of all of a position at each of many prices."""
    entry, signed = position.entry, signed_size(position)
    if rate == ONE:
        return [_floor((price - entry) * signed, LEDGER_STEP) for price in prices]
    return [_floor((price - entry) * signed * rate, LEDGER_STEP) for price in prices]
