"""How much may be sent to the venue: exact sliding windows, or Kraken's decaying counters.

Both answer one question, when something may leave, and are told what left. Urgent is what cancels,
closes or protects; a part of every limit is kept for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from math import ceil
from typing import Final, Protocol

import msgspec

from tradeterm.model.timing import SECOND
from tradeterm.settings.execution import CounterSettings, RateLimitSettings, WindowSettings

#: Seconds since an order was created or amended → what cancelling or amending it adds (Kraken,
#: "Spot Trading Limits"). A new order adds 1, an amendment 1 more than here.
_CANCEL: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
_AMEND: Final = ((5, 3), (10, 2), (15, 1))


class Errand(StrEnum):
    """What goes to the venue."""

    ORDER = "order"
    AMEND = "amend"
    CANCEL = "cancel"


class Touched(msgspec.Struct, frozen=True):
    """An order an errand is about, and when it was last sent or amended."""

    symbol: str
    since: int


class Room(msgspec.Struct, frozen=True):
    """What is left of one limit at this moment."""

    name: str
    left: int
    limit: int


class BudgetState(msgspec.Struct, frozen=True):
    """A budget, written down: send times of the windows, (value, time) of the counters."""

    calls: list[int]
    orders: list[int]
    counters: dict[str, tuple[float, int]]


class Budget(Protocol):
    """When something may leave."""

    def free_at(self, what: Errand, about: Sequence[Touched], now: int, *, urgent: bool) -> int:
        """The earliest time, now or later, at which it may."""
        ...

    def spend(self, what: Errand, about: Sequence[Touched], now: int) -> None:
        """It left."""
        ...

    def rooms(self, now: int) -> list[Room]:
        """What is left, for the operator."""
        ...

    def dump(self) -> BudgetState:
        """For a snapshot."""
        ...

    def load(self, state: BudgetState) -> None:
        """Become what was dumped."""
        ...


class Window:
    """At most ``count`` in any span of ``seconds``, both ends included."""

    def __init__(self, settings: WindowSettings) -> None:
        self.settings = settings
        self.sent: deque[int] = deque()

    def free_at(self, now: int, *, urgent: bool) -> int:
        """When one more fits."""
        span, sent = self.settings.seconds * SECOND, self.sent
        while sent and sent[0] + span < now:
            sent.popleft()
        limit = self.settings.count - (0 if urgent else self.settings.reserved)
        return now if len(sent) < limit else max(now, sent[len(sent) - limit] + span + 1)

    def room(self, name: str, now: int) -> Room:
        """What is left; nothing is forgotten by looking."""
        span = self.settings.seconds * SECOND
        used = sum(1 for ts in self.sent if ts + span >= now)
        return Room(name, self.settings.count - used, self.settings.count)


class Windows:
    """Calls of any kind and new orders, each in its sliding window."""

    def __init__(self, settings: RateLimitSettings) -> None:
        self._calls = Window(settings.calls)
        self._orders = Window(settings.orders)

    def free_at(self, what: Errand, about: Sequence[Touched], now: int, *, urgent: bool) -> int:
        """A batch of cancels is one call, however many orders it names."""
        free = self._calls.free_at(now, urgent=urgent)
        if what is Errand.ORDER:
            free = max(free, self._orders.free_at(now, urgent=urgent))
        return free

    def spend(self, what: Errand, about: Sequence[Touched], now: int) -> None:
        """It left."""
        self._calls.sent.append(now)
        if what is Errand.ORDER:
            self._orders.sent.append(now)

    def rooms(self, now: int) -> list[Room]:
        """Calls and orders."""
        return [self._calls.room("calls", now), self._orders.room("orders", now)]

    def dump(self) -> BudgetState:
        """For a snapshot."""
        return BudgetState(list(self._calls.sent), list(self._orders.sent), {})

    def load(self, state: BudgetState) -> None:
        """Become what was dumped."""
        self._calls.sent, self._orders.sent = deque(state.calls), deque(state.orders)


class Counters:
    """Kraken's counter per symbol. It counts orders only; other calls have a limit of their own."""

    def __init__(self, settings: CounterSettings) -> None:
        self._settings = settings
        self._counters: dict[str, tuple[float, int]] = {}

    def free_at(self, what: Errand, about: Sequence[Touched], now: int, *, urgent: bool) -> int:
        """When every symbol concerned has decayed far enough; never now for more than the limit."""
        limit = self._settings.threshold - (0 if urgent else self._settings.reserved)
        free = now
        for symbol, cost in self._costs(what, about, now).items():
            over = self._value(symbol, now) + cost - limit
            if over > 0:
                free = max(free, now + ceil(over / self._settings.decay * SECOND) + 1)
        return free

    def spend(self, what: Errand, about: Sequence[Touched], now: int) -> None:
        """It left."""
        for symbol, cost in self._costs(what, about, now).items():
            self._counters[symbol] = (self._value(symbol, now) + cost, now)

    def _value(self, symbol: str, now: int) -> float:
        value, then = self._counters.get(symbol, (0.0, now))
        return max(value - (now - then) / SECOND * self._settings.decay, 0.0)

    @staticmethod
    def _costs(what: Errand, about: Sequence[Touched], now: int) -> dict[str, int]:
        costs: dict[str, int] = {}
        for order in about:
            costs[order.symbol] = costs.get(order.symbol, 0) + cost(what, now - order.since)
        return costs

    def rooms(self, now: int) -> list[Room]:
        """Every symbol that was used."""
        limit = self._settings.threshold
        return [
            Room(symbol, limit - ceil(self._value(symbol, now)), limit) for symbol in self._counters
        ]

    def dump(self) -> BudgetState:
        """For a snapshot."""
        return BudgetState([], [], dict(self._counters))

    def load(self, state: BudgetState) -> None:
        """Become what was dumped."""
        self._counters = dict(state.counters)


def cost(what: Errand, age: int) -> int:
    """What Kraken's counter rises by, for an order of this age (ns)."""
    if what is Errand.ORDER:
        return 1
    fixed, table = (1, _AMEND) if what is Errand.AMEND else (0, _CANCEL)
    return fixed + next((extra for limit, extra in table if age < limit * SECOND), 0)


def open_budget(settings: RateLimitSettings) -> Budget:
    """The model that is configured."""
    return Windows(settings) if settings.model == "window" else Counters(settings.counter)
