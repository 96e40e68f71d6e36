"""What a stop does along a run of bars, put down in its place among the marks of that run."""

from __future__ import annotations

from collections.abc import Sequence

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.orders import Position


class Steps:
    """The steps of a following, oldest first, each with the number of its input."""

    def __init__(self, core: Core, books: Books, steps: Sequence[tuple[int, Position]]) -> None:
        self._core = core
        self._books = books
        self._steps = steps
        self._done = 0

    def until(self, number: int) -> None:
        """Put down those up to an input; the clock stands at the last one then."""
        stamp, books = self._core.stamp, self._books
        while self._done < len(self._steps) and self._steps[self._done][0] <= number:
            stamp.input, after = self._steps[self._done]
            stamp.now = after.updated
            books.booked(books.execution.follower.moved(after))
            self._done += 1

    def finish(self) -> None:
        """Put down the rest."""
        if self._steps:
            self.until(self._steps[-1][0])
            last = self._steps[-1][1]
            self._books.execution.follower.arrived(last.symbol, last.updated)
