"""Fetching candles from an exchange: page by page, each kept at once, so that nothing is asked twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tradeterm.adapters.feeds.live.exchange import reason
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
        """Ask until ``end``; each page is stored together with the stretch it answers."""
        shelf, span = done.shelf, done.shelf.timeframe * SECOND
        at = begin
        while at < end:
            rows = await self._page(shelf, at)
            done.pages += 1
            candles = _candles(rows, shelf, at, end)
            if (
                candles
                and candles[0].ts - span > at + span
                and at == begin
                and not _whole(rows, at)
            ):
                done.remark = _too_old(self._exchange.id, shelf, candles[0].ts - span)
            reached = candles[-1].ts if candles else end
            if rows and not candles:  # everything it gave is later: there is nothing in between
                reached = min(end, int(rows[0][0]) * MILLISECOND)
                reached = end if reached <= at else reached
            added = self._catalogue.add(shelf, Series.of(candles), (at, reached))
            done.new, done.replaced = done.new + added.new, done.replaced + added.replaced
            at = reached
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


def _candles(rows: list[list[Any]], shelf: Shelf, at: int, end: int) -> list[Candle]:
    """The closed, possible and ordered ones that open at ``at`` or later and close by ``end``."""
    found: list[Candle] = []
    for opened, *figures in rows:
        close = int(opened) * MILLISECOND + shelf.timeframe * SECOND
        late = found and close <= found[-1].ts
        if int(opened) * MILLISECOND < at or close > end or late or None in figures[:5]:
            continue
        first, high, low, last, volume = (float(figure) for figure in figures[:5])
        enclosed = 0.0 < low <= min(first, last) and max(first, last) <= high < float("inf")
        if enclosed and 0.0 <= volume < float("inf"):
            found.append(
                Candle(close, shelf.symbol, shelf.timeframe, first, high, low, last, volume)
            )
    return found


def _whole(rows: list[list[Any]], at: int) -> bool:
    """Whether the answer begins where it was asked to."""
    return bool(rows) and int(rows[0][0]) * MILLISECOND <= at


def _too_old(exchange: str, shelf: Shelf, first: int) -> str:
    name = timeframe_text(shelf.timeframe)
    older = (
        "; Kraken's own downloads go back to the beginning: `tradeterm data import FILE`"
        if exchange == "kraken"
        else ""
    )
    return f"{exchange} gives no {name} candles of {shelf.symbol} before {iso(first)[:16]}Z{older}"
