"""What the market did while nobody listened, as it was settled afterwards."""

from __future__ import annotations

import msgspec


class Away(msgspec.Struct, frozen=True):
    """From when to when (ns), and line by line what became of orders and positions."""

    since: int
    until: int = 0
    """0 while it is being settled."""
    events: int = 0
    fills: int = 0
    lines: tuple[str, ...] = ()
    again: bool = False
    """The one before it is not long ago: told only if something happened in it."""
