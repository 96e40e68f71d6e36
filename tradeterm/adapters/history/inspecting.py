"""One file of history judged: what is in it, and everything that is wrong with it, by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tradeterm.adapters.feeds.bar_checks import judge
from tradeterm.adapters.feeds.bar_files import Floats, Ints, Table, read_table
from tradeterm.adapters.feeds.bars import usual_step
from tradeterm.adapters.feeds.names import from_name, symbol_text
from tradeterm.adapters.history.prints import print_rows, to_minutes
from tradeterm.adapters.history.series import Series
from tradeterm.errors import DataError, UsageError
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND, iso, timeframe_text
from tradeterm.model.vocabulary import DataFault

#: A close is an outlier when it leaps this many times the median move, and comes back.
LEAP: Final = 30.0
#: And at least so far (fraction): calm stretches have a median move of next to nothing.
FAR: Final = 0.05


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with a file."""

    fault: DataFault
    line: int
    what: str


class Inspected(msgspec.Struct):
    """A file of bars or prints, judged."""

    path: Path
    symbol: str
    timeframe: int
    """Seconds."""
    series: Series
    findings: list[Finding]
    remarks: list[str] = []


def inspect(path: Path, symbol: str | None = None, timeframe: int | None = None) -> Inspected:
    """Read and judge a file; DataError when it is no history at all, or of no known symbol.

    ``symbol`` and ``timeframe`` (seconds) win over what name and columns say.
    """
    rows = print_rows(path)
    table = read_table(path) if rows is None else None
    named_symbol, named_timeframe = from_name(path.name)
    told = symbol_text(symbol) if symbol is not None else None
    if symbol is not None and told is None:
        raise UsageError(f"--symbol {symbol!r} is no symbol; write for example BTC/USDT")
    known = told or (table.symbol if table is not None else None) or named_symbol
    if known is None:
        raise DataError(
            f"{path.name}: neither its name nor a column says which symbol it is; give --symbol, "
            "or name it for example BTC_USDT-5m.csv"
        )
    if rows is not None:
        series, broken = to_minutes(rows)
        findings = [Finding(DataFault.BAD_ROW, line, clean(why)) for line, why in broken]
        remark = f"{len(rows.ts)} prints became {len(series)} bars of one minute; the last, perhaps unfinished minute was left out"
        return Inspected(path, known, 60, series, findings, [remark])
    assert table is not None
    step = timeframe or named_timeframe or usual_step(table.ts, path)
    return _judged(path, known, step, table)


def _judged(path: Path, symbol: str, timeframe: int, table: Table) -> Inspected:
    judged = judge(table, timeframe)
    series = Series(judged.good, judged.figures)
    findings = [Finding(_fault(why), line, clean(why)) for line, _, why in judged.wrong()]
    findings += _gaps(series, judged.lines, timeframe)
    findings += _outliers(series, judged.lines)
    findings.sort(key=lambda one: one.line)
    return Inspected(path, symbol, timeframe, series, findings)


def _fault(why: str) -> DataFault:
    if why.startswith("the same time"):
        return DataFault.DUPLICATE
    return DataFault.DISORDER if why.startswith("out of order") else DataFault.BAD_ROW


def _gaps(series: Series, lines: Ints, timeframe: int) -> Iterator[Finding]:
    span = timeframe * SECOND
    steps = np.diff(series.ts)
    for index in np.flatnonzero(steps != span).tolist():
        after, step = int(series.ts[index]), int(steps[index])
        what = (
            f"{step // span - 1} bars of {timeframe_text(timeframe)} are missing before it, from "
            f"{iso(after)[:19]}Z on"
            if step % span == 0
            else f"{step / SECOND:g} s after the bar before it, not a multiple of "
            f"{timeframe_text(timeframe)}"
        )
        yield Finding(DataFault.GAP, int(lines[index + 1]), what)


def _outliers(series: Series, lines: Ints) -> Iterator[Finding]:
    """Closes that leap away and back at the next bar: a market that moves does not return."""
    closes: Floats = series.figures[3]
    moves = np.diff(np.log(closes))
    if len(moves) < 3:
        return
    usual = float(np.median(np.abs(moves)))
    bound = max(LEAP * usual, FAR)
    away, back = moves[:-1], moves[1:]
    lone = (np.abs(away) > bound) & (np.abs(back) > bound) & (np.abs(away + back) < bound)
    for index in np.flatnonzero(lone).tolist():
        percent = (float(np.exp(away[index])) - 1) * 100
        what = f"close {closes[index + 1]:g} is {percent:+.1f} % from the bar before, and the next returns"
        yield Finding(DataFault.OUTLIER, int(lines[index + 1]), what)
