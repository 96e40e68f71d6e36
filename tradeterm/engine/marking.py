"""Equity marks: noted after every fill, each market minute while anything is held, each UTC day.

They go into the journal sixty at a time, and all of a day at its end. What follows from a mark (a
breaker) hears of it when all of it is posted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.engine.core import Core
from tradeterm.execution.execution import Execution
from tradeterm.model.timing import DAY, MINUTE, day_start
from tradeterm.portfolio.portfolio import Portfolio

MARK_TIMER: Final = "mark:minute"
DAY_TIMER: Final = "day"
#: Marks in a full row: an hour of market minutes.
ROW: Final = 60


class MarkingState(msgspec.Struct):
    """For a snapshot."""

    unwritten: list[tuple[int, Decimal]]
    marked: int


class Marking:
    """Notes the equity, and when it does so next."""

    def __init__(self, core: Core, portfolio: Portfolio, execution: Execution) -> None:
        self._core = core
        self._portfolio = portfolio
        self._execution = execution
        self.on_mark: Callable[[], None] = _no_breaker
        """Called after every mark."""
        self._unwritten: list[tuple[int, Decimal]] = []
        """Marks not journaled yet."""
        self._marked = -1
        """Input count at the last mark: nothing can have moved when it is the same."""

    @property
    def fresh(self) -> bool:
        """Whether the equity was noted since the last input."""
        return self._marked == self._core.stamp.input

    @property
    def room(self) -> int:
        """How many marks until there is a full row."""
        return ROW - len(self._unwritten)

    def mark(self) -> None:
        """Note the equity."""
        stamp = self._core.stamp
        now = stamp.now
        equity = self._portfolio.equity(self._execution.positions)
        notable = self._portfolio.marks.note(now, equity)
        self._unwritten.append((now, equity))
        self._marked = stamp.input
        if (notable and now % DAY == 0) or not self.room:
            self.write()
        self._plan()
        self.on_mark()

    def run(self, marks: Sequence[tuple[int, Decimal]], before: Callable[[int], None]) -> None:
        """``mark`` for a run of (time, equity) inside a day, one input apart, nothing to close.

        Moves the clock along to where a row is due; the next mark is the caller's to plan, and
        ``before`` a row at an input comes what he has to write down up to it.
        """
        stamp = self._core.stamp
        self._portfolio.marks.follow(marks)
        self._marked = stamp.input + len(marks) - 1
        first, done = stamp.input, 0
        while done + self.room <= len(marks):
            done, begun = done + self.room, done
            self._unwritten += marks[begun:done]
            before(first + done - 1)
            stamp.now, stamp.input = marks[done - 1][0], first + done - 1
            self.write()
        self._unwritten += marks[done:]

    def minute(self) -> None:
        """A market minute (or bar, when bars are longer) is over."""
        if not self.fresh:
            self.mark()
        else:
            self._plan()

    def _plan(self) -> None:
        """While anything is held there is a mark at the end of each market minute (or bar)."""
        timers = self._core.timers
        if timers.due(MARK_TIMER) is None and (
            self._execution.positions or self._portfolio.holds_assets
        ):
            step = max(MINUTE, self._core.market.bar_interval)
            timers.set(MARK_TIMER, (self._core.now // step + 1) * step)

    def day(self) -> None:
        """00:00 UTC: the base of the day's loss."""
        self.mark()
        self._core.timers.set(DAY_TIMER, day_start(self._core.now) + DAY)

    def write(self) -> str:
        """Journal the marks since the last time; the row's id, ``""`` without any."""
        if not self._unwritten:
            return ""
        marks, self._unwritten = self._unwritten, []
        journal = self._core.journal
        row_id = journal.new_id("eq")
        journal.write("equity", row_id, "", {"marks": marks})
        return row_id

    def dump(self) -> MarkingState:
        return MarkingState(list(self._unwritten), self._marked)

    def load(self, state: MarkingState) -> None:
        self._unwritten = list(state.unwritten)
        self._marked = state.marked


def _no_breaker() -> None:
    """Before the breakers are attached."""
