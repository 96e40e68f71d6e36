"""Bars from files: CSV with a header, Kraken's headerless layout, freqtrade feather, Parquet.

A file is read as columns, checked at once and handed on as columns. Files stamp
their bars with the open time unless the column says ``close_time``; candles carry their close.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from tradeterm.adapters.feeds.bar_checks import judge
from tradeterm.adapters.feeds.bar_files import Floats, Ints, Table, read_table
from tradeterm.adapters.feeds.names import from_name
from tradeterm.adapters.feeds.rows import BadRows, OnBad
from tradeterm.adapters.feeds.sources import SourceMark, Steps
from tradeterm.adapters.feeds.tapes import decimals
from tradeterm.errors import DataError
from tradeterm.market.bars import Bars
from tradeterm.model.market import FeedNotice, MarketEvent
from tradeterm.model.timing import SECOND, timeframe_text

CHUNK: Final = 4_096
#: Rows looked at for the finest steps.
SAMPLE: Final = 2_000
Figures = tuple[Floats, Floats, Floats, Floats, Floats]


class _Bars(msgspec.Struct):
    """The good rows: close stamps (ns) and figures."""

    ts: Ints
    figures: Figures


class BarSource:
    """One file of bars as a Source."""

    def __init__(self, path: Path, on_bad: OnBad) -> None:
        """Reads and checks the whole file; DataError when it is unusable or ``on_bad`` refuses."""
        self.path = path
        table = read_table(path)
        named_symbol, named_timeframe = from_name(path.name)
        symbol = table.symbol or named_symbol
        if symbol is None:
            raise DataError(
                f"{path.name}: neither its name nor a column says which symbol it is; "
                "name it for example BTC_USDT-5m.csv"
            )
        self.symbol = symbol
        self.timeframe = named_timeframe or usual_step(table.ts, path)
        self._notices: dict[int, list[FeedNotice]] = {}
        """Index of the bar they come before → notices."""
        self._bars = self._checked(table, BadRows(path.name, on_bad))
        self._settle()

    @classmethod
    def of(cls, path: Path, symbol: str, timeframe: int, ts: Ints, figures: Figures) -> Self:
        """Bars that were judged before: close stamps (ns), open to volume; ``path`` names them."""
        source = cls.__new__(cls)
        source.path, source.symbol, source.timeframe = path, symbol, timeframe
        source._notices, source._bars = {}, _Bars(ts, figures)
        source._settle()
        return source

    def _settle(self) -> None:
        if not len(self._bars.ts):
            raise DataError(f"{self.path.name}: not one usable bar in it")
        self._note_gaps()
        self._cuts = self._cut()
        self.steps = {self.symbol: self._sampled()}
        self._next = 0

    @property
    def begin(self) -> int:
        """Open time of the first bar."""
        return int(self._bars.ts[0]) - self.timeframe * SECOND

    def _checked(self, table: Table, bad: BadRows) -> _Bars:
        judged = judge(table, self.timeframe)
        good = judged.good
        for line, index, why in judged.wrong():
            at = int(good[min(index, len(good)) - 1]) if index and len(good) else 0
            notice = bad.add(at or self._first_stamp(good), self.symbol, line, why)
            if notice is not None:
                self._notices.setdefault(index, []).append(notice)
        return _Bars(good, judged.figures)

    def _first_stamp(self, good: Ints) -> int:
        return int(good[0]) - self.timeframe * SECOND if len(good) else 0

    def _note_gaps(self) -> None:
        gaps = int(np.count_nonzero(np.diff(self._bars.ts) > self.timeframe * SECOND))
        if gaps:
            text = (
                f"{self.path.name}: {gaps} gaps between {timeframe_text(self.timeframe)} bars; "
                "they stay gaps"
            )
            notice = FeedNotice(self.begin, self.symbol, "gaps", text)
            self._notices.setdefault(0, []).insert(0, notice)

    def _sampled(self) -> Steps:
        """Finest steps among the first and last rows."""
        ends = [np.concatenate((each[:SAMPLE], each[-SAMPLE:])) for each in self._bars.figures]
        return Steps(price=max(map(finest, ends[:4])), size=finest(ends[4]))

    def choose(self, symbols: frozenset[str]) -> None:
        """A file of bars has one symbol: there is nothing to choose."""

    def _cut(self) -> tuple[int, ...]:
        """Where a chunk ends at the latest: at gaps, and around a bar something is said about."""
        stamps, span = self._bars.ts, self.timeframe * SECOND
        cuts = {len(stamps), *(np.flatnonzero(np.diff(stamps) != span) + 1).tolist()}
        for index in self._notices:
            at = min(index, len(stamps) - 1)
            cuts |= {at, at + 1}
        return tuple(sorted(cuts))

    def chunk(self) -> Sequence[MarketEvent]:
        """The next bars without a gap, at most 4,096, or one with what was wrong beside it."""
        begin, stamps = self._next, self._bars.ts
        if begin == len(stamps):
            return []
        self._next = end = min(self._cuts[bisect_right(self._cuts, begin)], begin + CHUNK)
        figures = [column[begin:end] for column in self._bars.figures]
        bars = Bars.of(self.symbol, self.timeframe, stamps[begin:end], figures)
        before = self._notices.get(begin, ())
        after = self._notices.get(end, ()) if end == len(stamps) else ()
        return [*before, *bars, *after] if before or after else bars

    def mark(self) -> SourceMark:
        """Where the next chunk begins."""
        return SourceMark(row=self._next)

    def seek(self, mark: SourceMark) -> None:
        """Go to a mark."""
        self._next = mark.row

    def close(self) -> None:
        """The bars are in memory: nothing is open."""


def usual_step(stamps: Ints, path: Path) -> int:
    """The timeframe in seconds when the name does not say: the most common distance."""
    steps = np.diff(stamps)
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError(
            f"{path.name}: its timeframe is unknown; name it for example BTC_USDT-5m.csv"
        )
    values, counts = np.unique(steps, return_counts=True)
    usual = int(values[np.argmax(counts)])
    if usual < SECOND:
        raise DataError(f"{path.name}: bars {usual} ns apart; are the times seconds or ms?")
    return usual // SECOND


#: Above this a float counted in steps of 1e-10 may be off by a part of one.
_COUNTABLE: Final = 2**49 / 10**10


def finest(values: Floats) -> int:
    """Decimals (at most 10) that the one with most of them is written with."""
    large = values >= _COUNTABLE
    found = max(map(decimals, values[large].tolist()), default=0)
    counts = np.rint(values[~large] * 1e10).astype(np.int64)
    for digits in range(10, found, -1):
        if (counts % 10 ** (11 - digits)).any():
            return digits
    return found
