"""Reading bar files into columns: what the bytes say, before anything is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from tradeterm.adapters.feeds.names import symbol_text
from tradeterm.adapters.feeds.plain import open_plain, unpack_errors, unreadable
from tradeterm.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Column names by meaning; the first that occurs is taken.
_OPEN_TIMES: Final = (
    "date", "timestamp", "time", "datetime", "open_time", "opentime", "ts", "unix", "unixtime",
)  # fmt: skip
_CLOSE_TIMES: Final = ("close_time", "closetime")
_FIGURES: Final = ("open", "high", "low", "close", "volume")
_SYMBOLS: Final = ("symbol", "pair", "market", "tic")
#: Times beyond this (unix ns) lose digits as a float.
_EXACT: Final = 1e16
#: Kraken's OHLCVT download: unix seconds, open, high, low, close, volume, trades.
_KRAKEN_WIDTHS: Final = (6, 7, 8)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|\+00:?00| UTC)?")


class Table(msgspec.Struct):
    """A bar file as columns. ``lines`` are line (CSV) or row numbers, from 1."""

    ts: Ints
    figures: tuple[Floats, Floats, Floats, Floats, Floats]
    lines: Ints
    stamped_close: bool = False
    symbol: str | None = None
    broken: list[tuple[int, str]] = []
    """(line, why) of lines that are no row at all."""


class _Layout(msgspec.Struct):
    """Where a CSV file keeps what."""

    time: int
    figures: tuple[int, int, int, int, int]
    first_line: int
    stamped_close: bool = False
    symbol: int | None = None


def read_table(path: Path) -> Table:
    """The columns of a bar file; DataError when its layout is unknown."""
    if ".feather" in path.suffixes or ".parquet" in path.suffixes:
        return _arrow(path)
    if ".json" in path.suffixes:
        return _json(path)
    return _csv(path)


def nanoseconds(stamps: Floats | Ints) -> Ints:
    """Unix stamps in s, ms, µs or ns (told by their size) as ns; what is no time becomes 0."""
    values = np.asarray(stamps)
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0)
    largest = float(np.abs(values).max(initial=0))
    factor = next(
        (f for limit, f in ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3)) if largest < limit), 1
    )
    if values.dtype.kind == "f" and factor > 1:
        whole = np.floor(values)
        rest = np.rint((values - whole) * 1000).astype(np.int64) * (factor // 1000)
        return whole.astype(np.int64) * factor + rest
    return values.astype(np.int64) * factor


def _arrow(path: Path) -> Table:
    """Feather (freqtrade's layout) or Parquet."""
    import pyarrow as pa

    try:
        if ".parquet" in path.suffixes:
            from pyarrow import parquet

            table = parquet.read_table(path)
        else:
            from pyarrow import feather

            table = feather.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path.name}: not a readable feather or Parquet file ({error})") from error
    layout = _layout([str(name).lower() for name in table.column_names], path)
    time = table.column(layout.time)
    if pa.types.is_timestamp(time.type):
        stamps = time.cast(pa.timestamp("ns", tz=time.type.tz)).cast(pa.int64())
        ts = np.asarray(stamps.fill_null(0).to_numpy(), dtype=np.int64)
    elif pa.types.is_integer(time.type) or pa.types.is_floating(time.type):
        ts = nanoseconds(time.to_numpy())
    else:
        raise DataError(f"{path.name}: column {table.column_names[layout.time]!r} holds no times")
    try:
        figures = tuple(
            np.ascontiguousarray(table.column(index).to_numpy(), dtype=np.float64)
            for index in layout.figures
        )
    except (ValueError, TypeError) as error:
        raise DataError(f"{path.name}: a price column holds something else ({error})") from error
    return Table(ts, figures, np.arange(1, len(ts) + 1), layout.stamped_close)  # type: ignore[arg-type]


def _json(path: Path) -> Table:
    """Freqtrade's JSON: a list of [ms, open, high, low, close, volume]."""
    try:
        with open_plain(path) as stream:
            rows = msgspec.json.decode(stream.read(), type=list[list[float | int | str | None]])
    except msgspec.DecodeError as error:
        raise DataError(
            f"{path.name}: not a list of [ms, open, high, low, close, volume] ({error})"
        ) from error
    except unpack_errors() as error:
        raise unreadable(path, error) from error
    if not rows:
        raise DataError(f"{path.name}: the file is empty")
    cells = [[str(cell) for cell in row] for row in rows]
    layout = _Layout(0, (1, 2, 3, 4, 5), 0)
    numbers = np.arange(1, len(rows) + 1)
    return _columns(cells, numbers, layout) or _columns_by_row(cells, layout)


def _csv(path: Path) -> Table:
    lines = _lines(path)
    layout = _csv_layout(lines, path)
    body = lines[layout.first_line :]
    numbers = np.arange(layout.first_line + 1, len(lines) + 1)
    table = _numbers(body, numbers, layout)
    if table is not None and layout.symbol is None:
        return table
    rows = [line.split(",") for line in body]
    table = table or _columns(rows, numbers, layout) or _columns_by_row(rows, layout)
    if layout.symbol is not None:
        table.symbol = _one_symbol(rows, layout.symbol, path)
    return table


