"""Margin positions from fills: average entry, partial closes, realised P&L. Pure arithmetic.

Collateral and P&L are in account currency (``fill.rate`` converts), prices in quote currency.
Isolated margin: what a close loses is never more than the collateral it releases.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tradeterm.errors import InvalidOrder
from tradeterm.execution.orders import AVERAGE_STEP
from tradeterm.model.money import ZERO, ledger_amount, ledger_cost, plain
from tradeterm.model.orders import Fill, OrderRequest, Position
from tradeterm.model.pnl import price_gain
from tradeterm.model.vocabulary import ExitReason, PositionSide, Side


def opened(fill: Fill, request: OrderRequest, carry: Decimal, *, trailing: bool) -> Position:
    """The position an entry's first fill opens; ``carry`` is what borrowing for it costs."""
    if request.position_id is None or request.stop is None:
        raise InvalidOrder(f"entry {request.id} needs a position id and a stop")
    return Position(
        id=request.position_id, symbol=fill.symbol,
        side=PositionSide.LONG if fill.side is Side.BUY else PositionSide.SHORT,
        size=fill.size, entry=fill.price, leverage=request.leverage,
        collateral=collateral_for(fill, request.leverage),
        opened=fill.ts, updated=fill.ts, order_id=request.id, agent=request.agent,
        stop=request.stop, target=request.target, opened_size=fill.size, fees=fill.fee,
        carry=carry, trailing=trailing,
    )  # fmt: skip


def increased(position: Position, fill: Fill, carry: Decimal) -> Position:
    """The position after another entry fill; the entry price becomes the weighted mean."""
    size = position.size + fill.size
    entry = (position.entry * position.size + fill.price * fill.size) / size
    return replace(
        position, size=size, entry=entry.quantize(AVERAGE_STEP),
        collateral=position.collateral + collateral_for(fill, position.leverage),
        updated=fill.ts, opened_size=position.opened_size + fill.size,
        fees=position.fees + fill.fee, carry=position.carry + carry,
    )  # fmt: skip


def reduced(position: Position, fill: Fill, reason: ExitReason) -> Position:
    """The position after a reducing fill; closed when nothing is left."""
    if fill.size > position.size or fill.side is not position.side.exit:
        raise InvalidOrder(
            f"fill {fill.id} ({fill.side} {plain(fill.size)}) would flip {position.id}, "
            f"which has {plain(position.size)} open"
        )
    back = released(position, fill.size)
    left = position.size - fill.size
    done = position.opened_size - position.size
    exit_price = fill.price
    if position.exit is not None:
        mean = (position.exit * done + fill.price * fill.size) / (done + fill.size)
        exit_price = mean.quantize(AVERAGE_STEP)
    gain = max(price_gain(position, fill.price, fill.size, fill.rate), fill.fee - back)
    return replace(
        position, size=left, collateral=position.collateral - back, updated=fill.ts,
        realised=position.realised + gain, fees=position.fees + fill.fee, exit=exit_price,
        closed=None if left else fill.ts, exit_reason=None if left else reason,
    )  # fmt: skip


def resized(position: Position, size: Decimal, now: int) -> Position:
    """The position as the venue has it; its collateral follows, its entry price stays."""
    collateral = ledger_cost(position.collateral * size / position.size)
    return replace(
        position, size=size, collateral=collateral, updated=now,
        opened_size=position.opened_size + max(size - position.size, ZERO),
        closed=None if size else now, exit_reason=None if size else ExitReason.OPERATOR,
    )  # fmt: skip


def collateral_for(fill: Fill, leverage: Decimal) -> Decimal:
    """What an entry fill moves from trading to margin."""
    return ledger_cost(fill.size * fill.price * fill.rate / leverage)


def released(position: Position, size: Decimal) -> Decimal:
    """The collateral a close of ``size`` brings back; the last one brings the remainder."""
    if size >= position.size:
        return position.collateral
    return ledger_amount(position.collateral * size / position.size)
