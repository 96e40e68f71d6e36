"""Technical analysis, rule version: trend and momentum of every warm timeframe, weighed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Final, NamedTuple

from msgspec.structs import replace

from tradeterm.agents.context import AgentContext
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.series import FigureSeries, Stretch
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


#: What a score is made of, in the order ``score_of`` takes it.
SCORED: Final = (
    "close", "ema_9", "ema_21", "ema_50", "ema_200", "plus_di", "minus_di", "adx",
    "supertrend_direction", "rsi", "macd_histogram", "roc", "atr",
)  # fmt: skip
_of_set: Final = attrgetter(*SCORED)


class Reading(NamedTuple):
    """One timeframe, and what it says between -1 and 1."""

    figures: IndicatorSet
    score: float


class Main(NamedTuple):
    """What the longest timeframe adds to a view: the same until its next candle closes."""

    reading: Reading
    reasoning: str
    figures: dict[str, float]
    strength: float
    rsi_state: str
    macd_state: str
    support: float
    resistance: float


class Rest(NamedTuple):
    """A view but for the score of the finest timeframe: the same until a longer candle closes."""

    main: Main
    shares: tuple[float, ...]
    """Scores of the longer timeframes, weighed."""
    total: float
    """Of all weights."""
    up: int
    down: int
    """How many of the longer ones point there."""


class TechnicalAgent:
    """Bias, confidence, trend and levels of one symbol."""

    #: Closed bars for the slowest of its figures, EMA 50.
    NEEDS: Final = 50

    def __init__(self, settings: TechnicalSettings) -> None:
        self._settings = settings
        self._readings: dict[str, dict[int, Reading]] = {}
        """The last readings of a symbol: each is kept while its indicators are the same object."""
        self._mains: dict[str, Main] = {}
        self._scores: dict[str, tuple[FigureSeries, list[float | None]]] = {}
        """Of known bars of a symbol."""

    def run(self, ctx: AgentContext) -> TechnicalView | None:
        """None until one timeframe is warm."""
        return None if ctx.snapshot is None else self._look(ctx.symbol, ctx.snapshot.by_timeframe)

    def along(self, symbol: str, stretch: Stretch, places: range) -> Sequence[TechnicalView | None]:
        """``run`` on some bars of a stretch."""
        views: list[TechnicalView | None] = []
        scores = self._known_scores(symbol, stretch.series)
        for part, longer in stretch.parts(places):
            readings = self._read(symbol, longer)
            rest = self._rest(symbol, readings, readings) if readings else None
            for place in part:
                score = scores[stretch.first + place]
                if rest is None or score is None:
                    views.append(self._look(symbol, stretch.figures(place)))
                else:
                    views.append(self._judge(symbol, score, rest))
        return views

    def _known_scores(self, symbol: str, series: FigureSeries) -> list[float | None]:
        known = self._scores.get(symbol)
        if known is None or known[0] is not series:
            scores = map(score_of, repeat(self._settings.adx_trend), *series.columns(*SCORED))
            known = self._scores[symbol] = series, list(scores)
        return known[1]

    def _look(self, symbol: str, figures: Mapping[int, IndicatorSet]) -> TechnicalView | None:
        readings = self._read(symbol, figures)
        if not readings:
            return None
        finest, *longer = readings
        return self._judge(symbol, readings[finest].score, self._rest(symbol, readings, longer))

    def _read(self, symbol: str, figures: Mapping[int, IndicatorSet]) -> dict[int, Reading]:
        """The warm timeframes, ascending."""
        readings: dict[int, Reading] = {}
        last = self._readings.get(symbol, readings)
        for timeframe, one in figures.items():
            known = last.get(timeframe)
            if known is None or known.figures is not one:
                score = score_of(self._settings.adx_trend, *_of_set(one))
                known = None if score is None else Reading(one, score)
            if known is not None:
                readings[timeframe] = known
        self._readings[symbol] = readings
        return readings

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

    def _judge(self, symbol: str, finest: float, rest: Rest) -> TechnicalView:
        score = 0.0 + finest
        for share in rest.shares:
            score += share
        score /= rest.total
        bias = _bias(score, self._settings.bias_threshold)
        if score < 0.0:
            aligned = rest.down + (finest < 0.0)
        else:
            aligned = rest.up + (finest > 0.0)
        main, count, strength = rest.main, len(rest.shares) + 1, abs(score)
        alignment = aligned / count
        confidence = 0.5 * (1.0 - strength)
        if bias is not NEUTRAL:
            confidence = min(MAX_CONFIDENCE, 0.35 + 0.45 * strength + 0.2 * alignment)
        return TechnicalView(
            symbol, bias, confidence, main.strength, alignment, main.figures["roc"],
            main.rsi_state, main.macd_state, main.support, main.resistance,
            {"score": score, **main.figures, "timeframes": float(count)},
            _REASONING % (bias, score, aligned, count, main.reasoning),
        )  # fmt: skip

    def _rest(self, symbol: str, readings: dict[int, Reading], longer: Iterable[int]) -> Rest:
        """``longer`` are those of the readings beyond the finest timeframe, ascending."""
        weight = total = 1.0
        shares: list[float] = []
        up = down = 0
        for timeframe in longer:  # each longer timeframe weighs half more
            score = readings[timeframe].score
            weight *= 1.5
            total += weight
            shares.append(weight * score)
            up += score > 0.0
            down += score < 0.0
        return Rest(
            self._main(symbol, *next(reversed(readings.items()))), tuple(shares), total, up, down
        )

    def _main(self, symbol: str, timeframe: int, reading: Reading) -> Main:
        """The longest timeframe, put into words once."""
        known = self._mains.get(symbol)
        if known is not None and known.reading is reading:
            return known
        figures = reading.figures
        adx, rsi, roc, histogram = figures.adx, figures.rsi, figures.roc, figures.macd_histogram
        assert adx is not None
        assert rsi is not None
        assert roc is not None
        assert histogram is not None
        trend = _trend(self._settings.adx_trend, *_of_set(figures)[:9])
        rsi_state = self._rsi_state(rsi)
        macd_state = "rising" if histogram > 0.0 else "falling"
        main = self._mains[symbol] = Main(
            reading,
            _MAIN % (timeframe_text(timeframe), trend, adx, rsi, rsi_state, macd_state, roc),
            {
                "close": figures.close, "trend": trend, "rsi": rsi, "macd_histogram": histogram,
                "adx": adx, "roc": roc,
            },
            abs(trend), rsi_state, macd_state,
            figures.support or figures.close, figures.resistance or figures.close,
        )  # fmt: skip
        return main

    def _rsi_state(self, rsi: float) -> str:
        if rsi >= self._settings.rsi_overbought:
            return "overbought"
        return "oversold" if rsi <= self._settings.rsi_oversold else "neutral"


def score_of(
    adx_trend: float, close: float, ema_9: float | None, ema_21: float | None,
    ema_50: float | None, ema_200: float | None, plus: float | None, minus: float | None,
    adx: float | None, supertrend: float | None, rsi: float | None, histogram: float | None,
    roc: float | None, atr: float | None,
) -> float | None:  # fmt: skip
    """Score one timeframe; None while one of the figures it needs is not warm."""
    if (
        ema_9 is None or ema_21 is None or ema_50 is None or plus is None or minus is None
        or adx is None or rsi is None or histogram is None or roc is None or atr is None
    ):  # fmt: skip
        return None
    trend = _trend(adx_trend, close, ema_9, ema_21, ema_50, ema_200, plus, minus, adx, supertrend)
    push = _clip((rsi - 50.0) / RSI_SPAN) + _clip(roc / ROC_SPAN)
    push += _clip(4.0 * histogram / atr) if atr > 0.0 else 0.0
    return TREND_SHARE * trend + (1.0 - TREND_SHARE) * push / 3.0


def _trend(
    adx_trend: float, close: float, ema_9: float, ema_21: float, ema_50: float,
    ema_200: float | None, plus: float, minus: float, adx: float, supertrend: float | None,
) -> float:  # fmt: skip
    """Averages in order, directional movement and Supertrend."""
    stack = (ema_9 > ema_21) - (ema_9 < ema_21) + (ema_21 > ema_50) - (ema_21 < ema_50)
    stack += (close > ema_50) - (close < ema_50)
    parts = 3.0
    if ema_200 is not None:
        stack += (close > ema_200) - (close < ema_200)
        parts = 4.0
    trend = 0.5 * stack / parts
    trend += 0.3 * ((plus > minus) - (plus < minus)) * min(adx / adx_trend, 1.0)
    return trend + 0.2 * (supertrend or 0)


def _clip(value: float) -> float:
    return 1.0 if value > 1.0 else -1.0 if value < -1.0 else value


def _bias(score: float, threshold: float) -> Bias:
    if score >= threshold:
        return LONG
    return SHORT if score <= -threshold else NEUTRAL
