"""The program was away while the exchange went on: what rested is settled by what happened there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from tests.exchanges.kraken import KrakenServer
from tests.live.session import ALONE, Session, asked, session
from tests.wired.stage import BTC, Record
from tradeterm.desk import Desk
from tradeterm.engine.afterword import afterword
from tradeterm.engine.facts import standing_facts

D = Decimal
SYMBOLS = (BTC,)


def flat_bars(server: KrakenServer) -> None:
    """The exchange's own minutes: as much as its prints add up to, so that the prints count."""
    rows: dict[int, list[float]] = {}
    for price, size, at, *_ in server.past.get("XBTUSDT", []):
        begun = int(float(at)) // 60 * 60
        row = rows.setdefault(begun, [float(price)] * 4 + [0.0])
        row[1], row[2] = max(row[1], float(price)), min(row[2], float(price))
        row[3], row[4] = float(price), row[4] + float(size)
    newest = int(time.time()) // 60 * 60
    server.bars["XBTUSDT", 1] = [
        [begun, *(f"{x:.8f}" for x in (*figures[:4], figures[3], figures[4])), 1]
        for begun, figures in sorted(rows.items())
    ] or [[newest, *["65000.0"] * 5, "0.00000000", 0]]


async def a_long(live: Session) -> str:
    """Wait until risk has all it needs, enter, and wait for the fill."""
    engine = live.desk.engine
    await live.until(lambda: live.verdict() == [])
    live.propose()
    await live.until(lambda: engine.books.execution.positions)
    (position,) = engine.books.execution.positions
    return position


@asynccontextmanager
async def left_with_a_long(db: Path) -> AsyncIterator[tuple[KrakenServer, str]]:
    """An exchange whose past begins now, and a run on it that ended with this position open."""
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            position = await a_long(live)
        yield server, position


async def test_a_stop_hit_while_the_program_was_away_filled_then_and_is_told(
    tmp_path: Path,
) -> None:
    db = tmp_path / "run.db"
    async with left_with_a_long(db) as (server, position):
        left = time.time()
        for number, price in enumerate(("64800.0", "63000.0", "65100.0")):
            server.remember(BTC, left + 0.002 * (number + 1), price, "0.5", "sell")
        flat_bars(server)
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            engine = live.desk.engine
            await live.until(lambda: live.said("E-GAP away"))
            assert live.said("E-GAP nobody listened")
            assert engine.books.execution.positions == {}
            assert engine.core.counters.exits["stop"] == 1
            away = standing_facts(engine, "run")["away"]
            assert away["fills"] == 1
            assert any(position in line and "closed by stop" in line for line in away["lines"])
            await live.until(lambda: live.views[-1].positions == ())
            assert any(line.severity == "error" for line in live.views[-1].events), "an alarm"
            assert any("closed by stop" in line for line in afterword(engine))
    record = Record(db, {}).sound()
    (closed,) = record.positions()
    assert closed["exit_reason"] == "stop"
    assert D(closed["exit"]) == D("62968.5"), "63,000 less 0.05 %: nobody kept the book"
    assert left * 1e9 <= closed["closed"] <= (left + 0.2) * 1e9, "then, not now"


async def test_killed_after_the_gap_it_replays_the_gap_from_its_tape(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    async with left_with_a_long(db) as (server, _):
        server.remember(BTC, time.time() + 0.002, "63000.0", "0.5", "sell")
        flat_bars(server)
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            await live.until(lambda: live.said("E-GAP away"))
            closed_at = live.desk.engine.core.counters.exits["stop"]
        server.past["XBTUSDT"] = []
        flat_bars(server)
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            assert live.desk.engine.core.counters.exits["stop"] == closed_at == 1
    assert len(Record(db, {}).sound().positions()) == 1


async def test_a_gap_the_exchange_cannot_tell_of_leaves_orders_unknown_then_asked_for(
    tmp_path: Path,
) -> None:
    db = tmp_path / "run.db"
    async with left_with_a_long(db) as (server, _):
        server.replies["OHLC"] = _refused
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            await live.until(lambda: live.said("E-GAP-UNKNOWN"))
            execution = live.desk.engine.books.execution
            assert len(execution.positions) == 1, "nothing is assumed"
            assert {bool(order.unknown) for order in execution.working.values()} == {True}
            assert "unreconciled" in live.verdict()
            assert live.desk.engine.reconciliation.look("") == 0
            assert {order.unknown for order in execution.working.values()} == {""}


async def _refused(_: web.Request) -> web.StreamResponse:
    return web.json_response({"error": ["EGeneral:Internal error"]})


async def test_before_the_gap_is_told_nothing_is_entered_on_the_books_of_before(
    tmp_path: Path,
) -> None:
    db = tmp_path / "run.db"
    with KrakenServer() as server:
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            await live.until(lambda: live.verdict() == [])
        server.replies["v2"] = _refused
        desk = await Desk.open(asked(server, db, *ALONE, symbols=SYMBOLS))
        running = asyncio.create_task(desk.run())
        try:
            async with asyncio.timeout(10):
                while not desk.engine.gap.open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert desk.engine.core.market.stale(BTC, desk.engine.now)
            async with asyncio.timeout(10):  # the operator's clock goes on without the exchange
                while desk.engine.gap.open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert desk.engine.core.market.stale(BTC, desk.engine.now)
        finally:
            desk.driver.stop()
            await running
            await desk.close()


async def test_what_nobody_can_tell_yet_is_unknown_until_the_exchange_answers(
    tmp_path: Path,
) -> None:
    db = tmp_path / "run.db"
    async with left_with_a_long(db) as (server, _):
        server.remember(BTC, time.time() + 0.002, "63000.0", "0.5", "sell")
        flat_bars(server)
        server.replies["v2"] = _refused
        desk = await Desk.open(asked(server, db, *ALONE, symbols=SYMBOLS))
        live = Session(desk, server, asyncio.create_task(desk.run()), [])
        try:
            execution = desk.engine.books.execution
            await live.until(lambda: live.said("E-GAP-UNKNOWN"))
            assert "kraken does not answer" in live.said("E-GAP-UNKNOWN")[0]
            assert {bool(order.unknown) for order in execution.working.values()} == {True}
            assert len(execution.positions) == 1, "nothing is assumed"
            del server.replies["v2"]
            await live.until(lambda: not execution.positions)
        finally:
            desk.driver.stop()
            await live.running
            await desk.close()
    (closed,) = Record(db, {}).sound().positions()
    assert (closed["exit_reason"], closed["exit"]) == ("stop", "62968.5")
