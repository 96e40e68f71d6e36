"""A gap is told as it was: nothing twice, nothing dropped, nothing kinder than the market."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.exchanges.kraken import KrakenServer
from tests.live.session import ALONE, Session, session
from tests.live.test_offline_gap import a_long, flat_bars
from tests.wired.stage import BTC, Record
from tradeterm.adapters.tape.blocks import read, tape_files, whole_blocks
from tradeterm.model.market import FeedNotice, MarketEvent, Trade

SYMBOLS = (BTC,)


def taped(db: Path) -> list[MarketEvent]:
    """Everything on the run's tape."""
    return [
        event
        for about in db.parent.rglob("about.json")
        for file in tape_files(about.parent)
        for block in whole_blocks(file)
        for event in read(file, block)
    ]


def told_ids(db: Path) -> list[str]:
    return [event.id for event in taped(db) if isinstance(event, Trade)]


async def _unavailable(_: web.Request) -> web.StreamResponse:
    return web.json_response({"error": ["EService:Unavailable"]})


def reply(result: Any) -> Any:
    async def given(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": [], "result": result})

    return given


async def heard(live: Session) -> None:
    """One print has come and the stream stands."""
    before = live.counts["trade"]
    live.server.trade(BTC, "65000.0", "0.01")
    await live.until(lambda: live.counts["trade"] > before)


async def test_a_print_while_the_stream_is_down_fires_the_stop_whatever_the_bar_says(
    tmp_path: Path,
) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await a_long(live)
            newest = int(time.time()) // 60 * 60
            flat = [newest, *["65000.0"] * 5, "500.00000000", 9]
            server.bars["XBTUSDT", 1] = [flat]  # it does not know of the print
            server.replies["v2"] = _unavailable
            server.drop()
            server.trade(BTC, "63000.0", "0.1", "sell")
            del server.replies["v2"]
            await live.until(lambda: not live.desk.engine.books.execution.positions)
    (closed,) = Record(tmp_path / "run.db", {}).sound().positions()
    assert closed["exit_reason"] == "stop"


async def test_a_minute_that_cannot_be_split_fires_a_stop_beyond_all_that_was_heard_of_it(
    tmp_path: Path,
) -> None:
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await a_long(live)
            server.replies["Trades"] = _unavailable
            await heard(live)
            server.remember(BTC, time.time(), "63000.0", "0.5", "sell")
            server.remember(BTC, time.time() + 0.001, "65000.0", "0.5")
            flat_bars(server)
            server.drop()
            await live.until(lambda: live.said("E-GAP away"))
            assert live.desk.engine.books.execution.positions == {}


async def test_rows_that_are_no_market_move_nothing_and_are_told(tmp_path: Path) -> None:
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await a_long(live)
            await heard(live)
            flat_bars(server)
            now = time.time()
            server.past["XBTUSDT"] += [
                [price, "0.1", now + 0.001 * n, "s", "m", "", 9000 + n]
                for n, price in enumerate(("-5.0", "0", "1e400"))
            ]
            server.drop()
            await live.until(lambda: live.said("E-GAP away"))
            await live.until(lambda: len(live.said("F-rejected BTC/USDT: trade 900")) == 3)
            assert live.desk.engine.books.execution.positions
    assert {"9000", "9001", "9002"}.isdisjoint(told_ids(tmp_path / "run.db"))


@pytest.mark.parametrize("figure", ["NaN", "1e400", "-1"])
async def test_a_bar_that_is_none_makes_the_gap_unknown_not_the_desk_die(
    tmp_path: Path, figure: str
) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await a_long(live)
            newest = int(time.time()) // 60 * 60
            row = [newest, "65000.0", figure, "64900.0", "65000.0", "65000.0", "5.0", 9]
            server.replies["OHLC"] = reply({"XBTUSDT": [row], "last": newest})
            server.drop()
            await live.until(lambda: live.said("E-GAP-UNKNOWN"))
            assert "1m bar" in live.said("E-GAP-UNKNOWN")[-1]
            assert live.desk.engine.books.execution.positions
    Record(tmp_path / "run.db", {}).sound()


async def test_a_line_that_breaks_again_while_the_gap_is_asked_for_loses_nothing_of_it(
    tmp_path: Path,
) -> None:
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        free = asyncio.Event()

        async def slow(request: web.Request) -> web.StreamResponse:
            while not free.is_set():  # noqa: ASYNC110 - set from another loop
                await asyncio.sleep(0.02)
            return web.json_response({"error": [], "result": server._ohlc(request.query)})

        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await a_long(live)
            await heard(live)
            server.replies["OHLC"] = slow
            asked, dialled = server.asked.count("OHLC"), len(server.dialled)
            server.remember(BTC, time.time(), "63000.0", "0.5", "sell")
            flat_bars(server)
            server.drop()
            await live.until(lambda: server.asked.count("OHLC") > asked)
            server.drop()
            await live.until(lambda: len(server.dialled) >= dialled + 2)
            free.set()
            await live.until(lambda: not live.desk.engine.books.execution.positions)
            await live.until(lambda: not live.desk.engine.gap.open)
    ids = told_ids(tmp_path / "run.db")
    assert len(ids) == len(set(ids))
    (closed,) = Record(tmp_path / "run.db", {}).sound().positions()
    assert closed["exit_reason"] == "stop"


async def test_what_was_polled_and_what_the_stream_begins_with_is_told_once(
    tmp_path: Path,
) -> None:
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        settings = ("live.poll_after=1", "live.poll_interval=0.5", *ALONE)
        async with session(server, tmp_path / "run.db", *settings, symbols=SYMBOLS) as live:
            await heard(live)
            server.replies["v2"] = _unavailable
            server.drop()
            await live.until(lambda: live.said("F-polling"))
            for number in range(5):
                server.remember(BTC, time.time(), f"6500{number}.0", "0.01")
            before = live.counts["trade"]
            await live.until(lambda: live.counts["trade"] >= before + 5)
            server.remember(BTC, time.time(), "65009.0", "0.01")
            flat_bars(server)
            del server.replies["v2"]
            await live.until(lambda: live.said("E-GAP away"))
            await heard(live)
    ids = told_ids(tmp_path / "run.db")
    assert sorted(ids) == sorted({str(row[6]) for row in server.past["XBTUSDT"]})
    assert len(ids) == 8


async def test_prints_unread_when_the_stream_was_given_up_are_fetched(tmp_path: Path) -> None:
    """They bear stamps from before the last message that was read."""
    with KrakenServer() as server:
        server.past["XBTUSDT"] = []
        async with session(server, tmp_path / "run.db", *ALONE, symbols=SYMBOLS) as live:
            await heard(live)
            for number in range(3):  # the exchange sent them; they never reached us
                server.remember(BTC, time.time(), f"6500{number}.0", "0.01")
            beats = live.market.health()[0].heard
            server.send('{"channel":"heartbeat"}')
            server.change(BTC, "bids", "64000.0", "1")
            await live.until(lambda: live.market.health()[0].heard > beats)
            flat_bars(server)
            server.drop()
            await live.until(lambda: live.said("E-GAP away"))
    assert sorted(told_ids(tmp_path / "run.db")) == [str(row[6]) for row in server.past["XBTUSDT"]]


async def test_a_clock_that_was_set_back_between_two_sessions_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "run.db"
    with KrakenServer() as server:
        ahead = time.time_ns
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: ahead() + 7_200 * 10**9)
            async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
                await heard(live)
        async with session(server, db, *ALONE, symbols=SYMBOLS) as live:
            await live.until(lambda: live.said("E-GAP-UNKNOWN"))
            assert "less than the run's last moment" in live.said("F-clock_step")[-1]
            server.mute = True
            await live.until(live.stale, 10)
    notices = [event for event in taped(db) if isinstance(event, FeedNotice)]
    assert "clock_step" in {notice.code for notice in notices}


