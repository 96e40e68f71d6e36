"""The only place in the house where an approved order is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from msgspec.structs import replace

from tradeterm.errors import InvalidOrder
from tradeterm.model.orders import ApprovedOrder, Order, OrderRequest, Position
from tradeterm.model.proposals import TradeIntent, Verdict
from tradeterm.model.vocabulary import AccountBook, OrderType, Purpose

_SPOT = frozenset({Purpose.REBALANCE, Purpose.DCA, Purpose.HODL})
_REDUCING = frozenset({Purpose.EXIT, Purpose.STOP, Purpose.TARGET})
_ENTRY_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})


def approve(
    verdict: Verdict,
    request: OrderRequest,
    now: int,
    state: str,
    hashed: Callable[[TradeIntent], str] = TradeIntent.content_hash,
) -> ApprovedOrder:
    """The request, if it is what the verdict allows, to the last digit.

    ``hashed`` may know the hash of this very intent already: a verdict is sent as soon as given.
    """
    intent = verdict.intent
    if not verdict.allows or intent is None:
        raise InvalidOrder(
            f"{request.id}: verdict {verdict.id} is {verdict.status}; nothing may be sent"
        )
    if verdict.content_hash != hashed(intent):
        raise InvalidOrder(f"{request.id}: verdict {verdict.id} was altered after it was given")
    if (verdict.ts, verdict.state) != (now, state):
        raise InvalidOrder(
            f"{request.id}: verdict {verdict.id} of {verdict.ts} is of state {verdict.state}, not "
            f"{state} at {now}; evaluate again before sending"
        )
    if request.parent != verdict.id:
        raise InvalidOrder(f"{request.id}: parent {request.parent!r} is not verdict {verdict.id}")
    for field, wanted, got in _differences(intent, request):
        if wanted != got:
            raise InvalidOrder(
                f"{request.id}: {field} is {got}, verdict {verdict.id} allows {wanted}"
            )
    return ApprovedOrder(request, verdict.id, now)


def _differences(
    intent: TradeIntent, request: OrderRequest
) -> Iterable[tuple[str, object, object]]:
    spot = intent.stop is None  # a margin verdict always has a stop, a spot one never
    yield "symbol", intent.symbol, request.symbol
    yield "side", intent.side.entry, request.side
    yield "size", intent.size, request.size
    yield "stop", intent.stop, request.stop
    yield "target", intent.target, request.target
    yield "leverage", intent.leverage, request.leverage
    yield "book", AccountBook.SPOT if spot else AccountBook.MARGIN, request.book
    yield "reduce_only", False, request.reduce_only
    yield "trigger", None, request.trigger
    if spot:
        yield "position", None, request.position_id
        yield "purpose is rebalance, dca or hodl", True, request.purpose in _SPOT
    else:
        yield "purpose", Purpose.ENTRY, request.purpose
    yield "type is market or limit", True, request.type in _ENTRY_TYPES
    expected = intent.entry if request.type is OrderType.LIMIT else None
    yield "limit", expected, request.limit


def amend(
    order: Order, request: OrderRequest, verdict: Verdict | None, now: int, state: str
) -> ApprovedOrder:
    """Other terms for a working order: smaller by itself, at another price only as judged.

    An order that reduces a position may stand at any price: it cannot add risk.
    """
    before = order.request
    fixed = replace(
        request, size=before.size, limit=before.limit, revision=request.revision - 1,
        parent=before.parent,
    )  # fmt: skip
    if fixed != before:
        raise InvalidOrder(f"{request.id}: an amendment changes size and limit, nothing else")
    size = request.size
    if not (size.is_finite() and order.filled < size <= order.request.size):
        raise InvalidOrder(
            f"{request.id}: size {size} is not between the {order.filled} that filled and "
            f"{order.request.size}; more is a new order"
        )
    if request.reduce_only or request.limit == order.request.limit:
        return ApprovedOrder(request, order.verdict_id, now)
    if verdict is None:
        raise InvalidOrder(f"{request.id}: another price needs a verdict")
    rest = replace(request, size=request.size - order.filled, parent=verdict.id)
    return ApprovedOrder(request, approve(verdict, rest, now, state).verdict_id, now)


def reduce(
    request: OrderRequest, positions: Iterable[Position], now: int, verdict_id: str
) -> ApprovedOrder:
    """The request, if all it can do is make an open position smaller."""
    _check_reducing(request)
    position = next((p for p in positions if p.id == request.position_id), None)
    if position is None:
        raise InvalidOrder(f"{request.id}: {request.position_id} is not an open position")
    if request.symbol != position.symbol or request.side is not position.side.exit:
        raise InvalidOrder(
            f"{request.id}: {request.side} {request.symbol} does not reduce {position.id} "
            f"({position.side} {position.symbol})"
        )
    if not request.size <= position.size:
        raise InvalidOrder(
            f"{request.id}: size {request.size} exceeds {position.id}, which holds {position.size}"
        )
    return ApprovedOrder(request, verdict_id or request.parent, now)


def protect(request: OrderRequest, verdict_id: str, now: int) -> ApprovedOrder:
    """A stop or target attached to fills in the step that booked them."""
    _check_reducing(request)
    if request.purpose is Purpose.EXIT:
        raise InvalidOrder(f"{request.id}: an exit is not protection; use reduce")
    price = request.trigger if request.trigger is not None else request.limit
    if not _positive(price):
        raise InvalidOrder(f"{request.id}: {request.purpose} needs a price, not {price}")
    return ApprovedOrder(request, verdict_id, now)


def _check_reducing(request: OrderRequest) -> None:
    if not request.reduce_only or request.position_id is None:
        raise InvalidOrder(f"{request.id}: not a reduce-only order of a position")
    if request.book is not AccountBook.MARGIN:
        raise InvalidOrder(f"{request.id}: reduce-only orders live on the margin book")
    if request.purpose not in _REDUCING:
        raise InvalidOrder(f"{request.id}: {request.purpose} does not reduce")
    if not _positive(request.size):
        raise InvalidOrder(f"{request.id}: size {request.size} is not positive")


def _positive(value: Decimal | None) -> bool:
    return value is not None and value.is_finite() and value > 0
