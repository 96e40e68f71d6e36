"""The LLM gateway's policy, the same for every adapter: who is asked next, how long, at what cost.

Pure: whoever carries it out passes the time in (seconds, on a clock of its own) and the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tradeterm.model.money import ZERO
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
    """What was spent on one wall-clock UTC day, and what is promised to requests under way."""

    settings: LlmSettings
    day: str = ""
    spent: Decimal = ZERO
    reserved: Decimal = ZERO

    def turn(self, day: str) -> None:
        """Another day begins with nothing spent."""
        if day != self.day:
            self.day, self.spent = day, ZERO

    @property
    def exhausted(self) -> bool:
        """Rules only from here on."""
        return self.spent + self.reserved >= self.settings.daily_cap

    @property
    def throttled(self) -> bool:
        """One try a question."""
        limit = self.settings.daily_cap * self.settings.throttle / 100
        return self.spent + self.reserved >= limit

    def reserve(self, amount: Decimal, decision: Decimal) -> bool:
        """Promise ``amount`` to a request, on top of what its ``decision`` has cost so far."""
        if self.spent + self.reserved + amount > self.settings.daily_cap:
            return False
        if decision + amount > self.settings.decision_cap:
            return False
        self.reserved += amount
        return True

    def settle(self, reserved: Decimal, cost: Decimal) -> None:
        """The request is over."""
        self.reserved -= reserved
        self.spent += cost


@dataclass(slots=True)
class Cooldowns:
    """Addresses that failed and are left alone for a while."""

    seconds: float
    _until: dict[str, float] = field(default_factory=dict)

    def ready(self, endpoint: EndpointSettings, now: float) -> bool:
        """Whether it may be asked again."""
        return now >= self._until.get(_key(endpoint), now)

    def failed(self, endpoint: EndpointSettings, now: float, retry_after: float) -> None:
        """Leave it alone, longer when the provider asks for it."""
        pause = max(self.seconds, min(retry_after, LONGEST_PAUSE))
        self._until[_key(endpoint)] = now + pause


def _key(endpoint: EndpointSettings) -> str:
    return f"{endpoint.model}@{endpoint.address}"


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
