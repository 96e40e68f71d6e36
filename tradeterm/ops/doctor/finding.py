"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: ``fail``: a run will not work, or not safely; ``warn``: it works, but somebody should know.
Outcome = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and the remedy where it is not well."""

    what: str
    outcome: Outcome
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; ``ok`` is false only for what fails."""
        return {"ok": self.outcome != "fail", **msgspec.structs.asdict(self)}


def judged(what: str, found: str, *, ok: bool, remedy: str, fatal: bool = True) -> Finding:
    """``ok``, or else a failure (``fatal``) or a warning with its remedy."""
    if ok:
        return Finding(what, "ok", found)
    return Finding(what, "fail" if fatal else "warn", found, remedy)
