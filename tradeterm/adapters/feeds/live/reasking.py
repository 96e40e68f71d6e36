"""One symbol's book once more, on the connection that is open: the others go on."""

from __future__ import annotations

from typing import Any


async def ask_anew(exchange: Any, symbol: str) -> None:
    """Unsubscribe from a book, so that the next watch begins with a new one.

    Whoever waits for the old one gets ``ccxt.UnsubscribeError``; raises what ccxt raises when the
    exchange does not let go of it.
    """
    if exchange.id == "coinbase":
        await _leave_coinbase(exchange, symbol)
    else:
        await exchange.un_watch_order_book(symbol)


async def _leave_coinbase(exchange: Any, symbol: str) -> None:
    """By hand: ccxt (4.5.90) would wait until nothing at all is subscribed any more."""
    import ccxt

    client = exchange.client(exchange.urls["api"]["ws"])
    watched = f"level2::{symbol}"
    product = exchange.market(symbol)["id"]
    await client.send({"type": "unsubscribe", "product_ids": [product], "channel": "level2"})
    client.subscriptions.pop(watched, None)
    exchange.orderbooks.pop(symbol, None)
    if watched in client.futures:
        client.reject(ccxt.UnsubscribeError(f"{symbol}: its book is asked for anew"), watched)
