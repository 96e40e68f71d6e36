"""Equity marks and settlements: the bases every loss limit is measured from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tradeterm.model.messages import Settled
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Position
from tradeterm.model.timing import DAY, day_start, week_start


class MarksState(msgspec.Struct, frozen=True):
    """Marks, written down."""

    day: int
    day_start: Decimal
    week: int
    week_start: Decimal
    highs: list[tuple[int, Decimal]]
    peak: Decimal
    current: Decimal
    ts: int
    loss_streak: int


class Marks:
    """Equity at the start of day and week, at its highest of 24 hours and of all, and now."""

    def __init__(self) -> None:
        self.day_start = ZERO
        self.week_start = ZERO
        self.peak = ZERO
        self.current = ZERO
        self.loss_streak = 0
        self.ts = 0
        self._day = -1
        self._week = -1
        self._highs: deque[tuple[int, Decimal]] = deque()
        """Marks of the last 24 hours that no later one reached: the first is the highest."""

    @property
    def next_due(self) -> int:
        """When the next UTC day starts; a mark belongs exactly there."""
        return self._day + DAY

    def high(self, now: int) -> Decimal:
        """The highest mark of the 24 hours before ``now``; looking changes nothing."""
        since, highs = now - DAY, self._highs
        if highs and highs[0][0] >= since:
            return highs[0][1]
        return next((equity for ts, equity in highs if ts >= since), self.current)

    def note(self, now: int, equity: Decimal) -> bool:
        """Take a mark; True when it starts a day or is a new peak, which the journal must know."""
        self.current, self.ts = equity, now
        self._rise(((now, equity),))
        new_day, new_peak = day_start(now) > self._day, equity > self.peak
        if new_day:
            self._begin_day(now, equity)
        if new_peak:
            self.peak = equity
        return new_day or new_peak

    def _begin_day(self, now: int, equity: Decimal) -> None:
        """A week begins with a day."""
        self._day, self.day_start = day_start(now), equity
        if (this_week := week_start(now)) > self._week:
            self._week, self.week_start = this_week, equity

    def follow(self, marks: Sequence[tuple[int, Decimal]]) -> None:
        """``note`` for a run of marks (stamp, equity) on a day that has begun."""
        self.ts, self.current = marks[-1]
        lasting: list[tuple[int, Decimal]] = []
        for mark in reversed(marks):
            if not lasting or mark[1] > lasting[-1][1]:
                lasting.append(mark)
        self._rise(lasting)
        self.peak = max(self.peak, lasting[-1][1])

    def _rise(self, lasting: Sequence[tuple[int, Decimal]]) -> None:
        """Take in marks that no later one reached, newest first."""
        highs, top = self._highs, lasting[-1][1]
        while highs and highs[-1][1] <= top:
            highs.pop()
        highs.extend(reversed(lasting))
        since = self.ts - DAY
        while highs[0][0] < since:
            highs.popleft()

    def shift(self, amount: Decimal) -> None:
        """Money came or went that nobody earned or lost: move every base with it."""
        self.day_start += amount
        self.week_start += amount
        self.peak += amount
        self.current += amount
        self._highs = deque((ts, equity + amount) for ts, equity in self._highs)

    # -- resets by the operator ----------------------------------------------------------------

    def rebase_day(self) -> None:
        """Today's losses count from now on."""
        self.day_start = self.current
        self._highs = deque([(self.ts, self.current)])

    def rebase_week(self) -> None:
        """This week's losses count from now on."""
        self.week_start = self.current

    def rebase_peak(self) -> None:
        """The drawdown counts from now on."""
        self.peak = self.current

    def forget_losses(self) -> None:
        """The losses in a row count from now on."""
        self.loss_streak = 0

    # -- settlements ---------------------------------------------------------------------------

    def settle(self, position: Position) -> Settled:
        """Count a closed position, once, at its final close."""
        self.loss_streak = self.loss_streak + 1 if position.pnl < 0 else 0
        return Settled(position.id, position.pnl, position.fees + position.carry)

    def dump(self) -> MarksState:
        """All bases."""
        return MarksState(
            self._day, self.day_start, self._week, self.week_start, list(self._highs),
            self.peak, self.current, self.ts, self.loss_streak,
        )  # fmt: skip

    def load(self, state: MarksState) -> None:
        """Become what was dumped."""
        self._day, self.day_start, self.peak = state.day, state.day_start, state.peak
        self._week, self.week_start = state.week, state.week_start
        self._highs = deque(state.highs)
        self.current, self.ts, self.loss_streak = state.current, state.ts, state.loss_streak
