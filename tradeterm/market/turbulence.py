"""How wild one symbol is: ATR over its mean, spikes and unusual moves, from its closed candles.

Pure functions of the newest candles of a window, always the same number of them, so that a restart
answers as the run before it would have.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cache
from typing import Final

import msgspec
import numpy as np

from tradeterm.market.candles import CandleWindow, Column
from tradeterm.market.symbol import SymbolMarket
from tradeterm.model.timing import SECOND

#: Bars looked at: ATR 14 and its mean of 50 settle within them (as the regime agent's figures).
TAIL: Final = 160
MEAN_OF: Final = 50
ATR_BARS: Final = 14
#: The timeframe of a day trader: the first of at least this many seconds that is warm.
LEAST_TIMEFRAME: Final = 300
#: Room for what rounding does to a quotient next to its limit.
_CLEARLY: Final = 0.999999


class Turbulence(msgspec.Struct, frozen=True, gc=False):
    """What the closed candles say. Stamps are ns; 0 where it did not happen lately."""

    ratio: float | None
    """ATR over its mean at the newest close; None while not warm."""
    spike: int
    """When the latest spike began."""
    move: float | None
    """Percent between the newest close and the one ``within`` seconds before it."""
    moved: int
    """When it was last above the limit."""
    before: tuple[float, ...]
    """Closes of the last ``within`` seconds, oldest first."""

    def move_to(self, price: float) -> float | None:
        """Percent, at the price of now or at the newest close, whichever is more."""
        if self.move is None or not self.before or not price:
            return self.move
        return max(self.move, abs(price / self.before[0] - 1) * 100)


def turbulence(
    m: SymbolMarket, ratio: float, percent: float, within: int, lately: int
) -> Turbulence:
    """``ratio``: from where on it is a spike; ``percent`` within seconds: an unusual move.

    ``lately``: seconds for which a spike or a move matters; one before that may go unseen.
    """
    now, began = _spike(_warm(m), ratio, lately)
    return Turbulence(now, began, *_moves(m.window, percent, within, lately))


def _warm(m: SymbolMarket) -> CandleWindow | None:
    """The first warm window of at least five minutes, else the longest warm one."""
    warm = None
    for timeframe, window in m.windows.items():
        if len(window) >= ATR_BARS + MEAN_OF:
            warm = window
            if timeframe >= LEAST_TIMEFRAME:
                break
    return warm


def _spike(window: CandleWindow | None, limit: float, lately: int) -> tuple[float | None, int]:
    if window is None:
        return None, 0
    atr, bars = _averaged()(*window.tail(TAIL), ATR_BARS)[ATR_BARS:], _bars(window, lately)
    known = atr[-bars - MEAN_OF :].tolist()
    mean = sum(known[-MEAN_OF:]) / MEAN_OF
    # Without any range there is nothing to compare with: calm.
    ratio = known[-1] / mean if mean > 0 else 1.0
    # No mean is below the lowest: where the highest is no spike above that, there is none.
    if max(known[-bars:]) < limit * _CLEARLY * min(known):
        return ratio, 0
    return ratio, _latest_spike(window, atr, limit)


def _bars(window: CandleWindow, seconds: int) -> int:
    """As many as can have closed within some seconds, and the one before."""
    return seconds // window.timeframe + 1


@cache
def _averaged() -> Callable[..., Column]:
    """TA-Lib's ATR without the wrapper that asks of every argument whether it is a pandas series."""
    import talib

    return getattr(talib.ATR, "__wrapped__", talib.ATR)


def _latest_spike(window: CandleWindow, atr: Column, limit: float) -> int:
    """When the ratio last went above the limit; 0 when it never did."""
    sums = np.zeros(len(atr) + 1)
    atr.cumsum(out=sums[1:])
    means = (sums[MEAN_OF:] - sums[:-MEAN_OF]) / MEAN_OF
    ratios = np.divide(atr[MEAN_OF - 1 :], means, out=np.ones_like(means), where=means > 0)
    above = ratios > limit
    starts = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    return window.rows(len(ratios) - int(starts[-1]))[0][0] if len(starts) else 0


def _moves(
    window: CandleWindow, percent: float, within: int, lately: int
) -> tuple[float | None, int, tuple[float, ...]]:
    bars = within // window.timeframe
    if not bars or len(window) < 2:
        return None, 0, ()
    count = min(bars + 1, TAIL)
    stamps, closes = window.ends(count), window.closes(count)
    since = stamps[-1] - within * SECOND
    # Behind a gap, what lies ``bars`` before is too long ago.
    move = abs(closes[-1] / closes[bisect_left(stamps, since)] - 1) * 100
    recent = closes[max(bisect_right(stamps, since), len(closes) - bars) :]
    seen = window.closes(min(_bars(window, lately) + bars, TAIL))
    if not (max(seen) / min(seen) - 1) * 100 > percent:
        return move, 0, recent  # nor can any single move be: most looks end here
    return move, _moved(window, percent, within, bars), recent


def _moved(window: CandleWindow, percent: float, within: int, bars: int) -> int:
    """When a move was last above the limit; 0 when it never was."""
    closes = window.close[-TAIL:]
    stamps = window.stamps(TAIL)
    before = np.searchsorted(stamps, stamps - within * SECOND)
    before = np.maximum(np.arange(len(stamps)) - bars, before)
    wild = np.flatnonzero(np.abs(closes / closes[before] - 1)[1:] * 100 > percent) + 1
    return int(stamps[wild[-1]]) if len(wild) else 0
