"""Keeps a live market coming: connects, notices, connects again, fetches what was missed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from msgspec.structs import replace

from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.adapters.feeds.live.exchange import reason
from tradeterm.adapters.feeds.live.gap import fetch_gap
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.adapters.feeds.live.kraken import KrakenWire
from tradeterm.adapters.feeds.live.listings import ListingWatch
from tradeterm.adapters.feeds.live.moments import MarketClock
from tradeterm.adapters.feeds.live.polling import poll
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.adapters.feeds.live.warmup import fetch_past
from tradeterm.adapters.feeds.live.watching import WatchedStream
from tradeterm.adapters.feeds.live.wired import WiredStream
from tradeterm.errors import ExchangeError
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import GAP, GAP_LOST, GAP_OVER, Candle, FeedNotice, Trade
from tradeterm.model.timing import HOUR, MILLISECOND, SECOND
from tradeterm.settings.live import LiveSettings
from tradeterm.settings.market import MarketSettings

log = logging.getLogger(__name__)

#: Seconds a connection has to stand before it counts as back: a flapping one is one alarm.
SETTLED: Final = 10.0
#: Seconds between two looks at our clocks; a longer pause than STALL was a suspend or a stop.
TICK: Final = 0.5
STALL: Final = 2.0
#: Seconds between two questions about the exchange's clock.
ASK_TIME: Final = 60.0
#: Seconds after which a side task that failed is tried again.
AGAIN: Final = 300.0
#: Seconds that prints wait for what came before them; stops do not wait for a slow answer.
HOLD: Final = 2.0
#: How far beyond its edges a gap is asked for: what is known there is recognised by its id.
OVERLAP: Final = 3 * SECOND
#: How far before the last message the last print of a quiet symbol may lie.
LOOK_BACK: Final = HOUR
#: Seconds that bars of the past may take before the live ones go on without them.
PAST_SECONDS: Final = 120.0


class Stream(Protocol):
    """One connection to the exchange."""

    async def run(self, opened: Callable[[], None]) -> None:
        """Connect, call ``opened``, then read; raises ExchangeError when it is over."""
        ...

    def give_up(self, why: str) -> None:
        """End it soon."""
        ...


class Link:
    """Everything that goes on on the market's thread; ``run`` until it is cancelled."""

    def __init__(
        self,
        exchange: Any,
        symbols: Sequence[str],
        sink: Sink,
        inbox: Inbox,
        clock: MarketClock,
        gauge: SkewGauge,
        settings: LiveSettings,
        market: MarketSettings,
    ) -> None:
        self._exchange = exchange
        self._symbols = tuple(symbols)
        self._sink = sink
        self._inbox = inbox
        self._clock = clock
        self._gauge = gauge
        self._settings = settings
        self._market = market
        self._stream = self._make_stream()
        self._since = 0
        """Receive time after which something may have been missed; 0: nothing was."""
        self._last_prints: dict[str, int] = {}
        """Symbol → the exchange's stamp of the last print heard before that."""
        self._away = False
        """An earlier session of the run has ended."""
        self._doubt = ""
        """Why nobody can say how long that was ago."""
        self._patience = HOLD
        """Seconds that prints wait for the past."""
        self._gap_begun = False
        """The gap that is being asked for has been announced."""
        self._told_down = self._told_polling = False
        self._failures = 0
        self._tries = 0
        self._up = 0.0
        """Loop time at which the connection stood; 0 while it does not."""
        self._polling: asyncio.Task[None] | None = None
        self._filling: asyncio.Task[None] | None = None
        """The newest backfill; it follows the ones before it."""
        self._fills: set[asyncio.Task[None]] = set()
        self._instruments: dict[str, Instrument] = {}
        interval = settings.instruments_interval
        self._listings = ListingWatch(exchange, symbols, sink, market, interval)

    def _make_stream(self) -> Stream:
        if self._exchange.id == "kraken":
            wire = KrakenWire(
                self._symbols, self._settings.depth, self._sink, self._settings.timeout
            )
            return WiredStream(self._exchange, wire, self._sink, self._settings)
        return WatchedStream(self._exchange, self._symbols, self._sink, self._settings)

    async def run(self, since: int, instruments: dict[str, Instrument], doubt: str = "") -> None:
        """``since``: receive time of the last thing an earlier session heard; 0 for a new run.

        ``doubt``: why that moment says nothing about how long ago it was; empty when it does.
        """
        self._since, self._instruments = since, instruments
        self._away, self._doubt = since > 0, doubt
        self._patience = self._settings.timeout if since else HOLD
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected())
                group.create_task(self._watch_clocks())
                group.create_task(self._kept_up("asking the time", self._ask_time))
                group.create_task(self._kept_up("looking at instruments", self._watch_instruments))
                group.create_task(self._kept_up("fetching earlier candles", self._recall))
                if since:
                    group.create_task(self._thaw_at_last())
        finally:
            for task in (self._polling, *self._fills):
                if task is not None:
                    task.cancel()

    async def _kept_up(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """A side task may stumble over an answer; the market itself goes on, and it is told."""
        while True:
            try:
                await work()
            except Exception as error:
                log.exception("%s failed", what, exc_info=error)
                text = f"{self._exchange.id}: {what}: {type(error).__name__}: {reason(error)}"
                self._sink.notice("link_fault", text)
                await asyncio.sleep(AGAIN)
            else:
                return

    # -- connection ------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        import ccxt

        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._tries += 1
            try:
                await self._stream.run(self._opened)
            except (ExchangeError, ccxt.BaseError, OSError, TimeoutError) as error:
                why = reason(error)
            except Exception as error:  # ccxt over an answer it does not expect: this try is over
                log.exception("the stream of %s failed", self._exchange.id, exc_info=error)
                why = f"{type(error).__name__}: {reason(error)}"
            else:
                why = "ended"
            self._closed(why, loop.time())
            # Jitter only adds: never two tries within the first pause (FAULTS N01).
            pause = min(
                self._settings.reconnect.longest,
                self._settings.reconnect.first * 2 ** min(self._failures - 1, 10),
            )
            pause *= 1 + random.random() / 2
            await asyncio.sleep(max(0.0, began + pause - loop.time()))

    def _opened(self) -> None:
        """The websocket stands; what was missed is told before what it says."""
        self._up = asyncio.get_running_loop().time()
        if self._since:
            self._inbox.hold()
            since, self._since = self._since, 0
            self._sink.expect_backfill()
            fill = asyncio.create_task(self._fill(since, self._last_prints, self._filling))
            self._filling = fill
            self._fills.add(fill)
            fill.add_done_callback(self._fills.discard)
            loop = asyncio.get_running_loop()
            waited = loop.call_later(self._patience, self._let_prints_in, since)
            fill.add_done_callback(lambda _: waited.cancel())
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        if self._tries > 1:
            for health in self._sink.health.values():
                health.reconnects += 1

    def _closed(self, why: str, now: float) -> None:
        lasted = now - self._up if self._up else 0.0
        self._failures = 1 if lasted > SETTLED else self._failures + 1
        self._up = 0.0
        self._missing_since(self._sink.heard)
        self._sink.down()
        log.warning("%s: %s (try %d)", self._exchange.id, why, self._failures)
        if not self._told_down:
            self._told_down = True
            self._sink.notice("link_down", f"{self._exchange.id}: {why}; trying again")
        if self._failures >= self._settings.poll_after and self._polling is None:
            if not self._told_polling:
                self._told_polling = True
                self._sink.notice(
                    "polling",
                    f"{self._exchange.id}: the websocket does not stand; prices are asked for "
                    f"every {self._settings.poll_interval:g} s",
                )
            self._polling = asyncio.create_task(
                poll(self._exchange, self._symbols, self._sink, self._settings)
            )

    def _settle(self, now: float) -> None:
        """A connection that stands for a while is back."""
        if self._told_down and self._up and now - self._up > SETTLED:
            self._told_down = self._told_polling = False
            self._sink.notice(
                "link_up", f"{self._exchange.id}: back, after {self._failures} failed connections"
            )

    # -- what was missed -------------------------------------------------------------------

    def _missing_since(self, heard: int) -> None:
        """Nothing can be relied on after this moment, unless an earlier one is known already."""
        if not self._since:
            self._since, self._last_prints = heard, dict(self._sink.newest)

    def _exchange_time(self, ours: int) -> int:
        """What the exchange's clock shows when ours shows this."""
        return ours - int((self._gauge.skew(self._clock.now()) or 0.0) * SECOND)

    async def _fill(
        self, since: int, heard: dict[str, int], before: asyncio.Task[None] | None
    ) -> None:
        """Tell what the market did since then, then let the present in.

        A connection that breaks meanwhile begins a gap of its own, which is told after this one.
        """
        if before is not None:
            await asyncio.wait({before})
        try:
            await self._tell_past(since, heard)
        finally:
            self._patience, self._gap_begun = HOLD, False
            if self._filling is asyncio.current_task():
                self._inbox.thaw()

    def _let_prints_in(self, since: int) -> None:
        """Stops wait for no answer: what trades now acts now, the past when it is known."""
        self._begin_gap(since)
        self._inbox.admit_prints()

    def _begin_gap(self, since: int) -> None:
        """Say that there was one, once."""
        if not self._gap_begun:
            self._gap_begun = True
            why = f"{(self._clock.now() - since) / SECOND:.0f} s away"
            self._inbox.put_past(lambda ts: FeedNotice(ts, "", GAP, why), since)

    async def _tell_past(self, since: int, heard: dict[str, int]) -> None:
        if self._gauge.skew(self._clock.now()) is None:
            await self._ask_once()
        asked = self._clock.now()
        until, start = self._exchange_time(asked), self._exchange_time(since)
        starts = {symbol: _start(heard.get(symbol), start) for symbol in self._symbols}
        limit = self._settings.timeout * len(self._symbols)
        found = await fetch_gap(self._exchange, starts, until, limit)
        lost, self._doubt = "; ".join(filter(None, (self._doubt, found.lost))), ""
        put = self._inbox.put_past
        self._begin_gap(since)
        now = self._clock.now()  # asking took a while; nothing falls due in it any more
        for event in found.events:
            if self._sink.remember(event):
                put(partial(_stamped, event), min(event.ts + asked - until, now))
        if lost:
            put(lambda ts: FeedNotice(ts, "", GAP_LOST, lost), now)
        put(lambda ts: FeedNotice(ts, "", GAP_OVER, ""), now)
        for symbol, words in found.refused:
            self._sink.reject(symbol, words)
        self._sink.backfilled(until - OVERLAP)

    async def _thaw_at_last(self) -> None:
        """An exchange that cannot be reached must not stop the operator's clock for ever."""
        await asyncio.sleep(self._settings.timeout)
        if self._filling is None:
            why = f"not known yet: {self._exchange.id} does not answer; it is told once it does"
            put, now = self._inbox.put_past, self._clock.now()
            put(lambda ts: FeedNotice(ts, "", GAP_LOST, why), now)
            put(lambda ts: FeedNotice(ts, "", GAP_OVER, ""), now)
            self._inbox.thaw()

    async def _recall(self) -> None:
        """Candles from before the first event, so that indicators are ready at once."""
        await self._sink.began.wait()
        if self._filling is not None:  # what was missed matters more, and requests are rationed
            await asyncio.wait({self._filling})
        for symbol in self._symbols:
            try:
                async with asyncio.timeout(PAST_SECONDS):
                    past = await fetch_past(
                        self._exchange,
                        symbol,
                        self._market,
                        self._clock.now(),
                        partial(self._sink.notice, "history_unread", symbol=symbol),
                    )
            except (ExchangeError, TimeoutError) as error:
                self._sink.notice("no_past", f"no earlier candles: {reason(error)}", symbol)
                continue
            self._inbox.put(past)

    # -- looking after things --------------------------------------------------------------

    async def _watch_clocks(self) -> None:
        loop = asyncio.get_running_loop()
        strayed = self._clock.strayed()
        while True:
            before = loop.time()
            await asyncio.sleep(TICK)
            now = loop.time()
            slept, paused = self._clock.slept(), now - before - TICK
            if max(slept, paused) > STALL:
                text = f"this machine stood still for {max(slept, paused):.1f} s"
                self._sink.notice("slept", text)
                self._missing_since(self._clock.now() - int(max(slept, paused) * SECOND))
                self._stream.give_up(text)
            jump = self._clock.strayed() - strayed
            if abs(jump) > 1.0:
                strayed += jump
                self._sink.notice(
                    "clock_step", f"the wall clock was set by {jump:+.1f} s; market time goes on"
                )
            self._settle(now)

    async def _ask_time(self) -> None:
        while self._exchange.has.get("fetchTime"):
            await self._ask_once()
            await asyncio.sleep(ASK_TIME)

    async def _ask_once(self) -> None:
        """What time it is there; nothing changes when it does not say."""
        import ccxt

        sent = self._clock.now()
        try:
            async with asyncio.timeout(self._settings.timeout):
                told = await self._exchange.fetch_time()
        except (ccxt.BaseError, ExchangeError, TimeoutError) as error:
            log.info("%s does not tell the time: %s", self._exchange.id, reason(error))
        else:
            if told:
                self._gauge.asked(sent, self._clock.now(), int(told) * MILLISECOND)

    async def _watch_instruments(self) -> None:
        known = None if self._away else self._instruments  # a new run has just asked for them
        await self._listings.run(known)


def _start(heard: int | None, since: int) -> int:
    """From when on the exchange's trades of a symbol are missing; told ones are told apart by id.

    What was under way when we heard the last message is stamped before that message, so the last
    print counts where there was one.
    """
    if heard is None:
        return since - OVERLAP
    return max(min(heard, since) - MILLISECOND, since - LOOK_BACK)


def _stamped(event: Trade | Candle, ts: int) -> Trade | Candle:
    return replace(event, ts=ts)