def _was_asked(server: KrakenServer, name: str, times: int) -> bool:
    return server.asked.count(name) >= times


async def test_a_poll_with_rows_that_are_none_is_followed_by_the_next(tmp_path: Path) -> None:
    with KrakenServer() as server:
        settings = ("live.poll_after=1", "live.poll_interval=0.5", *ALONE)
        async with session(server, tmp_path / "run.db", *settings, symbols=SYMBOLS) as live:
            server.replies["v2"] = _unavailable
            for rows in ([["1"]], [None], [{"a": 1}]):
                server.replies["Depth"] = reply({"XBTUSDT": {"asks": rows, "bids": rows}})
                wanted = server.asked.count("Depth") + 2
                server.drop()
                await live.until(partial(_was_asked, server, "Depth", wanted))
            del server.replies["Depth"]
            before = live.counts["snapshot"]
            await live.until(lambda: live.counts["snapshot"] > before)


async def test_a_stop_does_not_wait_for_a_slow_answer_about_the_past(tmp_path: Path) -> None:
    free = asyncio.Event()

    async def hangs(_: web.Request) -> web.StreamResponse:
        while not free.is_set():  # noqa: ASYNC110 - set from another loop
            await asyncio.sleep(0.02)
        return web.json_response({"error": ["EService:Busy"]})

    settings = (*ALONE, "live.timeout=20")
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", *settings, symbols=SYMBOLS) as live:
            await a_long(live)
            server.replies |= {"OHLC": hangs, "Trades": hangs}
            dialled = len(server.dialled)
            server.drop()
            await live.until(lambda: len(server.dialled) > dialled and server.callers)
            await asyncio.sleep(0.5)  # subscribed
            server.trade(BTC, "63000.0", "0.1", "sell")
            await live.until(lambda: not live.desk.engine.books.execution.positions, 6)
            free.set()
