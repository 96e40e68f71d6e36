"""What waits to be sent: within the venue's rate limits, cancels and closes first.

- Cancels given in one moment leave as one call (up to ``batch`` orders); of an order that has not
  left yet nothing needs to be cancelled. Because part of the calls is kept for them they leave at
  once however many orders wait; only a desk that has spent the reserve as well must wait.
- Closes wait as long as it takes, entries and spot orders at most ``max_wait``; then they are
  rejected, because their price is no longer the one that was judged. While they wait they are
  pending and count against every limit.
- Stops and targets never pass here. They are attached to the entry and held at the venue (on
  Kraken as conditional close and trailing stop): placing, resizing and moving them costs no call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

import msgspec

from tradeterm.execution.budget import Budget, BudgetState, Errand, Room, Touched, open_budget
from tradeterm.execution.latency import NEVER
from tradeterm.model.orders import (
    ApprovedOrder,
    OrderAmended,
    OrderEnded,
    OrderRequest,
    VenueReport,
)
from tradeterm.model.ports import Venue
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import OrderStatus
from tradeterm.settings.execution import RateLimitSettings

NO_BUDGET: Final = "no rate budget"


class Waiting(msgspec.Struct, frozen=True):
    """An order, or other terms for one, that found no room."""

    approved: ApprovedOrder
    what: Errand
    since: int

    @property
    def request(self) -> OrderRequest:
        """What is to be sent."""
        return self.approved.request


class OutboxState(msgspec.Struct, frozen=True):
    """Outbox, written down."""

    cancels: dict[str, Touched]
    urgent: list[Waiting]
    patient: list[Waiting]
    budget: BudgetState
    next_due: int


class Headroom(msgspec.Struct, frozen=True):
    """What may still be sent, and what waits."""

    rooms: list[Room]
    waiting: int


class Outbox:
    """Stands before the venue. ``since`` is when an order was last sent or amended."""

    def __init__(
        self, settings: RateLimitSettings, venue: Venue, since: Callable[[str], Touched]
    ) -> None:
        self._settings = settings
        self._venue = venue
        self._since = since
        self._budget: Budget = open_budget(settings)
        self._cancels: dict[str, Touched] = {}
        self._urgent: dict[str, Waiting] = {}
        self._patient: dict[str, Waiting] = {}
        self.next_due = NEVER
        """When ``advance`` has something to do."""

    # -- in ----------------------------------------------------------------------------------

    def submit(self, approved: ApprovedOrder, now: int) -> None:
        """Send an order, now or when there is room."""
        self._take(Waiting(approved, Errand.ORDER, now), now)

    def amend(self, approved: ApprovedOrder, now: int) -> list[VenueReport]:
        """Send other terms; an order that has not left yet simply leaves with them."""
        request = approved.request
        for lane in (self._urgent, self._patient):
            waiting = lane.get(request.id)
            if waiting is not None:
                lane[request.id] = Waiting(approved, waiting.what, waiting.since)
                return [OrderAmended(
                    now, request.id, request.revision, request.size, request.limit
                )]  # fmt: skip
        self._take(Waiting(approved, Errand.AMEND, now), now)
        return []

    def cancel(self, order_id: str, now: int) -> list[VenueReport]:
        """Have an order cancelled with all others of this moment."""
        for lane in (self._urgent, self._patient):
            waiting = lane.pop(order_id, None)
            if waiting is not None and waiting.what is Errand.ORDER:
                self._plan(now)
                return [OrderEnded(now, order_id, OrderStatus.CANCELLED, "cancelled")]
        self._cancels[order_id] = self._since(order_id)
        self.next_due = now
        return []

    def withdraw(self, position_id: str, now: int) -> list[VenueReport]:
        """What waits for a position that is gone never leaves."""
        gone = [one for one in self._urgent.values() if one.request.position_id == position_id]
        for waiting in gone:
            del self._urgent[waiting.request.id]
        self._plan(now)
        return [
            OrderEnded(now, waiting.request.id, OrderStatus.CANCELLED, "position closed")
            for waiting in gone
            if waiting.what is Errand.ORDER
        ]

    def _take(self, waiting: Waiting, now: int) -> None:
        lane = self._urgent if waiting.request.reduce_only else self._patient
        lane[waiting.request.id] = waiting
        if self.next_due > now:
            self._send_orders(now)
        self._plan(now)

    # -- out ---------------------------------------------------------------------------------

    def advance(self, now: int) -> list[VenueReport]:
        """Send what there is room for and give up what has waited too long."""
        if self.next_due > now:
            return []
        self._send_cancels(now)
        reports = self._give_up(now)
        self._send_orders(now)
        self._plan(now)
        return reports

    def _send_cancels(self, now: int) -> None:
        size = self._settings.batch
        while self._cancels and size:
            batch = dict(islice(self._cancels.items(), size))
            about = list(batch.values())
            if self._budget.free_at(Errand.CANCEL, about, now, urgent=True) > now:
                size = len(batch) // 2  # a counter may have room for some of them
                continue
            self._venue.cancel(list(batch), now)
            self._budget.spend(Errand.CANCEL, about, now)
            for order_id in batch:
                del self._cancels[order_id]

    def _send_orders(self, now: int) -> None:
        for lane, urgent in ((self._urgent, True), (self._patient, False)):
            while lane:
                waiting = next(iter(lane.values()))
                about = self._about(waiting, now)
                if self._budget.free_at(waiting.what, about, now, urgent=urgent) > now:
                    break
                del lane[waiting.request.id]
                if waiting.what is Errand.ORDER:
                    self._venue.submit(waiting.approved, now)
                else:
                    self._venue.amend(waiting.approved, now)
                self._budget.spend(waiting.what, about, now)

    def _about(self, waiting: Waiting, now: int) -> list[Touched]:
        if waiting.what is Errand.ORDER:
            return [Touched(waiting.request.symbol, now)]
        return [self._since(waiting.request.id)]

    def _give_up(self, now: int) -> list[VenueReport]:
        reports: list[VenueReport] = []
        patience = self._settings.max_wait * SECOND
        for order_id, waiting in list(self._patient.items()):
            if waiting.since + patience > now:
                break  # they stand in order of their coming
            del self._patient[order_id]
            reports.append(_given_up(waiting, now))
        return reports

    def _plan(self, now: int) -> None:
        """Find when something can leave or is given up."""
        due = NEVER
        if self._cancels:
            about = list(islice(self._cancels.values(), 1))
            due = self._budget.free_at(Errand.CANCEL, about, now, urgent=True)
        for lane, urgent in ((self._urgent, True), (self._patient, False)):
            if not lane:
                continue
            first = next(iter(lane.values()))
            about = self._about(first, now)
            due = min(due, self._budget.free_at(first.what, about, now, urgent=urgent))
            if not urgent:
                due = min(due, first.since + self._settings.max_wait * SECOND)
        self.next_due = due

    # -- looking -----------------------------------------------------------------------------

    def headroom(self, now: int) -> Headroom:
        """What may still be sent, and how many orders wait."""
        return Headroom(self._budget.rooms(now), len(self._urgent) + len(self._patient))

    def unsent(self) -> list[OrderRequest]:
        """Orders that have not left: closes, then the others, oldest first."""
        waiting = (*self._urgent.values(), *self._patient.values())
        return [one.request for one in waiting if one.what is Errand.ORDER]

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> OutboxState:
        """Everything that can change what leaves when."""
        return OutboxState(
            dict(self._cancels), list(self._urgent.values()), list(self._patient.values()),
            self._budget.dump(), self.next_due,
        )  # fmt: skip

    def load(self, state: OutboxState) -> None:
        """Become what was dumped."""
        self._cancels = dict(state.cancels)
        self._urgent = {waiting.request.id: waiting for waiting in state.urgent}
        self._patient = {waiting.request.id: waiting for waiting in state.patient}
        self._budget.load(state.budget)
        self.next_due = state.next_due


def _given_up(waiting: Waiting, now: int) -> VenueReport:
    request = waiting.request
    if waiting.what is Errand.ORDER:
        return OrderEnded(now, request.id, OrderStatus.REJECTED, NO_BUDGET)
    return OrderAmended(
        now, request.id, request.revision, request.size, request.limit, NO_BUDGET
    )  # fmt: skip


__all__ = ["NO_BUDGET", "Headroom", "Outbox", "OutboxState"]
