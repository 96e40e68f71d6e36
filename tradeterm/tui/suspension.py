"""Whether the process was stopped from outside (Ctrl-Z, SIGSTOP) and goes on: nothing in it can notice
the stop itself, only that it is over.
"""

from __future__ import annotations

import logging
import signal
from types import FrameType

log = logging.getLogger("tradeterm.tui")

#: Seconds from which a stop is worth a line.
WORTH_TELLING = 1.0


class Suspension:
    """Hears that the process goes on; how long it stood is seen at the screen's next look."""

    def __init__(self) -> None:
        self._over = False

    def watch(self) -> None:
        """From now on (main thread only), before whoever hears the signal already."""
        before = signal.getsignal(signal.SIGCONT)

        def goes_on(signum: int, frame: FrameType | None) -> None:
            self.goes_on()
            if callable(before):
                before(signum, frame)

        signal.signal(signal.SIGCONT, goes_on)

    def goes_on(self) -> None:
        """The process was told to go on; whether it had been stopped shows in how late a look is."""
        self._over = True

    def ended(self, late: float) -> float:
        """Seconds of the stop that ended since the last look, which was ``late`` seconds ago; 0: none."""
        over, self._over = self._over, False
        if not over or late < WORTH_TELLING:
            return 0.0
        log.warning("the process was suspended for %.0f s", late)
        return late
