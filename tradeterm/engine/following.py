"""What stops do along a run of bars, put down in its place among the marks of that run."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.timers import NEVER
from tradeterm.model.orders import ExecutionEvent, Position


class Steps:
    """The steps of a following, oldest first, each with the number of its input."""

    def __init__(self, core: Core, books: Books, steps: Sequence[tuple[int, Position]]) -> None:
        self._core = core
        self._books = books
        self._steps = steps
        self._done = 0
        self.due = steps[0][0] if steps else NEVER
        """The input at which the next one is due."""

    def until(self, number: int) -> None:
        """Put down those up to an input; the clock stands at the last one then."""
        stamp, books, steps = self._core.stamp, self._books, self._steps
        while self._done < len(steps) and (bar := steps[self._done][0]) <= number:
            stamp.input, stamp.now = bar, steps[self._done][1].updated
            events: list[ExecutionEvent] = []
            while self._done < len(steps) and steps[self._done][0] == bar:
                events += books.execution.follower.moved(steps[self._done][1])
                self._done += 1
            books.booked(events)
        self.due = steps[self._done][0] if self._done < len(steps) else NEVER

    def finish(self) -> None:
        """Put down the rest."""
        if self._steps:
            self.until(self._steps[-1][0])
            last = self._steps[-1][1]
            self._books.execution.follower.arrived(last.symbol, last.updated)
