"""What history there is: Parquet by exchange, symbol, timeframe and month, and a list of it.

``<folder>/kraken/BTC_USDT/1h/BTC_USDT-1h-2025-06.parquet``; the list, ``catalogue.json``, says what
each file holds and which stretches an exchange was asked for. Every file is written whole or not at
all, the list last: what it does not mention was never finished.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.feeds.bar_checks import judge
from tradeterm.adapters.feeds.bar_files import read_table
from tradeterm.adapters.feeds.plain import digest
from tradeterm.adapters.history.series import Series, nothing
from tradeterm.adapters.store.paths import (
    DIRECTORY_MODE,
    create_private,
    default_path,
    replace_file,
)
from tradeterm.errors import DataError, StoreLocked, StoreUnwritable
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND, iso, timeframe_text

LIST: Final = "catalogue.json"
FORMAT: Final = 1


class Month(msgspec.Struct):
    """One file: candles, first open and last close (ns), and a hash of its bytes."""

    rows: int
    first: int
    last: int
    digest: str


class Shelf(msgspec.Struct):
    """All there is of one symbol and timeframe of one exchange."""

    exchange: str
    symbol: str
    timeframe: int
    """Seconds."""
    months: dict[str, Month] = {}
    asked: list[tuple[int, int]] = []
    """Stretches (ns) the exchange was asked for: what is not there, it does not have."""

    @property
    def name(self) -> str:
        """``kraken BTC/USDT 1h``."""
        return f"{self.exchange} {self.symbol} {timeframe_text(self.timeframe)}"

    @property
    def rows(self) -> int:
        """Candles in all months."""
        return sum(month.rows for month in self.months.values())

    @property
    def first(self) -> int:
        """Open of the first candle (ns)."""
        return min(month.first for month in self.months.values())

    @property
    def last(self) -> int:
        """Close of the last candle (ns)."""
        return max(month.last for month in self.months.values())

    def unasked(self, since: int, until: int) -> list[tuple[int, int]]:
        """The stretches of ``since`` to ``until`` nobody was asked for yet, oldest first."""
        missing, begin = [], since
        for asked, end in sorted(self.asked):
            if asked > begin and begin < until:
                missing.append((begin, min(asked, until)))
            begin = max(begin, end)
        return [*missing, (begin, until)] if begin < until else missing

    def note_asked(self, since: int, until: int) -> None:
        """This stretch was asked for."""
        merged: list[tuple[int, int]] = []
        for begin, end in sorted([*self.asked, (since, until)]):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        self.asked = merged


class _Listed(msgspec.Struct):
    format: int
    shelves: list[Shelf]


class Added(msgspec.Struct):
    """What storing did."""

    new: int = 0
    replaced: int = 0
    """Candles whose figures were others before."""


class Catalogue:
    """The history in one folder."""

    def __init__(self, folder: Path) -> None:
        """Reads the list; an absent one means that there is nothing. Raises DataError."""
        self.folder = folder
        self._shelves: dict[tuple[str, str, int], Shelf] = {}
        self._read()

    def _read(self) -> None:
        file = self.folder / LIST
        try:
            listed = msgspec.json.decode(file.read_bytes(), type=_Listed)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from error
        except msgspec.DecodeError as error:
            raise DataError(
                f"{file}: not a list of history ({error}); move it away and import again"
            ) from error
        if listed.format != FORMAT:
            raise DataError(f"{file}: format {listed.format}; this version reads {FORMAT}")
        self._shelves = {(s.exchange, s.symbol, s.timeframe): s for s in listed.shelves}

    # -- reading ---------------------------------------------------------------------------

    def shelves(self) -> list[Shelf]:
        """Everything there is, by exchange, symbol and timeframe."""
        return [self._shelves[key] for key in sorted(self._shelves)]

    def shelf(self, exchange: str, symbol: str, timeframe: int) -> Shelf:
        """One of them, perhaps empty."""
        key = (exchange, symbol, timeframe)
        return self._shelves.setdefault(key, Shelf(exchange, symbol, timeframe, {}, []))

    def files(self, shelf: Shelf) -> list[tuple[Path, Month]]:
        """Its files, oldest first."""
        return [(self._file(shelf, name), shelf.months[name]) for name in sorted(shelf.months)]

    def read(self, shelf: Shelf, since: int, until: int) -> Series:
        """Candles that close after ``since`` and at or before ``until``; raises DataError."""
        found = nothing()
        for file, month in self.files(shelf):
            if month.last > since and month.first < until:
                found, _, _ = found.merged(_series(file, shelf.timeframe))
        return found.between(since, until)

    def _file(self, shelf: Shelf, month: str) -> Path:
        pair, tf = shelf.symbol.replace("/", "_"), timeframe_text(shelf.timeframe)
        return self.folder / shelf.exchange / pair / tf / f"{pair}-{tf}-{month}.parquet"

    # -- writing ---------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes meanwhile; raises StoreLocked or StoreUnwritable."""
        try:
            self.folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnwritable(f"cannot create {self.folder}: {error.strerror}") from error
        descriptor = create_private(self.folder / ".lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StoreLocked(
                f"another tradeterm is writing to {self.folder}; wait for it to end"
            ) from error
        try:
            self._read()
            yield
        finally:
            os.close(descriptor)

    def add(self, shelf: Shelf, series: Series, asked: tuple[int, int] | None = None) -> Added:
        """Store candles, and the stretch they were asked for; raises StoreUnwritable."""
        done = Added()
        try:
            for name, part in series.months(shelf.timeframe):
                file = self._file(shelf, name)
                file.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
                there = _series(file, shelf.timeframe) if name in shelf.months else nothing()
                merged, new, replaced = there.merged(part)
                done.new, done.replaced = done.new + new, done.replaced + replaced
                if new or replaced or not _is_listed(file, shelf.months[name]):
                    packed = merged.packed(shelf.timeframe)
                    replace_file(file, packed)
                    shelf.months[name] = _month(merged, shelf.timeframe, packed)
            if asked is not None:
                shelf.note_asked(*asked)
            listed = _Listed(FORMAT, [s for s in self.shelves() if s.months or s.asked])
            replace_file(self.folder / LIST, msgspec.json.encode(listed))
        except OSError as error:
            raise StoreUnwritable(f"{self.folder} cannot be written: {error.strerror}") from error
        return done


