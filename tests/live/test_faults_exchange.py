"""FAULTS B4, an exchange that lies: what it says is checked, refused, counted, and asked for anew.

| row | here |
|---|---|
| X01 bad prices, X02 crossed books, X03 checksums, X15 other fields and types | in a run, on the wire |
| X04 a jump of 50 % | the collar and the unusual-move rule keep entries off |
| X05 stamps in the future or the past, the same price for ever | receive time counts, not theirs |
| X13 instruments that change | told with what changed; a delisted symbol is not traded |
| X06 duplicates | of trades: told once. Of fills: tests/execution (the paper exchange's own) |
| X07-X12, X14, X16 | do not apply to paper trading on public data: no order, fill, balance, nonce or |
|   | fee of ours exists at the exchange (the paper exchange's are in tests/execution, wired/) |
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from tests.exchanges.kraken import KrakenServer
from tests.exchanges.kraken_market import stamp
from tests.live.session import Session, session
from tests.wired.stage import BTC, XRP
from tradeterm.model.health import Health
from tradeterm.model.vocabulary import Side


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Session]:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db") as opened:
            await opened.fresh(XRP)
            yield opened


def book(levels: str, *, symbol: str = BTC, checksum: int = 1, side: str = "bids") -> str:
    other = "asks" if side == "bids" else "bids"
    return (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"{symbol}","{side}":{levels},'
        f'"{other}":[],"checksum":{checksum},"timestamp":"{stamp()}"}}]}}'
    )


def trade(number: int, *, price: str = "65000.0", when: str = "", size: str = "0.1") -> str:
    return (
        f'{{"channel":"trade","type":"update","data":[{{"symbol":"{BTC}","side":"buy",'
        f'"price":{price},"qty":{size},"ord_type":"market","trade_id":{number},'
        f'"timestamp":"{when or stamp()}"}}]}}'
    )


def shown(live: Session, symbol: str) -> tuple[list[tuple[float, float]], ...]:
    book = live.desk.engine.core.market.symbol(symbol).book
    return book.levels(Side.BUY, 1000), book.levels(Side.SELL, 1000)


def true(live: Session, symbol: str) -> tuple[list[tuple[float, float]], ...]:
    """The exchange's own book, as deep as it was asked for."""
    sides = (live.server.books[symbol].best(side, 100) for side in ("bids", "asks"))
    return tuple([(float(p), float(q)) for p, q in levels] for levels in sides)


def _counted(live: Session, snapshots: int) -> bool:
    return live.counts["snapshot"] >= snapshots


LIES = {
    "X01 NaN": '[{"price":NaN,"qty":1.0}]',
    "X01 infinite": '[{"price":Infinity,"qty":1.0}]',
    "X01 endless": '[{"price":1e400,"qty":1.0}]',
    "X01 null": '[{"price":null,"qty":1.0}]',
    "X01 zero": '[{"price":0,"qty":1.0}]',
    "X01 negative": '[{"price":-5.0,"qty":1.0}]',
    "X01 a size below zero": '[{"price":64000.0,"qty":-1.0}]',
    "X02 crossed": '[{"price":99000.0,"qty":1.00000000}]',
    "X03 a level that was never sent": '[{"price":64999.95,"qty":1.00000000}]',
    "X15 a field renamed": '[{"px":64000.0,"qty":1.0}]',
    "X15 another type": '[["64000.0","1.0"]]',
    "X15 no list": '{"price":64000.0}',
}


async def test_a_lie_costs_one_book_which_is_fetched_anew_and_no_other(live: Session) -> None:
    untouched = shown(live, XRP)
    snapshots = live.counts["snapshot"]
    for number, (name, levels) in enumerate(LIES.items(), 1):
        live.server.send(book(levels))
        wanted = snapshots + 2 * number
        await live.until(partial(_counted, live, wanted))
        await live.fresh()
        assert shown(live, BTC) == true(live, BTC), name
    assert shown(live, XRP) == untouched
    resyncs = {health.symbol: health.resyncs for health in live.health()}
    assert resyncs == {BTC: len(LIES), XRP: 0}
    assert 0 < len(live.said("F-resync")) < len(LIES), "told a few times, counted always"
    assert live.said("F-link_down") == [], "the connection is not to blame"


