"""Fetching candles from an exchange: page by page, each kept at once, so that nothing is asked twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tradeterm.adapters.feeds.live.exchange import reason
from tradeterm.adapters.feeds.live.guard import LASTING, Refused
from tradeterm.adapters.history.catalogue import Catalogue, Shelf
from tradeterm.adapters.history.series import Series
from tradeterm.errors import ExchangeError
from tradeterm.model.market import Candle
from tradeterm.model.timing import MILLISECOND, SECOND, iso, timeframe_text

#: Candles asked for at a time; exchanges give between 300 and 1,000.
PAGE: Final = 720
#: Tries of one page, and seconds before the second; doubled each time, with jitter.
TRIES: Final = 5
PATIENCE: Final = 1.0


class Fetched(msgspec.Struct):
    """What became of one symbol and timeframe."""

    shelf: Shelf
    new: int = 0
    replaced: int = 0
    pages: int = 0
    remark: str = ""


class Fetcher:
    """One exchange into a catalogue, which is held by ``catalogue.writing()``."""

    def __init__(
        self, exchange: Any, catalogue: Catalogue, report: Callable[[Shelf, int], None]
    ) -> None:
        """``report`` hears how far (ns of market) a shelf has come."""
        self._exchange = exchange
        self._catalogue = catalogue
        self._report = report

    async def fetch(self, shelf: Shelf, since: int, until: int) -> Fetched:
        """Everything of ``since`` to ``until`` (ns) that was not asked for before.

        Raises ExchangeError once the exchange stays silent; what came until then is kept.
        """
        done = Fetched(shelf)
        span = shelf.timeframe * SECOND
        since -= since % span  # whole candles: no stretch begins or ends inside one …
        until -= until % span  # … and one that has not closed is none
        for begin, end in shelf.unasked(since, until):
            await self._stretch(done, begin, end)
        self._report(shelf, until)
        return done

    async def _stretch(self, done: Fetched, begin: int, end: int) -> None:
        """Ask until ``end``; each page is stored together with the stretch it answers.

        What no answer covers stays unasked: the next run asks again, and believes a second
        answer that there is nothing between two stretches.
        """
        shelf = done.shelf
        goes_back = any(asked == begin for _, asked in shelf.asked)
        enclosed = goes_back and any(asked == end for asked, _ in shelf.asked)
        at = begin
        while at < end:
            page = _Page(await self._page(shelf, at), shelf, at, end)
            done.pages += 1
            if page.first is None or (page.first > at and not goes_back):
                done.remark = _missing(self._exchange.id, shelf, at, page.first)
            if page.first is None or page.reached <= at or (page.first >= end and not enclosed):
                return
            first = at if enclosed else page.first
            added = self._catalogue.add(shelf, Series.of(page.candles), (first, page.reached))
            done.new, done.replaced = done.new + added.new, done.replaced + added.replaced
            at, goes_back = page.reached, True
            self._report(shelf, at)

    async def _page(self, shelf: Shelf, at: int) -> list[list[Any]]:
        import ccxt

        name = timeframe_text(shelf.timeframe)
        for attempt in range(1, TRIES + 1):
            try:
                rows = await self._exchange.fetch_ohlcv(shelf.symbol, name, at // MILLISECOND, PAGE)
            except (ccxt.BadSymbol, ccxt.BadRequest, ccxt.NotSupported) as error:
                raise ExchangeError(f"{shelf.name}: {reason(error)}") from error
            except (ccxt.BaseError, ExchangeError) as error:
                if isinstance(error, Refused) and error.code in LASTING:
                    raise ExchangeError(f"{shelf.name}: {error}") from error
                if attempt == TRIES:
                    raise ExchangeError(
                        f"{shelf.name}: no answer for {iso(at)} after {TRIES} tries "
                        f"({reason(error)}); what came is kept: the same command goes on from here"
                    ) from error
            else:
                return list(rows or [])
            wait = PATIENCE * 2 ** (attempt - 1)
            await asyncio.sleep(random.uniform(wait / 2, wait))
        raise AssertionError  # the last attempt returns or raises


class _Page:
    """One answer: the closed, possible and ordered candles from ``at`` to ``end``."""

    def __init__(self, rows: list[list[Any]], shelf: Shelf, at: int, end: int) -> None:
        self.first: int | None = None
        """When the first candle it holds opened, ``at`` if earlier; None when it holds none."""
        self.reached = at
        """Up to where it answers: an exchange that has later candles had no others before."""
        self.candles: list[Candle] = []
        last = 0
        for candle in filter(None, (_candle(row, shelf) for row in rows)):
            opened = candle.ts - shelf.timeframe * SECOND
            if candle.ts <= last:
                continue
            last = candle.ts
            if self.first is None:
                self.first = max(at, opened)
            if opened >= at and candle.ts <= end:
                self.candles.append(candle)
            self.reached = max(self.reached, min(end, candle.ts))


def _candle(row: list[Any], shelf: Shelf) -> Candle | None:
    """None for a row that is no candle."""
    try:
        opened, *figures = row
        close = int(opened) * MILLISECOND + shelf.timeframe * SECOND
        first, high, low, last, volume = (float(figure) for figure in figures[:5])
    except (TypeError, ValueError):
        return None
    enclosed = 0.0 < low <= min(first, last) and max(first, last) <= high < float("inf")
    if not enclosed or not 0.0 <= volume < float("inf"):
        return None
    return Candle(close, shelf.symbol, shelf.timeframe, first, high, low, last, volume)


def _missing(exchange: str, shelf: Shelf, at: int, first: int | None) -> str:
    """What an answer leaves open."""
    name = timeframe_text(shelf.timeframe)
    if first is None:
        return (
            f"{exchange} answers without a single {name} candle of {shelf.symbol} from "
            f"{iso(at)[:16]}Z on: nothing of it is taken for granted, the same command asks again"
        )
    older = (
        "; Kraken's own downloads go back to the beginning: `tradeterm data import FILE`"
        if exchange == "kraken"
        else ""
    )
    return f"{exchange} gives no {name} candles of {shelf.symbol} before {iso(first)[:16]}Z{older}"
