"""Protection: which stop and target belong to which position."""

from __future__ import annotations

import msgspec

from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import OrderRequest, Position
from tradeterm.model.vocabulary import AccountBook, ExitReason, OrderType, Purpose


class Bracket(msgspec.Struct):
    """The protective orders of one position and the verdict that allowed the entry."""

    verdict_id: str
    stop: str | None = None
    target: str | None = None


def protective_request(position: Position, purpose: Purpose, order_id: str) -> OrderRequest:
    """The stop or target order of a position: reduce-only, at market once triggered."""
    stop = purpose is Purpose.STOP
    trigger = position.stop if stop else position.target
    if trigger is None:
        raise InvalidOrder(f"position {position.id} has no target to place")
    return OrderRequest(
        id=order_id, symbol=position.symbol, side=position.side.exit,
        type=OrderType.STOP_LOSS if stop else OrderType.TAKE_PROFIT, size=position.size,
        purpose=purpose, book=AccountBook.MARGIN, parent=position.id, trigger=trigger,
        reduce_only=True, position_id=position.id, leverage=position.leverage,
        agent=position.agent, exit_reason=ExitReason.STOP if stop else ExitReason.TARGET,
    )  # fmt: skip
