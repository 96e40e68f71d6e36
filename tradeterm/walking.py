"""A walk: sim or replay goes on at full speed to a moment, and stands at that very moment.

No input of the engine: the same run in steps, in jumps or at any speed has the same hash.
"""

from __future__ import annotations

from tradeterm.engine.engine import Engine
from tradeterm.engine.view import EventView
from tradeterm.model.orders import Order
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import Purpose
from tradeterm.model.walking import Goal

_ALARMS = ("error", "critical")
_WARNINGS = ("warning", *_ALARMS)


class Walk:
    """Where it began, what ends it: its goal, or something the operator must see before."""

    def __init__(self, goal: Goal, engine: Engine, market: int, span: int = MINUTE) -> None:
        """``market``: the time it begins (ns); ``span``: how long a bar is (ns)."""
        self.goal = goal
        self.bound = _bound(goal, market, span)
        """Market time (ns) it does not pass; None: no such time."""
        self._engine = engine
        self._seen = engine.core.events.version
        self._inputs = engine.market_inputs
        self._cards = _waiting(engine)

    def over(self) -> str:
        """Why it ends here; empty while it goes on. Asked between two inputs."""
        engine = self._engine
        if self.goal is Goal.EVENT and engine.market_inputs > self._inputs:
            return "one event on"
        if self.goal is Goal.SETTLED and settled(engine):
            return "settled"
        count = engine.core.events.version - self._seen
        if not count:
            return ""
        self._seen += count
        if (waiting := _waiting(engine)) > self._cards and self.goal is not Goal.SETTLED:
            return "a card waits for you"
        self._cards = waiting
        found = (self._met(event) for event in engine.core.events.lines[-count:])
        return next((told for told in found if told), "")

    def _met(self, event: EventView) -> str:
        goal, severity = self.goal, event.severity
        if goal is Goal.SETTLED:
            return ""
        wanted = (
            (goal is Goal.FILL and event.kind == "FILL")
            or (goal is Goal.CONFLICT and event.kind == "CONF" and severity == "warning")
            or (goal is Goal.WARNING and severity in _WARNINGS)
        )
        if wanted or severity in _ALARMS or event.kind == "STATE":
            return f"{event.kind} {event.text}"
        return ""


def settled(engine: Engine) -> bool:
    """Whether what was ordered before leaving is done: no entry works, a flatten is complete."""
    execution = engine.books.execution
    held = engine.core.flattening and execution.positions
    return not held and not any(_opens(order) for order in execution.working.values())


def _opens(order: Order) -> bool:
    return order.request.purpose is Purpose.ENTRY


def _waiting(engine: Engine) -> int:
    return len(engine.trading.pending_cards())


def _bound(goal: Goal, market: int, span: int) -> int | None:
    if goal is Goal.SECOND:
        return market + SECOND
    return (market // span + 1) * span if goal is Goal.BAR else None
