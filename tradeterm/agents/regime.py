"""Regime detection, rule version: one of seven, believed only after it was seen several times."""

from __future__ import annotations

from typing import Final

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.market.market import Snapshot
from tradeterm.market.recipes import IndicatorSet
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

    def run(self, ctx: AgentContext) -> RegimeView | None:
        """None until its timeframe is warm."""
        chosen = _timeframe(ctx.snapshot) if ctx.snapshot else None
        if chosen is None:
            return None
        timeframe, figures = chosen
        seen = self.classify(figures)
        if seen is None:
            return None
        regime, confidence, ratio = seen
        return self._view(ctx.symbol, timeframe, figures, regime, confidence, ratio)

    def glance(self, ctx: AgentContext) -> RegimeView | None:
        """``run`` that is no sighting: what it would say, remembered by nobody."""
        before = self._memory.get(ctx.symbol)
        kept = None if before is None else msgspec.structs.replace(before)
        view = self.run(ctx)
        if kept is None:
            self._memory.pop(ctx.symbol, None)
        else:
            self._memory[ctx.symbol] = kept
        return view

    def spoken(self, ctx: AgentContext, said: RegimeOpinion) -> RegimeView | None:
        """A model's regime: believed like our own, only after it was seen several times."""
        chosen = _timeframe(ctx.snapshot) if ctx.snapshot else None
        seen = self.classify(chosen[1]) if chosen else None
        if chosen is None or seen is None:
            return None
        view = self._view(ctx.symbol, *chosen, said.regime, said.confidence, seen[2])
        return msgspec.structs.replace(view, volatility=said.volatility, reasoning=said.reasoning)

    def _view(
        self, symbol: str, timeframe: int, figures: IndicatorSet, regime: Regime,
        confidence: float, ratio: float,
    ) -> RegimeView:  # fmt: skip
        memory, previous = self._believe(symbol, regime, confidence)
        believed = memory.regime
        bias, size, stop = ADVICE[believed]
        adx, chop = figures.adx or 0.0, figures.choppiness or 0.0
        waiting = ""
        if regime is not believed:
            waiting = f"; sees {regime} {memory.seen}/{self._settings.confirmations}"
        return RegimeView(
            symbol, believed, memory.confidence, self._volatility(ratio), bias, size, stop,
            previous,
            {
                "adx": adx, "plus_di": figures.plus_di or 0.0, "minus_di": figures.minus_di or 0.0,
                "choppiness": chop, "atr_ratio": ratio, "squeeze": float(figures.squeeze or 0),
            },
            _REASONING % (believed, timeframe_text(timeframe), adx, chop, ratio, waiting),
        )  # fmt: skip

    def classify(self, figures: IndicatorSet) -> tuple[Regime, float, float] | None:
        """(regime, confidence, ATR over its mean) by the figures alone; None while not warm."""
        adx, plus, minus = figures.adx, figures.plus_di, figures.minus_di
        chop, atr, mean = figures.choppiness, figures.atr, figures.atr_mean
        if adx is None or plus is None or minus is None or atr is None or not mean:
            return None
        chop = 50.0 if chop is None else chop  # no range at all: neither choppy nor trending
        settings = self._settings
        ratio, up = atr / mean, plus > minus
        if ratio >= settings.volatile_ratio:
            regime = Regime.VOLATILE_BULL if up else Regime.VOLATILE_BEAR
            return regime, min(0.95, 0.6 + 0.2 * (ratio - settings.volatile_ratio)), ratio
        if adx >= settings.adx_trend and chop < settings.chop_threshold:
            regime = Regime.TRENDING_BULL if up else Regime.TRENDING_BEAR
            return regime, min(0.95, 0.6 + (adx - settings.adx_trend) / 60.0), ratio
        if chop >= settings.chop_threshold:
            return Regime.CHOPPY, min(0.95, 0.6 + (chop - settings.chop_threshold) / 60.0), ratio
        if figures.squeeze:
            return Regime.BREAKOUT_POTENTIAL, 0.6, ratio
        return Regime.RANGING, min(0.9, 0.5 + (settings.adx_trend - adx) / 50.0), ratio

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


def _timeframe(snapshot: Snapshot) -> tuple[int, IndicatorSet] | None:
    """The first warm timeframe of at least five minutes, else the longest warm one."""
    best = None
    for timeframe, figures in snapshot.by_timeframe.items():
        if figures.adx is not None and figures.atr_mean is not None:
            best = timeframe, figures
            if timeframe >= LEAST_TIMEFRAME:
                break
    return best
