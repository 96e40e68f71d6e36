"""The Kraken-compatible server as a storm: thousands of messages a second, made beforehand.

``python -m tests.exchanges.kraken_storm 5000x20 15000x10`` prints its addresses, waits for the
subscriptions, sends each phase (messages a second × seconds), and prints how many it sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from tests.exchanges.kraken import Caller, KrakenServer
from tests.exchanges.kraken_market import Wander, stamp

_MARK = '"timestamp":"'
_LENGTH = len(stamp())


class StormServer(KrakenServer):
    """Books stand as they were before the storm; each message is stamped when it leaves."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.trades_sent = 0
        self._whole = {symbol: book.snapshot(100) for symbol, book in self.books.items()}
        markets = [Wander(book, seed) for seed, book in enumerate(self.books.values())]
        self._parts: list[tuple[str, str, bool]] = []
        for n in range(count):
            text = markets[n % len(markets)].step()
            at = text.index(_MARK) + len(_MARK)
            self._parts.append((text[:at], text[at + _LENGTH :], '"trade"' in text[:30]))

    async def _subscribe(
        self, caller: Caller, message: dict[str, Any], channel: str, symbol: str
    ) -> None:
        await self._answer(caller, message, symbol)
        if channel == "book":
            caller.books[symbol] = 100
            await caller.ws.send_str(self._whole[symbol])
        else:
            caller.trades.add(symbol)

    def _subscribed(self) -> bool:
        return any(len(caller.books) == len(self.books) for caller in self._callers)

    async def storm(self, phases: list[tuple[int, float]]) -> list[dict[str, float]]:
        """Wait for a full subscription, then send; what became of each phase."""
        while not self._subscribed():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        caller, at = next(iter(self._callers)), 0
        told = []
        for rate, seconds in phases:
            begin, sent = time.monotonic(), 0
            while sent < rate * seconds:
                due = min(int((time.monotonic() - begin) * rate) + 1, int(rate * seconds))
                now = stamp()
                for before, after, trade in self._parts[at + sent : at + due]:
                    self.trades_sent += trade
                    await caller.ws.send_str(f"{before}{now}{after}")
                sent = max(sent, due)
                await asyncio.sleep(0.001)
            at += sent
            told.append({"rate": sent / (time.monotonic() - begin), "sent": sent})
        return told


def main() -> None:
    phases = [(int(rate), float(seconds)) for rate, seconds in (a.split("x") for a in sys.argv[1:])]
    count = sum(int(rate * seconds) for rate, seconds in phases)
    with StormServer(count) as server:
        print(f"{server.rest} {server.ws}", flush=True)  # noqa: T201
        told = server.call(lambda: server.storm(phases), 600)
        print(json.dumps({"phases": told, "trades": server.trades_sent}), flush=True)  # noqa: T201
        sys.stdin.readline()  # stays connected until it is told to go


if __name__ == "__main__":
    main()
