"""Protection: a stop, and a target where there is one, at the venue for every open position.

Its size is what is open and its level the one the position states; both follow in the very step
in which the position changed. One fills, the other goes with the position (OCO).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tradeterm.execution.brackets import Bracket
from tradeterm.execution.orders import Orders
from tradeterm.execution.paper import PaperExchange
from tradeterm.execution.requests import Requests
from tradeterm.model.orders import (
    ApprovedOrder,
    ExecutionEvent,
    Order,
    OrderChanged,
    OrderRequest,
    Position,
    VenueReport,
)
from tradeterm.model.vocabulary import Purpose

#: Turns a protective request into an approved one: (request, verdict id, now). Risk's.
Protect = Callable[[OrderRequest, str, int], ApprovedOrder]
#: Verdict id, stop order, target order.
BracketState = tuple[str, str | None, str | None]


class Protection:
    """Keeps the protective orders of positions what the positions say."""

    def __init__(
        self,
        orders: Orders,
        venue: PaperExchange,
        requests: Requests,
        ids: Callable[[str], str],
        protect: Protect,
    ) -> None:
        self._orders = orders
        self._venue = venue
        self._requests = requests
        self._ids = ids
        self._protect = protect
        self._brackets: dict[str, Bracket] = {}

    def attach(self, position_id: str, verdict_id: str) -> None:
        """A position opened; its protection comes under the verdict that allowed it."""
        self._brackets[position_id] = Bracket(verdict_id)

    def of(self, position_id: str) -> tuple[Order | None, Order | None]:
        """The working stop and target of a position."""
        bracket = self._brackets.get(position_id)
        if bracket is None:
            return None, None
        working = self._orders.working
        return working.get(bracket.stop or ""), working.get(bracket.target or "")

    def release(self, position_id: str, now: int) -> None:
        """The position is gone, and its protection with it."""
        bracket = self._brackets.pop(position_id, None)
        if bracket is not None:
            self._remove(bracket.stop, now)
            self._remove(bracket.target, now)

    def fit(self, position: Position, now: int, events: list[ExecutionEvent]) -> None:
        """Make stop and target what the position says: placed, amended or taken away."""
        bracket = self._brackets[position.id]
        bracket.stop = self._fitted(position, bracket.stop, Purpose.STOP, bracket, now, events)
        if position.target is None:
            self._remove(bracket.target, now)
            bracket.target = None
        else:
            bracket.target = self._fitted(
                position, bracket.target, Purpose.TARGET, bracket, now, events
            )

    def follow(self, stop: Order, position: Position) -> tuple[OrderChanged, ApprovedOrder]:
        """A waiting stop moved with the price; the venue need only hear of its last move."""
        request = self._requests.moved(stop.request, position)
        approved = self._protect(request, stop.verdict_id, position.updated)
        return self._orders.amend(approved, position.updated), approved

    def fire(self, position: Position, now: int) -> list[VenueReport]:
        """Set the stop of a position off, wherever the price is."""
        stop, _ = self.of(position.id)
        return [] if stop is None else self._venue.fire(stop.id, now)

    def _remove(self, order_id: str | None, now: int) -> None:
        if order_id is not None and order_id in self._orders.working:
            self._venue.cancel((order_id,), now)

    def _fitted(
        self, position: Position, order_id: str | None, purpose: Purpose, bracket: Bracket,
        now: int, events: list[ExecutionEvent],
    ) -> str:  # fmt: skip
        order = self._orders.working.get(order_id or "")
        if order is None:
            new_id = self._ids("PAPER")
            request = self._requests.protective(position, purpose, new_id)
            approved = self._protect(request, bracket.verdict_id, now)
            events.append(self._orders.open(approved, now))
            self._venue.submit(approved, now)
            return new_id
        request = self._requests.fitted(order.request, position, order.filled)
        if request is not order.request:
            approved = self._protect(request, bracket.verdict_id, now)
            events.append(self._orders.amend(approved, now))
            self._venue.amend(approved, now)
        return order.id

    # -- state -----------------------------------------------------------------------------

    def dump(self) -> dict[str, BracketState]:
        """Which orders protect which position."""
        return {
            position_id: (bracket.verdict_id, bracket.stop, bracket.target)
            for position_id, bracket in self._brackets.items()
        }

    def load(self, state: Mapping[str, BracketState]) -> None:
        """Become what was dumped."""
        self._brackets = {position_id: Bracket(*parts) for position_id, parts in state.items()}
