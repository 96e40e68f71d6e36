"""Orders, fills, positions and what a venue reports about them.

msgspec structs, like all journaled values: a frozen dataclass of 25 fields costs 5 µs to make and
to change, a struct a tenth of that, and both are written as the same JSON.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.model.money import ZERO
from tradeterm.model.vocabulary import (
    AccountBook,
    Evidence,
    ExitReason,
    Liquidity,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
    TimeInForce,
)

#: Why an order ended that the account could not pay for in full.
NO_FUNDS: Final = "insufficient funds"


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """What somebody wants to send. Carries no permission: only risk turns it into one."""

    id: str
    """Deterministic client order id."""
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    purpose: Purpose
    book: AccountBook
    parent: str
    """Id of the verdict (or command, or position) it follows from."""
    limit: Decimal | None = None
    trigger: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    expires: int | None = None
    reduce_only: bool = False
    position_id: str | None = None
    leverage: Decimal = Decimal(1)
    stop: Decimal | None = None
    """Protection attached to an entry's fills."""
    target: Decimal | None = None
    agent: str = ""
    exit_reason: ExitReason | None = None
    post_only: bool = False
    """Refused rather than filled at once: it may only add liquidity."""
    confidence: Decimal = ZERO
    """Of the proposal it follows; an entry moved to another price is judged by it again."""
    revision: int = 0
    """How often its terms were amended."""


class ApprovedOrder(msgspec.Struct, frozen=True, gc=False):
    """A request the risk engine let through. Only ``tradeterm.risk`` constructs it."""

    request: OrderRequest
    verdict_id: str
    approved_at: int


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order and where it stands."""

    request: OrderRequest
    verdict_id: str
    status: OrderStatus
    created: int
    updated: int
    filled: Decimal = ZERO
    average: Decimal | None = None
    """Size-weighted mean fill price, in quote currency."""
    reason: str = ""
    unknown: str = ""
    """Why nobody knows whether the venue has it; empty: it is known. Such an order counts against
    every limit like any pending one, is looked up and never sent again blindly."""

    @property
    def id(self) -> str:
        """The client order id."""
        return self.request.id

    @property
    def remaining(self) -> Decimal:
        """Base size still unfilled."""
        return self.request.size - self.filled

    @property
    def working(self) -> bool:
        """Whether it can still fill."""
        return not self.status.is_terminal


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution. ``fee`` is in ``fee_asset``; ``rate`` converts quote to account currency."""

    id: str
    ts: int
    order_id: str
    symbol: str
    side: Side
    book: AccountBook
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_asset: str
    rate: Decimal
    liquidity: Liquidity
    evidence: Evidence
    position_id: str | None = None


class Position(msgspec.Struct, frozen=True, gc=False):
    """A margin position. Money in account currency (USDT), prices in quote currency."""

    id: str
    symbol: str
    side: PositionSide
    size: Decimal
    """Base size still open; 0 when closed."""
    entry: Decimal
    leverage: Decimal
    collateral: Decimal
    opened: int
    updated: int
    order_id: str
    """The entry order."""
    agent: str
    stop: Decimal
    target: Decimal | None
    opened_size: Decimal
    """Sum of entry fills."""
    realised: Decimal = ZERO
    """Price P&L of the part already closed, before fees."""
    fees: Decimal = ZERO
    """Trading fees of its fills."""
    carry: Decimal = ZERO
    """Opening and rollover fees of what it borrows."""
    stop_kind: ExitReason = ExitReason.STOP
    """What a close at the stop in force would be: stop, trailing, break-even, liquidation."""
    trailing: bool = False
    """Whether its stop follows the price."""
    closed: int | None = None
    exit: Decimal | None = None
    """Size-weighted mean exit price."""
    exit_reason: ExitReason | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything is left."""
        return self.closed is None

    @property
    def pnl(self) -> Decimal:
        """Realised P&L net of all it cost."""
        return self.realised - self.fees - self.carry


# -- what a venue reports --------------------------------------------------------------------


class OrderAccepted(msgspec.Struct, frozen=True, gc=False):
    """The venue has the order."""

    ts: int
    order_id: str


class OrderFilled(msgspec.Struct, frozen=True, gc=False):
    """The venue executed (part of) an order; ``trade_id`` is unique at the venue."""

    ts: int
    order_id: str
    trade_id: str
    price: Decimal
    size: Decimal
    liquidity: Liquidity
    evidence: Evidence


class OrderEnded(msgspec.Struct, frozen=True, gc=False):
    """The venue will not fill the rest: cancelled, expired or rejected."""

    ts: int
    order_id: str
    status: OrderStatus
    reason: str


class OrderAmended(msgspec.Struct, frozen=True, gc=False):
    """The venue took other terms, or (with a reason) kept the old ones."""

    ts: int
    order_id: str
    revision: int
    size: Decimal
    limit: Decimal | None
    reason: str = ""


class OrderUncertain(msgspec.Struct, frozen=True, gc=False):
    """The venue's answer to a submit was lost or made no sense; whether it has it is unknown."""

    ts: int
    order_id: str
    reason: str


VenueReport = OrderAccepted | OrderFilled | OrderEnded | OrderAmended | OrderUncertain


# -- what follows from reports -------------------------------------------------------------


class OrderChanged(msgspec.Struct, frozen=True, gc=False):
    """An order moved along its state graph."""

    order: Order


class Filled(msgspec.Struct, frozen=True, gc=False):
    """A fill was booked; ``before``/``after`` are the position it touched (None for spot)."""

    fill: Fill
    before: Position | None
    after: Position | None
    exit_reason: ExitReason | None = None


class PositionChanged(msgspec.Struct, frozen=True, gc=False):
    """A position opened, grew, shrank, closed, or its protection moved."""

    position: Position
    what: str
    """``opened``, ``increased``, ``reduced``, ``closed``, ``protected``, ``charged`` or
    ``adjusted``."""
    parent: str
    """The fill, order or command it follows from."""


class Charged(msgspec.Struct, frozen=True, gc=False):
    """A position paid for what it borrows; what trading lacked came out of its collateral."""

    ts: int
    before: Position
    after: Position


class PositionAlarm(msgspec.Struct, frozen=True, gc=False):
    """What the operator must know about a position now."""

    position: Position
    code: str
    text: str


class ExitDue(msgspec.Struct, frozen=True, gc=False):
    """A position is to be closed at market now."""

    position: Position
    reason: ExitReason


ExecutionEvent = OrderChanged | Filled | PositionChanged | Charged | PositionAlarm | ExitDue
