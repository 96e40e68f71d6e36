"""Any exchange that ccxt watches: its own readers, our time-outs, copies of what it shows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from tradeterm.adapters.feeds.live.exchange import hang_up, reason
from tradeterm.adapters.feeds.live.numbering import number_messages
from tradeterm.adapters.feeds.live.reasking import ask_anew
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.adapters.feeds.live.standstill import Standstill
from tradeterm.errors import ExchangeError
from tradeterm.model.market import Candle, Levels
from tradeterm.model.timing import MILLISECOND, MINUTE, SECOND
from tradeterm.model.vocabulary import FeedSource
from tradeterm.settings.live import LiveSettings

log = logging.getLogger(__name__)

LOOK: Final = 0.2
_INF: Final = float("inf")
T = TypeVar("T")


class Mirror:
    """The book of one symbol as the engine knows it; says what changed since."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.whole = False
        """Whether the engine has a whole book."""
        self.touch: tuple[float, float] | None = None
        """Best bid and ask."""

    def take(self, book: Any) -> tuple[Levels, Levels]:
        """A copy of the live book's best levels, as changes unless the first is asked for.

        Raises ValueError when it is no book: crossed, one-sided, or not of positive numbers.
        """
        sides = (_side(book["bids"], self._depth), _side(book["asks"], self._depth))
        bids, asks = sides
        if not bids or not asks:
            raise ValueError("the book has no bids or no asks")
        if max(bids) >= min(asks):
            raise ValueError(f"crossed: bid {max(bids):.12g}, ask {min(asks):.12g}")
        before, self._sides = self._sides, sides
        self.touch = max(bids), min(asks)
        if not self.whole:
            self.whole = True
            return tuple(bids.items()), tuple(asks.items())
        return _changed(before[0], bids), _changed(before[1], asks)


def _side(levels: Sequence[Sequence[Any]], depth: int) -> dict[float, float]:
    found: dict[float, float] = {}
    for price, size, *_ in levels[:depth]:
        price, size = float(price), float(size)
        if not (0.0 < price < _INF and 0.0 <= size < _INF):
            raise ValueError(f"level {price} × {size} is no price and size")
        if size:
            found[price] = size
    return found


def _changed(before: dict[float, float], now: dict[float, float]) -> Levels:
    gone = [(price, 0.0) for price in before if price not in now]
    return (*((p, s) for p, s in now.items() if before.get(p) != s), *gone)