async def test_x03_until_the_book_is_whole_nothing_is_entered_on_it(live: Session) -> None:
    assert "stale_data" not in live.verdict()
    live.server.deaf.add("book")
    live.server.send(book('[{"price":64999.95,"qty":1.00000000}]'))
    await live.until(lambda: "stale_data" in live.verdict())
    assert "stale_data" not in live.verdict(XRP)
    live.server.deaf.clear()
    await live.fresh()
    assert "stale_data" not in live.verdict()


async def test_x01_x05_x06_prints_that_cannot_be_are_refused_and_doubles_told_once(
    live: Session,
) -> None:
    before = live.counts["trade"]
    for number, (price, size) in enumerate(
        (("NaN", "1"), ("0", "1"), ("-1.5", "1"), ("1e400", "1"), ("65000", "0"), ("null", "1")), 1
    ):
        live.server.send(trade(900 + number, price=price, size=size))
    for _ in range(3):
        live.server.send(trade(7))
    live.server.send(trade(8, when="2099-01-01T00:00:00.000000Z"))
    live.server.send(trade(9, when="1999-01-01T00:00:00.000000Z"))
    await live.until(lambda: live.counts["trade"] == before + 2)
    engine = live.desk.engine
    assert abs(engine.now - time.time_ns()) < 5 * 10**9, "receive time counts"
    (health,) = [each for each in live.health() if each.symbol == BTC]
    assert health.rejected >= 5, "a stamp of 2099 would make every true print an old one"
    skew = live.market.clock_skew()
    assert skew is not None
    assert abs(skew) < 1.0, "one wrong stamp does not make our clock wrong: it was asked for"


async def test_x15_what_nobody_expects_is_survived(live: Session) -> None:
    for text in (
        "", "null", "[]", "{", "\x00\x1b]0;x\x07", '{"channel":"book"}', '{"channel":7}',
        '{"channel":"book","type":"update","data":"none"}', '{"channel":"trade","data":[{}]}',
        trade(5, when="yesterday"), trade(6).replace('"buy"', '"up"'),
        '{"channel":"ticker","data":[{"new":1}]}', '{"method":"subscribe","success":false}',
        json.dumps({"channel": "status", "data": [{"system": "maintenance"}]}),
        '{"channel":"book","type":"update","data":[' + "{}," * 50_000 + "{}]}",
    ):  # fmt: skip
        live.server.send(text)
    live.server.trade(BTC, "65001.0", "0.5")
    await live.until(lambda: live.desk.engine.core.market.symbol(BTC).price == 65001.0)
    await live.fresh()
    assert shown(live, BTC) == true(live, BTC)
    assert all("\x1b" not in line.text for line in live.desk.engine.core.events.lines)


async def test_x15_a_message_of_ten_megabytes_is_not_read(live: Session) -> None:
    live.server.send('{"channel":"book","data":"' + "x" * 10 * 2**20 + '"}')
    await live.until(lambda: live.said("F-link_down"))
    await live.fresh()
    assert shown(live, BTC) == true(live, BTC)


async def test_x13_a_symbol_that_is_refused_after_a_reconnect_leaves_the_others_alone(
    live: Session,
) -> None:
    await live.fresh(XRP)
    pair = live.server.pairs.pop(XRP)
    live.server.drop()
    await live.until(lambda: any("not supported" in text for text in live.said("F-resync")))
    await live.fresh(BTC)
    live.server.trade(BTC, "65001.0", "0.5")
    await live.until(lambda: live.desk.engine.core.market.symbol(BTC).price == 65001.0)
    assert "stale_data" in live.verdict(XRP)
    assert live.server.callers == 1
    live.server.pairs[XRP] = pair


async def test_x04_a_jump_of_half_the_price_lets_nothing_in(live: Session) -> None:
    engine = live.desk.engine
    await live.until(lambda: live.counts["past"] and engine.core.health != Health())
    assert not {"unusual_move", "price_collar"} & set(live.verdict())
    live.server.trade(BTC, "65000.0", "0.5")
    for _ in range(3):  # one alone waits for a second source
        assert engine.core.market.symbol(BTC).price < 66000.0
        live.server.trade(BTC, "97600.0", "0.5")
    await live.until(lambda: engine.core.market.symbol(BTC).price == 97600.0)
    assert "unusual_move" in live.verdict()
    assert "price_collar" in live.verdict(entry="97600")


