"""The LLM gateway's policy, the same for every adapter: who is asked next, how long, at what cost.

Pure: whoever carries it out passes in the time (the market's and the wall's) and the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tradeterm.model.money import ZERO
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import TryOutcome
from tradeterm.settings.llm import EndpointSettings, LlmSettings

#: An answer worth one repair try: something came back, it only was not right.
REPAIRABLE = frozenset({TryOutcome.INVALID, TryOutcome.CUT, TryOutcome.EMPTY})
#: A longer pause than this is not taken from a provider's header.
LONGEST_PAUSE = 3600.0
#: Less time than this is not worth a request (seconds).
LEAST_TIME = 0.05


@dataclass(slots=True)
class Budget:
    """What each role spent on one wall-clock UTC day, and what is promised to requests under way."""

    settings: LlmSettings
    day: str = ""
    spent: dict[str, Decimal] = field(default_factory=dict)
    reserved: dict[str, Decimal] = field(default_factory=dict)

    def turn(self, day: str) -> None:
        """Another day begins with nothing spent."""
        if day != self.day:
            self.day, self.spent = day, {}

    def exhausted(self, role: str) -> str:
        """Why this role is left to the rules from here on; empty while it is not."""
        if self._used() >= self.settings.daily_cap:
            return f"the day's budget of ${self.settings.daily_cap:f} is spent"
        own = self.settings.role(role).daily_cap
        if own is not None and self._used(role) >= own:
            return f"the day's budget of ${own:f} for {role} is spent"
        return ""

    def throttled(self, role: str) -> bool:
        """One try a question."""
        part = self.settings.throttle / 100
        own = self.settings.role(role).daily_cap
        return self._used() >= self.settings.daily_cap * part or (
            own is not None and self._used(role) >= own * part
        )

    def reserve(self, role: str, amount: Decimal, decision: Decimal) -> bool:
        """Promise ``amount`` to a request, on top of what its ``decision`` has cost so far."""
        own = self.settings.role(role).daily_cap
        if (
            self._used() + amount > self.settings.daily_cap
            or (own is not None and self._used(role) + amount > own)
            or decision + amount > self.settings.decision_cap
        ):
            return False
        self.reserved[role] = self.reserved.get(role, ZERO) + amount
        return True

    def settle(self, role: str, reserved: Decimal, cost: Decimal) -> None:
        """The request is over."""
        self.reserved[role] -= reserved
        self.spent[role] = self.spent.get(role, ZERO) + cost

    def _used(self, role: str = "") -> Decimal:
        """Spent and promised, by one role or (unnamed) by all."""
        if role:
            return self.spent.get(role, ZERO) + self.reserved.get(role, ZERO)
        return sum((*self.spent.values(), *self.reserved.values()), ZERO)


@dataclass(slots=True)
class Cooldowns:
    """Addresses that failed and are left alone for a while.

    Our own pause is of market time, so a run says the same at any speed; the pause a provider asks
    for is of its clock, whatever the market does.
    """

    seconds: float
    _until: dict[str, int] = field(default_factory=dict)
    """Market time, ns."""
    _barred: dict[str, float] = field(default_factory=dict)
    """Wall clock, seconds."""

    def resting(self, now: int, wall: float) -> tuple[str, ...]:
        """Keys of those that may not be asked again yet."""
        return tuple(
            key
            for key, until in self._until.items()
            if now < until or wall < self._barred.get(key, wall)
        )

    def failed(self, key: str, now: int, wall: float, retry_after: float) -> None:
        """Leave it alone, longer when the provider asks for it."""
        self._until[key] = now + int(self.seconds * SECOND)
        self._barred[key] = wall + min(retry_after, LONGEST_PAUSE)


def endpoint_key(model: str, address: str) -> str:
    """By which an endpoint is known."""
    return f"{model}@{address}"


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to ask now, for how long at most, and what was wrong with its last answer."""

    endpoint: EndpointSettings
    seconds: float
    repair: str = ""


class Round:
    """One question on its way through the endpoints of a role, under one deadline."""

    def __init__(
        self, endpoints: Sequence[EndpointSettings], deadline: float, *, single: bool
    ) -> None:
        """``single``: one try and no more (the budget is nearly spent)."""
        self._waiting = list(endpoints[:1] if single else endpoints)
        self._deadline = deadline
        self._repairs = 0 if single else 1
        self._again: tuple[EndpointSettings, str] | None = None

    def next(self, elapsed: float) -> Step | None:
        """The next request; None when nobody is left to ask, or no time.

        The time that is left is shared among those who may still have to be asked.
        """
        left = self._deadline - elapsed
        if left < LEAST_TIME:
            return None
        if self._again is not None:
            (endpoint, repair), self._again = self._again, None
            return Step(endpoint, left / (len(self._waiting) + 1), repair)
        if not self._waiting:
            return None
        share = left / len(self._waiting)
        return Step(self._waiting.pop(0), share)

    def unanswered(self, step: Step, outcome: TryOutcome, fault: str) -> None:
        """That was no valid answer: once a round the same model may repair it."""
        if outcome in REPAIRABLE and self._repairs:
            self._repairs -= 1
            self._again = (step.endpoint, fault)
