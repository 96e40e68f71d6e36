"""Closed candles from before the first event, of every timeframe, as one input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradeterm.adapters.feeds.live.exchange import reason
from tradeterm.errors import ExchangeError
from tradeterm.model.market import Candle, Past
from tradeterm.model.timing import MILLISECOND, SECOND, timeframe_text
from tradeterm.settings.market import MarketSettings


async def fetch_past(
    exchange: Any, symbol: str, market: MarketSettings, now: int
) -> Callable[[int], Past]:
    """What makes the event once its stamp is known; raises ExchangeError when there is nothing."""
    import ccxt

    candles: list[Candle] = []
    for timeframe in market.timeframes:
        name = timeframe_text(timeframe)
        if name not in (exchange.timeframes or {}):
            continue
        since = now // MILLISECOND - (market.window + 1) * timeframe * 1000
        try:
            rows = await exchange.fetch_ohlcv(symbol, name, since, market.window + 1)
        except (ccxt.BaseError, ExchangeError) as error:
            raise ExchangeError(reason(error)) from error
        candles += _closed(symbol, timeframe, rows, now)
    if not candles:
        raise ExchangeError("the exchange has none")
    return lambda ts: Past(ts, symbol, tuple(candles))


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