def _numbers(body: list[str], numbers: Ints, layout: _Layout) -> Table | None:
    """The fast way, for files of plain numbers; None for any other."""
    wanted = (layout.time, *layout.figures)
    try:
        if not body or float(body[0].split(",")[layout.time]) > _EXACT:
            return None
        values = np.loadtxt(body, delimiter=",", comments=None, usecols=wanted, ndmin=2)
    except (ValueError, IndexError):
        return None
    if len(values) != len(body):  # blank lines were left out: line numbers would be wrong
        return None
    figures = tuple(np.ascontiguousarray(values[:, index]) for index in range(1, 6))
    return Table(nanoseconds(values[:, 0]), figures, numbers, layout.stamped_close)  # type: ignore[arg-type]


def _lines(path: Path) -> list[str]:
    try:
        with open_plain(path) as stream:
            lines = stream.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: not text (byte {error.start} is not UTF-8)") from error
    except unpack_errors() as error:
        raise unreadable(path, error) from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path.name}: the file is empty")
    return lines


def _csv_layout(lines: Sequence[str], path: Path) -> _Layout:
    cells = [cell.strip().strip('"').lower() for cell in lines[0].split(",")]
    if any(re.search("[a-z]", cell) and not _ISO.fullmatch(cell.upper()) for cell in cells):
        layout = _layout(cells, path)
        layout.first_line = 1
        return layout
    if len(cells) in _KRAKEN_WIDTHS:
        return _Layout(0, (1, 2, 3, 4, 5), 0)
    raise DataError(
        f"{path.name}: unknown layout ({len(cells)} columns, no header); expected a header with "
        "date, open, high, low, close, volume, or Kraken's headerless unix,o,h,l,c,volume,trades"
    )


def _layout(names: Sequence[str], path: Path) -> _Layout:
    """Columns by name."""
    missing = [name for name in _FIGURES if name not in names]
    opens = next((names.index(name) for name in _OPEN_TIMES if name in names), None)
    closes = next((names.index(name) for name in _CLOSE_TIMES if name in names), None)
    time = opens if opens is not None else closes
    if time is None:
        missing.insert(0, "date")
    if missing or time is None:
        raise DataError(
            f"{path.name}: unknown layout, no column {', '.join(missing)}; "
            f"it has {', '.join(names[:12])}"
        )
    o, h, low, c, v = (names.index(name) for name in _FIGURES)
    symbol = next((names.index(name) for name in _SYMBOLS if name in names), None)
    return _Layout(time, (o, h, low, c, v), 0, stamped_close=opens is None, symbol=symbol)


def _columns(rows: list[list[str]], numbers: Ints, layout: _Layout) -> Table | None:
    """All rows at once; None when one of them is not like the others."""
    try:
        columns = list(zip(*rows, strict=True))
        if not columns:
            return None
        ts = _times(columns[layout.time])
        figures = tuple(np.array(columns[i], dtype=np.float64) for i in layout.figures)
    except (ValueError, IndexError):
        return None
    return Table(ts, figures, numbers, layout.stamped_close)  # type: ignore[arg-type]


def _times(cells: Sequence[str]) -> Ints:
    if not cells[0].strip('" ').replace(".", "", 1).isdigit():
        stripped = [_plain_iso(cell) for cell in cells]
        return np.array(stripped, dtype="datetime64[ns]").astype(np.int64)
    try:
        return nanoseconds(np.array(cells, dtype=np.int64))
    except ValueError:
        return nanoseconds(np.array(cells, dtype=np.float64))


def _plain_iso(cell: str) -> str:
    """An ISO time without its zone, which has to be UTC; ValueError otherwise."""
    text = cell.strip().strip('"')
    if not _ISO.fullmatch(text):
        return _shifted(text)
    return text.removesuffix("Z").removesuffix("+00:00").removesuffix("+0000").removesuffix(" UTC")


def _shifted(text: str) -> str:
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat()


def _columns_by_row(rows: list[list[str]], layout: _Layout) -> Table:
    """Row by row, for files with damaged lines: each of them is named."""
    kept: list[tuple[float, ...]] = []
    stamps: list[int] = []
    lines: list[int] = []
    broken: list[tuple[int, str]] = []
    width = max(*layout.figures, layout.time) + 1
    for number, row in enumerate(rows, layout.first_line + 1):
        if len(row) < width:
            broken.append((number, f"{len(row)} columns instead of {width} or more"))
            continue
        try:
            stamp = int(_times([row[layout.time]])[0])
            figures = tuple(float(row[i]) for i in layout.figures)
        except ValueError as error:
            broken.append((number, str(error)))
            continue
        stamps.append(stamp)
        kept.append(figures)
        lines.append(number)
    columns = np.array(kept, dtype=np.float64).reshape(-1, 5).T
    return Table(
        np.array(stamps, dtype=np.int64),
        tuple(np.ascontiguousarray(column) for column in columns),  # type: ignore[arg-type]
        np.array(lines, dtype=np.int64),
        layout.stamped_close,
        broken=broken,
    )


def _one_symbol(rows: list[list[str]], index: int, path: Path) -> str:
    found = {row[index].strip().strip('"') for row in rows if len(row) > index}
    symbols = sorted(text for text in found if text)
    if len(symbols) != 1:
        raise DataError(
            f"{path.name}: holds {len(symbols)} symbols ({', '.join(symbols[:5])}); "
            "split it into one file for each"
        )
    symbol = symbol_text(symbols[0])
    if symbol is None:
        raise DataError(f"{path.name}: {symbols[0]!r} is not a symbol such as BTC/USDT")
    return symbol
