"""How wild a symbol is, worked out by hand and the same after a restart."""

from __future__ import annotations

import pytest

from tests.market.samples import START, walk
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.market.turbulence import Turbulence, turbulence
from tradeterm.model.market import Candle
from tradeterm.model.timing import MINUTE

BTC = "BTC/USDT"


def market(bars: list[Candle], base: int = 60) -> SymbolMarket:
    symbol = SymbolMarket(BTC, (base, base * 5), 600)
    symbol.mode = BARS
    for each in bars:
        symbol.close(each)
    return symbol


def flat(count: int, *, reach: float = 1.0, base: int = 60) -> list[Candle]:
    step = base * 10**9
    return [
        Candle(
            START + (n + 1) * step, BTC, base, 100.0, 100 + reach / 2, 100 - reach / 2, 100.0, 1.0
        )
        for n in range(count)
    ]


def look(symbol: SymbolMarket, lately: int = 3600) -> Turbulence:
    return turbulence(symbol, 3.0, 3.0, 300, lately)


def test_without_enough_bars_the_ratio_is_unknown() -> None:
    assert look(market(flat(63))).ratio is None
    assert look(market(flat(66))).ratio == pytest.approx(1.0)
    assert look(market([])) == Turbulence(None, 0, None, 0, ())


def test_a_spike_is_stamped_where_it_began() -> None:
    """True range 29 after many of 1: ATR 13/14 + 29/14 = 3; then 3·13/14 + 29/14 ≈ 4.86."""
    wild = [
        Candle(START + n * MINUTE, BTC, 60, 100.0, 114.5, 85.5, 100.0, 1.0) for n in (101, 102, 103)
    ]
    symbol = market([*flat(100), *wild])
    seen = look(symbol)
    assert seen.ratio is not None
    assert seen.ratio > 5
    assert seen.spike == START + 102 * MINUTE  # at 101 the ATR is 3 times what its mean was
    symbol = market([*flat(100), wild[0]])
    assert look(symbol).spike == 0


def test_a_move_counts_over_the_last_five_minutes_only() -> None:
    closes = [100, 101, 102, 103, 104, 105, 105, 105, 105, 105, 105, 105]
    bars = [
        Candle(START + (n + 1) * MINUTE, BTC, 60, c, c, c, c, 1.0) for n, c in enumerate(closes)
    ]
    fast = look(market(bars[:6]))
    assert fast.move == pytest.approx(5.0)
    assert fast.moved == START + 6 * MINUTE
    later = look(market(bars))
    assert later.move == 0.0
    assert later.moved == START + 7 * MINUTE  # from 101 to 105; from 102 on it is under 3 %
    assert later.move_to(110.0) == pytest.approx(100 * (110 / 105 - 1))


def test_what_no_longer_matters_is_not_looked_for() -> None:
    """A leap of 5 % at the 102nd bar; its range is 29, where those before had 1."""
    wild = Candle(START + 102 * MINUTE, BTC, 60, 100.0, 114.5, 85.5, 105.0, 1.0)
    after = [
        Candle(START + n * MINUTE, BTC, 60, 105.0, 105.5, 104.5, 105.0, 1.0)
        for n in range(103, 110)
    ]
    symbol = market([*flat(101, reach=0.5), wild, *after])
    began = START + 102 * MINUTE
    for lately in (600, 480):
        assert (look(symbol, lately).spike, look(symbol, lately).moved) == (
            began,
            began + 4 * MINUTE,
        )
    assert look(symbol, 180).moved == began + 4 * MINUTE
    assert look(symbol, 60).moved == 0


def test_bars_longer_than_the_span_cannot_tell() -> None:
    seen = look(market(flat(20, base=3600), base=3600))
    assert (seen.move, seen.moved) == (None, 0)
    assert seen.move_to(200.0) is None


def test_a_restart_sees_the_same() -> None:
    symbol = market(walk(900))
    other = SymbolMarket(BTC, (60, 300), 600)
    other.load(symbol.dump())
    assert look(other) == look(symbol)
