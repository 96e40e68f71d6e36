"""What is under way to the venue: how long it takes, and what is due next."""

from __future__ import annotations

import hashlib
import heapq
from enum import IntEnum
from typing import Final

from tradeterm.model.timing import MILLISECOND, SECOND
from tradeterm.settings.execution import LatencySettings

#: ``next_due`` when nothing is under way: later than any market time.
NEVER: Final = 2**63 - 1
_SPAN: Final = 2.0**64


class Step(IntEnum):
    """What happens to an order when its time comes."""

    ENTER = 0
    CONTINUE = 1
    CANCEL = 2
    EXPIRE = 3
    AMEND = 4


def delay(settings: LatencySettings, seed: int, what: str, order_id: str) -> int:
    """Nanoseconds under way, whole milliseconds, keyed by seed, purpose and order.

    The cube of a uniform draw: most orders are quick, a few slow, like a lognormal cut at both
    ends but free of functions that differ between machines.
    """
    key = f"{seed}|{what}|{order_id}".encode()
    draw = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") / _SPAN
    seconds = settings.least + (settings.most - settings.least) * draw * draw * draw
    return int(seconds * SECOND) // MILLISECOND * MILLISECOND


class Agenda:
    """Steps in order of their time; those due together keep the order they were planned in."""

    def __init__(self) -> None:
        self.next_due = NEVER
        self._heap: list[tuple[int, int, int, str]] = []
        self._planned = 0

    def plan(self, due: int, step: Step, order_id: str) -> None:
        """Put a step on the agenda."""
        self._planned += 1
        heapq.heappush(self._heap, (due, self._planned, int(step), order_id))
        self.next_due = self._heap[0][0]

    def take(self) -> tuple[int, Step, str]:
        """The next step, removed."""
        due, _, step, order_id = heapq.heappop(self._heap)
        self.next_due = self._heap[0][0] if self._heap else NEVER
        return due, Step(step), order_id

    def forget(self, order_id: str) -> None:
        """The order has ended: no step of it, an expiry most often, keeps anybody waiting."""
        left = [step for step in self._heap if step[3] != order_id]
        if len(left) < len(self._heap):
            self.load(left, self._planned)

    def dump(self) -> list[tuple[int, int, int, str]]:
        """The steps, in order."""
        return sorted(self._heap)

    def load(self, steps: list[tuple[int, int, int, str]], planned: int) -> None:
        """Become the agenda that was dumped."""
        self._heap = sorted(steps)
        self._planned = planned
        self.next_due = self._heap[0][0] if self._heap else NEVER

    @property
    def planned(self) -> int:
        """How many steps were ever planned; orders those due together."""
        return self._planned
