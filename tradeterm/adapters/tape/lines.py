"""A tape's lines (DESIGN §10): one JSON object per market event, there and back exactly.

Prices and sizes are strings of the shortest digits that give the same float again. ``news`` and
``notice`` are lines like the others: what the engine was told is on the tape, word for word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tradeterm.model.instruments import Instrument
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    Levels,
    Listing,
    MarketEvent,
    News,
    Past,
    Pulse,
    Trade,
)

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, tag_field="t", gc=False):
    """What every line has."""

    ts: int
    s: str


class SnapLine(Line, tag="snap", gc=False):
    """A whole book."""

    b: Levels
    a: Levels


class DeltaLine(Line, tag="delta", gc=False):
    """Changed levels; size 0 removes one."""

    b: Levels = ()
    a: Levels = ()


class TradeLine(Line, tag="trade", gc=False):
    """One print; ``side`` is the taker's."""

    p: float
    q: float
    side: str
    id: str = ""


class CandleLine(Line, tag="candle", gc=False):
    """A closed bar, stamped with its close; ``tf`` in seconds."""

    tf: int
    o: float
    h: float
    l: float  # noqa: E741  (the tape's own key)
    c: float
    v: float


class NewsLine(Line, tag="news", gc=False):
    """A headline; ``s`` is empty, ``assets`` are those it names."""

    source: str
    text: str
    assets: tuple[str, ...] = ()
    id: str = ""


class NoticeLine(Line, tag="notice", gc=False):
    """What the feed had to say; ``s`` is empty when it concerns all symbols."""

    code: str
    text: str


class PulseLine(Line, tag="pulse", gc=False):
    """The connection was alive."""


class PastLine(Line, tag="past", gc=False):
    """Warm-up: ``[close, tf, "o", "h", "l", "c", "v"]`` of each candle, by timeframe."""

    candles: tuple[tuple[int, int, float, float, float, float, float], ...]


class ListingLine(Line, tag="listing", gc=False):
    """Steps and minimums from now on; without them the symbol is traded no longer."""

    instrument: Instrument | None = None


AnyLine = (
    SnapLine | DeltaLine | TradeLine | CandleLine | NewsLine | NoticeLine | PulseLine | PastLine
    | ListingLine
)  # fmt: skip
decode_line = msgspec.json.Decoder(AnyLine, strict=False).decode
_split = msgspec.json.Decoder(AnyLine, strict=False).decode_lines


def encode(events: Iterable[MarketEvent]) -> bytes:
    """The lines of events, each with its line feed."""
    return b"".join([line(event) for event in events])


def line(event: MarketEvent) -> bytes:
    """One event as a line."""
    return _WRITERS[event.__class__](event)


def _book(kind: bytes, event: BookDelta | BookSnapshot) -> bytes:
    return b'{"ts":%d,"s":%b,"t":"%b","b":%b,"a":%b}\n' % (
        event.ts, _encode(event.symbol), kind, _levels(event.bids), _levels(event.asks)
    )  # fmt: skip


def _delta(event: BookDelta) -> bytes:
    return _book(b"delta", event)


def _snap(event: BookSnapshot) -> bytes:
    return _book(b"snap", event)


def _trade(event: Trade) -> bytes:
    named = b',"id":%b' % _encode(event.id) if event.id else b""
    return b'{"ts":%d,"s":%b,"t":"trade","p":%b,"q":%b,"side":%b%b}\n' % (
        event.ts, _encode(event.symbol), _figure(event.price), _figure(event.size),
        _encode(event.side), named,
    )  # fmt: skip


def _candle(event: Candle) -> bytes:
    first, high, low, last, volume = map(_figure, _figures(event))
    return b'{"ts":%d,"s":%b,"t":"candle","tf":%d,"o":%b,"h":%b,"l":%b,"c":%b,"v":%b}\n' % (
        event.ts, _encode(event.symbol), event.timeframe, first, high, low, last, volume
    )  # fmt: skip


def _news(event: News) -> bytes:
    told = NewsLine(event.ts, "", event.source, event.text, event.assets, event.id)
    return _encode(told) + b"\n"


def _pulse(event: Pulse) -> bytes:
    return _encode(PulseLine(event.ts, event.symbol)) + b"\n"


def _notice(event: FeedNotice) -> bytes:
    return _encode(NoticeLine(event.ts, event.symbol, event.code, event.text)) + b"\n"


def _listing(event: Listing) -> bytes:
    return _encode(ListingLine(event.ts, event.symbol, event.instrument)) + b"\n"


def _past(event: Past) -> bytes:
    candles = b",".join([
        b"[%d,%d,%b]" % (one.ts, one.timeframe, b",".join(map(_figure, _figures(one))))
        for one in event.candles
    ])  # fmt: skip
    return b'{"ts":%d,"s":%b,"t":"past","candles":[%b]}\n' % (
        event.ts, _encode(event.symbol), candles
    )  # fmt: skip


_WRITERS: Final[dict[type, Callable[[Any], bytes]]] = {
    BookDelta: _delta,
    BookSnapshot: _snap,
    Trade: _trade,
    Candle: _candle,
    News: _news,
    Pulse: _pulse,
    Past: _past,
    FeedNotice: _notice,
    Listing: _listing,
}


def decode(lines: bytes) -> list[MarketEvent]:
    """The events of lines that ``encode`` wrote; raises msgspec.DecodeError for any other."""
    return [event_of(row) for row in _split(lines)]


def event_of(row: AnyLine) -> MarketEvent:
    """What a line says, unjudged."""
    if isinstance(row, DeltaLine):
        return BookDelta(row.ts, row.s, row.b, row.a)
    if isinstance(row, TradeLine):
        return Trade(row.ts, row.s, row.p, row.q, row.side, row.id)
    if isinstance(row, SnapLine):
        return BookSnapshot(row.ts, row.s, row.b, row.a)
    if isinstance(row, CandleLine):
        return Candle(row.ts, row.s, row.tf, row.o, row.h, row.l, row.c, row.v)
    if isinstance(row, NewsLine):
        return News(row.ts, row.source, row.text, row.assets, row.id)
    if isinstance(row, PulseLine):
        return Pulse(row.ts, row.s)
    if isinstance(row, PastLine):
        candles = [Candle(close, row.s, tf, *ohlcv) for close, tf, *ohlcv in row.candles]
        return Past(row.ts, row.s, tuple(candles))
    if isinstance(row, ListingLine):
        return Listing(row.ts, row.s, row.instrument)
    return FeedNotice(row.ts, row.s, row.code, row.text)


def _figures(candle: Candle) -> tuple[float, float, float, float, float]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def _figure(value: float) -> bytes:
    """A number as a string, with the fewest digits that give it again."""
    return b'"%b"' % _encode(value)


def _levels(levels: Levels) -> bytes:
    """``[["price","size"],…]``, put together from the numbers' own encoding: it is hot."""
    if not levels:
        return b"[]"
    numbers = _encode(levels)[2:-2].replace(b"],[", b";").replace(b",", b'","')
    return b'[["%b"]]' % numbers.replace(b";", b'"],["')
