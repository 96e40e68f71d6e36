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


def heads(columns: tuple[Column, ...], width: int) -> Line:
    """The head line."""
    return row(columns, [(column.head, "quiet") for column in columns], width)


def row(columns: tuple[Column, ...], cells: Sequence[Part], width: int) -> Line:
    """One aligned line."""
    kept = fitting(columns, width)
    parts: list[Part] = []
    for at, (column, (text, role)) in enumerate(zip(columns, cells, strict=True)):
        if at in kept:
            lead = " " if parts else ""
            parts.append((lead + fit(text, column.width, column.align), role))
    return tuple(parts)
