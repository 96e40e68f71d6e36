"""Correlation of symbols as the run's own hourly closes show it."""

from __future__ import annotations

import pytest

from tests.market.samples import START, market_settings
from tradeterm.engine.correlations import Correlations
from tradeterm.market.market import Market
from tradeterm.model.market import Candle
from tradeterm.model.timing import HOUR
from tradeterm.settings.risk import MeasuredSettings

ONE, OTHER, STILL = "BTC/USDT", "XRP/USDT", "XRP/BTC"
UP_DOWN = [100.0, 110.0, 99.0, 120.0, 100.0, 105.0]


def correlations(hours: int = 100, least: int = 3, **closes: list[float]) -> Correlations:
    names = {"one": ONE, "other": OTHER, "still": STILL}
    market = Market(market_settings(), list(names.values()))
    for name, prices in closes.items():
        for hour, price in enumerate(prices, 1):
            ts, symbol = START + hour * HOUR, names[name]
            market.on_candle(Candle(ts, symbol, 3600, price, price, price, price, 1.0))
    return Correlations(market, MeasuredSettings(hours=hours, least=least))


def test_the_same_and_the_opposite_way() -> None:
    opposite = [1 / price for price in UP_DOWN]
    same = correlations(one=UP_DOWN, other=[2 * price for price in UP_DOWN]).measured()
    assert same[ONE, OTHER] == same[OTHER, ONE] == 1
    assert correlations(one=UP_DOWN, other=opposite).measured()[ONE, OTHER] == -1


def test_by_hand() -> None:
    """Returns +a, −a, +a, −a against +a, +a, −a, −a: nothing in common."""
    rho = correlations(one=[1, 2, 1, 2, 1], other=[1, 2, 4, 2, 1]).measured()[ONE, OTHER]
    assert rho == pytest.approx(0)


def test_too_few_hours_and_what_never_moved_tell_nothing() -> None:
    assert correlations(least=6, one=UP_DOWN, other=UP_DOWN).measured() == {}
    assert correlations(one=UP_DOWN, still=[5.0] * 6).measured() == {}


def test_only_the_last_hours_count() -> None:
    """The first three went together, the last three against each other."""
    one, other = [1, 2, 1, 2, 1, 2, 1.0], [1, 2, 1, 2, 4, 2, 4.0]
    assert correlations(hours=3, one=one, other=other).measured()[ONE, OTHER] == -1
