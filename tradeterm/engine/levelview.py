"""How careful the system is, why, until when, and what that leaves allowed."""

from __future__ import annotations

import msgspec


class CauseView(msgspec.Struct, frozen=True):
    """One reason for a level below NORMAL."""

    text: str
    level: str
    recovers: str
    """What ends it, in words."""


class PermitView(msgspec.Struct, frozen=True):
    """One line of the permission table."""

    what: str
    allowed: bool


class DrillView(msgspec.Struct, frozen=True):
    """A rehearsed failure under way."""

    name: str
    until: int
    """Market time (ns)."""


class LevelView(msgspec.Struct, frozen=True):
    """Everything about the degradation level; the level itself is in the status."""

    causes: tuple[CauseView, ...] = ()
    permits: tuple[PermitView, ...] = ()
    drills: tuple[DrillView, ...] = ()
    undoable: bool = False
    """Whether a refusal can be taken back."""
