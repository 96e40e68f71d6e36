"""DCA plans: a rebalance spread over time, batch by batch. Pure arithmetic on frozen values.

A leg's batches sum to its amount to the cent. What a batch could not get done, and what its lot
cut off, is due again at the next slot: at any time the leg owes what its slots so far ask for
less what was filled. So batches merge where an order would be too small, and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.model.money import ZERO, ceil_to, floor_to, plain, total
from tradeterm.model.outputs import RebalanceLeg
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import PlanStatus, Purpose, Side, Timing
from tradeterm.settings.portfolio import DcaSettings

CENT: Final = Decimal("0.01")
#: Why a batch failed when risk or the venue found too little to pay with.
SHORT: Final = "short of cash"


class PlanLeg(msgspec.Struct, frozen=True):
    """One symbol of a plan. Amounts in account currency."""

    symbol: str
    side: Side
    batches: tuple[Decimal, ...]
    """One per slot; 0 where the amount is part of an earlier batch."""
    filled: Decimal = ZERO
    size: Decimal = ZERO
    """Base filled."""
    failures: int = 0
    """In a row."""
    reason: str = ""
    """Why the last try failed."""
    given_up: bool = False

    @property
    def amount(self) -> Decimal:
        """What all batches come to."""
        return total(self.batches)

    def due(self, slots: int) -> Decimal:
        """What the first ``slots`` slots ask for and was not filled yet."""
        return max(total(self.batches[:slots]) - self.filled, ZERO)


class PlanOrder(msgspec.Struct, frozen=True):
    """An order of the batch that is under way."""

    id: str
    leg: int


class Plan(msgspec.Struct, frozen=True):
    """A rebalance being carried out. Times in ns."""

    id: str
    created: int
    parent: str
    """The allocation it follows from."""
    purpose: Purpose
    slots: tuple[int, ...]
    """When batches are due; tries after the last batch are appended."""
    interval: int
    retries: int
    legs: tuple[PlanLeg, ...]
    status: PlanStatus = PlanStatus.OPEN
    reason: str = ""
    batch: int = 0
    """Slots taken so far."""
    tried: tuple[int, ...] = ()
    """Legs the batch under way is for."""
    orders: tuple[PlanOrder, ...] = ()
    """Its orders that are out."""

    @property
    def batches(self) -> int:
        """How many there are, tries after the last one not counted."""
        return len(self.legs[0].batches)

    @property
    def expires(self) -> int:
        """From when it is stale: one interval after its last slot."""
        return self.slots[-1] + self.interval

    def passed(self, now: int) -> int:
        """How many slots have begun."""
        return sum(slot <= now for slot in self.slots)

    @property
    def following(self) -> int | None:
        """The first slot that was not taken yet."""
        return self.slots[self.batch] if self.batch < len(self.slots) else None

    def wanted(self, now: int, least: Mapping[str, Decimal]) -> list[int]:
        """Legs with an order due now, sells first; ``least`` by symbol, account currency."""
        slots = self.passed(now)
        found = [
            number
            for number, leg in enumerate(self.legs)
            if not leg.given_up and leg.due(slots) >= least[leg.symbol]
        ]
        return sorted(found, key=lambda number: self.legs[number].side is Side.BUY)

    # -- what happens to it ------------------------------------------------------------------

    def begun(self, now: int, tried: Sequence[int]) -> Plan:
        """The slots up to now are taken by one batch for the legs ``tried``."""
        return msgspec.structs.replace(self, batch=self.passed(now), tried=tuple(tried))

    def sent(self, order_id: str, leg: int) -> Plan:
        """An order is out."""
        return msgspec.structs.replace(self, orders=(*self.orders, PlanOrder(order_id, leg)))

    def ended(self, order_id: str, filled: Decimal, size: Decimal, reason: str) -> Plan:
        """An order came to its end; ``reason`` says why it did not fill completely."""
        number = next(order.leg for order in self.orders if order.id == order_id)
        leg = self.legs[number]
        rest = tuple(order for order in self.orders if order.id != order_id)
        done = msgspec.structs.replace(
            leg, filled=leg.filled + filled, size=leg.size + size, reason=reason or leg.reason
        )
        return msgspec.structs.replace(self, orders=rest, legs=self._legs_with(number, done))

    def refused(self, number: int, reason: str) -> Plan:
        """A leg's order could not even be sent."""
        leg = msgspec.structs.replace(self.legs[number], reason=reason)
        return msgspec.structs.replace(self, legs=self._legs_with(number, leg))

    def _legs_with(self, number: int, leg: PlanLeg) -> tuple[PlanLeg, ...]:
        return (*self.legs[:number], leg, *self.legs[number + 1 :])

    def settled(self, now: int, least: Mapping[str, Decimal]) -> tuple[Plan, list[int]]:
        """The batch is over: (the plan after it, the legs that failed).

        A leg failed when an order is still due. It is tried again at the next slot; after the
        last one, slots are appended as long as there are tries left.
        """
        failed: list[int] = []
        legs = list(self.legs)
        for number in self.tried:
            leg = legs[number]
            if leg.due(self.batch) >= least[leg.symbol]:
                failed.append(number)
                failures = leg.failures + 1
                legs[number] = msgspec.structs.replace(
                    leg, failures=failures, given_up=failures > self.retries
                )
            else:
                legs[number] = msgspec.structs.replace(leg, failures=0, reason="")
        slots = self.slots
        again = any(not legs[number].given_up for number in failed)
        if again and self.following is None:
            slots = (*slots, max(slots[-1] + self.interval, now + 1))
        plan = msgspec.structs.replace(self, tried=(), legs=tuple(legs), slots=slots)
        return plan, failed

    def outcome(self, least: Mapping[str, Decimal]) -> tuple[PlanStatus, str] | None:
        """How it ends, with the reason; None while a slot with something to do is to come."""
        open_legs = (leg for leg in self.legs if not leg.given_up)
        left = any(leg.due(len(self.slots)) >= least[leg.symbol] for leg in open_legs)
        if left and self.following is not None:
            return None
        lost = [leg for leg in self.legs if leg.given_up]
        if not lost:
            return PlanStatus.COMPLETED, ""
        said = "; ".join(
            f"{leg.symbol} {leg.side}: {plain(leg.filled.quantize(CENT))} of "
            f"{plain(leg.amount)}, {leg.reason or 'not filled'}"
            for leg in lost
        )
        short = all(leg.reason == SHORT for leg in lost)
        return (PlanStatus.SHORT_OF_CASH if short else PlanStatus.FAILED), said

    def paused(self, reason: str) -> Plan:
        """Nothing is sent until it goes on."""
        return msgspec.structs.replace(self, status=PlanStatus.PAUSED, reason=reason)

    def resumed(self) -> Plan:
        """It goes on."""
        return msgspec.structs.replace(self, status=PlanStatus.OPEN, reason="")

    def over(self, status: PlanStatus, reason: str) -> Plan:
        """It has ended."""
        return msgspec.structs.replace(self, status=status, reason=reason, tried=(), orders=())


