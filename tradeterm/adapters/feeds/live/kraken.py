"""Kraken's websocket v2, read from the text of its messages so that the checksum can be checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from tradeterm.adapters.feeds.live.book import OutOfStep, WireBook
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.adapters.feeds.live.standstill import Standstill
from tradeterm.errors import ExchangeError
from tradeterm.model.market import Candle
from tradeterm.model.text import clean
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import FeedSource

#: Book depths that may be subscribed to.
DEPTHS: Final = (10, 25, 100, 500, 1000)
#: Seconds between two requests for the same symbol's snapshot.
PATIENCE: Final = 2.0
#: Snapshots in a row that did not come, or did not fit, after which the connection is given up.
TRIES: Final = 3
#: What Kraken's matching engine says of itself when it trades as usual.
ONLINE: Final = "online"


class _Level(msgspec.Struct, gc=False):
    price: msgspec.Raw
    qty: msgspec.Raw


class _Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Level] = []
    asks: list[_Level] = []
    checksum: int | None = None
    timestamp: str = ""


class _Trade(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: float
    qty: float
    trade_id: int
    timestamp: str


class _Bar(msgspec.Struct, gc=False):
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    interval_begin: str
    interval: int


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    last: float


class _Status(msgspec.Struct, gc=False):
    system: str = ""


class _Message(msgspec.Struct, gc=False):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    method: str = ""
    success: bool = True
    error: str = ""
    symbol: str = ""


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_BOOKS: Final = msgspec.json.Decoder(list[_Book])
_TRADES: Final = msgspec.json.Decoder(list[_Trade])
_BARS: Final = msgspec.json.Decoder(list[_Bar])
_TICKERS: Final = msgspec.json.Decoder(list[_Ticker])
_STATUS: Final = msgspec.json.Decoder(list[_Status])


class _Awaited:
    """A snapshot that was asked for."""

    __slots__ = ("since", "tries")

    def __init__(self, since: float, tries: int) -> None:
        self.since = since
        self.tries = tries


class KrakenWire:
    """Subscriptions, books and trades of some symbols on one websocket."""

    ADDRESS: Final = "publicV2"
    """Which of ccxt's websocket addresses."""

    def __init__(self, symbols: Sequence[str], depth: int, sink: Sink, timeout: float) -> None:
        self._symbols = tuple(symbols)
        self._sink = sink
        self._timeout = timeout
        self._depth = next((known for known in DEPTHS if known >= depth), DEPTHS[-1])
        self._books = {symbol: WireBook(symbol, self._depth) for symbol in symbols}
        self._awaited: dict[str, _Awaited] = {}
        self._still = {symbol: Standstill() for symbol in symbols}
        self._refused: set[str] = set()
        """Symbols that this connection does not serve."""
        self._asked = 0
        self._system = ONLINE

    def opening(self, now: float) -> list[str]:
        """What to send first; ``now`` in the loop's seconds."""
        self._refused.clear()
        for symbol, book in self._books.items():
            book.reset()
            self._awaited[symbol] = _Awaited(now, 1)
        return [
            self._request("subscribe", "trade", self._symbols, snapshot=True),
            self._request("subscribe", "book", self._symbols, depth=self._depth, snapshot=True),
            self._request("subscribe", "ticker", self._symbols, snapshot=True),
            self._request("subscribe", "ohlc", self._symbols, interval=1, snapshot=False),
        ]

    def due(self, now: float) -> Iterator[str]:
        """What to send by now; raises ExchangeError when a book does not come at all."""
        for symbol, awaited in tuple(self._awaited.items()):
            if now - awaited.since < (PATIENCE if awaited.since < 0 else self._timeout):
                continue
            if awaited.tries >= TRIES:
                raise ExchangeError(f"no usable book of {symbol} after {TRIES} snapshots")
            awaited.since, awaited.tries = now, awaited.tries + 1
            yield from self._again(symbol)

    def _again(self, symbol: str) -> Iterator[str]:
        yield self._request("unsubscribe", "book", (symbol,), depth=self._depth)
        yield self._request("subscribe", "book", (symbol,), depth=self._depth, snapshot=True)

    def _request(self, method: str, channel: str, symbols: Sequence[str], **params: object) -> str:
        self._asked += 1
        body = {"channel": channel, "symbol": list(symbols), **params}
        return json.dumps({"method": method, "params": body, "req_id": self._asked})

    # -- reading ---------------------------------------------------------------------------

    def take(self, text: str) -> bool:
        """Read one message; False when it is none of ours. Never raises for what is in it."""
        try:
            message = _MESSAGE.decode(text)
            if message.channel == "book":
                for data in _BOOKS.decode(message.data):
                    self._book(data, whole=message.type == "snapshot")
            elif message.channel == "trade":
                for trade in _TRADES.decode(message.data):
                    self._trade(trade, old=message.type == "snapshot")
            elif message.channel == "ticker":
                for ticker in _TICKERS.decode(message.data):
                    if ticker.symbol in self._books:
                        self._sink.ticker(ticker.symbol, ticker.last)
            elif message.channel == "ohlc":
                for bar in _BARS.decode(message.data):
                    self._bar(bar)
            elif message.channel == "status":
                self._status(_STATUS.decode(message.data))
            elif message.method == "subscribe" and not message.success:
                self._refuse(message.symbol, f"subscription refused: {clean(message.error)}")
            else:
                return False
        except (msgspec.DecodeError, ValueError, OverflowError) as error:
            self._unreadable(text, str(error))
        return True

    def _refuse(self, symbol: str, why: str) -> None:
        """One symbol is not served: the others go on; ExchangeError when none is left."""
        if symbol not in self._books or len(self._refused | {symbol}) == len(self._symbols):
            raise ExchangeError(why)
        if symbol not in self._refused:
            self._refused.add(symbol)
            self._awaited.pop(symbol, None)
            self._books[symbol].reset()
            self._sink.lose(symbol, why)

    def _unreadable(self, text: str, why: str) -> None:
        """A message that is not what the documentation says: a book it names starts again."""
        words = f"E-SCHEMA {clean(why, 80)}: {clean(text, 80)}"
        named = [symbol for symbol in self._symbols if f'"{symbol}"' in text]
        for symbol in named:
            if '"book"' in text:
                self._sink.health[symbol].rejected += 1
                self._lost(symbol, words)
            else:
                self._sink.reject(symbol, words)
        if not named:
            self._sink.unreadable(words)

    def _book(self, data: _Book, *, whole: bool) -> None:
        book = self._books.get(data.symbol)
        if book is None or not (whole or book.ready):
            return  # changes of a book that is being fetched anew
        self._still[data.symbol].moved()
        bids = [(bytes(level.price), bytes(level.qty)) for level in data.bids]
        asks = [(bytes(level.price), bytes(level.qty)) for level in data.asks]
        try:
            if whole:
                told = book.snapshot(bids, asks, data.checksum)
                self._awaited.pop(data.symbol, None)
                self._sink.snapshot(data.symbol, *told, FeedSource.WEBSOCKET)
            else:
                self._sink.changes(data.symbol, *book.update(bids, asks, data.checksum))
        except (OutOfStep, ValueError) as error:
            self._lost(data.symbol, str(error))
            return
        if data.timestamp:
            self._sink.stamped(_nanoseconds(data.timestamp))

    def _lost(self, symbol: str, why: str) -> None:
        book = self._books[symbol]
        book.reset()
        self._sink.lose(symbol, why)
        known = self._awaited.get(symbol)
        # Asked for at the next look: a mismatch in every message is not a request per message.
        self._awaited[symbol] = _Awaited(-PATIENCE, known.tries if known else 0)

    def _compare(self, trade: _Trade) -> None:
        """Whether the book still goes with the prints."""
        book = self._books[trade.symbol]
        if book.ready and (touch := book.touch) is not None:
            still = self._still[trade.symbol]
            if why := still.beyond(trade.price, *touch, self._sink.heard):
                self._lost(trade.symbol, why)

    def _bar(self, bar: _Bar) -> None:
        if bar.symbol not in self._books:
            return
        span = bar.interval * MINUTE
        closes = _nanoseconds(bar.interval_begin) + span
        figures = bar.open, bar.high, bar.low, bar.close, bar.volume
        self._sink.candle(Candle(closes, bar.symbol, span // SECOND, *figures))

    def _status(self, told: Sequence[_Status]) -> None:
        """Maintenance, cancel_only, post_only …: told when it changes."""
        for each in told:
            if each.system and each.system != self._system:
                self._system = each.system
                self._sink.notice("venue_status", f"kraken is {clean(each.system, 40)}")

    def _trade(self, trade: _Trade, *, old: bool) -> None:
        if trade.symbol not in self._books:
            return
        when = _nanoseconds(trade.timestamp)
        if not old:
            self._compare(trade)
        take = self._sink.old_trade if old else self._sink.trade
        take(trade.symbol, trade.price, trade.qty, trade.side, str(trade.trade_id), when)
        if not old:
            self._sink.stamped(when)


def _nanoseconds(text: str) -> int:
    """From RFC 3339; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