def _month(series: Series, timeframe: int, packed: bytes) -> Month:
    first = int(series.ts[0]) - timeframe * SECOND
    return Month(len(series), first, int(series.ts[-1]), sha256(packed).hexdigest()[:24])


def _is_listed(file: Path, month: Month) -> bool:
    """Whether the file is what the list says: a crash between the two leaves it otherwise."""
    return digest(file) == month.digest


def _series(file: Path, timeframe: int) -> Series:
    """A stored file; what is no bar in it is left out (``data check`` names it)."""
    judged = judge(read_table(file), timeframe)
    return Series(judged.good, judged.figures)


def default_folder() -> Path:
    """Beside the default book of record; raises StoreUnwritable without a home."""
    return default_path().with_name("history")


def stored_candles(
    exchange: str, symbol: str, timeframe: int, count: int, before: int, folder: Path | None = None
) -> list[Candle]:
    """Up to ``count`` candles without a hole, the last of which closed at or before ``before``.

    Empty where there is no history, or none that reaches up to ``before``'s last full candle.
    """
    catalogue = Catalogue(folder or default_folder())
    shelf = catalogue.shelf(exchange, symbol, timeframe)
    if not shelf.months:
        return []
    span = timeframe * SECOND
    found = catalogue.read(shelf, before - (count + 1) * span, before).last(count)
    candles = found.candles(symbol, timeframe)
    unbroken = len(candles)
    while (
        unbroken and candles[unbroken - 1].ts == candles[-1].ts - (len(candles) - unbroken) * span
    ):
        unbroken -= 1
    return candles[unbroken:]


def describe(shelf: Shelf) -> str:
    """``kraken BTC/USDT 1h: 720 candles, 2025-05-03 … 2025-06-02``."""
    if not shelf.months:
        return f"{shelf.name}: nothing"
    return f"{shelf.name}: {shelf.rows} candles, {iso(shelf.first)[:16]} … {iso(shelf.last)[:16]}"
