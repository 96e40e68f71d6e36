"""Asks what the exchange says of its instruments, and tells what changed (FAULTS X13)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from tradeterm.adapters.feeds.live.exchange import load_instruments
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.errors import ExchangeError
from tradeterm.model.instruments import Instrument
from tradeterm.settings.market import MarketSettings


class ListingWatch:
    """Steps and minimums may change while we run, or were away."""

    def __init__(
        self, exchange: Any, symbols: Sequence[str], sink: Sink, market: MarketSettings,
        interval: float,
    ) -> None:  # fmt: skip
        self._exchange = exchange
        self._symbols = symbols
        self._sink = sink
        self._market = market
        self._interval = interval
        self._silent = False

    async def run(self, known: Mapping[str, Instrument] | None) -> None:
        """Ask until cancelled; ``known`` was asked for just now, None: in an earlier session."""
        await self._sink.began.wait()
        if known is not None:
            await asyncio.sleep(self._interval)
        while True:
            try:
                now = await load_instruments(self._exchange, self._symbols, self._market)
            except ExchangeError as error:
                if not self._silent:
                    self._sink.notice("instruments_unknown", f"{error}; asked again")
                self._silent = True
            else:
                self._silent = False
                for symbol in self._symbols:
                    if known is None or known.get(symbol) != now.get(symbol):
                        self._sink.listing(symbol, now.get(symbol))
                known = now
            await asyncio.sleep(self._interval)
