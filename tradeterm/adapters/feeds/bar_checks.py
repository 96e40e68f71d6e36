"""Judging bars: which rows of a table are bars, and what is wrong with the others, by line."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from tradeterm.adapters.feeds.bar_files import Floats, Ints, Table
from tradeterm.model.timing import SECOND

Flags = npt.NDArray[np.bool_]


class Judged(msgspec.Struct):
    """A table row by row: close stamps (ns), and what is wrong with the rows left out."""

    table: Table
    stamps: Ints
    kept: Flags
    _reasons: dict[str, Flags]

    @property
    def good(self) -> Ints:
        """Close stamps of the bars."""
        return self.stamps[self.kept]

    @property
    def figures(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Open, high, low, close and volume of the bars."""
        o, h, low, c, v = (np.ascontiguousarray(part[self.kept]) for part in self.table.figures)
        return o, h, low, c, v

    @property
    def lines(self) -> Ints:
        """Where in the file the bars stand."""
        return self.table.lines[self.kept]

    def wrong(self) -> list[tuple[int, int, str]]:
        """(line, bars before it, why) of every row that is none, in the order of the lines."""
        return sorted((*self._left_out(), *self._broken()))

    def _left_out(self) -> Iterator[tuple[int, int, str]]:
        before = np.cumsum(self.kept)
        for i in np.flatnonzero(~self.kept):
            why = next((text for text, rows in self._reasons.items() if rows[i]), "")
            yield int(self.table.lines[i]), int(before[i]), why or "time is not positive"

    def _broken(self) -> Iterator[tuple[int, int, str]]:
        lines, before = self.table.lines, np.cumsum(self.kept)
        for line, why in self.table.broken:
            row = int(np.searchsorted(lines, line))
            yield line, int(before[row - 1]) if row else 0, why


def judge(table: Table, timeframe: int) -> Judged:
    """``timeframe`` in seconds: files stamp their bars with the open time unless they say so."""
    opens, highs, lows, closes, volumes = table.figures
    stamps = table.ts if table.stamped_close else table.ts + timeframe * SECOND
    prices = np.stack((opens, highs, lows, closes))
    finite: Flags = np.asarray((np.isfinite(prices) & (prices > 0)).all(axis=0))
    whole = np.isfinite(volumes) & (volumes >= 0)
    with np.errstate(invalid="ignore"):
        enclosed = (highs >= prices.max(axis=0)) & (lows <= prices.min(axis=0))
    good = finite & whole & enclosed & (table.ts > 0)
    latest = np.maximum.accumulate(np.where(good, stamps, 0))
    before = np.concatenate((np.zeros(1, dtype=np.int64), latest[:-1]))[: len(stamps)]
    return Judged(
        table,
        stamps,
        good & (stamps > before),
        {
            "a price is not a positive number": ~finite,
            "the volume is negative or no number": ~whole,
            "high and low do not enclose open and close": ~enclosed,
            "the same time as the row before": good & (stamps == before),
            "out of order: earlier than a row before it": good & (stamps < before),
        },
    )
