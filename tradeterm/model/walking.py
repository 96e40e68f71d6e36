"""How far a market that waits for the operator is to go on, before it stands again."""

from __future__ import annotations

from enum import StrEnum


class Goal(StrEnum):
    """What ends a walk; each is told in these words."""

    EVENT = "one event"
    SECOND = "one second"
    BAR = "one bar"
    CONFLICT = "the next conflict"
    FILL = "the next fill"
    WARNING = "the next warning"
    SETTLED = "a settled book"
    """No entry works, and after a flatten nothing is held."""
