"""Prices at regular moments, journaled: what opinions and plain holding are measured by afterwards.

While prices stream a row holds the closes of a quarter of an hour. On a market of bars it holds as
many hours as half the window does (a day's at most), read off afterwards: each row interrupts the
run of quiet bars (``quiet.py``) that makes a replay fast.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

import msgspec

from tradeterm.engine.core import Core
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.model.ghosts import PriceMarks as Row
from tradeterm.model.timing import DAY, HOUR, MINUTE, SECOND

PRICES_TIMER: Final = "prices"
STEP: Final = 15 * MINUTE
#: On a market of bars prices are so many bars apart, but no more than an hour (or a bar).
STEP_BARS: Final = 12
#: The longest a row may wait.
ROW: Final = DAY


class PriceMarksState(msgspec.Struct, frozen=True):
    """For a snapshot."""

    done: int


class PriceMarks:
    """Writes the row when its time has come."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._done = 0
        """The last moment that was noted."""

    def begin(self, start: int) -> None:
        """From the first quarter of an hour on."""
        self._done = start // STEP * STEP
        self._core.timers.set(PRICES_TIMER, self._done + STEP)

    def due(self) -> None:
        """Note every moment since the last row."""
        core = self._core
        symbols = {name: core.market.symbol(name) for name in core.market.symbols}
        bars = [m.base * SECOND for m in symbols.values() if m.mode == BARS]
        step = max([STEP, *(max(span, min(STEP_BARS * span, HOUR)) for span in bars)])
        step += -step % STEP
        stamps = range(self._done + step, core.now + 1, step)
        if stamps:
            prices = {name: _closes(m, stamps, step) for name, m in symbols.items()}
            self._done = stamps[-1]
            if any(price is not None for each in prices.values() for price in each):
                row = Row(step, stamps[0], prices)
                core.journal.write("prices", core.journal.new_id("prices"), "", row)
        core.timers.set(PRICES_TIMER, (core.now // (wait := self._wait(bars)) + 1) * wait)

    def _wait(self, bars: list[int]) -> int:
        """Nanoseconds between two rows."""
        if not bars:
            return STEP
        half = self._core.settings.market.window // 2
        return max(STEP, *bars, min(ROW, min(bars) * half // STEP * STEP))

    def dump(self) -> PriceMarksState:
        return PriceMarksState(self._done)

    def load(self, state: PriceMarksState) -> None:
        self._done = state.done


def _closes(m: SymbolMarket, stamps: range, step: int) -> tuple[float | None, ...]:
    """Close of the last bar at each stamp; None where that is older than a step."""
    window = m.window
    reach = (window.last_ts - stamps[0] + step) // (m.base * SECOND) + 1
    count = min(window.count, max(0, reach))
    ends, closes = window.ends(count), window.closes(count)
    first, every = bisect_right(ends, stamps[0]) - 1, step // (m.base * SECOND)
    each = slice(first, first + every * (len(stamps) - 1) + 1, every)
    if first >= 0 and every and ends[each] == array("q", stamps):
        return closes[each]  # a bar ends at every stamp, as it nearly always does
    last = ((stamp, bisect_right(ends, stamp) - 1) for stamp in stamps)
    return tuple(
        closes[index] if index >= 0 and stamp - ends[index] < step else None
        for stamp, index in last
    )
