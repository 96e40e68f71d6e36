"""How well the screen's own loop keeps up: measured at every look at the picture."""

from __future__ import annotations

from collections import deque

#: Looks that are remembered: half a minute of them at ten a second.
KEPT = 300
#: Seconds from which the status line says so.
LATE = 0.25
#: Seconds over which paints are counted.
WINDOW = 5.0


class Pulse:
    """Lateness of the looks (s), paints a second."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=KEPT)
        self._last: float | None = None
        self._paints: deque[float] = deque(maxlen=1000)

    def beat(self, now: float, due: float) -> None:
        """A look, ``due`` seconds after the one before."""
        if self._last is not None:
            self._late.append(max(0.0, now - self._last - due))
        self._last = now

    def painted(self, now: float) -> None:
        """Something was drawn."""
        self._paints.append(now)

    def since(self, now: float) -> float:
        """Seconds since the last look; 0 before the first."""
        return 0.0 if self._last is None else now - self._last

    @property
    def lag(self) -> float:
        """Of the last look, in seconds."""
        return self._late[-1] if self._late else 0.0

    @property
    def worst(self) -> float:
        """The 99th percentile of those remembered."""
        ordered = sorted(self._late)
        return ordered[int(len(ordered) * 0.99)] if ordered else 0.0

    def paints(self, now: float) -> float:
        """A second, lately."""
        return sum(now - each <= WINDOW for each in self._paints) / WINDOW
