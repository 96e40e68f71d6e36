"""Which stop and target belong to which position."""

from __future__ import annotations

import msgspec


class Bracket(msgspec.Struct):
    """The protective orders of one position and the verdict that allowed the entry."""

    verdict_id: str
    stop: str | None = None
    target: str | None = None
