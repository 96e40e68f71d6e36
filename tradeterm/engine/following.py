"""What happens along a run of bars beside the bars: marks, and steps of the stops that follow."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.timers import NEVER
from tradeterm.model.orders import ExecutionEvent, Position


class Meanwhile:
    """Foreseen when the run began, put down in its place: by the number of its input."""

    def __init__(
        self, core: Core, books: Books, marks: Sequence[tuple[int, Decimal]], first: int,
        steps: Sequence[tuple[int, Position]],
    ) -> None:  # fmt: skip
        """``marks`` (time, equity): one an input, from ``first`` on; ``steps`` with their inputs."""
        self._core = core
        self._books = books
        self._marks = marks
        self._first = first
        self._noted = 0
        self._steps = steps
        self._done = 0
        self.due = self._next()
        """The input at which there is something to put down."""

    def _next(self) -> int:
        """Of the next step, or of the mark that fills a row."""
        step = self._steps[self._done][0] if self._done < len(self._steps) else NEVER
        room = self._books.marking.room
        filled = len(self._marks) - self._noted >= room
        return min(step, self._first + self._noted + room - 1) if filled else step

    def until(self, number: int) -> None:
        """Put down what is due up to an input; the clock stands at the last of it then."""
        count = min(len(self._marks), number - self._first + 1)
        if count - self._noted >= self._books.marking.room:
            self._note(count)
        self._step(number)
        self.due = self._next()

    def finish(self) -> None:
        """Put down the rest."""
        if self._noted < len(self._marks):
            self._note(len(self._marks))
        if self._steps:
            self._step(self._steps[-1][0])
            last = self._steps[-1][1]
            self._books.execution.follower.arrived(last.symbol, last.updated)

    def _note(self, count: int) -> None:
        """Note the first ``count`` marks, and before a row of them whatever comes before it."""
        marks = self._marks[self._noted : count]
        self._core.stamp.input = self._first + self._noted
        self._noted = count
        self._books.marking.run(marks, self._step)

    def _step(self, number: int) -> None:
        """Let the stops do their steps up to an input."""
        stamp, books, steps = self._core.stamp, self._books, self._steps
        while self._done < len(steps) and (bar := steps[self._done][0]) <= number:
            stamp.input, stamp.now = bar, steps[self._done][1].updated
            events: list[ExecutionEvent] = []
            while self._done < len(steps) and steps[self._done][0] == bar:
                events += books.execution.follower.moved(steps[self._done][1])
                self._done += 1
            books.booked(events)
