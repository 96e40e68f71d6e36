"""The indicators of one candle window, by TA-Lib's streaming handles: O(1) per closed candle.

A handle is opened on what the window holds and carried forward bar by bar; TA-Lib guarantees each
value to be bit-identical to its batch function over the same bars. Handles are reopened when the
window drops old candles, so every figure is a pure function of the window's content and survives
a restart without being written down. What is not warm is None, never a wrong number.

TA-Lib takes about a second to import: it is imported at the first request, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from tradeterm.market.candles import CandleWindow

#: More closed candles than this since the last request: opening afresh (140 µs) is cheaper.
MAX_CATCH_UP: Final = 16
#: Span of the swing levels and of the ATR mean, in candles.
SWING, ATR_MEAN, CHOP = 20, 50, 14
LOG_CHOP: Final = log10(CHOP)


class IndicatorSet(msgspec.Struct, frozen=True, gc=False):
    """The figures at one closed candle; None when there is too little history.

    Prices in quote currency; RSI, ADX, DI, StochRSI and choppiness 0–100; ROC in percent.
    """

    ts: int
    close: float
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
    vwap: float | None = None
    volume_mean: float | None = None
    choppiness: float | None = None
    squeeze: bool | None = None
    """Bollinger bands inside the Keltner channel."""
    support: float | None = None
    resistance: float | None = None


class _Handle:
    """One streaming indicator, or the wait for enough candles to open it."""

    __slots__ = ("open", "update", "value")

    def __init__(self, opener: Callable[[Any], Any]) -> None:
        self.open = opener
        self.update: Callable[..., Any] | None = None
        self.value: Any = None


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
    """Every handle of the set, opened on a window and carried forward."""

    def __init__(self, window: CandleWindow) -> None:
        # A second of import: only when needed.
        import talib
        from talib import stream

        # Its stubs leave this name out.
        self._short: type[Exception] = talib.InsufficientHistory  # type: ignore[attr-defined]
        self._window = window
        s = stream
        self.on_close = {
            "ema_9": _Handle(lambda w: s.EMA(w.close, 9)),
            "ema_21": _Handle(lambda w: s.EMA(w.close, 21)),
            "ema_20": _Handle(lambda w: s.EMA(w.close, 20)),
            "ema_50": _Handle(lambda w: s.EMA(w.close, 50)),
            "ema_200": _Handle(lambda w: s.EMA(w.close, 200)),
            "sma_20": _Handle(lambda w: s.SMA(w.close, 20)),
            "sma_50": _Handle(lambda w: s.SMA(w.close, 50)),
            "sma_200": _Handle(lambda w: s.SMA(w.close, 200)),
            "rsi": _Handle(lambda w: s.RSI(w.close, 14)),
            "macd": _Handle(lambda w: s.MACD(w.close, 12, 26, 9)),
            "bollinger": _Handle(lambda w: s.BBANDS(w.close, 20, 2.0, 2.0)),
            "stoch_rsi": _Handle(lambda w: s.STOCHRSI(w.close, 14, 14, 3)),
            "roc": _Handle(lambda w: s.ROC(w.close, 10)),
        }
        self.on_bar = {
            "adx": _Handle(lambda w: s.ADX(w.high, w.low, w.close, 14)),
            "plus_di": _Handle(lambda w: s.PLUS_DI(w.high, w.low, w.close, 14)),
            "minus_di": _Handle(lambda w: s.MINUS_DI(w.high, w.low, w.close, 14)),
            "atr_10": _Handle(lambda w: s.ATR(w.high, w.low, w.close, 10)),
            "supertrend": _Handle(lambda w: s.SUPERTREND(w.high, w.low, w.close, 10, 3.0)),
        }
        self.support = _Handle(lambda w: s.MIN(w.low, SWING))
        self.resistance = _Handle(lambda w: s.MAX(w.high, SWING))
        self.volume_mean = _Handle(lambda w: s.SMA(w.volume, 20))
        self.low_14 = _Handle(lambda w: s.MIN(w.low, CHOP))
        self.high_14 = _Handle(lambda w: s.MAX(w.high, CHOP))
        # Chains: the second handle eats what the first one gives.
        self.atr = _Handle(lambda w: s.ATR.open_and_fill(w.high, w.low, w.close, 14))
        self.atr_mean = _Handle(lambda series: s.SMA(series, ATR_MEAN))
        self.obv = _Handle(lambda w: s.OBV.open_and_fill(w.close, w.volume))
        self.obv_mean = _Handle(lambda series: s.SMA(series, 20))
        self.true_range = _Handle(lambda w: s.TRANGE.open_and_fill(w.high, w.low, w.close))
        self.range_sum = _Handle(lambda series: s.SUM(series, CHOP))
        self._singles = [
            *self.on_close.values(), *self.on_bar.values(), self.support, self.resistance,
            self.volume_mean, self.low_14, self.high_14,
        ]  # fmt: skip
        self._chains = [
            (self.atr, self.atr_mean), (self.obv, self.obv_mean),
            (self.true_range, self.range_sum),
        ]  # fmt: skip
        self._cold = True
        self._open_cold()

    def _open_cold(self) -> None:
        """Open what has become possible with the candles there are now."""
        cold = 0
        for handle in self._singles:
            if handle.update is None and not self._open(handle, self._window):
                cold += 1
        for first, second in self._chains:
            if second.update is None and not self._open_chain(first, second):
                cold += 1
        self._cold = cold > 0

    def _open(self, handle: _Handle, source: object) -> bool:
        try:
            opened = handle.open(source)
        except self._short:
            return False
        handle.update = opened.update
        handle.value = opened.value
        return True

    def _open_chain(self, first: _Handle, second: _Handle) -> bool:
        try:
            opened, series = first.open(self._window)
        except self._short:
            return False
        first.update = opened.update
        first.value = opened.value
        return self._open(second, series)

    def advance(self, index: int) -> None:
        """Feed the window's candle at ``index``; cold handles are opened on the whole instead."""
        _, high, low, close, volume = self._window.bar(index)
        for handle in self.on_close.values():
            if handle.update is not None:
                handle.value = handle.update(close)
        for handle in self.on_bar.values():
            if handle.update is not None:
                handle.value = handle.update(high, low, close)
        _feed(self.support, low)
        _feed(self.resistance, high)
        _feed(self.volume_mean, volume)
        _feed(self.low_14, low)
        _feed(self.high_14, high)
        for (first, second), bar in zip(
            self._chains, ((high, low, close), (close, volume), (high, low, close)), strict=True
        ):
            if first.update is not None:
                first.value = first.update(*bar)
                _feed(second, first.value)
        if self._cold and index == self._window.count - 1:
            self._open_cold()

    def collect(self) -> IndicatorSet:
        """The set at the bar last fed."""
        close = {name: handle.value for name, handle in self.on_close.items()}
        bar = {name: handle.value for name, handle in self.on_bar.items()}
        window = self._window
        macd, signal, histogram = close["macd"] or (None, None, None)
        bands, channel = close["bollinger"], _keltner(close["ema_20"], bar["atr_10"])
        upper, middle, lower = bands or (None, None, None)
        k_upper, k_middle, k_lower = channel or (None, None, None)
        line, direction = bar["supertrend"] or (None, None)
        fast_k, fast_d = close["stoch_rsi"] or (None, None)
        squeeze = None
        if bands and channel:
            squeeze = bands[0] < channel[0] and bands[2] > channel[2]
        return IndicatorSet(
            ts=window.last_ts,
            close=window.bar(window.count - 1)[3],
            ema_9=_finite(close["ema_9"]),
            ema_21=_finite(close["ema_21"]),
            ema_50=_finite(close["ema_50"]),
            ema_200=_finite(close["ema_200"]),
            sma_20=_finite(close["sma_20"]),
            sma_50=_finite(close["sma_50"]),
            sma_200=_finite(close["sma_200"]),
            rsi=_finite(close["rsi"]),
            macd=_finite(macd),
            macd_signal=_finite(signal),
            macd_histogram=_finite(histogram),
            atr=_finite(self.atr.value),
            atr_mean=_finite(self.atr_mean.value),
            adx=_finite(bar["adx"]),
            plus_di=_finite(bar["plus_di"]),
            minus_di=_finite(bar["minus_di"]),
            bollinger_upper=_finite(upper),
            bollinger_middle=_finite(middle),
            bollinger_lower=_finite(lower),
            keltner_upper=_finite(k_upper),
            keltner_middle=_finite(k_middle),
            keltner_lower=_finite(k_lower),
            supertrend=_finite(line),
            supertrend_direction=direction,
            stoch_rsi_k=_finite(fast_k),
            stoch_rsi_d=_finite(fast_d),
            roc=_finite(close["roc"]),
            obv=_finite(self.obv.value),
            obv_mean=_finite(self.obv_mean.value),
            vwap=window.vwap(),
            volume_mean=_finite(self.volume_mean.value),
            choppiness=self._choppiness(),
            squeeze=squeeze,
            support=_finite(self.support.value),
            resistance=_finite(self.resistance.value),
        )

    def _choppiness(self) -> float | None:
        """100·log10(ΣTR₁₄ / (max high − min low)) / log10(14) (E. W. Dreiss)."""
        total, high, low = self.range_sum.value, self.high_14.value, self.low_14.value
        if total is None or high is None or low is None or high <= low or total <= 0.0:
            return None
        return min(100.0, max(0.0, 100.0 * log10(total / (high - low)) / LOG_CHOP))


def _keltner(middle: float | None, reach: float | None) -> tuple[float, float, float] | None:
    """EMA20 ± 2·ATR10 of closes (C. Keltner in L. Raschke's form; TA-Lib's own KC takes the
    typical price).
    """
    if middle is None or reach is None:
        return None
    return middle + 2.0 * reach, middle, middle - 2.0 * reach


def _feed(handle: _Handle, value: float) -> None:
    if handle.update is not None:
        handle.value = handle.update(value)


def _finite(value: float | None) -> float | None:
    """``value`` unless it is missing, NaN or infinite."""
    return value if value is not None and value - value == 0.0 else None
