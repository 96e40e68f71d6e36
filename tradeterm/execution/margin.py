"""What borrowing costs and how much of the collateral is left. Account currency, isolated."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tradeterm.model.money import LEDGER_STEP, ZERO, ledger_cost
from tradeterm.model.orders import Charged, Position
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import PositionSide
from tradeterm.settings.execution import BorrowingFees


def borrowing_share(side: PositionSide, leverage: Decimal, fees: BorrowingFees) -> Decimal:
    """The fraction of notional it pays: leverage borrows quote, every short borrows base."""
    if side is PositionSide.SHORT:
        return fees.short / 100
    return fees.long / 100 if leverage > 1 else ZERO


def charged(
    position: Position, notional: Decimal, share: Decimal, cash: Decimal, now: int
) -> Charged:
    """A position after it paid ``share`` of ``notional``: from ``cash``, then its collateral.

    What neither has is not paid: more than the collateral cannot be lost.
    """
    due = ledger_cost(notional * share)
    if due <= cash:  # nearly always
        return Charged(now, position, replace(position, carry=position.carry + due, updated=now))
    eaten = min(due - max(cash, ZERO), position.collateral)
    paid = min(due, max(cash, ZERO) + eaten)
    after = replace(
        position, carry=position.carry + paid, collateral=position.collateral - eaten, updated=now
    )
    return Charged(now, position, after)


def share_left(position: Position, mark: Decimal, rate: Decimal) -> Decimal:
    """Percent of the collateral left if all of it were closed at ``mark``, before fees."""
    if position.collateral <= 0:
        return ZERO
    left = position.collateral + price_gain(position, mark, position.size, rate)
    return left * 100 / position.collateral


def level_left(position: Position, percent: Decimal, rate: Decimal) -> Decimal:
    """A price on whose better side surely more than ``percent`` of the collateral is left."""
    loss = position.collateral * (percent / 100 - 1) + LEDGER_STEP
    return position.entry + position.side.sign * loss / (position.size * rate)
