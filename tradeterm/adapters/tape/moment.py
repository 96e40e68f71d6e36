"""A recorded market from any moment on: ``--feed replay:FOLDER@2025-06-01T12:00:00Z``.

What came before is read once, so that the books stand and the indicators are warm at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tradeterm.adapters.tape.blocks import read
from tradeterm.adapters.tape.recorded import Place, RecordedFeed
from tradeterm.errors import DataError
from tradeterm.market.market import Market
from tradeterm.model.market import (
    GAP,
    GAP_OVER,
    BookDelta,
    BookSnapshot,
    Candle,
    FeedMark,
    FeedNotice,
    MarketEvent,
    Past,
    Trade,
)
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import MarketMode, Side
from tradeterm.settings.market import MarketSettings


class RecordedMoment(RecordedFeed):
    """Implements ``Feed``: first the books as they stood, then the tape from there."""

    def __init__(
        self, folder: Path, since: int, settings: MarketSettings, symbols: tuple[str, ...] | None
    ) -> None:
        """``since`` in ns; raises DataError when the tape has nothing after it."""
        super().__init__(folder, mode=MarketMode.REPLAY.value, symbols=symbols)
        self._past = _Past(settings, self.symbols)
        self._past.warm(super().history)
        self._origin = self._read_up_to(since)
        self.start = since
        self._opening = self._past.books(since)
        self._opened = 0
        """Books handed out."""
        self.seek(FeedMark(0))

    def _read_up_to(self, since: int) -> FeedMark:
        """Let the past happen; where the tape goes on."""
        while (found := self._next_block()) is not None:
            file, block = found
            events = self._only_wanted(read(file, block))
            before = [event for event in events if event.ts < since]
            for event in before:
                self._past.take(event)
            if block.end >= since:
                return FeedMark(0, msgspec.msgpack.encode(Place(-len(before), block.first)))
            self._block += 1
        raise DataError(f"{self.folder.name}: nothing was recorded at or after {iso(since)}")

    def identity(self) -> dict[str, str]:
        """That of the tape, and the moment."""
        return {**super().identity(), "since": iso(self.start)}

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """The candles that had closed by then."""
        return self._past.candles(symbol, timeframe)[-count:]

    def take(self) -> Sequence[MarketEvent]:
        """The books, then the tape's next events."""
        if self._opened < len(self._opening):
            begin, self._opened = self._opened, len(self._opening)
            return self._opening[begin:]
        return super().take()

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been handed out, the books among them."""
        books = len(self._opening)
        if position <= books:
            return FeedMark(position)
        return FeedMark(position, super().mark(position - books).state)

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        books = len(self._opening)
        self._opened = min(mark.position, books)
        if mark.position <= books:
            super().seek(self._origin)
        else:
            super().seek(FeedMark(mark.position - books, mark.state))


class _Past:
    """Books and candles as the market's own machinery makes them."""

    def __init__(self, settings: MarketSettings, symbols: tuple[str, ...]) -> None:
        self._market = Market(settings, symbols)
        self._symbols = symbols
        self._in_gap = False
        self.warm = self._market.warm

    def take(self, event: MarketEvent) -> None:
        """One event; news and signs of life leave nothing behind."""
        market = self._market
        while market.next_close < event.ts:
            market.close_due(market.next_close)
        match event:
            case Trade():
                market.on_trade(event)
            case BookDelta():
                market.on_delta(event)
            case BookSnapshot():
                market.on_snapshot(event)
            case Candle():
                (market.bridge if self._in_gap else market.on_candle)(event)
            case Past():
                market.on_past(event)
            case FeedNotice(code=code) if code in {GAP, GAP_OVER}:
                self._in_gap = code == GAP
                market.forget_books()
        market.take_notices()

    def books(self, now: int) -> list[MarketEvent]:
        """Those that stand, as snapshots of this moment."""
        found: list[MarketEvent] = []
        for symbol in self._symbols:
            book = self._market.symbol(symbol).book
            if book.usable:
                bids, asks = (
                    tuple(book.levels(side, book.depth(side))) for side in (Side.BUY, Side.SELL)
                )
                found.append(BookSnapshot(now, symbol, bids, asks))
        return found

    def candles(self, symbol: str, timeframe: int) -> list[Candle]:
        """Closed ones, oldest first."""
        window = self._market.symbol(symbol).windows.get(timeframe)
        if window is None:
            return []
        rows = window.rows(window.count)
        return [Candle(ts, symbol, timeframe, *figures) for ts, *figures in rows]
