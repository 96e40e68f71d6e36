"""How wild a symbol is, from its candles alone."""

from __future__ import annotations

import pytest

from tradeterm.market.symbol import SymbolMarket
from tradeterm.market.turbulence import Turbulence, turbulence
from tradeterm.model.market import Candle
from tradeterm.model.timing import DAY, MINUTE


def bar(number: int, close: float, reach: float) -> Candle:
    ts = (number + 1) * 5 * MINUTE
    return Candle(ts, "X/Y", 300, close, close + reach, close - reach, close, 1.0)


def seen(bars: list[Candle]) -> Turbulence:
    m = SymbolMarket("X/Y", (300,), 600)
    for each in bars:
        m.close(each)
    return turbulence(m, 3.0, 5.0, 900)


CALM = [bar(number, 10.0, 0.01) for number in range(120)]


def test_calm_is_its_own_mean() -> None:
    found = seen(CALM)
    assert found.ratio == pytest.approx(1.0)
    assert (found.spike, found.move, found.moved) == (0, 0.0, 0)


def test_a_market_without_any_range_is_calm() -> None:
    found = seen([bar(number, 10.0, 0.0) for number in range(120)])
    assert (found.ratio, found.spike) == (1.0, 0)


def test_a_spike_is_dated_to_where_it_began() -> None:
    wild = [bar(120 + number, 10.0, 1.0) for number in range(3)]
    found = seen([*CALM, *wild])
    assert found.ratio is not None
    assert found.ratio > 3.0
    assert found.spike == wild[0].ts


def test_too_few_bars_say_nothing() -> None:
    assert (seen(CALM[:63]).ratio, seen(CALM[:63]).spike) == (None, 0)


def test_a_move_is_found_within_its_time_and_not_across_a_gap() -> None:
    jump = bar(120, 11.0, 0.01)
    found = seen([*CALM, jump])
    assert found.move == pytest.approx(10.0)
    assert found.moved == jump.ts
    late = Candle(jump.ts + DAY, "X/Y", 300, 11.0, 11.0, 11.0, 11.0, 1.0)
    assert (seen([*CALM, late]).move, seen([*CALM, late]).moved) == (0.0, 0)
