"""The gate every request to a model passes, whoever sends it: what it may cost, who is resting.

What goes in and comes out here is all that a conversation depends on, so a cassette stands here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from tradeterm.engine.gateway import REPAIRABLE, Budget, Cooldowns, endpoint_key
from tradeterm.model.money import ZERO
from tradeterm.model.ports import ModelCall, ModelReply, Models
from tradeterm.model.vocabulary import TryOutcome

UNPRICED: Final = "its price is not known: set input_price and output_price"


class Opening(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How things stood when a question came up."""

    day: str
    """Wall-clock, UTC."""
    unasked: str = ""
    """Why no model may be asked; empty when one may."""
    single: bool = False
    """One try and no more: the budget is nearly spent."""
    resting: tuple[str, ...] = ()
    """Endpoints that failed and are left alone for now."""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One request: what came back and what it cost (USD)."""

    reply: ModelReply
    cost: Decimal


class Gate(Protocol):
    """Lets requests out and answers in."""

    repeatable: bool
    """Whether asking again gives the same answer."""

    async def open(self, question: str, role: str, now: int) -> Opening:
        """A question has come up at ``now`` (market ns): may models be asked?"""
        ...

    async def attempt(self, call: ModelCall, seconds: float, spent: Decimal) -> Attempt:
        """Reserve, send, settle. ``spent``: what the question has cost so far."""
        ...

    async def reservation(self, call: ModelCall) -> Decimal:
        """The most that a request can have cost."""
        ...

    def today(self) -> str:
        """Wall-clock UTC day on which costs are booked."""
        ...

    def begin(self) -> None:
        """Load what takes time, without waiting for it."""
        ...

    def finish(self) -> None:
        """The run has reached its end; raises CassetteError."""
        ...


class OpenGate:
    """Asks real models, within the budget."""

    repeatable = False

    def __init__(
        self,
        models: Models,
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
        day: Callable[[], str] = lambda: time.strftime("%Y-%m-%d", time.gmtime()),
    ) -> None:
        """``budget`` knows what earlier sessions of today have spent; ``clock``: wall, in seconds."""
        self._models = models
        self._budget = budget
        self._cooldowns = Cooldowns(budget.settings.cooldown)
        self._clock = clock
        self._day = day

    async def open(self, question: str, role: str, now: int) -> Opening:
        """As the budget and the cool-downs have it."""
        budget = self._budget
        budget.turn(self.today())
        unasked = budget.exhausted(role) or await self._models.ready()
        resting = self._cooldowns.resting(now, self._clock())
        return Opening(budget.day, unasked, budget.throttled(role), resting)

    async def attempt(self, call: ModelCall, seconds: float, spent: Decimal) -> Attempt:
        """One request; a request that is given up costs what was reserved."""
        estimate = self._estimate(call)
        if estimate is None:
            return _unsent(UNPRICED)
        if not self._budget.reserve(call.role, estimate, spent):
            return _unsent(f"it may cost ${estimate:f}, more than the budget has left")
        cost = estimate
        try:
            reply = await self._models.ask(call, seconds)
            cost = estimate if reply.cost is None else reply.cost
        finally:
            self._budget.settle(call.role, estimate, cost)
        if reply.outcome.was_sent and reply.outcome not in REPAIRABLE | {TryOutcome.VALID}:
            key = endpoint_key(call.model, call.address)
            failed = call.ts + reply.latency
            self._cooldowns.failed(key, failed, self._clock(), reply.retry_after)
        return Attempt(reply, cost)

    async def reservation(self, call: ModelCall) -> Decimal:
        """Nothing where no price is known: then nothing was sent."""
        if None in call.prices and await self._models.ready():
            return ZERO
        return self._estimate(call) or ZERO

    def today(self) -> str:
        """By the clock of this machine."""
        return self._day()

    def begin(self) -> None:
        """Load the library."""
        self._models.begin()

    def finish(self) -> None:
        """Nothing is left over."""

    def _estimate(self, call: ModelCall) -> Decimal | None:
        estimate = self._models.estimate(call)
        return ZERO if estimate is None and call.local else estimate


def _unsent(fault: str) -> Attempt:
    return Attempt(ModelReply(TryOutcome.NO_PRICE, "", 0, fault=fault), ZERO)
