"""What the machinery around the engine says of itself: the clock, and the book of record."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.model.vocabulary import ExitReason


class Health(msgspec.Struct, frozen=True, gc=False):
    """The figures of a market that goes on without us; in sim and replay there is nothing to say."""

    clock_skew: float | None = None
    """Seconds our clock is ahead of the exchange's (behind: negative); None while unknown."""
    journal_lag: float = 0.0
    """Seconds the oldest row that is not on disk has been waiting."""
    fault: str = ""
    """Why the journal cannot be written; empty while it can."""


class EmergencyExit(msgspec.Struct, frozen=True, gc=False):
    """A reducing fill that could not be journaled: one line of ``emergency.jsonl``."""

    ts: int
    position_id: str
    order_id: str
    symbol: str
    price: Decimal
    size: Decimal
    reason: ExitReason
    fill_id: str
    """The row it would have been; with ``ts`` it tells whether the row came to be after all."""
