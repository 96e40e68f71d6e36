"""Market time against the wall: how far a simulated or replayed market may run by now."""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.model.timing import SECOND

MAX = float("inf")
#: A longer stall of this process (suspend, SIGSTOP) does not make the market leap.
STALL_SECONDS = 2.0


class Pacer:
    """Maps wall seconds to market nanoseconds. Speed is never an input of the engine."""

    def __init__(self, wall: Callable[[], float], speed: float) -> None:
        """``wall``: monotonic seconds; ``speed``: market seconds per second, or ``MAX``."""
        self._wall = wall
        self._speed = speed
        self._stopped = False
        self._waiting = False
        self._anchor_wall = wall()
        self._anchor_market = 0
        self._looked = self._anchor_wall

    @property
    def speed(self) -> float:
        """The speed in force: 0 when stopped, 1 at most while a card waits."""
        if self._stopped:
            return 0.0
        return min(self._speed, 1.0) if self._waiting else self._speed

    @property
    def waiting(self) -> bool:
        """Whether the market goes at 1× because the operator is needed."""
        return self._waiting and self._speed > 1

    def anchor(self, market: int) -> None:
        """The market stands at ``market`` now."""
        self._anchor_market = market
        self._anchor_wall = self._looked = self._wall()

    def now(self) -> int | None:
        """Market time reached; None at full speed (no limit)."""
        wall = self._wall()
        if wall - self._looked > STALL_SECONDS:
            self._anchor_wall += wall - self._looked
        self._looked = wall
        if self.speed == MAX:
            return None
        return self._anchor_market + int((wall - self._anchor_wall) * self.speed * SECOND)

    def seconds_until(self, market: int) -> float:
        """Wall seconds until ``market`` is reached; infinite when stopped."""
        reached = self.now()
        if reached is None or reached >= market:
            return 0.0
        return (market - reached) / SECOND / self.speed if self.speed else MAX

    def set_speed(self, speed: float, market: int) -> None:
        """From here on ``speed``."""
        self._rebase(market)
        self._speed = speed

    def set_stopped(self, stopped: bool, market: int) -> None:
        """Stop or start the market."""
        self._rebase(market)
        self._stopped = stopped

    def set_waiting(self, waiting: bool, market: int) -> None:
        """A card waits for the operator, or none does; from ``market`` on, not from later."""
        if waiting != self._waiting:
            self.anchor(market)
            self._waiting = waiting

    def _rebase(self, market: int) -> None:
        reached = self.now()
        self.anchor(market if reached is None else max(market, reached))
