"""Coinbase numbers the messages of a connection: a hole among them is something we never heard.

``sequence_num`` grows by one with every message of a connection, whatever its channel
(docs.cdp.coinbase.com, Advanced Trade WebSocket, "Sequence numbers"). ccxt (4.5.90) does not look
at it. Of what is missing nothing is known, so every book of the connection may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary


def number_messages(exchange: Any, lost: Callable[[str], None]) -> None:
    """Look at the numbers of what ccxt is told before it is; ``lost`` hears of each hole.

    Does nothing for other exchanges: ccxt follows what they have, or they have nothing.
    """
    if exchange.id != "coinbase":
        return
    handle = exchange.handle_message
    newest: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def look(client: Any, message: Any) -> None:
        number = message.get("sequence_num") if isinstance(message, dict) else None
        if isinstance(number, int):
            last = newest.get(client)
            if last is not None and number > last + 1:
                count = number - last - 1
                lost(f"{count} message{'' if count == 1 else 's'} lost before number {number}")
            newest[client] = number if last is None else max(last, number)
        handle(client, message)

    exchange.handle_message = look