class WatchedStream:
    """All symbols of one exchange by ccxt's ``watch_*``; ``run`` raises when it is over."""

    def __init__(
        self, exchange: Any, symbols: Sequence[str], sink: Sink, settings: LiveSettings
    ) -> None:
        self._exchange = exchange
        self._symbols = tuple(symbols)
        self._sink = sink
        self._settings = settings
        self._fault = ""
        self._opened: Callable[[], None] = _nothing
        self._mirrors: dict[str, Mirror] = {}
        self._still = {symbol: Standstill() for symbol in symbols}
        self._holes: asyncio.Queue[str] = asyncio.Queue()
        """What was lost of the connection's messages; every book of it may lack a change."""
        number_messages(exchange, self._holes.put_nowait)

    def give_up(self, why: str) -> None:
        """End it at the next look."""
        self._fault = why

    async def run(self, opened: Callable[[], None]) -> None:
        """Watch books and trades of every symbol until one of them cannot be watched."""
        import ccxt

        self._fault, self._opened = "", opened
        tasks = [asyncio.create_task(self._books(symbol)) for symbol in self._symbols]
        tasks += [asyncio.create_task(self._trades(symbol)) for symbol in self._symbols]
        tasks += [asyncio.create_task(self._beside(symbol)) for symbol in self._symbols]
        tasks += [asyncio.create_task(self._watch()), asyncio.create_task(self._mend())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                error = task.exception()
                if isinstance(error, ccxt.BaseError):
                    raise ExchangeError(f"websocket: {reason(error)}") from error
                if error is not None:
                    raise error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave()

    async def _books(self, symbol: str) -> None:
        import ccxt

        mirror, failures = Mirror(self._settings.depth), 0
        self._mirrors[symbol] = mirror
        while True:
            first = not mirror.whole
            try:
                book = await self._within(self._exchange.watch_order_book(symbol))
                self._was_opened()
                told = mirror.take(book)
            except TimeoutError:
                if not mirror.whole:
                    raise ExchangeError(f"no book of {symbol} came") from None
                continue  # a quiet symbol; a silent connection is noticed by ``_watch``
            except ccxt.UnsubscribeError:
                continue  # its prints said that it had to be asked for anew
            except (ValueError, ccxt.ChecksumError) as error:
                failures += 1
                mirror.whole = False
                if failures > 3:
                    raise ExchangeError(f"no usable book of {symbol}: {reason(error)}") from None
                self._sink.lose(symbol, reason(error))
                if isinstance(error, ValueError):  # else ccxt has forgotten it, and asks by itself
                    await self._ask_anew(symbol)
                continue
            failures = 0
            self._still[symbol].moved()
            if first:
                self._sink.snapshot(symbol, *told, FeedSource.WEBSOCKET)
            elif any(told):
                self._sink.changes(symbol, *told)
            if book.get("timestamp"):
                self._sink.stamped(int(book["timestamp"]) * MILLISECOND)

    async def _trades(self, symbol: str) -> None:
        while True:
            try:
                trades = await self._within(self._exchange.watch_trades(symbol))
            except TimeoutError:
                continue
            for trade in list(trades):
                pour_trade(self._sink, symbol, trade)
                await self._compare(symbol, trade)

    async def _compare(self, symbol: str, trade: dict[str, Any]) -> None:
        """Whether the book still goes with the prints; if not, it is asked for anew."""
        mirror, price = self._mirrors.get(symbol), trade.get("price")
        if mirror is None or not mirror.whole or mirror.touch is None or not price:
            return
        now = self._sink.heard
        if why := self._still[symbol].beyond(float(price), *mirror.touch, now):
            mirror.whole = False
            self._sink.lose(symbol, why)
            await self._ask_anew(symbol)

    async def _mend(self) -> None:
        """After a hole in the numbers all books are asked for anew, one after the other."""
        while True:
            why = await self._holes.get()
            for symbol, mirror in self._mirrors.items():
                if mirror.whole:
                    mirror.whole = False
                    self._sink.lose(symbol, why)
                    await self._ask_anew(symbol)

    async def _ask_anew(self, symbol: str) -> None:
        """That book alone; ExchangeError, which ends the connection, when it cannot be had."""
        import ccxt

        try:
            await self._within(ask_anew(self._exchange, symbol))
        except (TimeoutError, ccxt.BaseError) as error:
            told = reason(error)
            raise ExchangeError(f"the book of {symbol} cannot be asked for anew: {told}") from error

    async def _beside(self, symbol: str) -> None:
        """Ticker and bars where ccxt watches them; the market does not depend on them."""
        has = self._exchange.has
        watched = [
            self._repeat(call, symbol, take)
            for feature, call, take in (
                ("watchTicker", self._exchange.watch_ticker, self._ticker),
                ("watchOHLCV", self._exchange.watch_ohlcv, self._bars),
            )
            if has.get(feature)
        ]
        await asyncio.gather(*watched)

    async def _repeat(
        self, call: Callable[[str], Awaitable[Any]], symbol: str, take: Callable[[str, Any], None]
    ) -> None:
        import ccxt

        while True:
            try:
                take(symbol, await self._within(call(symbol)))
            except (ccxt.NetworkError, ConnectionError):
                raise
            except (ccxt.BaseError, TimeoutError, ValueError, LookupError, TypeError) as error:
                log.info("%s: %s", symbol, reason(error))
                await asyncio.sleep(LOOK)

    def _ticker(self, symbol: str, ticker: Any) -> None:
        if ticker.get("last"):
            self._sink.ticker(symbol, float(ticker["last"]))

    def _bars(self, symbol: str, rows: Sequence[Sequence[Any]]) -> None:
        for opened, *figures in list(rows)[-2:]:
            closes = int(opened) * MILLISECOND + MINUTE
            self._sink.candle(Candle(closes, symbol, MINUTE // SECOND, *map(float, figures[:5])))

    async def _within(self, call: Awaitable[T]) -> T:
        """Waiting in ccxt never ends when a subscription is lost.

        Not ``wait_for``: its task begins a turn of the loop later, and what ccxt hears while nobody
        waits is told with the next message only.
        """
        async with asyncio.timeout(self._settings.timeout):
            return await call

    async def _watch(self) -> None:
        """Silence of all connections together, and what was ordered from outside."""
        loop = asyncio.get_running_loop()
        last, heard = 0, loop.time()
        while True:
            await asyncio.sleep(LOOK)
            newest = max(
                (client.last_message_at or 0 for client in self._exchange.clients.values()),
                default=0,
            )
            if newest != last:
                last, heard = newest, loop.time()
                self._sink.alive()
            if self._fault:
                raise ExchangeError(self._fault)
            patience = self._settings.silence if last else self._settings.timeout
            if loop.time() - heard > patience:
                raise ExchangeError(f"websocket: silent for {loop.time() - heard:.1f} s")

    def _was_opened(self) -> None:
        call, self._opened = self._opened, _nothing
        call()

    async def _leave(self) -> None:
        exchange = self._exchange
        clients, exchange.clients = list(exchange.clients.values()), {}
        exchange.orderbooks, exchange.trades = exchange.create_safe_dictionary(), {}
        await asyncio.gather(*map(hang_up, clients), return_exceptions=True)


def pour_trade(sink: Sink, symbol: str, trade: dict[str, Any]) -> None:
    """One of ccxt's trades into the sink; what is no trade is counted."""
    try:
        price, size = float(trade["price"]), float(trade["amount"])
        when = int(trade["timestamp"]) * MILLISECOND
    except (TypeError, ValueError, KeyError) as error:
        sink.reject(symbol, f"E-SCHEMA trade: {reason(error)}")
        return
    sink.trade(symbol, price, size, str(trade.get("side")), str(trade.get("id") or ""), when)
    sink.stamped(when)


def _nothing() -> None:
    """Nobody waits for it."""
