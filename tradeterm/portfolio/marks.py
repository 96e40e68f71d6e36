"""Equity marks: the bases that losses are measured against, and the streak of losing trades."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tradeterm.model.messages import Settled
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Position
from tradeterm.model.timing import DAY, day_start


class MarksState(msgspec.Struct, frozen=True):
    """Marks, written down."""

    day: int
    day_start: Decimal
    peak: Decimal
    current: Decimal
    ts: int
    loss_streak: int


class Marks:
    """Equity at the start of the UTC day, at its peak and now."""

    def __init__(self) -> None:
        self.day_start = ZERO
        self.peak = ZERO
        self.current = ZERO
        self.loss_streak = 0
        self.ts = 0
        self._day = -1

    @property
    def next_due(self) -> int:
        """When the next UTC day starts; a mark belongs exactly there."""
        return self._day + DAY

    def note(self, now: int, equity: Decimal) -> bool:
        """Take a mark; True when it starts a day or is a new peak, which the journal must know."""
        self.current, self.ts = equity, now
        today = day_start(now)
        new_day, new_peak = today > self._day, equity > self.peak
        if new_day:
            self._day, self.day_start = today, equity
        if new_peak:
            self.peak = equity
        return new_day or new_peak

    def follow(self, marks: Sequence[tuple[int, Decimal]]) -> None:
        """``note`` for a run of marks (stamp, equity) on a day that has begun."""
        self.ts, self.current = marks[-1]
        self.peak = max(self.peak, *(equity for _, equity in marks))

    def shift(self, amount: Decimal) -> None:
        """Money came or went that nobody earned or lost: move every base with it."""
        self.day_start += amount
        self.peak += amount
        self.current += amount

    def settle(self, position: Position) -> Settled:
        """Count a closed position, once, at its final close."""
        self.loss_streak = self.loss_streak + 1 if position.pnl < 0 else 0
        return Settled(position.id, position.pnl, position.fees)

    def dump(self) -> MarksState:
        """All bases."""
        return MarksState(
            self._day, self.day_start, self.peak, self.current, self.ts, self.loss_streak
        )

    def load(self, state: MarksState) -> None:
        """Become what was dumped."""
        self._day, self.day_start, self.peak = state.day, state.day_start, state.peak
        self.current, self.ts, self.loss_streak = state.current, state.ts, state.loss_streak
