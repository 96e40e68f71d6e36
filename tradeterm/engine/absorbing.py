"""Takes in exits that were carried out while the journal could not be written.

They are facts: the position was reduced at that price. What the engine remembers is from before,
so the order that did it may be one it never sent; then it sends a close and fills that.
"""

from __future__ import annotations

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.commands import AbsorbExit, CommandResult
from tradeterm.model.health import EmergencyExit
from tradeterm.model.money import plain
from tradeterm.model.orders import Position


class Absorbing:
    """One exit at a time, oldest first."""

    def __init__(self, core: Core, books: Books) -> None:
        self._core = core
        self._books = books

    def absorb(self, command: AbsorbExit, command_id: str) -> CommandResult:
        """Book it as it was; a position that is gone has nothing left to reduce."""
        kept, execution = command.exit, self._books.execution
        position = execution.positions.get(kept.position_id)
        if position is None or position.symbol != kept.symbol:
            return CommandResult(True, f"{kept.position_id} is closed already: nothing to absorb")
        order_id = self._order_for(kept, position, command_id)
        reports = execution.was_filled(order_id, kept.ts, kept.price, kept.size)
        if not reports:
            text = f"the exit of {position.id} kept in emergency.jsonl cannot be booked: "
            text += f"no order {kept.order_id} takes it; its stop stays"
            self._core.risk_alert("E-EMERGENCY", "critical", text, command_id)
            return CommandResult(False, text)
        self._books.booked(execution.adopt_reports(reports, self._core.now))
        text = (
            f"{position.id} {position.symbol}: exit of {plain(kept.size)} at {plain(kept.price)} "
            f"({kept.reason}), carried out while the journal could not be written, is booked"
        )
        self._core.risk_alert("E-EMERGENCY", "warning", text, command_id)
        return CommandResult(True, text)

    def _order_for(self, kept: EmergencyExit, position: Position, parent: str) -> str:
        """The working order that did it, else a close of its own."""
        execution = self._books.execution
        known = execution.working.get(kept.order_id)
        if known is not None and known.request.position_id == position.id:
            return known.id
        size = min(kept.size, position.size)
        return self._books.reduce(position, size, kept.reason, parent).id
