"""Technical analysis, rule version: trend and momentum of every warm timeframe, weighed together."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from tradeterm.agents.context import AgentContext
from tradeterm.market.recipes import IndicatorSet
from tradeterm.model.opinions import TechnicalOpinion
from tradeterm.model.outputs import TechnicalView
from tradeterm.model.timing import timeframe_text
from tradeterm.model.vocabulary import Bias
from tradeterm.settings.agents import TechnicalSettings

#: Trend outweighs momentum: momentum turns first and often for nothing.
TREND_SHARE: Final = 0.6
#: RSI this far from 50 is full momentum; ROC (percent) likewise.
RSI_SPAN, ROC_SPAN = 20.0, 1.0
MAX_CONFIDENCE: Final = 0.95
LONG, SHORT, NEUTRAL = Bias
#: Filled in one go: a third cheaper than an f-string, and written on every bar.
_REASONING: Final = "%s %+.2f: %d of %d timeframes agree; %s"
_MAIN: Final = "%s trend %+.2f, ADX %.0f, RSI %.0f %s, MACD %s, ROC %+.2f %%"


class Reading(NamedTuple):
    """One timeframe in figures between -1 and 1."""

    figures: IndicatorSet
    score: float
    trend: float
    rsi: float
    histogram: float
    adx: float
    roc: float


class Main(NamedTuple):
    """What the longest timeframe adds to a view: the same until its next candle closes."""

    reading: Reading
    reasoning: str
    figures: dict[str, float]
    rsi_state: str
    macd_state: str
    support: float
    resistance: float


class TechnicalAgent:
    """Bias, confidence, trend and levels of one symbol."""

    #: Closed bars for the slowest of its figures, EMA 50.
    NEEDS: Final = 50

    def __init__(self, settings: TechnicalSettings) -> None:
        self._settings = settings
        self._readings: dict[str, dict[int, Reading]] = {}
        """The last readings of a symbol: each is kept while its indicators are the same object."""
        self._mains: dict[str, Main] = {}

    def run(self, ctx: AgentContext) -> TechnicalView | None:
        """None until one timeframe is warm."""
        snapshot = ctx.snapshot
        if snapshot is None:
            return None
        symbol = ctx.symbol
        readings: dict[int, Reading] = {}
        last = self._readings.get(symbol, readings)
        for timeframe, figures in snapshot.by_timeframe.items():
            known = last.get(timeframe)
            if known is None or known.figures is not figures:
                known = read(figures, self._settings.adx_trend)
            if known is not None:
                readings[timeframe] = known
        self._readings[symbol] = readings
        return self._judge(symbol, readings) if readings else None

    def spoken(self, ctx: AgentContext, said: TechnicalOpinion) -> TechnicalView | None:
        """A model's judgement over this moment's arithmetic."""
        view = self.run(ctx)
        if view is None:
            return None
        return replace(
            view, bias=said.bias, confidence=said.confidence, reasoning=said.reasoning,
            trend_strength=said.trend_strength, trend_alignment=said.trend_alignment,
            support=said.support, resistance=said.resistance,
        )  # fmt: skip

    def _judge(self, symbol: str, readings: dict[int, Reading]) -> TechnicalView:
        weight = total = score = 0.0
        for reading in readings.values():  # ascending: each longer timeframe weighs half more
            weight = weight * 1.5 or 1.0
            total += weight
            score += weight * reading.score
        score /= total
        bias = _bias(score, self._settings.bias_threshold)
        sign = -1.0 if score < 0 else 1.0
        aligned = 0
        for reading in readings.values():
            aligned += reading.score * sign > 0.0
        count = len(readings)
        alignment = aligned / count
        main, strength = self._main(symbol, readings), abs(score)
        confidence = 0.5 * (1.0 - strength)
        if bias is not NEUTRAL:
            confidence = min(MAX_CONFIDENCE, 0.35 + 0.45 * strength + 0.2 * alignment)
        return TechnicalView(
            symbol, bias, confidence, abs(main.reading.trend), alignment, main.reading.roc,
            main.rsi_state, main.macd_state, main.support, main.resistance,
            {"score": score, **main.figures, "timeframes": float(count)},
            _REASONING % (bias, score, aligned, count, main.reasoning),
        )  # fmt: skip

    def _main(self, symbol: str, readings: dict[int, Reading]) -> Main:
        """The longest timeframe, put into words once."""
        timeframe, reading = next(reversed(readings.items()))
        known = self._mains.get(symbol)
        if known is not None and known.reading is reading:
            return known
        figures, rsi, adx = reading.figures, reading.rsi, reading.adx
        trend, histogram, roc = reading.trend, reading.histogram, reading.roc
        rsi_state = self._rsi_state(rsi)
        macd_state = "rising" if histogram > 0.0 else "falling"
        main = self._mains[symbol] = Main(
            reading,
            _MAIN % (timeframe_text(timeframe), trend, adx, rsi, rsi_state, macd_state, roc),
            {
                "close": figures.close, "trend": trend, "rsi": rsi, "macd_histogram": histogram,
                "adx": adx, "roc": roc,
            },
            rsi_state, macd_state,
            figures.support or figures.close, figures.resistance or figures.close,
        )  # fmt: skip
        return main

    def _rsi_state(self, rsi: float) -> str:
        if rsi >= self._settings.rsi_overbought:
            return "overbought"
        return "oversold" if rsi <= self._settings.rsi_oversold else "neutral"


def read(figures: IndicatorSet, adx_trend: float) -> Reading | None:
    """Score one timeframe; None while one of the figures it needs is not warm."""
    fast, middle, slow = figures.ema_9, figures.ema_21, figures.ema_50
    plus, minus, adx = figures.plus_di, figures.minus_di, figures.adx
    rsi, histogram, roc, atr = figures.rsi, figures.macd_histogram, figures.roc, figures.atr
    if (
        fast is None or middle is None or slow is None or plus is None or minus is None
        or adx is None or rsi is None or histogram is None or roc is None or atr is None
    ):  # fmt: skip
        return None
    close = figures.close
    stack = (fast > middle) - (fast < middle) + (middle > slow) - (middle < slow)
    stack += (close > slow) - (close < slow)
    parts = 3.0
    if figures.ema_200 is not None:
        stack += (close > figures.ema_200) - (close < figures.ema_200)
        parts = 4.0
    trend = 0.5 * stack / parts
    trend += 0.3 * ((plus > minus) - (plus < minus)) * min(adx / adx_trend, 1.0)
    trend += 0.2 * (figures.supertrend_direction or 0)
    push = _clip((rsi - 50.0) / RSI_SPAN) + _clip(roc / ROC_SPAN)
    push += _clip(4.0 * histogram / atr) if atr > 0.0 else 0.0
    score = TREND_SHARE * trend + (1.0 - TREND_SHARE) * push / 3.0
    return Reading(figures, score, trend, rsi, histogram, adx, roc)


def _clip(value: float) -> float:
    return 1.0 if value > 1.0 else -1.0 if value < -1.0 else value


def _bias(score: float, threshold: float) -> Bias:
    if score >= threshold:
        return LONG
    return SHORT if score <= -threshold else NEUTRAL
