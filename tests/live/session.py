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
from tradeterm.model.commands import Reconcile
from tradeterm.model.market import FeedHealth, LiveMarket
from tradeterm.model.outputs import Published, TradeSignal
from tradeterm.model.vocabulary import Action, AgentName, PositionSide, Topic
from tradeterm.sessions import RunRequest

#: Nobody speaks but the test, and what it proposes fits every limit.
ALONE = (
    *(f"orchestration.schedule.{agent.value}.enabled=false" for agent in AgentName),
    "risk.regime_leverage.choppy=2", "risk.sizing.confidence=[{at: 0, part: 100}]",
    "risk.cooldown={trade: 0, loss: 0, volatility: 0, unusual_move: 0, rebalance: 0}",
    "risk.throttle.repeat=0", "risk.regime_strictness.choppy=normal",
)  # fmt: skip
#: Little patience, so that a test need not have any.
QUICK = (
    "live.silence=1.9", "live.timeout=4", "live.reconnect.first=2", "live.reconnect.longest=2",
)  # fmt: skip


def asked(server: KrakenServer, db: Path, *overrides: str, **changes: Any) -> RunRequest:
    symbols = changes.pop("symbols", (BTC, XRP))
    return request("live", db, *server.settings, *QUICK, *overrides, symbols=symbols, **changes)


def on_tick(price: float, tick: Decimal) -> Decimal:
    return (Decimal(str(price)) / tick).quantize(Decimal(1)) * tick


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
        found = what_if(self.desk.engine, wish)
        return [] if found["status"] in {"approved", "modified"} else list(found["codes"])

    def propose(self, symbol: str = BTC, *, stop: float = 0.985, target: float = 1.05) -> None:
        """The trading analyst says BUY at this moment; all that follows goes its usual way."""
        core = self.desk.engine.core
        tick, price = core.instruments[symbol].tick, core.market.mid(symbol) or 0.0
        at, low, high = (on_tick(price * part, tick) for part in (1.0, stop, target))
        signal = TradeSignal(
            symbol, Action.BUY, 0.9, at, low, high, core.instruments[symbol].size(2000 / price),
            Decimal(1), {}, "the test says so",
        )  # fmt: skip
        said = Published(
            core.journal.new_id("out"), core.now, AgentName.TRADING, "RULES", (), signal
        )
        core.journal.write("agent_output", said.id, "", said)
        core.bus.publish(Topic.TRADING_SIGNALS, said.agent.value, symbol, said, core.now)
        self.desk.driver.submit(Reconcile())  # any input makes the engine look at its timers

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
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
