"""What the venue reports becomes events: orders change, fills are booked, protection follows.

Of an order's states only those are told in which somebody could have seen it: one that the venue
took in the step that placed it was never pending, one that filled or ended on arrival was open for
no time at all. Its state machine passes through them all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradeterm.execution.fills import FillBook
from tradeterm.execution.guards import Guards
from tradeterm.execution.orders import Orders
from tradeterm.execution.outbox import Outbox
from tradeterm.execution.paper import PROTECTIVE, PaperExchange
from tradeterm.execution.protection import Protection
from tradeterm.model.messages import SystemEvent
from tradeterm.model.money import plain
from tradeterm.model.orders import (
    ExecutionEvent,
    ExitDue,
    Order,
    OrderAccepted,
    OrderChanged,
    OrderFilled,
    Position,
    VenueReport,
)
from tradeterm.model.vocabulary import ExitReason, OrderStatus

#: Times protection is placed within one step before the venue is believed not to want it.
ATTEMPTS: Final = 20


class Digest:
    """Takes reports in until nothing more follows from them."""

    def __init__(
        self, orders: Orders, positions: Mapping[str, Position], fills: FillBook, venue: PaperExchange,
        outbox: Outbox, protection: Protection, guards: Guards,
    ) -> None:  # fmt: skip
        self._orders = orders
        self._positions = positions
        self._fills = fills
        self._venue = venue
        self._outbox = outbox
        self._protection = protection
        self._guards = guards

    def take(self, reports: list[VenueReport], now: int) -> list[ExecutionEvent]:
        """Everything that follows from reports, in causal order."""
        events: list[ExecutionEvent] = []
        attempts = 0
        while reports:
            touched: dict[str, str] = {}
            opened: Order | None = None
            for report in reports:
                opened = self._apply(report, events, touched, opened)
            attempts += 1
            if touched and attempts > ATTEMPTS:  # or this step would never end
                self._give_up(touched, events)
                break
            self.settle(touched, now, events)
            # Protection works at once: take in the venue's answers in the same step.
            reports = self._venue.advance(now) if touched else []
        return events

    def _give_up(self, touched: Mapping[str, str], events: list[ExecutionEvent]) -> None:
        self._orders.notices.append(SystemEvent(
            "protection_refused", "critical",
            f"{', '.join(touched)}: the venue ends stop or target as soon as it is placed; "
            "without protection it is closed at market",
        ))  # fmt: skip
        bare = [self._positions[name] for name in touched if name in self._positions]
        events += [ExitDue(position, ExitReason.STOP) for position in bare]

    def settle(self, changed: Mapping[str, str], now: int, events: list[ExecutionEvent]) -> None:
        """Protection and guards of positions (id → symbol) that changed are what they now say."""
        for position_id in changed:
            position = self._positions.get(position_id)
            if position is None:
                self._protection.release(position_id, now)
                for report in self._outbox.withdraw(position_id, now):
                    self._apply(report, events, {})
            else:
                self._protection.fit(position, now, events)
        if changed:
            self._guards.follow(changed)

    def _apply(
        self, report: VenueReport, events: list[ExecutionEvent], touched: dict[str, str],
        opened: Order | None = None,
    ) -> Order | None:  # fmt: skip
        """Take a report in, after one that ``opened`` an order; the order that this one opens."""
        order, fill_it = self._orders.apply(report)
        if order is None:
            return None
        if opened is not None and opened.id == order.id and opened.created < opened.updated:
            events.pop()  # it was open for no time at all
        request = order.request
        if isinstance(report, OrderAccepted):
            _tell_open(order, events)
            return order
        if fill_it and isinstance(report, OrderFilled):
            self._book(order, report, events)
        else:
            events.append(OrderChanged(order))
        lost = request.purpose in PROTECTIVE and not order.working
        if (fill_it or lost) and request.position_id is not None:
            touched[request.position_id] = request.symbol
        return None

    def _book(self, order: Order, report: OrderFilled, events: list[ExecutionEvent]) -> None:
        request = order.request
        before = self._positions.get(request.position_id or "")
        if request.reduce_only and (before is None or report.size > before.size):
            self._orders.notices.append(SystemEvent(
                "fill_unfitting", "critical",
                f"fill {report.trade_id} of {plain(report.size)} {request.symbol} reduces more "
                f"than {request.position_id} holds; not booked",
            ))  # fmt: skip
            events.append(OrderChanged(order))
            return
        booked = self._fills.book(order, report)
        if before is None and request.position_id is not None:
            self._protection.attach(request.position_id, order.verdict_id)
        events += booked


def _tell_open(order: Order, events: list[ExecutionEvent]) -> None:
    """In place of the pending order, where this very step placed it."""
    for at in range(len(events) - 1, -1, -1):
        event = events[at]
        if not isinstance(event, OrderChanged):
            break
        if event.order.id == order.id and event.order.status is OrderStatus.PENDING:
            events[at] = OrderChanged(order)
            return
    events.append(OrderChanged(order))
