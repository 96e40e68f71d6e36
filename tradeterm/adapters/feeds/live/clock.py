"""How far our clock is from the exchange's, judged by what it stamps.

A message stamped by the exchange was on its way for some time, so what it says of our clock is an
upper bound: received − stamped = skew + latency. The smallest of a minute is the best of them. An
answer to "what time is it" brackets the skew from both sides (sent − told ≤ skew ≤ got − told,
wider by what the exchange rounds off); while it is fresh no stamp is believed beyond it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from tradeterm.model.timing import MINUTE, SECOND

#: How long a stamp or an answer speaks for the clock.
WINDOW: Final = MINUTE
FRESH: Final = 10 * MINUTE
#: Stamps are kept by the second: the smallest of each.
_STEP: Final = SECOND


class SkewGauge:
    """Nanoseconds in, seconds out: positive when our clock is ahead of the exchange's."""

    def __init__(self) -> None:
        self._least: deque[tuple[int, int]] = deque()
        """(second of receipt, smallest received − stamped in it), oldest first."""
        self._bracket: tuple[int, int, int] | None = None
        """(got, lowest, highest) of the last answer."""
        self._now = 0

    def stamped(self, exchange: int, received: int) -> None:
        """A message with the exchange's own stamp arrived."""
        self._now = max(self._now, received)
        second, late = received // _STEP, received - exchange
        if self._least and self._least[-1][0] == second:
            if late < self._least[-1][1]:
                self._least[-1] = second, late
            return
        self._least.append((second, late))
        while self._least[0][0] < second - WINDOW // _STEP:
            self._least.popleft()

    def asked(self, sent: int, got: int, told: int) -> None:
        """The exchange said what time it is; a whole second was rounded down (Kraken)."""
        self._now = max(self._now, got)
        rounded = 0 if told % SECOND else SECOND
        self._bracket = got, sent - told - rounded, got - told

    def skew(self, now: int = 0) -> float | None:
        """Seconds our clock is ahead (behind: negative); None while nothing has said so.

        ``now`` (ns, our clock) lets what is old be forgotten although nothing new has come.
        """
        now = max(now, self._now)
        oldest = (now - WINDOW) // _STEP
        recent = [late for second, late in self._least if second >= oldest]
        if self._bracket is None or now - self._bracket[0] > FRESH:
            return min(recent) / SECOND if recent else None
        _, low, high = self._bracket
        return min(max(min(recent, default=0), low), high) / SECOND
