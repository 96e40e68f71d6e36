"""Bars as columns: the candles they stand for, and a market that takes runs of them at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeterm.market.bars import Bars
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND

SPAN = 300
#: 2023-11-15T00:00:00Z; offsets from it cut hours and days anywhere.
BEGIN = 1_700_006_400


def bars(count: int, offset: int, seed: int) -> Bars:
    draw = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(draw.normal(0, 0.002, count)))
    opens = np.concatenate(([100.0], closes[:-1]))
    highs = np.maximum(opens, closes) * (1 + np.abs(draw.normal(0, 0.001, count)))
    lows = np.minimum(opens, closes) * (1 - np.abs(draw.normal(0, 0.001, count)))
    stamps = (BEGIN + SPAN * (offset + 1 + np.arange(count, dtype=np.int64))) * SECOND
    volumes = draw.gamma(2.0, 3.0, count)
    return Bars.of("BTC/USDT", SPAN, stamps, (opens, highs, lows, closes, volumes))


def market() -> SymbolMarket:
    made = SymbolMarket("BTC/USDT", (SPAN, 900, 3_600, 14_400, 86_400), 120)
    made.mode = BARS
    return made


def test_a_part_of_them_reads_like_the_candles_it_stands_for() -> None:
    found = bars(50, 3, 1)
    candles = list(found)
    assert candles == [found[index] for index in range(50)]
    assert all(isinstance(candle, Candle) for candle in candles)
    assert list(found[7:19]) == candles[7:19]
    assert found[-1] == candles[-1]
    assert len(found[45:80]) == 5


@given(
    count=st.integers(5, 700), offset=st.integers(0, 300), seed=st.integers(0, 50),
    cuts=st.lists(st.integers(1, 700), max_size=12), singles=st.integers(0, 60),
)  # fmt: skip
def test_runs_leave_the_windows_single_bars_leave(
    count: int, offset: int, seed: int, cuts: list[int], singles: int
) -> None:
    """Also where a bucket, a day or the whole window ends inside the run, or began before it."""
    found, one, many = bars(count, offset, seed), market(), market()
    for bar in found:
        one.close(bar)
    begun = min(singles, count)
    for bar in found[:begun]:
        many.close(bar)
    rest, at = found[begun:], 0
    for stop in sorted({min(cut, len(rest)) for cut in cuts} | {len(rest)} - {0}):
        if stop > at:
            many.close_run(rest, at, stop)
            at = stop
    assert many.dump() == one.dump()


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(400, 900), offset=st.integers(0, 300), seed=st.integers(0, 50),
    singles=st.integers(1, 200), strides=st.lists(st.integers(1, 40), min_size=1, max_size=8),
)  # fmt: skip
def test_bars_closed_together_show_the_figures_each_of_them_would_have(
    count: int, offset: int, seed: int, singles: int, strides: list[int]
) -> None:
    """On every timeframe, VWAP included, over the ends of buckets, days and windows."""
    found, one, many = bars(count, offset, seed), market(), market()
    at, together, turn = 0, 0, 0
    while at < count:
        many.ahead = found, at
        stop = min(count, at + strides[turn % len(strides)])
        end = many.along(found, at, stop) if at >= singles else at
        if end > at:
            stretch = many.close_along(found, at, end)
            seen = [stretch.figures(place) for place in range(end - at)]
            together += end - at
        else:
            many.close(found[at])
            seen, end = [dict(many.figures)], at + 1
        for index in range(at, end):
            one.close(found[index])
            assert seen[index - at] == dict(one.figures)
        assert many.dump() == one.dump()
        at, turn = end, turn + 1
    assert together > (count - singles) // 2
