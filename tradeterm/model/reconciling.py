"""What the venue says it holds, and where that differs from what we have."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec


class DifferenceKind(StrEnum):
    """How the venue's books can differ from ours."""

    ORDER_MISSING = "order_missing"
    """Works here, unknown there."""
    ORDER_UNKNOWN = "order_unknown"
    """Works there, unknown (or ended) here."""
    ORDER_FILLED = "order_filled"
    POSITION_SIZE = "position_size"
    BALANCE = "balance"


class DifferenceState(StrEnum):
    """Life of a difference."""

    OPEN = "open"
    ADOPTED = "adopted"
    GONE = "gone"
    """A later look no longer found it."""


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """A working order as the venue has it, on its way there included."""

    id: str
    symbol: str
    size: Decimal
    filled: Decimal
    average: Decimal | None = None
    """Mean price of what was filled, in quote currency; None when the venue does not say."""


class VenueSnapshot(msgspec.Struct, frozen=True, gc=False):
    """The venue's books at one moment."""

    orders: tuple[VenueOrder, ...]
    positions: Mapping[str, Decimal]
    """Position id → base size."""
    balances: Mapping[str, Decimal] | None = None
    """Asset → cash; None where the venue keeps none of its own (the paper exchange: the ledger is
    its purse)."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing the venue sees otherwise. Sizes in base, balances in the asset."""

    id: str
    ts: int
    kind: DifferenceKind
    subject: str
    """Order id, position id or asset."""
    symbol: str
    """Empty for a balance: no entry waits for one."""
    ours: Decimal
    venue: Decimal
    state: DifferenceState = DifferenceState.OPEN
    decided: int = 0
    decided_by: str = ""
    reason: str = ""
