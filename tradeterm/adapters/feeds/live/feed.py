"""``--feed live``: a market that goes on by itself, read on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.adapters.feeds.live.exchange import (
    close_exchange,
    load_instruments,
    open_exchange,
    reason,
)
from tradeterm.adapters.feeds.live.health import SymbolHealth
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.adapters.feeds.live.link import Link
from tradeterm.adapters.feeds.live.moments import MarketClock
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.adapters.feeds.news.poller import NewsPoller
from tradeterm.errors import EngineFault, ExchangeError, UsageError
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import (
    GAP,
    PROGRAM_AWAY,
    Candle,
    FeedMark,
    FeedNotice,
    MarketEvent,
)
from tradeterm.model.timing import MILLISECOND
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.live import LiveSettings
from tradeterm.settings.market import MarketSettings

log = logging.getLogger(__name__)

#: Seconds the market's thread gets to close its sockets.
FAREWELL = 3.0


class LiveFeed:
    """Implements ``Source``. Nothing is contacted before ``prepare`` or ``resume``."""

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
        self._sink: Sink | None = None
        # Whole milliseconds, as the book of record writes the moment down.
        self.start = self._clock.now() // MILLISECOND * MILLISECOND
        self._instruments: dict[str, Instrument] = {}
        self._recalled: Mapping[str, Sequence[str]] = {}
        self._doubt = ""
        """Why nobody can say how long we were away."""
        self._told: Future[dict[str, Instrument]] = Future()
        self._since: Future[int] = Future()
        self._thread = threading.Thread(target=self._live, name="market", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.fault = ""
        """Why nobody listens any more; only a new start helps."""
        self.poller: NewsPoller | None = None
        """Headlines beside the market; set by whoever opens it."""

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

    def resume(
        self,
        since: int,
        floor: int,
        known: Sequence[Instrument],
        told: Mapping[str, Sequence[str]],
    ) -> None:
        """Begin to listen. What was missed after ``since`` is told first, unless that is 0.

        Until then time stands at ``floor``; nothing is stamped before it. ``known`` are the
        instruments the run goes by: the exchange may have changed them since. ``told`` are the
        ids of the last trades by symbol.
        """
        self._instruments = {instrument.symbol: instrument for instrument in known}
        self._recalled = told
        forward = self._clock.reach(floor)
        if since and forward > 1.0:
            self._doubt = (
                f"the clock shows {forward:.0f} s less than the run's last moment; market time "
                "goes on from there"
            )
            self._inbox.put_past(lambda ts: FeedNotice(ts, "", "clock_step", self._doubt), floor)
        if since:
            self._inbox.freeze(floor)
            # At once: what the books showed then is not true any more. On the tape, as all else.
            self._inbox.put_past(lambda ts: FeedNotice(ts, "", GAP, PROGRAM_AWAY), floor)
        self._since.set_result(since)
        if not self._thread.is_alive():
            self._thread.start()
        if self.poller is not None:
            self.poller.start()

    def put(self, make: Callable[[int], MarketEvent]) -> None:
        """Something that did not come from the exchange; it is stamped as it arrives."""
        self._inbox.put(make)

    def take(self) -> Sequence[MarketEvent]:
        """What has arrived; empty when nothing has."""
        return self._inbox.take()

    def reach(self) -> int:
        """A moment (ns) that nothing will be stamped before any more."""
        return self._inbox.reach()

    def waiting(self) -> bool:
        """Whether something has arrived that was not taken."""
        return self._inbox.waiting > 0

    def on_arrival(self, call: Callable[[], None] | None) -> None:
        """Called on another thread when something has arrived."""
        self._inbox.on_arrival(call)

    def clock_skew(self) -> float | None:
        """Seconds our clock is ahead of the exchange's; None while nobody knows."""
        return self._gauge.skew(self._clock.now())

    def health(self) -> tuple[SymbolHealth, ...]:
        """How the connection fares, symbol by symbol."""
        return tuple(self._health.values())

    def lag(self) -> float:
        """Seconds the newest message was on its way, in the network and in our own queues."""
        return self._sink.lag if self._sink is not None else 0.0

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
        if self.poller is not None:
            self.poller.close()
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
            if not self._told.done():
                self._told.set_exception(error)
                return
            log.exception("the market's thread ended", exc_info=error)
            self._inbox.thaw()
            self.fault = reason(error)
            text = f"the market's thread ended: {self.fault}; restart tradeterm"
            self._inbox.put(lambda ts: FeedNotice(ts, "", "link_down", text))

    async def _listen(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        exchange = open_exchange(self._settings.exchange, self._settings)
        try:
            if not self._since.done():
                await self._tell_instruments(exchange)
            since = await asyncio.wrap_future(self._since)
            sink = Sink(self.symbols, self._inbox, self._clock.now, self._gauge)
            sink.recall(self._recalled)
            self._health, self._sink = sink.health, sink
            link = Link(
                exchange, self.symbols, sink, self._inbox, self._clock, self._gauge,
                self._settings, self._market,
            )  # fmt: skip
            if not self._closed:
                await link.run(since, self._instruments, self._doubt)
        finally:
            await close_exchange(exchange)

    async def _tell_instruments(self, exchange: Any) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                found = await load_instruments(exchange, self.symbols, self._market)
        except TimeoutError:
            raise ExchangeError(
                f"{self._settings.exchange} has not answered within {self._settings.timeout:g} s"
            ) from None
        self._told.set_result(found)
