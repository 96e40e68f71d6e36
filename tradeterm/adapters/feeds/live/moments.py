"""Receive time: nanoseconds UTC that never go back, and what happened to the clocks meanwhile."""

from __future__ import annotations

import time

from tradeterm.model.timing import SECOND

# It goes on while the machine sleeps, where there is such a clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class MarketClock:
    """The wall's time at the start, and from then on a steady clock's.

    A wall clock that is set while we run changes nothing here; ``strayed`` says by how much.
    """

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.clock_gettime_ns(_STEADY)
        self._asleep = self._suspended()

    def now(self) -> int:
        """Nanoseconds UTC."""
        return time.clock_gettime_ns(_STEADY) + self._offset

    def reach(self, moment: int) -> float:
        """Be no earlier than ``moment`` (ns) from now on; the seconds that were put forward."""
        short = max(0, moment - self.now())
        self._offset += short
        return short / SECOND

    def strayed(self) -> float:
        """Seconds by which the wall clock is ahead of ours: it was set since the start."""
        return (time.time_ns() - self.now()) / SECOND

    def slept(self) -> float:
        """Seconds the machine was suspended since the last call."""
        before, self._asleep = self._asleep, self._suspended()
        return (self._asleep - before) / SECOND

    @staticmethod
    def _suspended() -> int:
        """What the steady clock counted that the running one did not."""
        return time.clock_gettime_ns(_STEADY) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
