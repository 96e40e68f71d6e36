"""Indicator values against a second library, and against themselves after a restart."""

from __future__ import annotations

import msgspec
import pytest
import talipp.indicators as talipp
from talipp.ohlcv import OHLCV

from tests.market.samples import walk
from tradeterm.market.bars import Columns
from tradeterm.market.candles import CandleWindow, WindowState
from tradeterm.market.indicators import Indicators
from tradeterm.market.recipes import IndicatorSet
from tradeterm.model.market import Candle

BARS = walk(700, seed=11)


def figures(bars: list[Candle], size: int = 600) -> IndicatorSet:
    window = CandleWindow(60, size)
    for bar in bars:
        window.append(bar)
    current = Indicators(window).current()
    assert current is not None
    return current


SET = figures(BARS)
CLOSES = [bar.close for bar in BARS]
OHLC = [OHLCV(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in BARS]


@pytest.mark.parametrize("period", [9, 21, 50, 200])
def test_ema(period: int) -> None:
    expected = talipp.EMA(period, CLOSES)[-1]
    assert getattr(SET, f"ema_{period}") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("period", [20, 50, 200])
def test_sma(period: int) -> None:
    assert getattr(SET, f"sma_{period}") == pytest.approx(talipp.SMA(period, CLOSES)[-1])


def test_momentum() -> None:
    macd = talipp.MACD(12, 26, 9, CLOSES)[-1]
    assert pytest.approx(talipp.RSI(14, CLOSES)[-1]) == SET.rsi
    assert pytest.approx(macd.macd, rel=1e-4) == SET.macd
    assert pytest.approx(macd.signal, rel=1e-4) == SET.macd_signal
    assert pytest.approx(macd.histogram, rel=1e-3) == SET.macd_histogram
    assert pytest.approx(talipp.ROC(10, CLOSES)[-1]) == SET.roc
    stoch = talipp.StochRSI(14, 14, 1, 3, CLOSES)[-1]
    assert pytest.approx(stoch.k, abs=1e-4) == SET.stoch_rsi_k
    assert pytest.approx(stoch.d, abs=1e-4) == SET.stoch_rsi_d


def test_trend_and_range() -> None:
    adx = talipp.ADX(14, 14, OHLC)[-1]
    assert pytest.approx(adx.adx, rel=1e-3) == SET.adx
    assert pytest.approx(adx.plus_di, rel=1e-3) == SET.plus_di
    assert pytest.approx(adx.minus_di, rel=1e-3) == SET.minus_di
    atr = talipp.ATR(14, OHLC)
    assert pytest.approx(atr[-1], rel=1e-6) == SET.atr
    assert pytest.approx(sum(atr[-50:]) / 50, rel=1e-6) == SET.atr_mean
    line = talipp.SuperTrend(10, 3, OHLC)[-1]
    assert pytest.approx(line.value, rel=1e-6) == SET.supertrend
    assert SET.supertrend_direction == (1 if line.trend.name == "UP" else -1)


def test_bands() -> None:
    bands = talipp.BB(20, 2.0, CLOSES)[-1]
    assert pytest.approx(bands.ub) == SET.bollinger_upper
    assert pytest.approx(bands.lb) == SET.bollinger_lower
    middle = talipp.EMA(20, CLOSES)[-1]
    reach = 2 * talipp.ATR(10, OHLC)[-1]
    assert pytest.approx(middle, rel=1e-9) == SET.keltner_middle
    assert pytest.approx(middle + reach, rel=1e-6) == SET.keltner_upper
    assert pytest.approx(middle - reach, rel=1e-6) == SET.keltner_lower
    assert SET.squeeze is (bands.ub < middle + reach and bands.lb > middle - reach)


def test_choppiness_levels_and_volume() -> None:
    assert pytest.approx(talipp.CHOP(14, OHLC)[-1]) == SET.choppiness
    assert pytest.approx(min(bar.low for bar in BARS[-20:])) == SET.support
    assert pytest.approx(max(bar.high for bar in BARS[-20:])) == SET.resistance
    assert pytest.approx(sum(bar.volume for bar in BARS[-20:]) / 20) == SET.volume_mean
    obv = talipp.OBV(OHLC)
    assert SET.obv is not None
    assert SET.obv_mean is not None
    assert SET.obv - SET.obv_mean == pytest.approx(obv[-1] - sum(obv[-20:]) / 20)


def test_the_squeeze_is_seen_when_bands_are_narrow() -> None:
    quiet = [
        Candle(bar.ts, bar.symbol, 60, 100.0, 100.5, 99.5, 100.0 + 0.01 * (i % 2), 1.0)
        for i, bar in enumerate(BARS)
    ]
    assert figures(quiet).squeeze is True


@pytest.mark.parametrize("known", [0, 30, 500])
def test_figures_do_not_depend_on_what_was_known_ahead(known: int) -> None:
    """Neither when it comes true nor when every hundredth candle turns out otherwise."""
    plain, ahead = CandleWindow(60, 300), CandleWindow(60, 300)
    number = 0

    def coming() -> Columns:
        return Columns.of(BARS[number + 1 : number + 1 + min(known, ahead.room)])

    carried, foreseen = Indicators(plain), Indicators(ahead, coming)
    for number, bar in enumerate(BARS):
        if number % 100 == 99:
            bar = msgspec.structs.replace(bar, high=bar.high * 1.001)
        plain.append(bar)
        ahead.append(bar)
        if number % 7 != 3:  # not everybody looks at every bar
            assert carried.current() == foreseen.current()


def test_what_is_not_warm_is_absent_and_never_nan() -> None:
    window = CandleWindow(60, 600)
    indicators = Indicators(window)
    assert indicators.current() is None
    first_seen: dict[str, int] = {}
    for count, bar in enumerate(BARS[:260], 1):
        window.append(bar)
        current = indicators.current()
        assert current is not None
        for name in current.__struct_fields__:
            value = getattr(current, name)
            assert value is None or value == value  # noqa: PLR0124  (NaN is not itself)
            if value is not None:
                first_seen.setdefault(name, count)
    assert first_seen["ema_9"] == 9
    assert first_seen["sma_200"] == 200
    assert first_seen["rsi"] == 15
    assert first_seen["macd"] == 34
    assert first_seen["adx"] == 28
    assert first_seen["atr_mean"] == 64
    assert set(first_seen) == set(IndicatorSet.__struct_fields__)


def test_a_market_that_does_not_move_gives_no_wrong_numbers() -> None:
    still = [Candle(bar.ts, bar.symbol, 60, 5.0, 5.0, 5.0, 5.0, 0.0) for bar in BARS]
    current = figures(still)
    assert current.choppiness is None
    assert current.atr == 0.0
    for name in current.__struct_fields__:
        value = getattr(current, name)
        assert value is None or value == value  # noqa: PLR0124


@pytest.mark.parametrize("every", [1, 7, 150])
def test_figures_do_not_depend_on_how_often_they_are_asked_for(every: int) -> None:
    window, indicators = CandleWindow(60, 100), None
    for index, bar in enumerate(BARS):
        window.append(bar)
        indicators = indicators or Indicators(window)
        if index % every == 0:
            assert indicators.current() == Indicators(window).current()
            assert indicators.ema(50) == Indicators(window).ema(50)


def test_figures_survive_a_restart_to_the_bit() -> None:
    window = CandleWindow(60, 100)
    indicators = Indicators(window)
    for index, bar in enumerate(BARS):
        window.append(bar)
        current = indicators.current()
        if index % 53 == 0:
            raw = msgspec.msgpack.encode(window.dump())
            copy = CandleWindow(60, 100)
            copy.load(msgspec.msgpack.decode(raw, type=WindowState))
            assert Indicators(copy).current() == current


def test_the_cheap_ema_is_the_one_in_the_set() -> None:
    window = CandleWindow(60, 600)
    indicators = Indicators(window)
    for bar in BARS:
        window.append(bar)
        indicators.ema(50)
    current = indicators.current()
    assert current is not None
    assert indicators.ema(50) == current.ema_50
    assert indicators.emas(50, 200) == (current.ema_50, current.ema_200)
    assert indicators.ema(701) is None
    assert indicators.emas(50, 701) is None
