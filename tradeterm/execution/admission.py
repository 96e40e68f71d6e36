"""What execution refuses to send at all; market reasons are the venue's to give."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeterm.errors import InvalidOrder
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import plain
from tradeterm.model.orders import OrderRequest, Position
from tradeterm.model.vocabulary import Purpose


def admit(
    request: OrderRequest,
    instruments: Mapping[str, Instrument],
    positions: Mapping[str, Position],
    closing: Decimal,
) -> None:
    """Raise InvalidOrder for what no honest caller sends.

    ``closing`` is the size other working orders already take off the request's position.
    """
    if request.symbol not in instruments:
        raise InvalidOrder(f"order {request.id}: unknown symbol {request.symbol}")
    if request.purpose in (Purpose.STOP, Purpose.TARGET):
        raise InvalidOrder(f"order {request.id}: protection is placed by execution itself")
    if request.purpose is Purpose.ENTRY:
        _admit_entry(request, positions)
    if request.purpose is Purpose.EXIT:
        _admit_exit(request, positions, closing)


def _admit_entry(request: OrderRequest, positions: Mapping[str, Position]) -> None:
    position_id = request.position_id
    if request.stop is None or position_id is None or position_id in positions:
        raise InvalidOrder(
            f"entry {request.id} needs a stop and a new position id (see requests.entry)"
        )


def _admit_exit(request: OrderRequest, positions: Mapping[str, Position], closing: Decimal) -> None:
    position = positions.get(request.position_id or "")
    if position is None:
        raise InvalidOrder(f"order {request.id}: {request.position_id} is not open")
    free = position.size - closing
    if not request.reduce_only or request.side is not position.side.exit or request.size > free:
        raise InvalidOrder(
            f"close {request.id} of {plain(request.size)} does not reduce {position.id}: "
            f"{plain(free)} is open and not already being closed"
        )
