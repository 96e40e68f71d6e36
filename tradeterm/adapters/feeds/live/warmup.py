"""Closed candles from before the first event, of every timeframe, as one input.

What `tradeterm data` has stored is not asked for again; the exchange tells the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tradeterm.adapters.feeds.live.exchange import reason
from tradeterm.adapters.history.catalogue import stored_candles
from tradeterm.errors import DataError, ExchangeError, StoreUnwritable
from tradeterm.model.market import Candle, Past
from tradeterm.model.timing import MILLISECOND, SECOND, timeframe_text
from tradeterm.settings.market import MarketSettings


async def fetch_past(
    exchange: Any, symbol: str, market: MarketSettings, now: int, tell: Callable[[str], None]
) -> Callable[[int], Past]:
    """What makes the event once its stamp is known; raises ExchangeError when there is nothing.

    ``tell`` hears, once, that the stored history cannot be read.
    """
    candles: list[Candle] = []
    unread: list[str] = []
    for timeframe in market.timeframes:
        name = timeframe_text(timeframe)
        if name not in (exchange.timeframes or {}):
            continue
        try:
            kept = await asyncio.to_thread(
                stored_candles, exchange.id, symbol, timeframe, market.window, now
            )
        except (DataError, StoreUnwritable) as error:
            kept = []
            unread.append(str(error))
        fresh = await _asked(exchange, symbol, timeframe, market.window, kept, now)
        candles += _joined(kept, fresh, timeframe)[-market.window :]
    if unread:
        tell(f"stored history is left out: {unread[0]}; see `tradeterm data check`")
    if not candles:
        raise ExchangeError("the exchange has none")
    return lambda ts: Past(ts, symbol, tuple(candles))


async def _asked(
    exchange: Any, symbol: str, timeframe: int, window: int, kept: list[Candle], now: int
) -> list[Candle]:
    """What came after the stored candles, or all of it; nothing when they are up to date."""
    import ccxt

    span = timeframe * SECOND
    if kept and kept[-1].ts > now - span:
        return []
    since = kept[-1].ts - span if kept else now - (window + 1) * span
    try:
        rows = await exchange.fetch_ohlcv(
            symbol, timeframe_text(timeframe), since // MILLISECOND, window + 1
        )
    except (ccxt.BaseError, ExchangeError) as error:
        raise ExchangeError(reason(error)) from error
    return _closed(symbol, timeframe, rows, now)


def _joined(kept: list[Candle], fresh: list[Candle], timeframe: int) -> list[Candle]:
    """Both, where they meet; else only the newer ones: a window has no hole in it."""
    if not fresh:
        return kept
    if not kept or kept[-1].ts < fresh[0].ts - timeframe * SECOND:
        return fresh
    return [*(candle for candle in kept if candle.ts < fresh[0].ts), *fresh]


def _closed(symbol: str, timeframe: int, rows: list[list[Any]], now: int) -> list[Candle]:
    """Rows open at their stamp; one that has not closed by ``now`` is left out."""
    found: list[Candle] = []
    for opened, *figures in rows:
        close = int(opened) * MILLISECOND + timeframe * SECOND
        if close > now or (found and close <= found[-1].ts) or None in figures:
            continue
        first, high, low, last, volume = (float(figure) for figure in figures[:5])
        if 0.0 < low <= min(first, last) and max(first, last) <= high < float("inf"):
            found.append(Candle(close, symbol, timeframe, first, high, low, last, volume))
    return found
