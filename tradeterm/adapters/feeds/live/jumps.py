"""A print far from the one before it waits until somebody else says so (FAULTS X04).

The second source is the exchange's ticker, which comes apart from the prints; without one the third
print out there in a row is believed. A print back where the price was shows that it was a lie.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: A price this many times the last one, or that part of it, is a jump.
FAR: Final = 1.5
#: How far from a second source a price may lie to be confirmed by it: this many times, likewise.
NEAR: Final = 1.1
#: Prints in a row that need no second source.
ENOUGH: Final = 3


class Print(msgspec.Struct, frozen=True, gc=False):
    """A print as it came; ``when`` is the exchange's stamp (ns)."""

    price: float
    size: float
    side: str
    id: str
    when: int


class Judged(msgspec.Struct, frozen=True):
    """What may be told now, and what was a lie."""

    told: tuple[Print, ...] = ()
    refused: tuple[Print, ...] = ()


class Jumps:
    """The prints of one symbol; ``ask`` each of them, ``ticker`` what the ticker says."""

    def __init__(self) -> None:
        self.last = 0.0
        """The last price that was believed; 0 before the first."""
        self._waiting: list[Print] = []

    @property
    def waiting(self) -> bool:
        """Whether a jump is in doubt."""
        return bool(self._waiting)

    def ask(self, one: Print) -> Judged:
        """Whether a print, and those that waited, are believed."""
        if not self.last or _within(one.price, self.last, FAR):
            refused, self._waiting = tuple(self._waiting), []
            self.last = one.price
            return Judged((one,), refused)
        refused = ()
        if self._waiting and not _within(one.price, self._waiting[-1].price, FAR):
            refused, self._waiting = tuple(self._waiting), []
        self._waiting.append(one)
        return Judged(self._believed() if len(self._waiting) >= ENOUGH else (), refused)

    def ticker(self, last: float) -> tuple[Print, ...]:
        """The ticker's last price: prints that it confirms."""
        if self._waiting and _within(self._waiting[-1].price, last, NEAR):
            return self._believed()
        return ()

    def _believed(self) -> tuple[Print, ...]:
        told, self._waiting = tuple(self._waiting), []
        self.last = told[-1].price
        return told


def _within(price: float, other: float, times: float) -> bool:
    """Whether they are less than ``times`` apart."""
    return other / times < price < other * times
