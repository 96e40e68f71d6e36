"""The indicators of one candle window, by TA-Lib's streaming handles: O(1) per closed candle.

A handle is opened on what the window holds and carried forward bar by bar; TA-Lib guarantees each
value to be bit-identical to its batch function over the same bars. Handles are reopened when the
window drops old candles, so every figure is a pure function of the window's content and survives
a restart without being written down. What is not warm is None, never a wrong number.

TA-Lib takes about a second to import: it is imported at the first request, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from math import isfinite, log10
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from tradeterm.market.candles import CandleWindow

#: More closed candles than this since the last request: opening afresh (140 µs) is cheaper.
MAX_CATCH_UP: Final = 16
#: Span of the swing levels and of the ATR mean, in candles.
SWING, ATR_MEAN, CHOP = 20, 50, 14
LOG_CHOP: Final = log10(CHOP)
NOTHING: Final[tuple[Any, ...]] = (None, None, None)

_Opener = Callable[[Any], Any]


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
    supertrend_direction: int | None = None
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


class Indicators:
    """The indicators of one window, computed when asked for and kept until the next close."""

    __slots__ = (
        "_cache", "_emas", "_generation", "_handles", "_seen", "_window",
    )  # fmt: skip

    def __init__(self, window: CandleWindow) -> None:
        self._window = window
        self._handles: _Handles | None = None
        self._generation = -1
        self._seen = -1
        self._cache: IndicatorSet | None = None
        self._emas: dict[int, Ema] = {}

    @property
    def begun(self) -> bool:
        """Whether there is a closed candle."""
        return self._window.count > 0

    def current(self) -> IndicatorSet | None:
        """The whole set at the newest closed candle; None while there is no candle."""
        window = self._window
        if window.total == self._seen and window.generation == self._generation:
            return self._cache
        if not window.count:
            return None
        missed = window.total - self._seen
        handles = self._handles
        if (
            handles is None
            or window.generation != self._generation
            or not 0 < missed <= MAX_CATCH_UP
        ):
            handles = self._handles = _Handles(window)
        else:
            for index in range(window.count - missed, window.count):
                handles.advance(index)
        self._seen = window.total
        self._generation = window.generation
        self._cache = handles.collect()
        return self._cache

    def atr(self) -> float | None:
        """ATR 14 at the newest closed candle, without the rest of the set when nobody read it."""
        window = self._window
        if window.total == self._seen and window.generation == self._generation:
            return None if self._cache is None else self._cache.atr
        import talib

        try:
            atr = talib.stream.ATR(window.high, window.low, window.close, 14)
        except talib.InsufficientHistory:  # type: ignore[attr-defined]  # not in its stubs
            return None
        return _finite(float(atr.value))

    def ema(self, period: int) -> float | None:
        """One EMA of the closes without computing anything else; None until warm."""
        ema = self._emas.get(period)
        if ema is None:
            ema = self._emas[period] = Ema(period)
        return ema.at(self._window)

    def emas(self, fast: int, slow: int) -> tuple[float, float] | None:
        """Two EMAs (hot path of the EMA-cross rule); None until both are warm."""
        held, window = self._emas, self._window
        if slow not in held or fast not in held:
            held[fast], held[slow] = Ema(fast), Ema(slow)
        below = held[slow].at(window)
        above = held[fast].at(window)
        return None if above is None or below is None else (above, below)

    def standing(self, fast: int, slow: int) -> tuple[Ema, Ema] | None:
        """The same two, to be carried on by the caller; None unless both are up to date."""
        above, below, window = self._emas.get(fast), self._emas.get(slow), self._window
        if above is None or below is None or above is below:
            return None
        return (above, below) if above.stands_at(window) and below.stands_at(window) else None

    def forget(self) -> None:
        """Drop everything computed (the window was replaced by a loaded one)."""
        self._handles = None
        self._seen = self._generation = -1
        self._cache = None
        self._emas = {}


class Figures(Mapping[int, IndicatorSet]):
    """Timeframe → its set, worked out when it is looked at: before the market moves on."""

    __slots__ = ("_held",)

    def __init__(self, held: Mapping[int, Indicators]) -> None:
        self._held = held

    def __getitem__(self, timeframe: int) -> IndicatorSet:
        figures = self._held[timeframe].current()
        if figures is None:
            raise KeyError(timeframe)
        return figures

    def __iter__(self) -> Iterator[int]:
        return (timeframe for timeframe, one in self._held.items() if one.begun)

    def items(self) -> ItemsView[int, IndicatorSet]:
        """All of them at once: what the analysts go through."""
        sets = ((timeframe, one.current()) for timeframe, one in self._held.items())
        return {timeframe: each for timeframe, each in sets if each is not None}.items()

    def __len__(self) -> int:
        return sum(one.begun for one in self._held.values())


class Ema:
    """A single EMA and how far it has come: TA-Lib's arithmetic, cheaper than its handle."""

    __slots__ = ("generation", "period", "seen", "share", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self.share = 2.0 / (period + 1)
        self.seen = -1
        self.generation = -1
        self.value: float | None = None

    def at(self, window: CandleWindow) -> float | None:
        """The value at the window's newest candle; None until warm."""
        value, missed = self.value, window.total - self.seen
        if value is None or missed > MAX_CATCH_UP or self.generation != window.generation:
            return self._open(window)
        if missed == 1:
            self.seen += 1
            self.value = value = (window.newest - value) * self.share + value
        elif missed:
            for close in window.closes(missed):
                value = (close - value) * self.share + value
            self.value, self.seen = value, window.total
        return value

    def stands_at(self, window: CandleWindow) -> bool:
        """Whether ``value`` is that of the window's newest candle."""
        return (
            self.value is not None
            and self.seen == window.total
            and self.generation == window.generation
        )

    def moved(self, value: float, count: int) -> None:
        """The caller carried it on by ``count`` candles."""
        self.value = value
        self.seen += count

    def _open(self, window: CandleWindow) -> float | None:
        self.value = None
        if window.count < self.period:
            return None
        from talib import stream  # a second of import: only when needed

        self.value = float(stream.EMA(window.close, self.period).value)
        self.seen, self.generation = window.total, window.generation
        return self.value


class _Handles:
    """Every handle of the set, opened on a window and carried forward bar by bar.

    ``values`` has the last value of each, in the order of ``_openers``.
    """

    __slots__ = ("_cold", "_openers", "_short", "_updates", "_window", "values")

    def __init__(self, window: CandleWindow) -> None:
        # A second of import: only when needed.
        import talib
        from talib import stream as s

        # Its stubs leave this name out.
        self._short: type[Exception] = talib.InsufficientHistory  # type: ignore[attr-defined]
        self._window = window
        self._openers: tuple[_Opener, ...] = (
            # Of closes.
            lambda w: s.EMA(w.close, 9),
            lambda w: s.EMA(w.close, 20),
            lambda w: s.EMA(w.close, 21),
            lambda w: s.EMA(w.close, 50),
            lambda w: s.EMA(w.close, 200),
            lambda w: s.SMA(w.close, 20),
            lambda w: s.SMA(w.close, 50),
            lambda w: s.SMA(w.close, 200),
            lambda w: s.RSI(w.close, 14),
            lambda w: s.ROC(w.close, 10),
            lambda w: s.MACD(w.close, 12, 26, 9),
            lambda w: s.BBANDS(w.close, 20, 2.0, 2.0),
            lambda w: s.STOCHRSI(w.close, 14, 14, 3),
            # Of whole bars.
            lambda w: s.ADX(w.high, w.low, w.close, 14),
            lambda w: s.PLUS_DI(w.high, w.low, w.close, 14),
            lambda w: s.MINUS_DI(w.high, w.low, w.close, 14),
            lambda w: s.ATR(w.high, w.low, w.close, 10),
            lambda w: s.SUPERTREND(w.high, w.low, w.close, 10, 3.0),
            # Of one column.
            lambda w: s.MIN(w.low, SWING),
            lambda w: s.MAX(w.high, SWING),
            lambda w: s.MIN(w.low, CHOP),
            lambda w: s.MAX(w.high, CHOP),
            lambda w: s.SMA(w.volume, 20),
            # Chains: the second handle eats what the first one gives.
            lambda w: s.ATR(w.high, w.low, w.close, 14),
            lambda w: s.SMA(s.ATR.open_and_fill(w.high, w.low, w.close, 14)[1], ATR_MEAN),
            lambda w: s.OBV(w.close, w.volume),
            lambda w: s.SMA(s.OBV.open_and_fill(w.close, w.volume)[1], 20),
            lambda w: s.TRANGE(w.high, w.low, w.close),
            lambda w: s.SUM(s.TRANGE.open_and_fill(w.high, w.low, w.close)[1], CHOP),
        )
        self._updates: list[Callable[..., Any]] = [_still_cold] * len(self._openers)
        self.values: list[Any] = [None] * len(self._openers)
        self._cold = True
        self._open_cold()

    def _open_cold(self) -> None:
        """Open what has become possible with the candles there are now."""
        self._cold = False
        for index, opener in enumerate(self._openers):
            if self._updates[index] is _still_cold:
                try:
                    opened = opener(self._window)
                except self._short:
                    self._cold = True
                else:
                    self._updates[index] = opened.update
                    self.values[index] = opened.value

    def advance(self, index: int) -> None:
        """Feed the window's candle at ``index``; cold handles are opened on the whole instead."""
        _, high, low, close, volume = self._window.bar(index)
        updates = self._updates
        values = [update(close) for update in updates[:13]]
        values += [update(high, low, close) for update in updates[13:18]]
        swing_low, swing_high, low_14, high_14, volume_mean = updates[18:23]
        atr, atr_mean, obv, obv_mean, true_range, range_sum = updates[23:]
        reach, flow = atr(high, low, close), obv(close, volume)
        span = true_range(high, low, close)
        values += (
            swing_low(low),
            swing_high(high),
            low_14(low),
            high_14(high),
            volume_mean(volume),
            reach,
            atr_mean(reach),
            flow,
            obv_mean(flow),
            span,
            range_sum(span),
        )
        self.values = values
        if self._cold and index == self._window.count - 1:
            self._open_cold()

    def collect(self) -> IndicatorSet:
        """The set at the bar last fed."""
        (
            ema_9,
            ema_20,
            ema_21,
            ema_50,
            ema_200,
            sma_20,
            sma_50,
            sma_200,
            rsi,
            roc,
            macd,
            bands,
            stochastic,
            adx,
            plus_di,
            minus_di,
            atr_10,
            supertrend,
            support,
            resistance,
            low_14,
            high_14,
            volume_mean,
            atr,
            atr_mean,
            obv,
            obv_mean,
            _,
            range_sum,
        ) = self.values
        window = self._window
        line, signal, histogram = macd or NOTHING
        upper, middle, lower = bands or NOTHING
        k_upper, k_middle, k_lower = _keltner(ema_20, atr_10)
        trend, direction = supertrend or NOTHING[:2]
        fast_k, fast_d = stochastic or NOTHING[:2]
        squeeze = None
        if bands and k_upper is not None:
            squeeze = upper < k_upper and lower > k_lower
        figures: tuple[Any, ...] = (
            ema_9,
            ema_21,
            ema_50,
            ema_200,
            sma_20,
            sma_50,
            sma_200,
            rsi,
            line,
            signal,
            histogram,
            atr,
            atr_mean,
            adx,
            plus_di,
            minus_di,
            upper,
            middle,
            lower,
            k_upper,
            k_middle,
            k_lower,
            trend,
            direction,
            fast_k,
            fast_d,
            roc,
            obv,
            obv_mean,
            volume_mean,
            support,
            resistance,
        )
        if self._cold or not isfinite(sum(figures)):
            figures = tuple(map(_finite, figures))
        return IndicatorSet(
            window.last_ts,
            window.newest,
            window.vwap(),
            _choppiness(range_sum, high_14, low_14),
            squeeze,
            *figures,
        )


def _still_cold(*_: float) -> None:
    """In place of the update of a handle that is not open yet."""


def _choppiness(total: float | None, high: float | None, low: float | None) -> float | None:
    """100·log10(ΣTR₁₄ / (max high − min low)) / log10(14) (E. W. Dreiss)."""
    if total is None or high is None or low is None or high <= low or total <= 0.0:
        return None
    return min(100.0, max(0.0, 100.0 * log10(total / (high - low)) / LOG_CHOP))


def _keltner(middle: float | None, reach: float | None) -> tuple[Any, ...]:
    """EMA20 ± 2·ATR10 of closes (L. Raschke's form; TA-Lib's own KC takes the typical price)."""
    if middle is None or reach is None:
        return NOTHING
    return middle + 2.0 * reach, middle, middle - 2.0 * reach


def _finite(value: float | None) -> float | None:
    """``value`` unless it is missing, NaN or infinite."""
    return value if value is not None and value - value == 0 else None
