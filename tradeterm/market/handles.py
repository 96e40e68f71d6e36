"""Two ways to the same figures: handles carried on bar by bar, or known bars worked out at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from tradeterm.market.bars import Columns
from tradeterm.market.candles import CandleWindow, Column
from tradeterm.market.recipes import (
    OF_BARS,
    OF_CLOSES,
    RECIPES,
    IndicatorSet,
    bars_of,
    figures_of,
)
from tradeterm.market.series import FigureSeries

_BY_CLOSE: Final = len(OF_CLOSES)
_BY_BAR: Final = _BY_CLOSE + len(OF_BARS)


class Handles:
    """TA-Lib's streaming handle of every recipe: O(1) per closed candle."""

    __slots__ = ("_cold", "_short", "_updates", "_values", "_window")

    def __init__(self, window: CandleWindow) -> None:
        import talib

        # Its stubs leave this name out.
        self._short: type[Exception] = talib.InsufficientHistory  # type: ignore[attr-defined]
        self._window = window
        self._updates: list[Callable[..., Any]] = [_still_cold] * len(RECIPES)
        self._values: list[Any] = [None] * len(RECIPES)
        self._cold = True
        self._open_cold()

    def _open_cold(self) -> None:
        """Open what has become possible with the candles there are now."""
        from talib import stream

        window = self._window
        bars = bars_of(window.high, window.low, window.close, window.volume)
        self._cold = False
        for index, recipe in enumerate(RECIPES):
            if self._updates[index] is _still_cold:
                try:
                    opened = recipe(stream, bars)
                except self._short:
                    self._cold = True
                else:
                    self._updates[index] = opened.update
                    self._values[index] = opened.value

    def advance(self, index: int) -> None:
        """Feed the window's candle at ``index``; cold handles are opened on the whole instead."""
        _, high, low, close, volume = self._window.bar(index)
        updates = self._updates
        values = [update(close) for update in updates[:_BY_CLOSE]]
        values += [update(high, low, close) for update in updates[_BY_CLOSE:_BY_BAR]]
        (
            swing_low, swing_high, low_14, high_14, volume_mean,
            atr, atr_mean, obv, obv_mean, true_range, range_sum,
        ) = updates[_BY_BAR:]  # fmt: skip
        reach, flow = atr(high, low, close), obv(close, volume)
        span = true_range(high, low, close)
        values += (
            swing_low(low), swing_high(high), low_14(low), high_14(high), volume_mean(volume),
            reach, atr_mean(reach), flow, obv_mean(flow), span, range_sum(span),
        )  # fmt: skip
        self._values = values
        if self._cold and index == self._window.count - 1:
            self._open_cold()

    def figures(self) -> tuple[Any, ...]:
        """Those at the candle last fed."""
        return figures_of(self._values)


def _still_cold(*_: float) -> None:
    """In place of the update of a handle that is not open yet."""


class Foresight:
    """The figures of candles the feed has read and the market not yet taken, computed together.

    Every recipe looks back only, and a set is given out only once the window holds exactly the
    candles it was made from: reading ahead saves time and can change nothing.
    """

    __slots__ = ("_coming", "_first", "_generation", "_known", "_total", "series")

    def __init__(self, window: CandleWindow, coming: Columns) -> None:
        """``coming`` follow the window's newest candle and fit into it."""
        import talib

        self._coming = coming
        self._first, self._total = window.count, window.total
        self._generation = window.generation
        self._known = 0
        """How many of the bars the window was seen to hold."""
        together = bars_of(
            _longer(window.high, coming.highs), _longer(window.low, coming.lows),
            _longer(window.close, coming.closes), _longer(window.volume, coming.volumes),
        )  # fmt: skip
        self.series = FigureSeries(
            (window.last_ts, *coming.stamps), (window.newest, *coming.closes),
            window.vwaps(coming), [recipe(talib, together) for recipe in RECIPES],
        )  # fmt: skip
        """From the window's newest candle on."""

    @property
    def left(self) -> int:
        """How many candles are known beyond the one last looked at."""
        return len(self.series) - 1 - self._known

    def reaches(self, window: CandleWindow) -> bool:
        """Whether the window's newest candle is one of the known ones: it is looked at from now on."""
        come, known = window.total - self._total, self._known
        if window.generation != self._generation or not known <= come < len(self.series):
            return False
        if come > known and not window.holds(self._first + known, self._coming, known, come):
            return False
        self._known = come
        return True

    def current(self) -> IndicatorSet:
        """The set of the candle last looked at."""
        return self.series[self._known]

    def atr(self) -> float | None:
        """Its ATR 14."""
        return self.series.atr(self._known)

    def last(self, count: int) -> int:
        """Where the last ``count`` candles up to the one last looked at begin in the series."""
        return self._known + 1 - count


def _longer(column: Column, more: Sequence[float]) -> Column:
    return np.concatenate((column, more))
