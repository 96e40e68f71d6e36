"""A live desk against a local exchange: open it, wait for what it must say, end it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from tests.exchanges.kraken import KrakenServer
from tests.wired.stage import BTC, XRP, request
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.engine.whatif import Hypothesis, what_if
from tradeterm.model.market import FeedHealth, LiveMarket
from tradeterm.model.vocabulary import PositionSide
from tradeterm.sessions import RunRequest

#: Short patience, so that a test need not have any.
QUICK = (
    "live.silence=1", "live.timeout=1.5", "live.reconnect.first=2", "live.reconnect.longest=2",
)  # fmt: skip


def asked(server: KrakenServer, db: Path, *overrides: str, **changes: Any) -> RunRequest:
    symbols = changes.pop("symbols", (BTC, XRP))
    return request("live", db, *server.settings, *QUICK, *overrides, symbols=symbols, **changes)


@dataclass
class Session:
    """A desk that runs in the background of a test."""

    desk: Desk
    server: KrakenServer
    running: asyncio.Task[None]
    views: list[ConsoleView]
    """Every picture that was published, newest last."""

    @property
    def counts(self) -> dict[str, int]:
        return self.desk.engine.input_counts()

    def said(self, code: str) -> list[str]:
        """Texts of the alarms with this code, oldest first."""
        lines = [line.text for line in self.desk.engine.core.events.lines]
        return [text for text in lines if text.startswith(code)]

    @property
    def market(self) -> LiveMarket:
        return cast("LiveMarket", self.desk.feed)

    def health(self) -> tuple[FeedHealth, ...]:
        """How the connection fares, symbol by symbol."""
        return tuple(self.market.health())

    def stale(self, symbol: str = BTC) -> bool:
        return self.desk.engine.core.market.stale(symbol, self.market.now())

    def verdict(self, symbol: str = BTC, entry: str | None = None) -> list[str]:
        """Why risk would not let a small long in now."""
        stop, target = (
            Decimal(f"{(self.desk.engine.core.market.mid(symbol) or 1.0) * part:.5f}")
            for part in (0.985, 1.05)
        )
        wish = Hypothesis(
            symbol, PositionSide.LONG, None, Decimal(entry) if entry else None, stop, target
        )
        return list(what_if(self.desk.engine, wish)["codes"])

    async def until(self, condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait for something to be true; the desk must not end meanwhile."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self.running.done():
                    self.running.result()
                    raise AssertionError("the desk ended by itself")
                await asyncio.sleep(0.01)

    async def fresh(self, symbol: str = BTC) -> None:
        """Wait for a book that can be traded on."""
        core = self.desk.engine.core
        await self.until(lambda: core.market.symbol(symbol).book.usable and not self.stale(symbol))


@asynccontextmanager
async def session(
    server: KrakenServer, db: Path, *overrides: str, **changes: Any
) -> AsyncIterator[Session]:
    """Open, run, and end like a signal would."""
    views: list[ConsoleView] = []
    desk = await Desk.open(asked(server, db, *overrides, **changes), publish=views.append)
    running = asyncio.create_task(desk.run())
    try:
        live = Session(desk, server, running, views)
        await live.fresh()
        yield live
    finally:
        desk.driver.stop()
        try:
            await running
        finally:
            await desk.close()
