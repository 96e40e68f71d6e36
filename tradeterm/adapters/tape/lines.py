"""A tape's lines (DESIGN §10): one JSON object per market event, there and back exactly.

Prices and sizes are strings of the shortest digits that give the same float again. ``news`` and
``notice`` are lines like the others: what the engine was told is on the tape, word for word.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    Levels,
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


AnyLine = (
    SnapLine | DeltaLine | TradeLine | CandleLine | NewsLine | NoticeLine | PulseLine | PastLine
)
decode_line = msgspec.json.Decoder(AnyLine, strict=False).decode
_split = msgspec.json.Decoder(AnyLine, strict=False).decode_lines


def encode(events: Iterable[MarketEvent]) -> bytes:
    """The lines of events, each with its line feed."""
    return b"".join([line(event) for event in events])


def line(event: MarketEvent) -> bytes:
    """One event as a line."""
    if isinstance(event, BookDelta | BookSnapshot):
        kind = "delta" if isinstance(event, BookDelta) else "snap"
        return (
            f'{{"ts":{event.ts},"s":{_quoted(event.symbol)},"t":"{kind}",'
            f'"b":[{_levels(event.bids)}],"a":[{_levels(event.asks)}]}}\n'
        ).encode()
    if isinstance(event, Trade):
        named = f',"id":{_quoted(event.id)}' if event.id else ""
        return (
            f'{{"ts":{event.ts},"s":{_quoted(event.symbol)},"t":"trade","p":"{event.price!r}",'
            f'"q":"{event.size!r}","side":{_quoted(event.side)}{named}}}\n'
        ).encode()
    if isinstance(event, Candle):
        return (
            f'{{"ts":{event.ts},"s":{_quoted(event.symbol)},"t":"candle","tf":{event.timeframe},'
            f'"o":"{event.open!r}","h":"{event.high!r}","l":"{event.low!r}",'
            f'"c":"{event.close!r}","v":"{event.volume!r}"}}\n'
        ).encode()
    if isinstance(event, News):
        told = NewsLine(event.ts, "", event.source, event.text, event.assets, event.id)
        return _encode(told) + b"\n"
    if isinstance(event, Pulse):
        return _encode(PulseLine(event.ts, event.symbol)) + b"\n"
    if isinstance(event, Past):
        candles = ",".join([_candle(candle) for candle in event.candles])
        return (
            f'{{"ts":{event.ts},"s":{_quoted(event.symbol)},"t":"past","candles":[{candles}]}}\n'
        ).encode()
    return _encode(NoticeLine(event.ts, event.symbol, event.code, event.text)) + b"\n"


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
    return FeedNotice(row.ts, row.s, row.code, row.text)


def _candle(candle: Candle) -> str:
    return (
        f'[{candle.ts},{candle.timeframe},"{candle.open!r}","{candle.high!r}","{candle.low!r}",'
        f'"{candle.close!r}","{candle.volume!r}"]'
    )


def _levels(levels: Levels) -> str:
    return ",".join([f'["{price!r}","{size!r}"]' for price, size in levels])


def _quoted(text: str) -> str:
    return _encode(text).decode()
