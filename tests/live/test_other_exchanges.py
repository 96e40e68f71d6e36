"""Exchanges that are read through ccxt's own watching: the same desk, the same book, the prints.

Each venue's protocol as documented, from a minimal local server. Not covered here: what the venues
send beyond books and prints, and their compression.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.exchanges.others import BinanceServer, BitstampServer, CoinbaseServer, MinimalServer
from tests.live.session import QUICK
from tests.living import wait_for
from tests.wired.stage import Record, request
from tradeterm.adapters.feeds.live.health import SymbolHealth
from tradeterm.desk import Desk
from tradeterm.model.vocabulary import FeedSource, Side


class Watched:
    """A desk on one of these exchanges, and the book it has of the one symbol."""

    def __init__(self, desk: Desk, server: MinimalServer, running: asyncio.Task[None]) -> None:
        self.desk, self._server, self._running = desk, server, running
        self._book = desk.engine.core.market.symbol(server.SYMBOL).book

    @property
    def health(self) -> SymbolHealth:
        (health,) = self.desk.feed.health()  # type: ignore[attr-defined]
        assert isinstance(health, SymbolHealth)
        return health

    def equal(self) -> bool:
        """Whether the engine's book is the server's."""
        shown = self._book.levels(Side.BUY, 30), self._book.levels(Side.SELL, 30)
        return shown == self._server.best()

    async def until(self, condition: object) -> None:
        await asyncio.wait_for(asyncio.to_thread(wait_for, condition, 10.0), 12)
        assert not self._running.done()

    async def change(self, side: str, price: str, size: str) -> None:
        self._server.change(side, price, size)
        await self.until(self.equal)

    async def begun(self, price: str) -> None:
        """Bitstamp's book begins with its sixth change."""
        for number in range(8):
            self._server.change("bids", price, f"{number + 1}.5")
            await asyncio.sleep(0.05)
        await self.until(self.equal)


@asynccontextmanager
async def watched(server: MinimalServer, folder: Path) -> AsyncIterator[Watched]:
    asked = request(
        "live", folder / "run.db", *server.settings, *QUICK, "live.timeout=5",
        "live.silence=30", symbols=(server.SYMBOL,),
    )  # fmt: skip
    desk = await Desk.open(asked)
    running = asyncio.create_task(desk.run())
    live = Watched(desk, server, running)
    try:
        await live.until(lambda: len(server.subscribed()) >= 2)
        yield live
    finally:
        desk.driver.stop()
        await running
        await desk.close()
    assert not desk.engine.core.counters.failures


@pytest.mark.parametrize("kind", [BinanceServer, CoinbaseServer, BitstampServer])
async def test_its_book_and_its_prints_reach_the_engine(
    kind: type[MinimalServer], tmp_path: Path
) -> None:
    with kind() as server:
        async with watched(server, tmp_path) as live:
            await live.begun("59990.5")
            for change in (
                ("bids", "60000.5", "0"), ("asks", "60001.5", "9.5"), ("asks", "60001.25", "0.125"),
                ("bids", "60000.75", "3"), ("asks", "60001.25", "0"),
            ):  # fmt: skip
                await live.change(*change)
            server.trade("60001.5", "0.25", "buy")
            engine = live.desk.engine
            await live.until(lambda: engine.input_counts()["trade"] == 1)
            assert engine.core.market.price(server.SYMBOL) == 60_001.5
            assert engine.core.market.symbol(server.SYMBOL).side == "buy"
            assert live.health.source == FeedSource.WEBSOCKET


@pytest.mark.parametrize("kind", [BinanceServer, CoinbaseServer, BitstampServer])
async def test_a_book_that_lies_is_asked_for_anew_on_the_same_connection(
    kind: type[MinimalServer], tmp_path: Path
) -> None:
    with kind() as server:
        async with watched(server, tmp_path) as live:
            await live.begun("59990.5")
            health = live.health
            server.bids.pop("59999.5")  # nobody hears of it
            for number in range(5):  # it stands still while its prints run away
                server.trade(f"{59_000 - number}.5", "0.25", "sell")
                await asyncio.sleep(0.8)
            await live.until(lambda: health.resyncs >= 1)
            await live.begun("59985.5")
            server.number += 1
            server.tell(*server.book_message("bids", "60010.5", "1"))  # crossed, and not true
            await live.until(lambda: health.resyncs >= 2)
            await live.begun("59984.5")
            assert (health.resyncs, health.reconnects) == (2, 0)
            server.drop()
            await live.until(lambda: len(server.subscribed()) >= 2)
            await live.begun("59980.5")
            assert health.reconnects >= 1


async def test_a_book_that_missed_a_change_is_fetched_anew_on_the_same_connection(
    tmp_path: Path,
) -> None:
    with BinanceServer() as server:
        async with watched(server, tmp_path) as live:
            await live.change("bids", "59990.5", "7.5")
            server.number += 1  # a change nobody hears of
            server.bids["59991.5"] = "8.5"
            server.change("bids", "59990.5", "9.5")
            await live.until(lambda: live.health.resyncs == 1 and live.equal())
            await live.change("asks", "60003.5", "0")
            assert (live.health.resyncs, live.health.reconnects) == (1, 0)


async def test_a_message_coinbase_numbered_and_nobody_heard_has_the_book_fetched_anew(
    tmp_path: Path,
) -> None:
    with CoinbaseServer() as server:
        async with watched(server, tmp_path) as live:
            await live.change("bids", "59990.5", "7.5")
            server.bids["59991.5"] = "8.5"
            server.swallow()
            server.trade("60001.5", "0.25", "buy")  # of another channel: it tells of the hole
            await live.until(lambda: live.health.resyncs == 1 and live.equal())
            await live.change("asks", "60003.5", "0")
            assert (live.health.resyncs, live.health.reconnects) == (1, 0)
    told = [body["text"] for body in Record(tmp_path / "run.db", {}).sound().bodies("system")]
    assert [text for text in told if "lost before" in text] == [
        "BTC/USDT: book fetched anew: 1 message lost before number 3"
    ]
