"""Timers of market time: they run at their due time, in (due, id) order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable

import msgspec

from tradeterm.model.vocabulary import AgentName

NEVER = 2**63 - 1


class TimersState(msgspec.Struct):
    """Id → due time (ns)."""

    due: dict[str, int]


class Timers:
    """A queue of named timers; setting a name again moves it."""

    def __init__(self) -> None:
        """Empty."""
        self.next_due = NEVER
        """The earliest due time."""
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, name: str, due: int) -> None:
        """Run ``name`` at ``due``."""
        moved = self._due.get(name)
        self._due[name] = due
        heapq.heappush(self._heap, (due, name))
        if due < self.next_due:
            self.next_due = due
        elif moved == self.next_due:
            self._look()

    def cancel(self, name: str) -> None:
        """Forget ``name``; unknown names are fine."""
        if self._due.pop(name, None) == self.next_due:
            self._look()

    def move(self, moved: Iterable[tuple[str, int]]) -> None:
        """Timers that ran in this order and are due again."""
        for name, due in moved:
            self._due.pop(name, None)
            self._due[name] = due
            heapq.heappush(self._heap, (due, name))
        self._look()

    def due(self, name: str) -> int | None:
        """When ``name`` runs next."""
        return self._due.get(name)

    def names(self) -> list[str]:
        """What is set, in the order it was."""
        return list(self._due)

    def _look(self) -> None:
        """Find the earliest after the one that was it went."""
        heap, due = self._heap, self._due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)  # moved or cancelled
        self.next_due = heap[0][0] if heap else NEVER

    def earliest_but(self, names: Collection[str]) -> tuple[int, str]:
        """The earliest of all others, by (due, name), or (NEVER, "")."""
        earliest, which = NEVER, ""
        for name, due in self._due.items():
            if due <= earliest and name not in names and (due < earliest or name < which):
                earliest, which = due, name
        return earliest, which

    def pop(self) -> str:
        """Take the earliest timer off the queue."""
        assert self.next_due != NEVER
        _, name = heapq.heappop(self._heap)
        del self._due[name]
        self._look()
        return name

    def dump(self) -> TimersState:
        """For a snapshot."""
        return TimersState(dict(self._due))

    def load(self, state: TimersState) -> None:
        """Continue as the dumped timers would."""
        self._due = dict(state.due)
        self._heap = sorted((due, name) for name, due in self._due.items())
        self._look()


#: Dependency order; also the order of tasks that fall due together.
_ORDER = {name: number for number, name in enumerate(AgentName, start=1)}


def task_timer(name: AgentName) -> str:
    """The timer that runs a scheduled agent."""
    return f"task:{_ORDER[name]}:{name.value}"
