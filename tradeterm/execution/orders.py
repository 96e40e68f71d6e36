"""Every order's life: a declared graph of states, driven by what the venue reports.

Reports may come late, twice or out of order. What the venue *did* (fills) wins over what it
*said* (accepted, ended), so any permutation of one order's reports ends in the same state.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from tradeterm.errors import InvalidOrder
from tradeterm.model.messages import SystemEvent
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import (
    ApprovedOrder,
    Order,
    OrderAccepted,
    OrderAmended,
    OrderChanged,
    OrderEnded,
    OrderFilled,
    OrderUncertain,
    VenueReport,
)
from tradeterm.model.vocabulary import OrderStatus, Purpose

_S = OrderStatus
_ENDS = frozenset({_S.CANCELLED, _S.EXPIRED, _S.REJECTED, _S.ERROR})
#: From where to where an order may go. A late fill may complete an order that was said to have
#: ended; nothing else leaves a terminal state.
GRAPH: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    _S.PENDING: frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED}) | _ENDS,
    _S.OPEN: frozenset({_S.PARTIALLY_FILLED, _S.FILLED}) | _ENDS,
    _S.PARTIALLY_FILLED: frozenset({_S.FILLED}) | _ENDS,
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.REJECTED: frozenset({_S.FILLED}),
    _S.ERROR: frozenset({_S.FILLED}),
}
#: Finished orders kept in memory; all of them are in the store.
KEPT: Final = 1000
#: Average prices carry this many decimals: finer than any tick, and 28 digits suffice.
AVERAGE_STEP: Final = Decimal("1E-16")


def moved(order: Order, status: OrderStatus, now: int, reason: str = "") -> Order:
    """The order in its next state; InvalidOrder when the graph has no such edge."""
    _check_move(order, status)
    return replace(order, status=status, updated=now, reason=reason or order.reason, unknown="")


def _check_move(order: Order, status: OrderStatus) -> None:
    if status is not order.status and status not in GRAPH[order.status]:
        raise InvalidOrder(f"order {order.id} cannot go from {order.status} to {status}")


class Track(msgspec.Struct):
    """An order with what is needed to judge the next report about it."""

    order: Order
    cost: Decimal = ZERO
    """Sum of fill size × price, in quote currency."""
    trades: list[str] = msgspec.field(default_factory=list)
    """Venue trade ids already booked."""
    cancel_reason: str = ""
    asked: ApprovedOrder | None = None
    """Other terms on their way to the venue."""


class OrdersState(msgspec.Struct, frozen=True):
    """Orders, written down."""

    working: list[Track]
    finished: list[Track]
    duplicates: int


class Orders:
    """All orders: the working ones and the last finished ones."""

    def __init__(self) -> None:
        self.working: dict[str, Order] = {}
        self._asking: dict[str, Decimal | None] = {}
        """Working order → the limit of the terms on their way."""
        self.duplicates = 0
        self.notices: list[SystemEvent] = []
        self._tracks: dict[str, Track] = {}
        self._finished: dict[str, Track] = {}

    @property
    def recent(self) -> list[Order]:
        """Finished orders still in memory, oldest first."""
        return [track.order for track in self._finished.values()]

    def get(self, order_id: str) -> Order | None:
        """A working or recently finished order."""
        track = self._track(order_id)
        return None if track is None else track.order

    def open(self, approved: ApprovedOrder, now: int) -> OrderChanged:
        """Register an order about to be sent."""
        request = approved.request
        if self._track(request.id) is not None:
            raise InvalidOrder(f"order id {request.id} was used before; ids are unique")
        order = Order(request, approved.verdict_id, OrderStatus.PENDING, now, now)
        self._tracks[request.id] = Track(order)
        self.working[request.id] = order
        return OrderChanged(order)

    def amend(self, approved: ApprovedOrder, now: int) -> OrderChanged:
        """A working order with other terms (size, trigger), under a new permission."""
        request = approved.request
        track = self._tracks.get(request.id)
        if track is None:
            raise InvalidOrder(f"order {request.id} is not working; it cannot be amended")
        if request.size <= track.order.filled:
            raise InvalidOrder(f"order {request.id} has filled more than {plain(request.size)}")
        track.order = replace(
            track.order, request=request, verdict_id=approved.verdict_id, updated=now
        )
        self.working[request.id] = track.order
        return OrderChanged(track.order)

    def ask(self, approved: ApprovedOrder) -> None:
        """Remember the terms that are sent; they are the order's when the venue took them."""
        request = approved.request
        track = self._tracks.get(request.id)
        if track is None:
            raise InvalidOrder(f"order {request.id} is not working; it cannot be amended")
        if track.asked is not None:
            raise InvalidOrder(f"order {request.id} is already being amended; wait for that")
        if request.revision != track.order.request.revision + 1:
            raise InvalidOrder(f"order {request.id}: revision {request.revision} is not the next")
        if request.size <= track.order.filled:
            raise InvalidOrder(f"order {request.id} has filled more than {plain(request.size)}")
        track.asked = approved
        self._asking[request.id] = request.limit

    def committed(self) -> Mapping[str, Order]:
        """Working orders as dear as they may become: an amendment under way may raise a limit."""
        if not self._asking:
            return self.working
        working = dict(self.working)
        for order_id, limit in self._asking.items():
            if order_id in working:
                working[order_id] = _dearer(working[order_id], limit)
        return working

    def asked(self, order_id: str) -> bool:
        """Whether other terms for an order are on their way."""
        track = self._tracks.get(order_id)
        return track is not None and track.asked is not None

    def note_cancel(self, order_id: str, reason: str) -> None:
        """Remember why a cancel was sent; it becomes the order's reason if it succeeds."""
        self._tracks[order_id].cancel_reason = reason

    def cancelling(self, order_id: str) -> bool:
        """Whether a cancel is under way."""
        track = self._tracks.get(order_id)
        return track is not None and bool(track.cancel_reason)

    def exits(self, position_id: str) -> list[Order]:
        """Working close orders of a position for which no cancel is under way."""
        return [
            order for order in self.working.values()
            if order.request.purpose is Purpose.EXIT and order.request.position_id == position_id
            and not self.cancelling(order.id)
        ]  # fmt: skip

    def apply(self, report: VenueReport) -> tuple[Order | None, bool]:
        """Take a report in: the order if it changed, and whether a fill is to be booked."""
        track = self._track(report.order_id)
        if track is None:
            self._alarm("order_unknown", f"venue reports on order {report.order_id}, not ours")
            return None, False
        if isinstance(report, OrderFilled):
            return self._fill(track, report)
        if isinstance(report, OrderAccepted):
            if track.order.status is not OrderStatus.PENDING:
                return None, False
            return self._keep(track, moved(track.order, OrderStatus.OPEN, report.ts)), False
        if isinstance(report, OrderAmended):
            return self._amended(track, report), False
        if isinstance(report, OrderUncertain):
            return self._uncertain(track, report), False
        return self._end(track, report), False

    def _amended(self, track: Track, report: OrderAmended) -> Order | None:
        """The terms asked for came into force; whatever was reported before or after stays."""
        asked = track.asked
        if asked is None or asked.request.revision != report.revision:
            return None
        track.asked = None
        self._asking.pop(report.order_id, None)
        order = track.order
        if report.reason:
            text = f"order {order.id} keeps its terms: {report.reason}"
            self.notices.append(SystemEvent("amend_refused", "warning", text))
            return None
        request = replace(asked.request, size=report.size, limit=report.limit)
        after = replace(order, request=request, verdict_id=asked.verdict_id, updated=report.ts)
        if order.filled == request.size:
            after = moved(after, OrderStatus.FILLED, report.ts)
        return self._keep(track, after)

    def _uncertain(self, track: Track, report: OrderUncertain) -> Order | None:
        """Only an order of which nothing was heard can be unknown; it stays pending and counts."""
        if track.order.status is not OrderStatus.PENDING:
            return None
        text = f"order {track.order.id} is unknown at the venue: {report.reason}"
        self.notices.append(SystemEvent("order_uncertain", "critical", text))
        return self._keep(track, replace(track.order, unknown=report.reason, updated=report.ts))

    def doubt(self, order_id: str, reason: str, now: int) -> OrderChanged:
        """Whether a working order still works is unknown; with an empty reason, known again."""
        track = self._tracks[order_id]
        return OrderChanged(self._keep(track, replace(track.order, unknown=reason, updated=now)))

    def _fill(self, track: Track, report: OrderFilled) -> tuple[Order | None, bool]:
        order = track.order
        if report.trade_id in track.trades:
            self.duplicates += 1
            return None, False
        if report.size <= 0 or report.size > order.remaining:
            self._alarm(
                "order_overfilled",
                f"fill {report.trade_id} of {plain(report.size)} does not fit order {order.id} "
                f"({plain(order.remaining)} open); not booked",
            )
            return None, False
        if order.status.is_terminal:
            self._alarm("fill_late", f"order {order.id} filled after it was {order.status}")
        track.trades.append(report.trade_id)
        track.cost += report.size * report.price
        filled = order.filled + report.size
        status = _after_fill(order, filled)
        _check_move(order, status)
        after = replace(
            order, status=status, updated=report.ts, unknown="", filled=filled,
            average=(track.cost / filled).quantize(AVERAGE_STEP),
        )  # fmt: skip
        return self._keep(track, after), True

    def _end(self, track: Track, report: OrderEnded) -> Order | None:
        if track.order.status.is_terminal:
            return None
        reason = report.reason
        if report.status is OrderStatus.CANCELLED and track.cancel_reason:
            reason = track.cancel_reason
        return self._keep(track, moved(track.order, report.status, report.ts, reason))

    def _keep(self, track: Track, order: Order) -> Order:
        track.order, order_id = order, order.request.id
        if not order.status.is_terminal:
            self.working[order_id] = order
            return order
        self.working.pop(order_id, None)
        self._asking.pop(order_id, None)
        self._tracks.pop(order_id, None)
        self._finished[order_id] = track
        if len(self._finished) > KEPT:
            del self._finished[next(iter(self._finished))]
        return order

    def _track(self, order_id: str) -> Track | None:
        return self._tracks.get(order_id) or self._finished.get(order_id)

    def _alarm(self, code: str, text: str) -> None:
        self.notices.append(SystemEvent(code, "critical", text))

    def dump(self) -> OrdersState:
        """Everything that can change a later answer. Notices are taken before a snapshot."""
        return OrdersState(
            working=[_copy(track) for track in self._tracks.values()],
            finished=[_copy(track) for track in self._finished.values()],
            duplicates=self.duplicates,
        )

    def load(self, state: OrdersState) -> None:
        """Become what was dumped."""
        self._tracks = {track.order.id: _copy(track) for track in state.working}
        self._finished = {track.order.id: _copy(track) for track in state.finished}
        self.working = {order_id: track.order for order_id, track in self._tracks.items()}
        self._asking = {
            order_id: track.asked.request.limit
            for order_id, track in self._tracks.items() if track.asked is not None
        }  # fmt: skip
        self.duplicates = state.duplicates
        self.notices = []


def _dearer(order: Order, limit: Decimal | None) -> Order:
    before = order.request.limit
    if limit is None or before is None or limit <= before:
        return order
    return replace(order, request=replace(order.request, limit=limit))


def _after_fill(order: Order, filled: Decimal) -> OrderStatus:
    if filled == order.request.size:
        return OrderStatus.FILLED
    return order.status if order.status.is_terminal else OrderStatus.PARTIALLY_FILLED


def _copy(track: Track) -> Track:
    return Track(track.order, track.cost, list(track.trades), track.cancel_reason, track.asked)
