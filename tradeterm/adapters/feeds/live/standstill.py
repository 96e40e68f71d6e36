"""A book that stands still while prints run away from it is not the market any more."""

from __future__ import annotations

from typing import Final

from tradeterm.model.timing import SECOND

#: So many prints beyond the touch, and so long since the first of them, without a book change.
PRINTS: Final = 3
PATIENCE: Final = 2 * SECOND


class Standstill:
    """One symbol's prints against its book's best prices."""

    def __init__(self) -> None:
        self._since = self._count = 0

    def moved(self) -> None:
        """The book said something."""
        self._since = self._count = 0

    def beyond(self, price: float, bid: float, ask: float, now: int) -> str:
        """What is wrong after this print (receive time, ns); empty while nothing is."""
        if bid <= price <= ask:
            self.moved()
            return ""
        self._since, self._count = self._since or now, self._count + 1
        if self._count < PRINTS or now - self._since < PATIENCE:
            return ""
        seconds, count = (now - self._since) / SECOND, self._count
        self.moved()
        return (
            f"it stood at {bid:.12g} / {ask:.12g} for {seconds:.1f} s while {count} prints went "
            f"by, the last at {price:.12g}"
        )
