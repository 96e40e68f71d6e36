"""A websocket that ccxt opens and keeps alive, and whose text we read ourselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from tradeterm.adapters.feeds.live.exchange import hang_up, reason
from tradeterm.adapters.feeds.live.kraken import KrakenWire
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.errors import ExchangeError
from tradeterm.settings.live import LiveSettings

#: Seconds between two looks at the connection.
LOOK: Final = 0.2


class WiredStream:
    """One connection; ``run`` returns never and raises ExchangeError when it is over."""

    def __init__(self, exchange: Any, wire: KrakenWire, sink: Sink, settings: LiveSettings) -> None:
        self._exchange = exchange
        self._wire = wire
        self._sink = sink
        self._settings = settings
        self._fault = ""
        self._heard = 0.0
        self._loop = asyncio.get_running_loop()

    async def run(self, opened: Callable[[], None]) -> None:
        """Connect, call ``opened``, subscribe, and watch until something is wrong."""
        self._fault = ""
        client = await self._connect()
        reader = asyncio.create_task(self._read(client))
        try:
            opened()
            self._heard = self._loop.time()
            for text in self._wire.opening(self._heard):
                await self._send(client, text)
            while True:
                await asyncio.sleep(LOOK)
                now = self._loop.time()
                self._look(client, now)
                for text in self._wire.due(now):
                    await self._send(client, text)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await self._leave(client)

    async def _read(self, client: Any) -> None:
        """Every frame to ccxt's client, which hands texts on to us and answers pings.

        Its own loop makes a task of each frame, which costs more than reading it.
        """
        connection = client.connection
        try:
            while not connection.closed:
                client.handle_message(await connection.receive())
        except Exception as error:  # noqa: BLE001 - told by the next look, which ends this
            self._fault = f"websocket: {reason(error)}"

    def give_up(self, why: str) -> None:
        """End it at the next look."""
        self._fault = why

    async def _connect(self) -> Any:
        exchange = self._exchange
        address = exchange.urls["api"]["ws"][self._wire.ADDRESS]
        exchange.open()
        exchange.clients.pop(address, None)
        client = exchange.client(address)
        client.connectionTimeout = int(self._settings.timeout * 1000)
        client.options = {**client.options, "compress": 0}  # unpacking costs more than reading
        client.receive_loop = _nothing
        pass_on = client.handle_text_or_binary_message

        def read(data: str | bytes) -> None:
            # What ccxt's own reader raises in here would stop it without a word.
            try:
                self._heard = self._loop.time()
                self._sink.alive()
                text = data if isinstance(data, str) else data.decode()
                if not self._wire.take(text):
                    pass_on(text)
            except Exception as error:  # noqa: BLE001 - told by the next look, which ends this
                self._fault = reason(error)

        client.handle_text_or_binary_message = read
        client.connecting = True
        await client.open(exchange.session)
        if (own := asyncio.current_task()) is not None and own.cancelling():
            raise asyncio.CancelledError  # lost in ccxt's wait_for, before Python 3.12
        if client.error is not None or client.closed():
            await self._leave(client)
            raise ExchangeError(f"websocket: {reason(client.error or ConnectionError('closed'))}")
        return client

    async def _send(self, client: Any, text: str) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                await client.send(text)
        except (ConnectionError, TimeoutError) as error:
            raise ExchangeError(f"websocket: {reason(error)}") from error

    def _look(self, client: Any, now: float) -> None:
        if self._fault:
            raise ExchangeError(self._fault)
        if client.error is not None:
            raise ExchangeError(f"websocket: {reason(client.error)}")
        if client.closed():
            raise ExchangeError("websocket: closed by the exchange")
        if now - self._heard > self._settings.silence:
            raise ExchangeError(f"websocket: silent for {now - self._heard:.1f} s")

    async def _leave(self, client: Any) -> None:
        self._exchange.clients.pop(client.url, None)
        await hang_up(client)


def _nothing() -> None:
    """In the place of ccxt's own reading."""
