"""What travels on the bus, what is journaled, and what leaves the engine."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.model.vocabulary import Priority, Topic


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message; ``ttl`` in nanoseconds of market time."""

    id: str
    ts: int
    topic: Topic
    source: str
    symbol: str
    priority: Priority
    payload: object
    correlation: str
    ttl: int

    def alive(self, now: int) -> bool:
        """Whether it is still young enough to be used."""
        return now - self.ts <= self.ttl


class Row(msgspec.Struct, frozen=True, gc=False):
    """One journal row before it is numbered and chained by the store.

    ``body`` is canonical JSON. ``parent`` is the id of the row it follows from ("" for roots).
    ``input`` counts the inputs the engine had taken, this one included. Session rows (start,
    resume, finish) describe the process, not the trading, and are left out of comparisons.
    """

    ts: int
    kind: str
    id: str
    parent: str
    input: int
    body: bytes


class SystemEvent(msgspec.Struct, frozen=True, gc=False):
    """Something the operator should know. Severity: info, warning, error or critical."""

    code: str
    severity: str
    text: str


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A position's final account: what is counted in statistics and loss streaks."""

    position_id: str
    pnl: Decimal
    fees: Decimal
