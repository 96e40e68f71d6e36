"""What the indicators are: one recipe each, for TA-Lib's streaming and batch functions alike.

TA-Lib guarantees that both give bit-identical values over the same bars, so it never matters which
of them a figure came from. It takes about a second to import: only when the first one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, log10
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from tradeterm.market.candles import Column

#: Span of the swing levels and of the ATR mean, in candles.
SWING, ATR_MEAN, CHOP = 20, 50, 14
LOG_CHOP: Final = log10(CHOP)
NOTHING: Final[tuple[Any, ...]] = (None, None, None)


class IndicatorSet(msgspec.Struct, frozen=True, gc=False):
    """The figures at one closed candle; None when there is too little history.

    Prices in quote currency; RSI, ADX, DI, StochRSI and choppiness 0–100; ROC in percent.
    """

    ts: int
    close: float
    vwap: float | None = None
    choppiness: float | None = None
    squeeze: bool | None = None
    """Bollinger bands inside the Keltner channel."""
    ema_9: float | None = None
    ema_21: float | None = None
    ema_50: float | None = None
    ema_200: float | None = None
    sma_20: float | None = None
    sma_50: float | None = None
    sma_200: float | None = None
    rsi: float | None = None
    macd: float | None = None
    macd_signal: float | None = None
    macd_histogram: float | None = None
    atr: float | None = None
    atr_mean: float | None = None
    """Mean of ATR 14 over the last 50 candles."""
    adx: float | None = None
    plus_di: float | None = None
    minus_di: float | None = None
    bollinger_upper: float | None = None
    bollinger_middle: float | None = None
    bollinger_lower: float | None = None
    keltner_upper: float | None = None
    keltner_middle: float | None = None
    keltner_lower: float | None = None
    supertrend: float | None = None
    supertrend_direction: float | None = None
    """+1 when the price is above the line, -1 below."""
    stoch_rsi_k: float | None = None
    stoch_rsi_d: float | None = None
    roc: float | None = None
    obv: float | None = None
    """Relative to the beginning of the window; compare with ``obv_mean``, not over time."""
    obv_mean: float | None = None
    """Mean of OBV over the last 20 candles."""
    volume_mean: float | None = None
    support: float | None = None
    resistance: float | None = None


class Bars(NamedTuple):
    """Columns of candles, oldest first, and what indicators of indicators are made from."""

    high: Column
    low: Column
    close: Column
    volume: Column
    reach: Column
    """ATR 14."""
    flow: Column
    """OBV."""
    span: Column
    """True range."""


def bars_of(high: Column, low: Column, close: Column, volume: Column) -> Bars:
    """The columns with those derived from them."""
    import talib

    return Bars(
        high, low, close, volume,
        talib.ATR(high, low, close, 14), talib.OBV(close, volume), talib.TRANGE(high, low, close),
    )  # fmt: skip


#: ``recipe(functions, bars)``; ``functions`` is ``talib`` or ``talib.stream``.
Recipe = Callable[[Any, Bars], Any]
#: Fed with the close alone.
OF_CLOSES: Final[tuple[Recipe, ...]] = (
    lambda f, b: f.EMA(b.close, 9),
    lambda f, b: f.EMA(b.close, 20),
    lambda f, b: f.EMA(b.close, 21),
    lambda f, b: f.EMA(b.close, 50),
    lambda f, b: f.EMA(b.close, 200),
    lambda f, b: f.SMA(b.close, 20),
    lambda f, b: f.SMA(b.close, 50),
    lambda f, b: f.SMA(b.close, 200),
    lambda f, b: f.RSI(b.close, 14),
    lambda f, b: f.ROC(b.close, 10),
    lambda f, b: f.MACD(b.close, 12, 26, 9),
    lambda f, b: f.BBANDS(b.close, 20, 2.0, 2.0),
    lambda f, b: f.STOCHRSI(b.close, 14, 14, 3),
)
#: Fed with high, low and close.
OF_BARS: Final[tuple[Recipe, ...]] = (
    lambda f, b: f.ADX(b.high, b.low, b.close, 14),
    lambda f, b: f.PLUS_DI(b.high, b.low, b.close, 14),
    lambda f, b: f.MINUS_DI(b.high, b.low, b.close, 14),
    lambda f, b: f.ATR(b.high, b.low, b.close, 10),
    lambda f, b: f.SUPERTREND(b.high, b.low, b.close, 10, 3.0),
)
#: Fed with one column, or with what another indicator gives.
OF_OTHERS: Final[tuple[Recipe, ...]] = (
    lambda f, b: f.MIN(b.low, SWING),
    lambda f, b: f.MAX(b.high, SWING),
    lambda f, b: f.MIN(b.low, CHOP),
    lambda f, b: f.MAX(b.high, CHOP),
    lambda f, b: f.SMA(b.volume, 20),
    lambda f, b: f.ATR(b.high, b.low, b.close, 14),
    lambda f, b: f.SMA(b.reach, ATR_MEAN),
    lambda f, b: f.OBV(b.close, b.volume),
    lambda f, b: f.SMA(b.flow, 20),
    lambda f, b: f.TRANGE(b.high, b.low, b.close),
    lambda f, b: f.SUM(b.span, CHOP),
)
RECIPES: Final = (*OF_CLOSES, *OF_BARS, *OF_OTHERS)


def arranged(values: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """Recipes' values → what makes choppiness, what makes the squeeze, the other fields in order.

    Each is a number, None while it is cold, or a whole column.
    """
    (
        ema_9, ema_20, ema_21, ema_50, ema_200, sma_20, sma_50, sma_200, rsi, roc,
        macd, bands, stochastic, adx, plus_di, minus_di, atr_10, supertrend,
        support, resistance, low_14, high_14, volume_mean, atr, atr_mean, obv, obv_mean,
        _, range_sum,
    ) = values  # fmt: skip
    line, signal, histogram = macd or NOTHING
    upper, middle, lower = bands or NOTHING
    k_upper, k_middle, k_lower = _keltner(ema_20, atr_10)
    trend, direction = supertrend or NOTHING[:2]
    fast_k, fast_d = stochastic or NOTHING[:2]
    return (range_sum, high_14, low_14), (upper, lower, k_upper, k_lower), (
        ema_9, ema_21, ema_50, ema_200, sma_20, sma_50, sma_200, rsi, line, signal, histogram,
        atr, atr_mean, adx, plus_di, minus_di, upper, middle, lower, k_upper, k_middle, k_lower,
        trend, direction, fast_k, fast_d, roc, obv, obv_mean, volume_mean, support, resistance,
    )  # fmt: skip


def figures_of(values: Sequence[Any]) -> tuple[Any, ...]:
    """The set's fields after ``vwap``; ``values`` in the order of the recipes, None: cold."""
    span, edges, others = arranged(values)
    if None in others or not isfinite(sum(others)):
        others = tuple(map(finite, others))
    return _choppiness(*span), _squeezed(*edges), *others


def _choppiness(total: float | None, high: float | None, low: float | None) -> float | None:
    """100·log10(ΣTR₁₄ / (max high − min low)) / log10(14) (E. W. Dreiss)."""
    if total is None or high is None or low is None or high <= low or total <= 0.0:
        return None
    return min(100.0, max(0.0, 100.0 * log10(total / (high - low)) / LOG_CHOP))


def _squeezed(
    upper: float | None, lower: float | None, k_upper: float | None, k_lower: float | None
) -> bool | None:
    if upper is None or lower is None or k_upper is None or k_lower is None:
        return None
    return upper < k_upper and lower > k_lower


def _keltner(middle: float | None, reach: float | None) -> tuple[Any, ...]:
    """EMA20 ± 2·ATR10 of closes (L. Raschke's form; TA-Lib's own KC takes the typical price)."""
    if middle is None or reach is None:
        return NOTHING
    return middle + 2.0 * reach, middle, middle - 2.0 * reach


def finite(value: float | None) -> float | None:
    """``value`` unless it is missing, NaN or infinite."""
    return value if value is not None and value - value == 0 else None
