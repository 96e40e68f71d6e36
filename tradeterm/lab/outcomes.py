"""What became of every proposed entry: the engine's ghosts, put together from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

from tradeterm.adapters.store.rows import StoredRow
from tradeterm.engine.ghosts import UNFILLED, WITHDRAWN
from tradeterm.model.ghosts import HORIZONS

ZERO = Decimal(0)
Body = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """A ghost: how the proposal ended, and what the order it asked for came to."""

    ghost: Body
    end: Body | None = None

    @property
    def filled(self) -> bool:
        """Whether it is over and there ever was a position."""
        return self.end is not None and self.end["reason"] != UNFILLED

    @property
    def pnl(self) -> Decimal | None:
        """Of the whole size asked for, account currency, all costs paid; None before its end."""
        return Decimal(self.end["pnl"]) if self.end is not None and self.filled else None

    @property
    def offered(self) -> Decimal:
        """The share of its size that was sent, or would have been; all of it when nobody said."""
        offered, asked = self.ghost["offered"], Decimal(self.ghost["asked"])
        return ZERO + min(Decimal(offered) / asked, Decimal(1)) if offered is not None else ZERO + 1

    @property
    def points(self) -> float | None:
        """The final outcome in basis points of its notional."""
        return None if self.end is None or not self.filled else _points(self.end, self.end)

    def points_at(self, hours: int) -> float | None:
        """The outcome so many hours after entry: the final one where it had left by then."""
        end = self.end
        if end is None or not self.filled:
            return None
        marks = {mark["hours"]: mark for mark in end["marks"]}
        return _points(marks.get(hours, end), end)


def _points(body: Body, end: Body) -> float:
    return float(Decimal(body["pnl"]) / Decimal(end["notional"]) * 10_000)


def outcomes(rows: Iterable[StoredRow]) -> dict[str, Outcome]:
    """Ghost id → outcome, oldest first, from ``ghost_*`` rows in order; taken back: left out."""
    found: dict[str, Outcome] = {}
    for row in rows:
        body = row.data
        if row.kind == "ghost_opened":
            found[row.id] = Outcome(body)
        elif row.kind == "ghost_closed":
            found[row.parent].end = body
    return {
        name: one
        for name, one in found.items()
        if one.end is None or one.end["reason"] != WITHDRAWN
    }


def summary(name: str, found: Sequence[Outcome]) -> Body:
    """Counts, means at each horizon and the sum, for a group of outcomes."""
    final = [one.points for one in found if one.points is not None]
    at = {hours: [one.points_at(hours) for one in found] for hours in HORIZONS}
    return {
        "name": name,
        "count": len(found),
        "closed": len(final),
        "unfilled": sum(one.end is not None and not one.filled for one in found),
        "won": sum(points > 0 for points in final),
        **{f"bp_{hours}h": mean(points) for hours, points in at.items()},
        "bp": mean(final),
        "pnl": sum((one.pnl for one in found if one.pnl is not None), ZERO),
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None without any."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
