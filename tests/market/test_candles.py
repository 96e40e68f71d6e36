"""Windows, builders and buckets of candles."""

from __future__ import annotations

import msgspec
import pytest

from tests.market.samples import START, walk
from tradeterm.market.buckets import Aggregator
from tradeterm.market.candles import (
    MAX_FLAT,
    NEVER,
    CandleWindow,
    TradeBuilder,
    WindowState,
)
from tradeterm.model.market import Candle
from tradeterm.model.timing import DAY, HOUR, MINUTE, SECOND


def test_a_window_keeps_the_newest_candles_in_order() -> None:
    window = CandleWindow(60, 50)
    bars = walk(400)
    for count, bar in enumerate(bars, 1):
        assert window.append(bar)
        assert min(count, 50) <= len(window) <= 100
        newest = bars[count - len(window) : count]
        assert window.close.tolist() == [each.close for each in newest]
    assert window.high.flags["C_CONTIGUOUS"]
    assert window.rows(2)[-1][0] == bars[-1].ts
    assert window.closes(3) == tuple(bar.close for bar in bars[-3:])
    assert window.newest == bars[-1].close


def test_a_window_refuses_what_is_not_later() -> None:
    window = CandleWindow(60, 50)
    first, second = walk(2)
    assert window.append(second)
    assert not window.append(second)
    assert not window.append(first)
    assert window.total == 1


def test_a_dumped_window_goes_on_alike() -> None:
    bars = walk(333)
    window, copy = CandleWindow(60, 50), CandleWindow(60, 50)
    for index, bar in enumerate(bars):
        if index % 41 == 0:
            raw = msgspec.msgpack.encode(window.dump())
            copy = CandleWindow(60, 50)
            copy.load(msgspec.msgpack.decode(raw, type=WindowState))
        window.append(bar)
        copy.append(bar)
        assert copy.dump() == window.dump()


def test_vwap_covers_the_utc_day_and_is_absent_when_it_was_not_seen_whole() -> None:
    window = CandleWindow(60, 600)
    bars = walk(10, start=START + 6 * HOUR)
    for bar in bars:
        window.append(bar)
    assert window.vwap() is None
    today = walk(1_500, start=START + DAY, seed=3)
    for bar in today[:1_440]:
        window.append(bar)
    typical = [(bar.high + bar.low + bar.close) / 3 for bar in today[:1_440]]
    volumes = [bar.volume for bar in today[:1_440]]
    by_hand = sum(t * v for t, v in zip(typical, volumes, strict=True)) / sum(volumes)
    assert window.vwap() == pytest.approx(by_hand)
    window.append(today[1_440])
    assert window.vwap() == pytest.approx(
        (today[1_440].high + today[1_440].low + today[1_440].close) / 3
    )


def trades(builder: TradeBuilder, *prints: tuple[float, float]) -> None:
    for price, size in prints:
        if builder.volume > 0:
            builder.add(price, size)
        else:
            builder.first(price, size)


def test_prints_become_a_candle_and_silence_becomes_flat_ones() -> None:
    builder = TradeBuilder("BTC/USDT", 60)
    assert builder.end == NEVER
    assert builder.forming() is None
    builder.begin(START + 10 * SECOND, 100.0)
    trades(builder, (100.0, 1.0), (103.0, 2.0), (99.0, 1.0), (101.0, 0.5))
    assert builder.forming() == (START + MINUTE, 100.0, 103.0, 99.0, 101.0, 4.5)
    assert builder.due(START + MINUTE - 1) == ([], False)
    bars, silent = builder.due(START + 3 * MINUTE)
    assert not silent
    assert bars == [
        Candle(START + MINUTE, "BTC/USDT", 60, 100.0, 103.0, 99.0, 101.0, 4.5),
        Candle(START + 2 * MINUTE, "BTC/USDT", 60, 101.0, 101.0, 101.0, 101.0, 0.0),
        Candle(START + 3 * MINUTE, "BTC/USDT", 60, 101.0, 101.0, 101.0, 101.0, 0.0),
    ]
    trades(builder, (105.0, 1.0))
    assert builder.forming() == (START + 4 * MINUTE, 105.0, 105.0, 105.0, 105.0, 1.0)


def test_a_long_silence_is_said_instead_of_filled() -> None:
    builder = TradeBuilder("BTC/USDT", 60)
    builder.begin(START, 100.0)
    bars, silent = builder.due(START + (MAX_FLAT + 2) * MINUTE)
    assert silent
    assert len(bars) == 1
    assert builder.end == START + (MAX_FLAT + 3) * MINUTE


def test_minutes_become_hours_and_half_an_hour_does_not() -> None:
    hours = Aggregator("BTC/USDT", 3_600)
    minutes = walk(150, start=START + 30 * MINUTE)
    made = [hours.add(bar) for bar in minutes]
    closed = [bar for pair in made for bar in pair if bar is not None]
    assert [bar.ts for bar in closed] == [START + 2 * HOUR, START + 3 * HOUR]
    second = minutes[30:90]
    assert closed[0] == Candle(
        START + 2 * HOUR,
        "BTC/USDT",
        3_600,
        second[0].open,
        max(bar.high for bar in second),
        min(bar.low for bar in second),
        second[-1].close,
        closed[0].volume,
    )
    assert closed[0].volume == pytest.approx(sum(bar.volume for bar in second))


def test_a_bucket_whose_end_was_not_seen_closes_late_with_its_own_stamp() -> None:
    hours = Aggregator("BTC/USDT", 3_600)
    minutes = walk(180)
    for bar in minutes[:50]:
        assert hours.add(bar) == (None, None)
    late, done = hours.add(minutes[70])
    assert done is None
    assert late is not None
    assert late.ts == START + HOUR
    assert late.close == minutes[49].close
