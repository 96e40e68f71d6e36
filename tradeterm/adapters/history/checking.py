"""Stored history against the list of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradeterm.adapters.feeds.plain import digest
from tradeterm.adapters.history.catalogue import Month, Shelf
from tradeterm.errors import DataError
from tradeterm.model.timing import SECOND, iso, timeframe_text


def check_month(file: Path, month: Month) -> Iterator[str]:
    """What differs from what was written."""
    try:
        found = digest(file)
    except DataError as error:
        yield str(error)
        return
    if found != month.digest:
        yield "the file is not what was stored: somebody changed it, or the disk did; fetch it again"


def check_seams(shelf: Shelf, month: Month) -> Iterator[str]:
    """The gap between a month and the one before it."""
    before = [other for other in shelf.months.values() if other.last <= month.first]
    if not before:
        return
    last = max(other.last for other in before)
    missing = (month.first - last) // (shelf.timeframe * SECOND)
    if missing:
        yield (
            f"{missing} bars of {timeframe_text(shelf.timeframe)} are missing before it, from "
            f"{iso(last)[:19]}Z on"
        )