async def test_x04_a_print_far_away_waits_for_the_ticker_and_alone_it_was_a_lie(
    live: Session,
) -> None:
    market, before = live.desk.engine.core.market, live.counts["trade"]
    live.server.trade(BTC, "65000.0", "0.5")
    live.server.trade(BTC, "131000.0", "0.5")
    await live.until(lambda: live.said("F-jump"))
    live.server.ticker(BTC, "65010.0")  # a second source that says otherwise
    live.server.trade(BTC, "65020.0", "0.5")
    await live.until(lambda: market.symbol(BTC).price == 65020.0)
    assert live.counts["trade"] == before + 2
    assert any("131000 was a jump nobody confirmed" in text for text in live.said("F-rejected"))
    live.server.trade(BTC, "30000.0", "0.5")
    live.server.ticker(BTC, "30010.0")
    await live.until(lambda: market.symbol(BTC).price == 30000.0)
    assert live.counts["trade"] == before + 3


async def test_the_exchange_s_own_bar_completes_one_of_ours_that_lacks_something(
    live: Session,
) -> None:
    market = live.desk.engine.core.market
    await live.until(lambda: live.counts["past"] >= 2)
    live.server.trade(BTC, "65000.0", "0.5")
    minute = time.time() // 60 * 60 - 60  # over, and told a moment late
    live.server.candle(BTC, minute, (64990.0, 70000.0, 60000.0, 65010.0, 99.0))
    live.server.candle(BTC, minute + 60, (65010.0, 65010.0, 65010.0, 65010.0, 0.5))
    await live.until(lambda: live.said("F-candle_completed"))
    row = next(row for row in market.symbol(BTC).recent(60, 5) if row[0] == (minute + 60) * 10**9)
    assert row[2:] == (70000.0, 60000.0, 65010.0, 99.0)


async def test_a_book_that_stands_still_while_prints_run_away_is_fetched_anew(
    live: Session,
) -> None:
    before = live.counts["snapshot"]
    for price in ("64000.0", "63900.0", "63800.0", "63700.0"):
        live.server.trade(BTC, price, "0.1", "sell")
        await asyncio.sleep(0.8)  # the book's silence is what is tested
    await live.until(partial(_counted, live, before + 2))
    await live.fresh()
    assert any("while 4 prints went by" in text for text in live.said("F-resync"))
    assert shown(live, BTC) == true(live, BTC)


async def test_x01_three_bad_ticks_in_a_minute_leave_the_symbol_to_reductions(
    live: Session,
) -> None:
    for number in range(3):
        live.server.send(trade(900 + number, price="-1.5"))
    await live.until(lambda: live.said("R-REDUCING BTC/USDT"))
    assert "reduce_only" in live.verdict()
    assert "reduce_only" not in live.verdict(XRP)
    assert any("at -1.5" in text for text in live.said("F-rejected")), "raw, in the journal"


@pytest.mark.long
@pytest.mark.skipif("TRADETERM_LONG" not in os.environ, reason="takes ten seconds of waiting")
async def test_x13_what_changes_about_an_instrument_is_told(tmp_path: Path) -> None:
    with KrakenServer() as server:
        async with session(server, tmp_path / "run.db", "live.instruments_interval=10") as live:
            server.pairs[BTC] = replace(server.pairs[BTC], order_min="0.5")
            del server.pairs[XRP]
            await live.until(lambda: len(live.said("F-instrument")) == 2, seconds=30)
            assert any("min_size 0.00005 → 0.5" in text for text in live.said("F-instrument"))
            assert "reduce_only" in live.verdict(XRP)
            server.replies["AssetPairs"] = _refused
            await live.until(lambda: live.said("F-instruments_unknown"), seconds=30)


async def _refused(_: web.Request) -> web.StreamResponse:
    return web.json_response({"error": ["EGeneral:Internal error"]})
