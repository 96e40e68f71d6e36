"""Columns of the list panes: as many as fit, the least important left out first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from tradeterm.tui.ink import Line, Part, fit


class Column(NamedTuple):
    """One column; ``rank`` 0 always stays, higher ranks leave first."""

    head: str
    width: int
    align: str
    rank: int = 0
    pinned: bool = False
    """Stays when the others are scrolled; pinned ones come first."""


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


def as_wide(column: Column, words: Iterable[str]) -> Column:
    """A column as wide as what stands in it: for names, which do not change with the market."""
    return column._replace(width=max(map(len, (column.head, *words))))


@lru_cache(maxsize=64)
def _scrolled(
    columns: tuple[Column, ...], sideways: int
) -> tuple[tuple[int, ...], tuple[Column, ...]]:
    """Which columns are left, by index, and those columns; they fit in order of their places."""
    pins = sum(column.pinned for column in columns)
    skipped = pins + min(sideways, len(columns) - pins - 1)
    places = (*range(pins), *range(skipped, len(columns)))
    return places, tuple(columns[at]._replace(rank=rank) for rank, at in enumerate(places))


def hidden(columns: tuple[Column, ...], width: int) -> int:
    """How far one can scroll sideways until the last column is seen."""
    pins = sum(column.pinned for column in columns)
    if len(fitting(columns, width)) == len(columns):
        return 0
    return next(
        (
            by
            for by in range(1, len(columns) - pins)
            if len(fitting((left := _scrolled(columns, by)[1]), width)) == len(left)
        ),
        max(0, len(columns) - pins - 1),
    )


def heads(columns: tuple[Column, ...], width: int, sideways: int = 0) -> Line:
    """The head line."""
    return row(columns, [(column.head, "quiet") for column in columns], width, sideways)


def row(columns: tuple[Column, ...], cells: Sequence[Part], width: int, sideways: int = 0) -> Line:
    """One aligned line; scrolled sideways the pinned columns stay and the rest stand in order."""
    if sideways:
        places, columns = _scrolled(columns, sideways)
        cells = [cells[at] for at in places]
    kept = fitting(columns, width)
    parts: list[Part] = []
    for at, (column, (text, role)) in enumerate(zip(columns, cells, strict=True)):
        if at in kept:
            lead = " " if parts else ""
            parts.append((lead + fit(text, column.width, column.align), role))
    return tuple(parts)
