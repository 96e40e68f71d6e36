"""Regime detection, rule version: one of seven, believed only after it was seen several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.series import FigureSeries, Stretch
from tradeterm.model.opinions import RegimeOpinion
from tradeterm.model.outputs import RegimeView
from tradeterm.model.timing import timeframe_text
from tradeterm.model.vocabulary import Bias, Regime, VolatilityClass
from tradeterm.settings.agents import RegimeSettings

#: The regime of a day trader: read off the first timeframe of at least this many seconds.
LEAST_TIMEFRAME: Final = 300
LOW_RATIO, EXTREME_RATIO = 0.7, 3.0
#: Filled in one go: a third cheaper than an f-string, and written on every bar.
_REASONING: Final = "%s on %s: ADX %.0f, choppiness %.0f, ATR %.2fx its mean%s"
#: Regime → (bias, size multiplier, stop multiplier); our choice: smaller and wider where it is wild.
ADVICE: Final = {
    Regime.TRENDING_BULL: (Bias.LONG, 1.0, 1.0),
    Regime.TRENDING_BEAR: (Bias.SHORT, 1.0, 1.0),
    Regime.RANGING: (Bias.NEUTRAL, 0.8, 0.9),
    Regime.VOLATILE_BULL: (Bias.LONG, 0.6, 1.4),
    Regime.VOLATILE_BEAR: (Bias.SHORT, 0.6, 1.4),
    Regime.CHOPPY: (Bias.NEUTRAL, 0.5, 1.2),
    Regime.BREAKOUT_POTENTIAL: (Bias.NEUTRAL, 0.8, 1.0),
}


#: What a regime is read off, in the order ``sighted`` takes it.
_READ_OFF: Final = (
    "adx", "plus_di", "minus_di", "choppiness", "atr", "atr_mean", "squeeze",
)  # fmt: skip
_read_off: Final = attrgetter(*_READ_OFF)


class Sighting(NamedTuple):
    """What the figures of one timeframe say by themselves."""

    regime: Regime
    confidence: float
    ratio: float
    """ATR over its mean."""
    figures: dict[str, float]


class RegimeMemory(msgspec.Struct):
    """Hysteresis of one symbol: what is believed, what is seen instead, how often in a row."""

    regime: Regime
    confidence: float
    candidate: Regime
    seen: int = 0


class RegimeAgent:
    """The regime of each symbol, with hysteresis."""

    #: Closed bars for the slowest of its figures: the mean of 50 ATR 14.
    NEEDS: Final = 64

    def __init__(self, settings: RegimeSettings) -> None:
        self._settings = settings
        self._memory: dict[str, RegimeMemory] = {}
        self._sightings: dict[str, tuple[FigureSeries, list[Sighting | None]]] = {}
        """Of known bars of a symbol."""

    def run(self, ctx: AgentContext) -> RegimeView | None:
        """None until its timeframe is warm."""
        return None if ctx.snapshot is None else self._look(ctx.symbol, ctx.snapshot.by_timeframe)

    def along(self, symbol: str, stretch: Stretch, places: range) -> Sequence[RegimeView | None]:
        """``run`` on some bars of a stretch; where it raises, none of them was seen."""
        kept = self._remembered(symbol)
        try:
            return self._along(symbol, stretch, places)
        except BaseException:
            self._remember(symbol, kept)
            raise

    def _along(self, symbol: str, stretch: Stretch, places: range) -> Sequence[RegimeView | None]:
        sightings = self._sighted(symbol, stretch.series)
        near = stretch.base >= LEAST_TIMEFRAME
        name = timeframe_text(stretch.base)
        views: list[RegimeView | None] = []
        for place in places:
            seen = sightings[stretch.first + place]
            if seen is None or not near:
                views.append(self._look(symbol, stretch.figures(place)))
            else:
                views.append(self._view(symbol, name, seen))
        return views

    def _sighted(self, symbol: str, series: FigureSeries) -> list[Sighting | None]:
        known = self._sightings.get(symbol)
        if known is None or known[0] is not series:
            sightings = list(map(self._sighting, *series.columns(*_READ_OFF)))
            known = self._sightings[symbol] = series, sightings
        return known[1]

    def _look(self, symbol: str, figures: Mapping[int, IndicatorSet]) -> RegimeView | None:
        chosen = _timeframe(figures)
        if chosen is None:
            return None
        timeframe, looked_at = chosen
        seen = self.classify(looked_at)
        return None if seen is None else self._view(symbol, timeframe_text(timeframe), seen)

    def glance(self, ctx: AgentContext) -> RegimeView | None:
        """``run`` that is no sighting: what it would say, remembered by nobody."""
        kept = self._remembered(ctx.symbol)
        view = self.run(ctx)
        self._remember(ctx.symbol, kept)
        return view

    def _remembered(self, symbol: str) -> RegimeMemory | None:
        before = self._memory.get(symbol)
        return None if before is None else msgspec.structs.replace(before)

    def _remember(self, symbol: str, memory: RegimeMemory | None) -> None:
        if memory is None:
            self._memory.pop(symbol, None)
        else:
            self._memory[symbol] = memory

    def spoken(self, ctx: AgentContext, said: RegimeOpinion) -> RegimeView | None:
        """A model's regime: believed like our own, only after it was seen several times."""
        chosen = _timeframe(ctx.snapshot.by_timeframe) if ctx.snapshot else None
        seen = self.classify(chosen[1]) if chosen else None
        if chosen is None or seen is None:
            return None
        seen = seen._replace(regime=said.regime, confidence=said.confidence)
        view = self._view(ctx.symbol, timeframe_text(chosen[0]), seen)
        return msgspec.structs.replace(view, volatility=said.volatility, reasoning=said.reasoning)

    def _view(self, symbol: str, timeframe: str, seen: Sighting) -> RegimeView:
        memory, previous = self._believe(symbol, seen.regime, seen.confidence)
        believed, figures, ratio = memory.regime, seen.figures, seen.ratio
        bias, size, stop = ADVICE[believed]
        waiting = ""
        if seen.regime is not believed:
            waiting = f"; sees {seen.regime} {memory.seen}/{self._settings.confirmations}"
        return RegimeView(
            symbol, believed, memory.confidence, self._volatility(ratio), bias, size, stop,
            previous, figures,
            _REASONING
            % (believed, timeframe, figures["adx"], figures["choppiness"], ratio, waiting),
        )  # fmt: skip

    def classify(self, figures: IndicatorSet) -> Sighting | None:
        """By the figures alone; None while not warm."""
        return self._sighting(*_read_off(figures))

    def _sighting(
        self, adx: float | None, plus: float | None, minus: float | None, chop: float | None,
        atr: float | None, mean: float | None, squeeze: bool | None,
    ) -> Sighting | None:  # fmt: skip
        if adx is None or plus is None or minus is None or atr is None or not mean:
            return None
        settings, ratio, up = self._settings, atr / mean, plus > minus
        shown = {
            "adx": adx, "plus_di": plus, "minus_di": minus, "choppiness": chop or 0.0,
            "atr_ratio": ratio, "squeeze": float(squeeze or 0),
        }  # fmt: skip
        chop = 50.0 if chop is None else chop  # no range at all: neither choppy nor trending
        if ratio >= settings.volatile_ratio:
            regime = Regime.VOLATILE_BULL if up else Regime.VOLATILE_BEAR
            confidence = min(0.95, 0.6 + 0.2 * (ratio - settings.volatile_ratio))
        elif adx >= settings.adx_trend and chop < settings.chop_threshold:
            regime = Regime.TRENDING_BULL if up else Regime.TRENDING_BEAR
            confidence = min(0.95, 0.6 + (adx - settings.adx_trend) / 60.0)
        elif chop >= settings.chop_threshold:
            regime = Regime.CHOPPY
            confidence = min(0.95, 0.6 + (chop - settings.chop_threshold) / 60.0)
        elif squeeze:
            regime, confidence = Regime.BREAKOUT_POTENTIAL, 0.6
        else:
            regime = Regime.RANGING
            confidence = min(0.9, 0.5 + (settings.adx_trend - adx) / 50.0)
        return Sighting(regime, confidence, ratio, shown)

    def _believe(
        self, symbol: str, regime: Regime, confidence: float
    ) -> tuple[RegimeMemory, Regime | None]:
        """The memory after this sighting, and the regime it replaced, if it did."""
        memory = self._memory.get(symbol)
        if memory is None:
            memory = self._memory[symbol] = RegimeMemory(regime, confidence, regime)
            return memory, None
        if regime is memory.regime:
            memory.confidence, memory.candidate, memory.seen = confidence, regime, 0
            return memory, None
        memory.seen = memory.seen + 1 if regime is memory.candidate else 1
        memory.candidate = regime
        if memory.seen < self._settings.confirmations:
            return memory, None
        previous = memory.regime
        memory.regime, memory.confidence, memory.seen = regime, confidence, 0
        return memory, previous

    def _volatility(self, ratio: float) -> VolatilityClass:
        if ratio >= EXTREME_RATIO:
            return VolatilityClass.EXTREME
        if ratio >= self._settings.volatile_ratio:
            return VolatilityClass.HIGH
        return VolatilityClass.LOW if ratio < LOW_RATIO else VolatilityClass.NORMAL

    def dump(self) -> dict[str, RegimeMemory]:
        """For a snapshot."""
        return {symbol: msgspec.structs.replace(m) for symbol, m in self._memory.items()}

    def load(self, state: dict[str, RegimeMemory]) -> None:
        """Continue as the dumped agent would."""
        self._memory = {symbol: msgspec.structs.replace(m) for symbol, m in state.items()}


def _timeframe(sets: Mapping[int, IndicatorSet]) -> tuple[int, IndicatorSet] | None:
    """The first warm timeframe of at least five minutes, else the longest warm one."""
    best = None
    for timeframe, figures in sets.items():
        if figures.adx is not None and figures.atr_mean is not None:
            best = timeframe, figures
            if timeframe >= LEAST_TIMEFRAME:
                break
    return best
