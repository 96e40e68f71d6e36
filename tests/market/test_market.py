"""The market façade: trades, books and bars in; candles, snapshots, ages and rates out."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.market.samples import START, market_settings, walk
from tradeterm.market.candles import NEVER
from tradeterm.market.market import MAX_CROSSINGS, Market, MarketState
from tradeterm.model.market import BookDelta, BookSnapshot, Candle, MarketEvent, Trade
from tradeterm.model.timing import HOUR, MINUTE, SECOND

BTC, XRP, CROSS = "BTC/USDT", "XRP/USDT", "XRP/BTC"
SETTINGS = market_settings()


def market(*symbols: str) -> Market:
    return Market(SETTINGS, symbols or (BTC,))


def book(symbol: str, bid: float, ask: float, ts: int = START) -> BookSnapshot:
    return BookSnapshot(ts, symbol, ((bid, 1.0),), ((ask, 1.0),))


def trade(ts: int, price: float, symbol: str = BTC, size: float = 1.0) -> Trade:
    return Trade(ts, symbol, price, size, "buy")


def test_trades_close_candles_on_every_timeframe_oldest_first() -> None:
    live = market()
    assert live.next_close == NEVER
    closed: list[Candle] = []
    for second in range(0, 3_700, 10):
        closed += live.on_trade(trade(START + second * SECOND, 100.0 + second / 100))
    assert [bar.timeframe for bar in closed if bar.ts == START + HOUR] == [60, 300, 3_600]
    assert [bar.ts for bar in closed] == sorted(bar.ts for bar in closed)
    hour = next(bar for bar in closed if bar.timeframe == 3_600)
    assert (hour.open, hour.high, hour.close) == (100.0, 135.9, 135.9)
    assert hour.volume == 360.0
    assert live.next_close == START + HOUR + 2 * MINUTE


def test_time_alone_closes_a_candle() -> None:
    live = market()
    live.on_trade(trade(START + 5 * SECOND, 100.0))
    assert live.next_close == START + MINUTE
    assert live.close_due(START + MINUTE - 1) == []
    assert [bar.close for bar in live.close_due(START + MINUTE)] == [100.0]
    assert live.close_due(START + MINUTE) == []
    assert [bar.volume for bar in live.close_due(START + 2 * MINUTE)] == [0.0]
    assert live.closes(BTC) == 2


def test_a_long_silence_starts_the_windows_again_and_says_so() -> None:
    live = market()
    live.on_trade(trade(START, 100.0))
    live.on_trade(trade(START + 20 * HOUR, 101.0))
    assert [notice.code for notice in live.take_notices()] == ["gap"]
    assert live.take_notices() == []
    assert live.snapshot(BTC, START + 20 * HOUR).by_timeframe == {}  # type: ignore[union-attr]


def test_bars_come_back_with_the_higher_ones_they_complete() -> None:
    replay = market()
    bars = walk(24, timeframe=300)
    closed = [replay.on_candle(bar) for bar in bars]
    assert [len(each) for each in closed] == [1] * 11 + [2] + [1] * 11 + [2]
    assert closed[11][1].timeframe == 3_600
    assert replay.smallest(BTC) == 300
    assert replay.bar_interval == 300 * SECOND
    assert replay.next_close == NEVER
    snapshot = replay.snapshot(BTC, bars[-1].ts)
    assert snapshot is not None
    assert snapshot.bid == snapshot.ask == snapshot.price == bars[-1].close
    assert {tf: figures.ts for tf, figures in snapshot.by_timeframe.items()} == {
        300: bars[-1].ts,
        3_600: bars[-1].ts,
    }


def test_gaps_between_bars_stay_gaps() -> None:
    replay = market()
    bars = walk(100)
    for bar in (*bars[:10], *bars[50:60]):
        replay.on_candle(bar)
    assert replay.closes(BTC) == 20


def test_candles_out_of_order_twice_or_of_another_timeframe_are_rejected_and_counted() -> None:
    replay = market()
    first, second, third = walk(3)
    replay.on_candle(second)
    assert replay.on_candle(first) == []
    assert replay.on_candle(second) == []
    assert replay.on_candle(walk(1, timeframe=300)[0]) == []
    assert replay.rejected == {"candle_order": 2, "candle_timeframe": 1}
    assert len(replay.take_notices()) == 3
    assert replay.on_candle(third) == [third]


def test_a_candle_beside_trades_completes_ours_and_is_never_one_more() -> None:
    live = market()
    for minute in range(6):
        live.on_trade(Trade(START + minute * MINUTE, BTC, 100.0 + minute, 1.0, "buy"))
    live.close_due(START + 6 * MINUTE)
    whole = live.dump()
    assert live.on_candle(Candle(START + 3 * MINUTE, BTC, 60, 102, 102, 102, 102, 1.0)) == []
    assert live.dump() == whole, "nothing was missing"
    assert live.on_candle(Candle(START + 3 * MINUTE, BTC, 60, 102, 110, 90, 103, 5.0)) == []
    rows = live.symbol(BTC).recent(60, 10)
    assert rows[2] == (START + 3 * MINUTE, 102.0, 110.0, 90.0, 103.0, 5.0)
    assert len(rows) == 6
    higher = live.symbol(BTC).windows.get(300)
    if higher is not None and higher.count:
        assert higher.high[-1] == 110.0
    assert live.rejected == {"candle_completed": 1}
    again = market()
    again.load(live.dump())
    assert again.indicators(BTC, 60) == live.indicators(BTC, 60)
    live.on_candle(Candle(START + 300 * MINUTE, BTC, 300, 1, 1, 1, 1, 1.0))
    assert live.rejected["candle_beside_trades"] == 1


def test_trades_after_bars_turn_the_symbol_into_a_stream() -> None:
    live = market()
    bars = walk(10)
    for bar in bars:
        live.on_candle(bar)
    live.on_trade(trade(bars[-1].ts + SECOND, 100.0))
    closed = live.on_trade(trade(bars[-1].ts + 61 * SECOND, 101.0))
    assert [bar.ts for bar in closed] == [bars[-1].ts + MINUTE]
    assert live.closes(BTC) == 11


def test_warm_up_continues_the_past_without_a_seam() -> None:
    past = walk(7 * 60 + 30)
    start = past[-1].ts

    def history(symbol: str, timeframe: int, count: int) -> list[Candle]:
        return past[-count:] if timeframe == 60 else []

    live = market()
    live.warm(history)
    assert live.next_close == start + MINUTE
    assert live.price(BTC) == past[-1].close
    figures = live.indicators(BTC, 60)
    assert figures is not None
    assert figures.ema_200 is not None
    closed = live.close_due(start + MINUTE)
    assert closed[0].open == past[-1].close
    hours: list[Candle] = []
    for minute in range(2, 31):
        hours += [bar for bar in live.close_due(start + minute * MINUTE) if bar.timeframe == 3_600]
    assert [bar.ts for bar in hours] == [start + 30 * MINUTE]
    assert hours[0].open == past[-30].open


def test_age_and_staleness_of_streams_bars_and_crossed_books() -> None:
    live = market(BTC, XRP)
    assert live.stale(BTC, START)
    live.on_snapshot(book(BTC, 99.0, 101.0))
    assert live.age(BTC, START + 3 * SECOND) == 3.0
    assert not live.stale(BTC, START + 5 * SECOND)
    assert live.silence(BTC, START + 5 * SECOND) == live.patience(BTC) == 5.0
    assert live.stale(BTC, START + 5 * SECOND + 1)
    assert live.stale(XRP, START)
    assert live.silence(XRP, START) == float("inf")
    live.on_trade(trade(START + 9 * SECOND, 0.5, XRP))
    assert not live.stale(BTC, START + 10 * SECOND)  # the connection lives
    assert live.silence(BTC, START + 10 * SECOND) == 1.0
    live.on_delta(BookDelta(START + 10 * SECOND, BTC, ((102.0, 1.0),), ()))
    assert live.stale(BTC, START + 10 * SECOND)
    bars = market()
    bars.on_candle(walk(1)[0])
    assert not bars.stale(BTC, START + 3 * MINUTE)
    assert bars.silence(BTC, START + 3 * MINUTE) == bars.patience(BTC) == 120.0
    assert bars.stale(BTC, START + 3 * MINUTE + 1)


def test_the_chart_shows_closed_and_forming_candles() -> None:
    live = market()
    for second in range(0, 430, 10):
        live.on_trade(trade(START + second * SECOND, 100.0 + second))
    closed, forming = live.symbol(BTC).recent(60, 3), live.symbol(BTC).forming(60)
    assert [row[0] for row in closed] == [START + n * MINUTE for n in (5, 6, 7)]
    assert forming == (START + 8 * MINUTE, 520.0, 520.0, 520.0, 520.0, 1.0)
    closed, forming = live.symbol(BTC).recent(300, 9), live.symbol(BTC).forming(300)
    assert len(closed) == 1
    assert forming == (START + 10 * MINUTE, 400.0, 520.0, 400.0, 520.0, 13.0)


def events(count: int, seed: int) -> list[MarketEvent]:
    """A random stream for three symbols, with silences."""
    rng = random.Random(seed)
    made: list[MarketEvent] = [book(symbol, 99.0, 101.0) for symbol in (BTC, XRP, CROSS)]
    ts = START
    for _ in range(count):
        ts += int(rng.expovariate(1 / 8) * SECOND)
        symbol = rng.choice((BTC, XRP, CROSS))
        price = round(100 + rng.gauss(0, 1), 1)
        if rng.random() < 0.5:
            made.append(trade(ts, price, symbol, round(rng.uniform(0.1, 2), 2)))
        else:
            level = (price, rng.choice((0.0, 1.0)))
            made.append(BookDelta(ts, symbol, (level,), ()))
    return made


def feed(live: Market, event: MarketEvent) -> list[Candle]:
    closed: list[Candle] = []
    while live.next_close <= event.ts:
        closed += live.close_due(live.next_close)
    if isinstance(event, Trade):
        closed += live.on_trade(event)
    elif isinstance(event, BookDelta):
        live.on_delta(event)
    elif isinstance(event, BookSnapshot):
        live.on_snapshot(event)
    return closed


def shown(live: Market, now: int) -> object:
    snapshot = live.snapshot(BTC, now)
    if snapshot is None:
        return None
    return snapshot.price, snapshot.bid, snapshot.ask, dict(snapshot.by_timeframe)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_cut_anywhere_ends_like_the_uncut_one(seed: int) -> None:
    stream = events(3_000, seed)
    rng = random.Random(seed)
    cuts = {rng.randrange(len(stream)) for _ in range(8)}
    whole, cut = market(BTC, XRP, CROSS), market(BTC, XRP, CROSS)
    for index, event in enumerate(stream):
        if index in cuts:
            raw = msgspec.msgpack.encode(cut.dump())
            cut = market(BTC, XRP, CROSS)
            cut.load(msgspec.msgpack.decode(raw, type=MarketState))
        assert feed(cut, event) == feed(whole, event)
        assert cut.next_close == whole.next_close
        if index % 97 == 0:
            assert shown(cut, event.ts) == shown(whole, event.ts)
    assert cut.dump() == whole.dump()


def test_a_book_that_crosses_is_told_when_it_begins_and_when_it_ends() -> None:
    live = market()
    live.on_snapshot(book(BTC, 99.0, 101.0))
    assert live.take_notices() == []
    live.on_delta(BookDelta(START + SECOND, BTC, ((102.0, 1.0),), ()))
    live.on_delta(BookDelta(START + 2 * SECOND, BTC, ((103.0, 1.0),), ()))
    (begun,) = live.take_notices()
    assert (begun.ts, begun.symbol, begun.code) == (START + SECOND, BTC, "crossed_book")
    assert "bid 102, ask 101" in begun.text
    state = live.dump()
    live.on_delta(BookDelta(START + 3 * SECOND, BTC, ((102.0, 0.0), (103.0, 0.0)), ()))
    (ended,) = live.take_notices()
    assert (ended.code, ended.text) == ("crossed_book", "the book is in order again")
    assert live.rejected == {"crossed_book": 1}
    again = market()
    again.load(state)
    again.on_snapshot(book(BTC, 99.0, 101.0, START + 4 * SECOND))
    assert [notice.text for notice in again.take_notices()] == ["the book is in order again"]


def test_a_book_that_crosses_all_the_time_is_counted_only() -> None:
    live = market()
    live.on_snapshot(book(BTC, 99.0, 101.0))
    told = []
    for n in range(50):
        live.on_delta(BookDelta(START + 2 * n, BTC, ((102.0, 1.0),), ()))
        live.on_delta(BookDelta(START + 2 * n + 1, BTC, ((102.0, 0.0),), ()))
        told += live.take_notices()
    assert len(told) == 2 * MAX_CROSSINGS
    assert "counted only" in told[-2].text
    assert live.rejected == {"crossed_book": 50}
