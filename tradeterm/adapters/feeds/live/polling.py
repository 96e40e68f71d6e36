"""The fallback, shown as such: books and trades asked for every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from tradeterm.adapters.feeds.live.exchange import reason
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.adapters.feeds.live.watching import Mirror, pour_trade
from tradeterm.errors import ExchangeError
from tradeterm.model.timing import MILLISECOND
from tradeterm.model.vocabulary import FeedSource
from tradeterm.settings.live import LiveSettings

log = logging.getLogger(__name__)

#: What ccxt raises over an answer whose rows are not what it expects.
MALFORMED: Final = (ValueError, LookupError, TypeError, AttributeError)


async def poll(exchange: Any, symbols: Sequence[str], sink: Sink, settings: LiveSettings) -> None:
    """Ask for every symbol in turn until cancelled; what fails is counted and asked again."""
    while True:
        for symbol in symbols:
            await _ask(exchange, symbol, sink, settings)
        await asyncio.sleep(settings.poll_interval)


async def _ask(exchange: Any, symbol: str, sink: Sink, settings: LiveSettings) -> None:
    import ccxt

    since = sink.newest.get(symbol)
    try:
        async with asyncio.timeout(settings.timeout):
            book = await exchange.fetch_order_book(symbol, settings.depth)
            told = Mirror(settings.depth).take(book)
            # Only what is later than the last one is new; before any, old prints are no news.
            trades = await exchange.fetch_trades(symbol, since // MILLISECOND) if since else []
            fresh = [
                trade
                for trade in trades
                if int(trade.get("timestamp") or 0) * MILLISECOND >= (since or 0)
            ]
    except (ccxt.BaseError, ExchangeError, TimeoutError, *MALFORMED) as error:
        # The operator knows already that the line is down; this counts how often it was tried.
        sink.health[symbol].rejected += 1
        log.info("poll of %s: %s", symbol, reason(error))
        return
    sink.alive()
    sink.snapshot(symbol, *told, FeedSource.POLLING)
    for trade in fresh:
        pour_trade(sink, symbol, trade)
