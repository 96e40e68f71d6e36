"""The last trades of every symbol: kept for pictures alone, and only where one is made.

No input or outcome depends on it, so it stands in no snapshot: after a start it begins empty.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

from tradeterm.model.market import Trade

KEPT: Final = 20

Takers = MutableMapping[type, Callable[..., None]]


class TimeAndSales:
    """Hears every trade once somebody asked for it; until then a trade costs nothing more."""

    def __init__(self, takers: Sequence[Takers], take_turns: Callable[[], None]) -> None:
        """``takers``: who takes market events now and at other times; ``take_turns`` puts changed
        ones in place.
        """
        self._takers = takers
        self._take_turns = take_turns
        self._kept: defaultdict[str, deque[Trade]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._keeping = False

    def keep(self) -> None:
        """From the next trade on; asking again changes nothing."""
        if self._keeping:
            return
        self._keeping = True
        for takers in self._takers:
            takers[Trade] = self._beside(takers[Trade])
        self._take_turns()

    def last(self, symbol: str) -> tuple[Trade, ...]:
        """Newest first."""
        return tuple(self._kept[symbol])

    def _beside(self, take: Callable[[Any], None]) -> Callable[[Trade], None]:
        kept = self._kept

        def both(event: Trade) -> None:
            kept[event.symbol].appendleft(event)
            take(event)

        return both
