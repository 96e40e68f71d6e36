"""Compares our books with the venue's, and tells, keeps and (on order) adopts what differs.

A look that finds nothing writes nothing, so a run that looked more often, because it was stopped
and started again, is the same run. Nothing is adjusted by itself: an operator adopts a
difference, and that act is a row of the journal with the ledger entry or order change as its
consequence. Until then nothing new is entered on its symbol; closes and protection go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.errors import LedgerError
from tradeterm.execution.positions import resized
from tradeterm.model.commands import AdoptDifference, CommandResult, Reconcile
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import Order, OrderEnded, OrderFilled
from tradeterm.model.reconciling import (
    Difference,
    DifferenceKind,
    DifferenceState,
    VenueOrder,
    VenueSnapshot,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import (
    Evidence,
    Liquidity,
    OrderStatus,
)

RECONCILE_TIMER = "reconcile"
_WORDS = {
    DifferenceKind.ORDER_MISSING: "order {0} works here (open {1}), the venue does not have it",
    DifferenceKind.ORDER_UNKNOWN: "the venue works order {0} (open {2}), which is none of ours",
    DifferenceKind.ORDER_FILLED: "order {0} has {1} filled here, {2} at the venue",
    DifferenceKind.POSITION_SIZE: "position {0} is {1} here, {2} at the venue",
    DifferenceKind.BALANCE: "{0} is {1} here, {2} at the venue",
}


class _Found(NamedTuple):
    kind: DifferenceKind
    subject: str
    symbol: str
    ours: Decimal
    venue: Decimal


class ReconciliationState(msgspec.Struct, frozen=True):
    """What has been found and not settled."""

    open: list[Difference]


class Reconciliation:
    """Looks at start, on a timer and on order."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books
        self._patience = core.settings.execution.reconcile.patience * SECOND
        self.every = core.settings.execution.reconcile.every * SECOND
        """Time between two looks (ns)."""
        self.open: dict[str, Difference] = {}
        """Differences nobody settled, by id, oldest first."""
        self._adopters: dict[DifferenceKind, Callable[[Difference, VenueSnapshot], str]] = {
            DifferenceKind.ORDER_MISSING: self._end_order,
            DifferenceKind.ORDER_UNKNOWN: self._cancel_stranger,
            DifferenceKind.ORDER_FILLED: self._book_missed_fill,
            DifferenceKind.POSITION_SIZE: self._resize,
            DifferenceKind.BALANCE: self._adjust_balance,
        }

    # -- looking -----------------------------------------------------------------------------

    def schedule(self) -> None:
        """The next look on the timer."""
        core = self._core
        core.timers.set(RECONCILE_TIMER, core.now + self.every)

    def timer(self) -> None:
        """A look is due."""
        if not self.agrees():
            self.look("")
        self.schedule()

    def look(self, parent: str) -> int:
        """Compare now; how many differences stand. New ones are journaled and alarmed."""
        there = self._books.execution.venue_snapshot()
        found = {(each.kind, each.subject): each for each in self._compare(there)}
        self._find_again({each.subject for each in found.values()})
        for known in list(self.open.values()):
            seen = found.pop((known.kind, known.subject), None)
            if seen is None:
                self._settle(known, DifferenceState.GONE, "", "a later look found no difference")
            elif (seen.ours, seen.venue) != (known.ours, known.venue):
                self._keep(replace(known, ours=seen.ours, venue=seen.venue), parent)
        for new in found.values():
            difference = Difference(self._core.journal.new_id("diff"), self._core.now, *new)
            self._keep(difference, parent)
            self._core.risk_alert("R-DIFFERENCE", "error", told(difference), difference.id)
        return len(self.open)

    def _find_again(self, differing: Collection[str]) -> None:
        """An order whose fate was unknown, and which the venue has as we have it, is known."""
        books = self._books
        there = {order.id for order in books.execution.venue_snapshot().orders}
        for order in list(books.execution.working.values()):
            if order.unknown and order.id in there and order.id not in differing:
                books.booked([books.execution.found_again(order.id, self._core.now)])

    def agrees(self) -> bool:
        """Whether a look now would find nothing and change nothing."""
        if self.open:
            return False
        execution = self._books.execution
        there = execution.venue_snapshot()
        if self._mirrors(there):
            return True
        doubted = any(order.unknown for order in execution.working.values())
        return not doubted and next(self._compare(there), None) is None

    def _mirrors(self, there: VenueSnapshot) -> bool:
        """Whether the venue's books are plainly ours; False where it takes a closer look."""
        working, positions = self._books.execution.working, self._books.execution.positions
        orders = {each.id: each.filled for each in there.orders}
        if orders.keys() != working.keys() or there.positions.keys() != positions.keys():
            return False
        for name, order in working.items():
            if order.unknown or order.filled != orders[name]:
                return False
        for name, position in positions.items():
            if there.positions[name] != position.size:
                return False
        return there.balances is None

    def blocks(self, symbol: str) -> str:
        """The difference (or unknown order) that keeps new entries off a symbol, if any.

        A position nobody here knows may be on any symbol, so it blocks them all.
        """
        for each in self.open.values():
            anywhere = not each.symbol and each.kind is DifferenceKind.POSITION_SIZE
            if each.symbol == symbol or anywhere:
                return each.id
        for order in self._books.execution.working.values():
            if order.unknown and order.request.symbol == symbol:
                return order.id
        return ""

    def _compare(self, there: VenueSnapshot) -> Iterator[_Found]:
        orders = {order.id: order for order in there.orders}
        yield from self._orders(orders)
        yield from self._positions(there.positions)
        yield from self._balances(there.balances)

    def _orders(self, there: Mapping[str, VenueOrder]) -> Iterator[_Found]:
        execution, kinds = self._books.execution, DifferenceKind
        working = execution.working
        for name, order in working.items():
            known, symbol = there.get(name), order.request.symbol
            if known is None:
                unsent = any(request.id == name for request in execution.unsent())
                if not unsent and not self._on_its_way(order):
                    yield _Found(kinds.ORDER_MISSING, name, symbol, order.remaining, ZERO)
            elif known.filled != order.filled:
                yield _Found(kinds.ORDER_FILLED, name, symbol, order.filled, known.filled)
        for known in there.values():
            if known.id not in working:
                left = known.size - known.filled
                yield _Found(kinds.ORDER_UNKNOWN, known.id, known.symbol, ZERO, left)

    def _on_its_way(self, order: Order) -> bool:
        """A venue cannot know yet what was sent just now."""
        young = self._core.now < order.created + self._patience
        return young and order.status is OrderStatus.PENDING

    def _positions(self, there: Mapping[str, Decimal]) -> Iterator[_Found]:
        ours = self._books.execution.positions
        for position in ours.values():
            size = there.get(position.id, ZERO)
            if size != position.size:
                yield _Found(
                    DifferenceKind.POSITION_SIZE, position.id, position.symbol, position.size, size
                )
        for name, size in there.items():
            if name not in ours and size:
                yield _Found(DifferenceKind.POSITION_SIZE, name, "", ZERO, size)

    def _balances(self, there: Mapping[str, Decimal] | None) -> Iterator[_Found]:
        if there is None:
            return
        ours = self._books.portfolio.owned()
        for asset in dict.fromkeys((*ours, *there)):
            mine, venues = ours.get(asset, ZERO), there.get(asset, ZERO)
            if mine != venues:
                yield _Found(DifferenceKind.BALANCE, asset, "", mine, venues)

    def _keep(self, difference: Difference, parent: str) -> None:
        self.open[difference.id] = difference
        self._core.journal.write("difference", difference.id, parent, difference)

    def _settle(
        self, difference: Difference, state: DifferenceState, by: str, reason: str, parent: str = ""
    ) -> None:
        del self.open[difference.id]
        settled = replace(
            difference, state=state, decided=self._core.now, decided_by=by, reason=reason
        )
        self._core.journal.write("difference", difference.id, parent, settled)

    # -- commands ----------------------------------------------------------------------------

    def reconcile(self, command: Reconcile, command_id: str) -> CommandResult:
        """Look now."""
        del command
        count = self.look(command_id)
        if not count:
            return CommandResult(True, "the venue's books and ours agree")
        listed = "; ".join(f"{each.id}: {told(each)}" for each in self.open.values())
        return CommandResult(True, f"{count} difference(s): {listed}")

    def adopt(self, command: AdoptDifference, command_id: str) -> CommandResult:
        """Take the venue's word, as it is at this moment, on one difference."""
        if not command.reason.strip():
            return CommandResult(False, "say why the venue is right: adopting needs a reason")
        self.look(command_id)
        difference = self.open.get(command.difference_id)
        if difference is None:
            known = ", ".join(self.open) or "none"
            return CommandResult(
                False, f"no open difference {command.difference_id}; open: {known}"
            )
        there = self._books.execution.venue_snapshot()
        refused = self._adopters[difference.kind](difference, there)
        if refused:
            return CommandResult(False, f"{difference.id} cannot be adopted: {refused}")
        if difference.id in self.open:
            self._settle(
                difference, DifferenceState.ADOPTED, command.actor, command.reason, command_id
            )
        return CommandResult(True, f"adopted {difference.id}: {told(difference)}")

    def _end_order(self, difference: Difference, there: VenueSnapshot) -> str:
        """The venue does not work it: it ends here as an error, filled as far as we know."""
        del there
        report = OrderEnded(
            self._core.now, difference.subject, OrderStatus.ERROR,
            f"not at the venue; adopted {difference.id}",
        )  # fmt: skip
        self._books.booked(self._books.execution.adopt_reports([report], self._core.now))
        return ""

    def _cancel_stranger(self, difference: Difference, there: VenueSnapshot) -> str:
        """What nobody here ordered must not fill."""
        del there
        self._books.execution.cancel_stranger(difference.subject, self._core.now)
        return ""

    def _book_missed_fill(self, difference: Difference, there: VenueSnapshot) -> str:
        """The rest of what the venue filled, at the price that makes its average true."""
        order = self._books.execution.order(difference.subject)
        known = next((each for each in there.orders if each.id == difference.subject), None)
        if order is None or known is None or known.filled < order.filled:
            return "what is booked as filled here stays booked"
        if known.average is None:
            return "the venue does not say at what price it filled"
        missed = known.filled - order.filled
        spent = order.filled * (order.average or ZERO)
        price = (known.average * known.filled - spent) / missed
        report = OrderFilled(
            self._core.now, order.id, difference.id,
            self._core.instruments[order.request.symbol].price(price), missed,
            Liquidity.TAKER, Evidence.VENUE_REPORT,
        )  # fmt: skip
        self._books.booked(self._books.execution.adopt_reports([report], self._core.now))
        return ""

    def _resize(self, difference: Difference, there: VenueSnapshot) -> str:
        """The venue's size at our entry: what was gained or lost is a matter of the balances."""
        position = self._books.execution.positions.get(difference.subject)
        if position is None:
            return "its entry price is not known here; close it at the venue"
        books, now = self._books, self._core.now
        after = resized(position, there.positions.get(position.id, ZERO), now)
        try:
            entry = books.portfolio.adjust_position(position, after, difference.id)
        except LedgerError as error:
            return str(error)
        self._core.journal.write("entry", entry.id, difference.id, entry)
        books.booked(books.execution.adopt_position(after, now, difference.id))
        return ""

    def _adjust_balance(self, difference: Difference, there: VenueSnapshot) -> str:
        """The gap comes from (or goes to) ``external``, as an entry of kind ``adjustment``."""
        del there
        gap = difference.venue - difference.ours
        try:
            entry = self._books.portfolio.adjust(
                self._core.now, difference.subject, gap, difference.id
            )
        except LedgerError as error:
            return str(error)
        self._core.journal.write("entry", entry.id, difference.id, entry)
        self._books.marking.mark()
        return ""

    # -- snapshot ----------------------------------------------------------------------------

    def dump(self) -> ReconciliationState:
        """For a snapshot."""
        return ReconciliationState(list(self.open.values()))

    def load(self, state: ReconciliationState) -> None:
        """Continue with what was open."""
        self.open = {each.id: each for each in state.open}


def told(difference: Difference) -> str:
    """A difference in words."""
    words = _WORDS[difference.kind]
    return words.format(difference.subject, plain(difference.ours), plain(difference.venue))