def draw_up(
    plan_id: str,
    now: int,
    parent: str,
    legs: Sequence[RebalanceLeg],
    settings: DcaSettings,
    least: Mapping[str, Decimal],
    timing: Timing = Timing.RULES,
) -> Plan:
    """The plan of a rebalance: one batch now, or several over time when it is large.

    ``timing`` (a model's choice) decides instead of the size where it is NOW or BATCHES.
    """
    large = total(abs(leg.notional) for leg in legs) >= settings.least
    if timing is not Timing.RULES:
        large = timing is Timing.BATCHES
    batches = settings.batches if large else 1
    interval = settings.interval * SECOND
    return Plan(
        id=plan_id,
        created=now,
        parent=parent,
        purpose=Purpose.DCA if large else Purpose.REBALANCE,
        slots=tuple(now + number * interval for number in range(batches)),
        interval=interval,
        retries=settings.retries if large else 0,
        legs=tuple(
            PlanLeg(
                leg.symbol,
                Side.BUY if leg.notional > 0 else Side.SELL,
                split(abs(leg.notional), batches, least[leg.symbol]),
            )
            for leg in legs
        ),
    )


def split(amount: Decimal, batches: int, least: Decimal) -> tuple[Decimal, ...]:
    """``amount`` over ``batches`` slots, in cents; the last batch takes the remainder.

    Batches that would be smaller than ``least`` are merged: there are fewer of them then, spread
    evenly, and slots without one get 0. An amount below ``least`` is one batch.
    """
    smallest = max(ceil_to(least, CENT), CENT)
    count = max(1, min(batches, int(amount // smallest)))
    each = floor_to(amount / count, CENT)
    parts = [ZERO] * batches
    for number in range(count):
        last = number == count - 1
        parts[number * batches // count] = amount - each * (count - 1) if last else each
    return tuple(parts)


__all__ = ["CENT", "SHORT", "Plan", "PlanLeg", "PlanOrder", "draw_up", "split"]
