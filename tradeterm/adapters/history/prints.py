"""Kraken's download of trades: headerless ``unix,price,volume`` lines, made into minutes."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tradeterm.adapters.feeds.bar_files import Floats, Ints
from tradeterm.adapters.feeds.plain import open_plain, unpack_errors, unreadable
from tradeterm.adapters.history.series import Series, nothing
from tradeterm.model.timing import MINUTE, SECOND

_WIDTH: Final = 3
#: Lines looked at to tell prints from bars.
_HEAD: Final = 5


class Prints(msgspec.Struct):
    """Trades as columns: ns, price, size, and the lines they stand on."""

    ts: Ints
    price: Floats
    size: Floats
    lines: Ints
    broken: list[tuple[int, str]]


def print_rows(path: Path) -> Prints | None:
    """The trades of a file; None when it holds something else. Raises DataError."""
    if ".csv" not in path.suffixes:
        return None
    try:
        with open_plain(path) as stream:
            head = list(islice(stream, _HEAD))
        if not any(map(_is_print, head)) or any(line.count(b",") >= _WIDTH for line in head):
            return None
        with open_plain(path) as stream:
            return _read(stream.read())
    except unpack_errors() as error:
        raise unreadable(path, error) from error


def _is_print(line: bytes) -> bool:
    try:
        return len([float(cell) for cell in line.split(b",")]) == _WIDTH
    except ValueError:
        return False


def _read(text: bytes) -> Prints:
    rows = text.splitlines()
    try:
        values = np.loadtxt(io.BytesIO(text), delimiter=",", comments=None, ndmin=2)
        if len(values) != len(rows):
            raise ValueError("blank lines")
    except ValueError:
        return _sane(*_by_line(rows))
    return _sane(values, np.arange(1, len(rows) + 1), [])


def _by_line(rows: list[bytes]) -> tuple[Floats, Ints, list[tuple[int, str]]]:
    kept, lines, broken = [], [], []
    for number, row in enumerate(rows, 1):
        try:
            kept.append([float(cell) for cell in row.split(b",")])
            lines.append(number)
            if len(kept[-1]) != _WIDTH:
                raise ValueError(f"{len(kept.pop())} columns instead of {_WIDTH}")
        except ValueError as error:
            if len(lines) > len(kept):
                lines.pop()
            broken.append((number, str(error)))
    return (
        np.array(kept, dtype=np.float64).reshape(-1, _WIDTH),
        np.array(lines, dtype=np.int64),
        broken,
    )


def _sane(values: Floats, lines: Ints, broken: list[tuple[int, str]]) -> Prints:
    stamps, price, size = values.T
    good = np.isfinite(values).all(axis=1) & (price > 0) & (size > 0) & (stamps > 0)
    latest = np.maximum.accumulate(np.where(good, stamps, 0.0))
    late = good & (stamps < latest)
    for index in np.flatnonzero(~good | late).tolist():
        why = (
            "out of order: earlier than a trade before it"
            if late[index]
            else ("time, price or volume is not a positive number")
        )
        broken.append((int(lines[index]), why))
    kept = good & ~late
    whole = np.floor(stamps[kept])
    rest = np.rint((stamps[kept] - whole) * 1e6).astype(np.int64) * 1_000
    ts = whole.astype(np.int64) * SECOND + rest
    return Prints(ts, price[kept], size[kept], lines[kept], sorted(broken))


def to_minutes(prints: Prints) -> tuple[Series, list[tuple[int, str]]]:
    """(Bars of one minute, what was wrong by line). The last minute may go on: it is left out."""
    if not len(prints.ts):
        return nothing(), prints.broken
    minutes, first = np.unique(prints.ts // MINUTE, return_index=True)
    last = np.append(first[1:], len(prints.ts)) - 1
    price = prints.price
    figures = (
        price[first],
        np.maximum.reduceat(price, first),
        np.minimum.reduceat(price, first),
        price[last],
        np.add.reduceat(prints.size, first),
    )
    columns = tuple(np.ascontiguousarray(column[:-1]) for column in figures)
    return Series((minutes[:-1] + 1) * MINUTE, columns), prints.broken  # type: ignore[arg-type]
