"""Tapes: newline-delimited JSON of recorded market events (DESIGN §10), plain, .gz or .zst."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from tradeterm.adapters.feeds.plain import open_plain, unpack_errors, unreadable
from tradeterm.adapters.feeds.rows import BadRows, OnBad
from tradeterm.adapters.feeds.sources import SourceMark, Steps
from tradeterm.adapters.tape.lines import (
    CandleLine,
    DeltaLine,
    ListingLine,
    NewsLine,
    NoticeLine,
    PastLine,
    PulseLine,
    SnapLine,
    TradeLine,
    decode_line,
    event_of,
)
from tradeterm.errors import DataError
from tradeterm.model.market import BookDelta, BookSnapshot, Candle, Levels, MarketEvent, Trade
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND

#: Lines read at a time, and lines looked at beforehand for symbols and steps.
CHUNK, HEAD = 2_048, 20_000
_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,10}/[A-Z0-9]{2,10}")
_INF: Final = float("inf")
#: Stands for the rest of a packed file that cannot be unpacked.
_CUT: Final = b"\0"


class _Head(msgspec.Struct, gc=False):
    """A line as far as symbols and decimals are concerned."""

    ts: int
    s: str
    t: str
    tf: int = 0
    p: str | float = ""
    q: str | float = ""
    c: str | float = ""
    v: str | float = ""
    b: list[tuple[str | float, str | float]] = []
    a: list[tuple[str | float, str | float]] = []


_HEADS: Final = msgspec.json.Decoder(_Head)


class _BadLine(ValueError):
    """Why a line cannot be used."""


class TapeSource:
    """One tape file as a Source."""

    timeframe = 0

    def __init__(self, path: Path, on_bad: OnBad) -> None:
        """Looks at the head for symbols and steps; raises DataError when there is none."""
        self.path = path
        self.steps: dict[str, Steps] = {}
        self._on_bad = on_bad
        self._first: dict[str, int] = {}
        self._stream: BinaryIO | None = None
        self._ended = False
        self._damage = unpack_errors()
        self._scan()
        self._symbols = frozenset(self.steps)
        self.seek(SourceMark())

    def _scan(self) -> None:
        with open_plain(self.path) as stream:
            try:
                for line in islice(stream, HEAD):
                    self._look(line)
            except self._damage as error:
                if not self.steps:
                    raise unreadable(self.path, error) from error
        if not self.steps:
            raise DataError(
                f"{self.path.name}: no line of its beginning is a market event; a tape has one "
                'JSON object per line with "ts", "s" and "t" (snap, delta, trade or candle)'
            )

    def _look(self, line: bytes) -> None:
        try:
            head = _HEADS.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if not _SYMBOL.fullmatch(head.s) or head.ts <= 0:
            return
        steps = self.steps.get(head.s)
        if steps is None:
            steps = self.steps[head.s] = Steps()
            self._first[head.s] = head.ts - head.tf * SECOND
        for price, size in (*head.b, *head.a, (head.p, head.q), (head.c, head.v)):
            steps.price = max(steps.price, decimals(price))
            steps.size = max(steps.size, decimals(size))

    @property
    def begin(self) -> int:
        """Stamp of the first event of the chosen symbols."""
        return min(self._first[symbol] for symbol in self._symbols)

    def choose(self, symbols: frozenset[str]) -> None:
        """Give only these symbols."""
        self._symbols = symbols & frozenset(self.steps)

    def chunk(self) -> list[MarketEvent]:
        """The next events of up to 2,048 lines (more only where nothing of them is wanted)."""
        events: list[MarketEvent] = []
        while not events:
            lines = self._read()
            if not lines:
                self.close()
                break
            for line in lines:
                self._row += 1
                self._offset += len(line)
                self._take(line, events)
        return events

    def _read(self) -> list[bytes]:
        """Up to a chunk of lines; a packed file that is cut off ends with a line that says so."""
        lines: list[bytes] = []
        if self._ended:
            return lines
        if self._stream is None:
            self._stream = open_plain(self.path, self._offset)
        try:
            lines.extend(islice(self._stream, CHUNK))
        except self._damage as error:
            if self._on_bad == "refuse":
                raise unreadable(self.path, error) from error
            self._ended = True
            lines.append(_CUT)
        return lines

    def _take(self, line: bytes, events: list[MarketEvent]) -> None:
        try:
            event = self._event(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = f"not a tape line: {error}"
            if line is _CUT:
                why = "the packed data is damaged or cut off here; nothing behind it can be read"
            event = self._bad.add(self._last.get("", self.begin), "", self._row, why)
        except _BadLine as error:
            event = self._bad.add(self._last.get("", self.begin), "", self._row, str(error))
        if event is not None:
            events.append(event)

    def _event(self, line: bytes) -> MarketEvent | None:
        if line.isspace():
            return None
        row = decode_line(line)
        symbol, ts, last = row.s, row.ts, self._last
        if isinstance(row, NewsLine | NoticeLine | PulseLine):
            return self._aside(row)
        if symbol not in self._symbols:
            if symbol not in self.steps:
                raise _BadLine(f"symbol {symbol!r} does not occur in the tape's beginning")
            return None
        if ts < last.get("", 1):
            raise _BadLine(f"time goes back from {last.get('', 0)} to {ts}")
        if isinstance(row, TradeLine):
            if not (0.0 < row.p < _INF and 0.0 < row.q < _INF):
                raise _BadLine(f"price {row.p} or size {row.q} is not a positive number")
            if row.side not in {"buy", "sell"}:
                raise _BadLine(f"side {row.side!r} is neither buy nor sell")
            event: MarketEvent = Trade(ts, symbol, row.p, row.q, row.side, row.id)
        elif isinstance(row, DeltaLine):
            _check_levels(row.b)
            _check_levels(row.a)
            event = BookDelta(ts, symbol, row.b, row.a)
        elif isinstance(row, SnapLine):
            event = _snapshot(row)
        elif isinstance(row, PastLine | ListingLine):
            event = event_of(row)
        else:
            event = self._candle(row)
        last[""] = ts
        return event

    def _aside(self, row: NewsLine | NoticeLine | PulseLine) -> MarketEvent | None:
        """What is no price; of a symbol that was not chosen only what concerns all of them."""
        if row.ts < self._last.get("", 1):
            raise _BadLine(f"time goes back from {self._last.get('', 0)} to {row.ts}")
        if row.s and row.s not in self._symbols:
            return None
        self._last[""] = row.ts
        if isinstance(row, NewsLine):
            row.text, row.source = clean(row.text), clean(row.source)
        elif isinstance(row, NoticeLine):
            row.text, row.code = clean(row.text), clean(row.code)
        return event_of(row)

    def _candle(self, row: CandleLine) -> Candle:
        values = (row.o, row.h, row.l, row.c)
        if not all(0.0 < value < _INF for value in values) or not 0.0 <= row.v < _INF:
            raise _BadLine("a price is not a positive number, or the volume is negative")
        if row.h < max(values) or row.l > min(values):
            raise _BadLine(f"high {row.h} and low {row.l} do not enclose open and close")
        if row.tf <= 0:
            raise _BadLine(f"timeframe {row.tf} is not a number of seconds")
        key = f"{row.s} {row.tf}"
        if row.ts <= self._last.get(key, 0):
            raise _BadLine("candle out of order or twice")
        self._last[key] = row.ts
        return Candle(row.ts, row.s, row.tf, *values, row.v)

    def mark(self) -> SourceMark:
        """Where the next chunk begins."""
        return SourceMark(self._row, self._offset, dict(self._last), self._bad.count)

    def seek(self, mark: SourceMark) -> None:
        """Go to a mark."""
        self.close()
        self._row, self._offset = mark.row, mark.offset
        self._last = dict(mark.last)
        self._bad = BadRows(self.path.name, self._on_bad, mark.bad)
        self._ended = False

    def close(self) -> None:
        """Close the file; reading on opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()


def decimals(value: str | float) -> int:
    """Decimals a number is written with, trailing zeros not counted."""
    text = value if isinstance(value, str) and "e" not in value else f"{float(value):.10f}"
    _, point, rest = text.partition(".")
    return len(rest.rstrip("0")) if point and rest.isdigit() else 0


def _check_levels(levels: Levels) -> None:
    for price, size in levels:
        if not (0.0 < price < _INF and 0.0 <= size < _INF):
            raise _BadLine(f"level {price} × {size} is not a positive price and a size")


def _snapshot(row: SnapLine) -> BookSnapshot:
    _check_levels(row.b)
    _check_levels(row.a)
    bids = tuple(sorted(row.b, reverse=True))
    asks = tuple(sorted(row.a))
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise _BadLine(f"crossed book: bid {bids[0][0]} is not below ask {asks[0][0]}")
    return BookSnapshot(row.ts, row.s, bids, asks)
