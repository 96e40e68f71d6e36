"""``--feed live``: a market that goes on by itself, read on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.adapters.feeds.live.exchange import close_exchange, load_instruments, open_exchange
from tradeterm.adapters.feeds.live.health import SymbolHealth
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.adapters.feeds.live.link import Link
from tradeterm.adapters.feeds.live.moments import MarketClock
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.errors import EngineFault, ExchangeError, UsageError
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, FeedMark, MarketEvent
from tradeterm.model.timing import MILLISECOND
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.live import LiveSettings
from tradeterm.settings.market import MarketSettings

log = logging.getLogger(__name__)

#: Seconds the market's thread gets to close its sockets.
FAREWELL = 3.0


class LiveFeed:
    """Implements ``LiveMarket``. Nothing is contacted before ``prepare`` or ``resume``."""

    mode = MarketMode.LIVE.value

    def __init__(
        self, settings: LiveSettings, market: MarketSettings, symbols: Sequence[str]
    ) -> None:
        self.symbols = tuple(symbols)
        self._settings = settings
        self._market = market
        self._clock = MarketClock()
        self._gauge = SkewGauge()
        self._inbox = Inbox(self._clock.now)
        self._health: dict[str, SymbolHealth] = {}
        # Whole milliseconds, as the book of record writes the moment down.
        self.start = self._clock.now() // MILLISECOND * MILLISECOND
        self._instruments: dict[str, Instrument] = {}
        self._told: Future[dict[str, Instrument]] = Future()
        self._after: Future[int] = Future()
        self._thread = threading.Thread(target=self._live, name="market", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.fault = ""
        """Why the market's thread ended, if it did so by itself."""

    # -- what it is ------------------------------------------------------------------------

    def identity(self) -> dict[str, str]:
        """Exchange and symbols."""
        return {
            "feed": "live",
            "exchange": self._settings.exchange,
            "symbols": ",".join(self.symbols),
        }

    def derived(self) -> tuple[Instrument, ...]:
        """The exchange's own steps and minimums, once ``prepare`` has asked for them."""
        return tuple(self._instruments.values())

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """None: candles from before the start arrive as an event (``Past``)."""
        return []

    async def prepare(self) -> None:
        """Ask the exchange for its instruments: what a new run begins with.

        Raises UsageError for a symbol or exchange that is not there, ExchangeError for silence.
        """
        self._thread.start()
        instruments = await asyncio.wrap_future(self._told)
        missing = [symbol for symbol in self.symbols if symbol not in instruments]
        if missing:
            raise UsageError(
                f"{self._settings.exchange} does not trade {', '.join(missing)}; choose others "
                "with --symbols, written like BTC/USDT"
            )
        self._instruments = instruments

    # -- the market ------------------------------------------------------------------------

    def resume(self, after: int) -> None:
        """Begin to listen; time stands at ``after`` until what was missed since is told. 0: new."""
        if after:
            self._inbox.freeze(after)
        self._after.set_result(after)
        if not self._thread.is_alive():
            self._thread.start()

    def take(self) -> Sequence[MarketEvent]:
        """What has arrived; empty when nothing has."""
        return self._inbox.take()

    def reach(self) -> int:
        """A moment (ns) that nothing will be stamped before any more."""
        return self._inbox.reach()

    def on_arrival(self, call: Callable[[], None] | None) -> None:
        """Called on another thread when something has arrived."""
        self._inbox.on_arrival(call)

    def clock_skew(self) -> float | None:
        """Seconds our clock is ahead of the exchange's; None while nobody knows."""
        return self._gauge.skew(self._clock.now())

    def health(self) -> tuple[SymbolHealth, ...]:
        """How the connection fares, symbol by symbol."""
        return tuple(self._health.values())

    def now(self) -> int:
        """Receive time (ns)."""
        return self._clock.now()

    def mark(self, position: int) -> FeedMark:
        """There is no way back into a market: its recording has one."""
        raise EngineFault(f"a live market has no mark for position {position}")

    def seek(self, mark: FeedMark) -> None:
        """Likewise."""
        raise EngineFault(f"a live market cannot go back to position {mark.position}")

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it has ended by itself
                log.info("the market's thread has ended already")
        if self._thread.is_alive():
            self._thread.join(FAREWELL)

    # -- the thread ------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            asyncio.run(self._listen())
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self.fault = f"{type(error).__name__}: {error}"
            if not self._told.done():
                self._told.set_exception(error)
            else:
                log.exception("the market's thread ended", exc_info=error)

    async def _listen(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        exchange = open_exchange(self._settings.exchange, self._settings)
        try:
            if not self._after.done():
                await self._tell_instruments(exchange)
            after = await asyncio.wrap_future(self._after)
            sink = Sink(self.symbols, self._inbox, self._clock.now, self._gauge)
            self._health = sink.health
            link = Link(
                exchange, self.symbols, sink, self._inbox, self._clock, self._gauge,
                self._settings, self._market,
            )  # fmt: skip
            if not self._closed:
                await link.run(after, self._instruments)
        finally:
            await close_exchange(exchange)

    async def _tell_instruments(self, exchange: object) -> None:
        try:
            found = await asyncio.wait_for(
                load_instruments(exchange, self.symbols, self._market), self._settings.timeout
            )
        except TimeoutError:
            raise ExchangeError(
                f"{self._settings.exchange} has not answered within {self._settings.timeout:g} s"
            ) from None
        self._told.set_result(found)
