"""News beside a simulated or replayed market: each text at its own time, and never before.

Files and folders only, read once, when the feed is opened; they are part of what the feed is, so a
run goes on with the very same texts. What is dated outside the run never appears.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from heapq import merge
from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.feeds.news.items import MOST_ITEMS, Assets, Item, once, read_path
from tradeterm.errors import EngineFault
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, Feed, FeedMark, MarketEvent
from tradeterm.model.timing import iso

#: Batches for which a mark can be given; the market's own feed keeps no more.
KEPT: Final = 8


class _Place(msgspec.Struct):
    """Where the market's feed and the news stood."""

    market: FeedMark
    news: int


class _Batch(msgspec.Struct):
    """A batch handed out: where it began, and which of its events are news."""

    position: int
    market: int
    news: int
    size: int
    at: list[int]


class DatedNews:
    """Implements ``Feed`` around another one."""

    def __init__(self, inner: Feed, paths: Sequence[Path]) -> None:
        """Reads everything; raises DataError for a path that cannot be read or is no feed."""
        self.inner = inner
        self.mode, self.symbols, self.start = inner.mode, inner.symbols, inner.start
        documents = [read_path(path) for path in paths]
        found = list(once(sorted(item for each in documents for item in each.items)))
        self.faults = tuple(each.fault for each in documents if each.fault)
        """Of documents that were not whole."""
        self.beyond = sum(each.beyond for each in documents)
        """Texts of sources that hold too many."""
        self._items = [item for item in found if item.ts >= self.start]
        self.never = len(found) - len(self._items)
        """Texts without a date, or of a time before the market begins."""
        self._assets = Assets(inner.symbols)
        self._next = 0
        self._position = 0
        self._market = 0
        self._batches: deque[_Batch] = deque(maxlen=KEPT)

    def remark(self) -> str:
        """What a reader may wait for in vain: when the texts appear, and how many never do."""
        if self._items:
            first, last = (iso(self._items[at].ts) for at in (0, -1))
            told = f"{len(self._items)} dated {first} to {last}, each appears at that market time"
        else:
            told = "no text is dated after the market's beginning"
        never = f"; {self.never} earlier or undated: never seen" if self.never else ""
        if self.beyond:
            never += f"; {self.beyond} left out, a source gives its newest {MOST_ITEMS} only"
        faults = "".join(f"; {fault}" for fault in self.faults)
        return f"agents.sentiment_analysis.sources: {told}{never}{faults}"

    def identity(self) -> dict[str, str]:
        """The market's, and what was written beside it."""
        told = hashlib.sha256(msgspec.json.encode(self._items)).hexdigest()[:16]
        return {**self.inner.identity(), "news": told}

    def derived(self) -> tuple[Instrument, ...]:
        """The market's."""
        return self.inner.derived()

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """The market's."""
        return self.inner.history(symbol, timeframe, count)

    def take(self) -> Sequence[MarketEvent]:
        """The market's next events, with the news of that time among them."""
        batch = self.inner.take()
        if not batch:
            return batch
        begin = self._next
        news = self._until(batch[-1].ts)
        told: Sequence[MarketEvent] = batch
        at: list[int] = []
        if news:
            written = {id(one) for one in news}
            told = list(merge(batch, news, key=lambda event: event.ts))
            at = [index for index, event in enumerate(told) if id(event) in written]
        self._batches.append(_Batch(self._position, self._market, begin, len(told), at))
        self._position += len(told)
        self._market += len(batch)
        return told

    def _until(self, last: int) -> list[MarketEvent]:
        """News up to ``last``."""
        items, begin = self._items, self._next
        while self._next < len(items) and items[self._next].ts <= last:
            self._next += 1
        return [self._news(item) for item in items[begin : self._next]]

    def _news(self, item: Item) -> MarketEvent:
        return item.news(item.ts, self._assets)

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been delivered."""
        for batch in reversed(self._batches):
            if batch.position <= position <= batch.position + batch.size:
                told = position - batch.position
                news = sum(index < told for index in batch.at)
                market = self.inner.mark(batch.market + told - news)
                return FeedMark(position, msgspec.msgpack.encode(_Place(market, batch.news + news)))
        if position == 0:
            return FeedMark(0)
        raise EngineFault(f"the news have no mark for position {position}")

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        place = _Place(FeedMark(0), 0)
        if mark.state:
            place = msgspec.msgpack.decode(mark.state, type=_Place)
        self.inner.seek(place.market)
        self._position, self._market, self._next = mark.position, place.market.position, place.news
        self._batches.clear()
        self._batches.append(_Batch(self._position, self._market, self._next, 0, []))

    def close(self) -> None:
        """Let go of the market's files."""
        self.inner.close()
