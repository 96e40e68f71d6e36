"""Exchanges that are read through ccxt's own watching: the same desk, the same book, the prints.

Each venue's protocol as documented, from a minimal local server. Not covered here: what the venues
send beyond books and prints, and their compression.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.exchanges.others import BinanceServer, BitstampServer, CoinbaseServer, MinimalServer
from tests.live.session import QUICK
from tests.living import wait_for
from tests.wired.stage import request
from tradeterm.desk import Desk
from tradeterm.model.vocabulary import FeedSource, Side


@pytest.mark.parametrize("kind", [BinanceServer, CoinbaseServer, BitstampServer])
async def test_its_book_and_its_prints_reach_the_engine(
    kind: type[MinimalServer], tmp_path: Path
) -> None:
    with kind() as server:
        asked = request(
            "live", tmp_path / "run.db", *server.settings, *QUICK, "live.timeout=5",
            "live.silence=30", symbols=(server.SYMBOL,),
        )  # fmt: skip
        desk = await Desk.open(asked)
        running = asyncio.create_task(desk.run())
        market = desk.engine.core.market
        book = market.symbol(server.SYMBOL).book

        def shown() -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
            return book.levels(Side.BUY, 30), book.levels(Side.SELL, 30)

        async def until(condition: object) -> None:
            waiting = asyncio.to_thread(wait_for, condition, 10.0)
            await asyncio.wait_for(waiting, 12)
            assert not running.done()

        async def begun(price: str) -> None:
            """Bitstamp's book begins with its sixth change."""
            for number in range(8):
                server.change("bids", price, f"{number + 1}.5")
                await asyncio.sleep(0.05)
            await until(lambda: shown() == server.best())

        try:
            await until(lambda: len(server.subscribed()) >= 2)
            await begun("59990.5")
            changes = (
                ("bids", "60000.5", "0"), ("asks", "60001.5", "9.5"), ("asks", "60001.25", "0.125"),
                ("bids", "60000.75", "3"), ("asks", "60001.25", "0"),
            )  # fmt: skip
            for change in changes:
                server.change(*change)
                await until(lambda: shown() == server.best())
            server.trade("60001.5", "0.25", "buy")
            await until(lambda: desk.engine.input_counts()["trade"] == 1)
            assert market.price(server.SYMBOL) == 60_001.5
            assert market.symbol(server.SYMBOL).side == "buy"
            health = desk.feed.health()  # type: ignore[attr-defined]
            assert [each.source for each in health] == [FeedSource.WEBSOCKET]
            server.bids.pop("59999.5")  # nobody hears of it
            for number in range(5):  # a book that stands still while its prints run away
                server.trade(f"{59_000 - number}.5", "0.25", "sell")
                await asyncio.sleep(0.8)
            await until(lambda: health[0].resyncs >= 1)
            await begun("59985.5")
            server.number += 1
            server.tell(*server.book_message("bids", "60010.5", "1"))  # crossed, and not true
            await until(lambda: health[0].resyncs >= 2)
            await begun("59984.5")
            assert (health[0].resyncs, health[0].reconnects) == (2, 0), "on the same connection"
            server.drop()
            await until(lambda: len(server.subscribed()) >= 2)
            await begun("59980.5")
            assert health[0].reconnects >= 1
        finally:
            desk.driver.stop()
            await running
            await desk.close()
        assert not desk.engine.core.counters.failures


async def test_a_book_that_missed_a_change_is_fetched_anew_on_the_same_connection(
    tmp_path: Path,
) -> None:
    with BinanceServer() as server:
        asked = request(
            "live", tmp_path / "run.db", *server.settings, *QUICK, "live.timeout=5",
            "live.silence=30", symbols=(server.SYMBOL,),
        )  # fmt: skip
        desk = await Desk.open(asked)
        running = asyncio.create_task(desk.run())
        book = desk.engine.core.market.symbol(server.SYMBOL).book

        async def until(condition: object) -> None:
            await asyncio.to_thread(wait_for, condition, 10.0)
            assert not running.done()

        def equal() -> bool:
            return (book.levels(Side.BUY, 30), book.levels(Side.SELL, 30)) == server.best()

        try:
            await until(lambda: server.subscribed() >= {"depth", "trade"} and equal())
            server.change("bids", "59990.5", "7.5")
            await until(equal)
            server.number += 1  # a change nobody hears of
            server.bids["59991.5"] = "8.5"
            server.change("bids", "59990.5", "9.5")
            (health,) = desk.feed.health()  # type: ignore[attr-defined]
            await until(lambda: health.resyncs == 1 and equal())
            server.change("asks", "60003.5", "0")
            await until(equal)
            assert (health.resyncs, health.reconnects) == (1, 0)
        finally:
            desk.driver.stop()
            await running
            await desk.close()
