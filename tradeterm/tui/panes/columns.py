"""Columns of the list panes: as many as fit, the least important left out first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tradeterm.tui.ink import Line, Part, fit


class Column(NamedTuple):
    """One column; ``rank`` 0 always stays, higher ranks leave first."""

    head: str
    width: int
    align: str
    rank: int = 0


@lru_cache(maxsize=64)
def fitting(columns: tuple[Column, ...], width: int) -> frozenset[int]:
    """Indexes of the columns that fit, one cell between them."""
    kept: set[int] = set()
    used = -1
    for at in sorted(range(len(columns)), key=lambda index: columns[index].rank):
        if kept and used + 1 + columns[at].width > width:
            break
        used += 1 + columns[at].width
        kept.add(at)
    return frozenset(kept)


def heads(columns: tuple[Column, ...], width: int, sideways: int = 0) -> Line:
    """The head line."""
    return row(columns, [(column.head, "quiet") for column in columns], width, sideways)


def row(columns: tuple[Column, ...], cells: Sequence[Part], width: int, sideways: int = 0) -> Line:
    """One aligned line; scrolled sideways the first column stays and the rest stand in order."""
    if sideways:
        skipped = 1 + min(sideways, len(columns) - 2)
        cells = [cells[0], *cells[skipped:]]
        columns = tuple(
            column._replace(rank=place)
            for place, column in enumerate((columns[0], *columns[skipped:]))
        )
    kept = fitting(columns, width)
    parts: list[Part] = []
    for at, (column, (text, role)) in enumerate(zip(columns, cells, strict=True)):
        if at in kept:
            lead = " " if parts else ""
            parts.append((lead + fit(text, column.width, column.align), role))
    return tuple(parts)
