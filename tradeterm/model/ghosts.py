"""What is noted about every proposed entry: how it ended, and what it would have come to.

Every proposed entry has a ghost: the order as its proposer asked for it, entered at the moment the
proposal ended (sent, refused, expired …) and followed by one exit policy that never changes, so
that what was done and what was not are measured alike.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.model.stages import ProposalEnd
from tradeterm.model.vocabulary import PositionSide

#: The exit policy of every ghost; another one gets another name, and the two are never mixed.
POLICY: Final = "stop-target-time/1"
#: What the name stands for, in words.
POLICY_TEXT: Final = (
    "enters at market when the proposal ends, after a drawn latency (book walk; without a book the "
    "last price plus slippage); leaves at its stop or its target as they were asked for, the stop "
    "first when one bar holds both, at the open when the market gapped past the stop, or at the "
    "time limit; no trailing, no break-even, no closing by signals; taker fees of the moment of "
    "entry both ways, borrowing fees as charged"
)
#: Hours after entry at which an outcome is noted, all costs of leaving paid.
HORIZONS: Final = (1, 4, 24)


class Ghost(msgspec.Struct, frozen=True, gc=False):
    """A proposed entry at its end. Sizes in base, prices in quote currency."""

    id: str
    ts: int
    parent: str
    """The row that ended the proposal: verdict, resolution or card; else the proposal."""
    proposal: str
    signal: str
    """The agent output it came from."""
    proposed: int
    """When it was made (ns)."""
    symbol: str
    side: PositionSide
    agent: str
    end: ProposalEnd
    asked: Decimal
    """The size its proposer wished."""
    offered: Decimal | None
    """What was sent, or would have been by the last word on it; None: nothing."""
    price: Decimal
    """The entry price it was proposed at."""
    mid: Decimal
    """Mid (or last price) when it ended."""
    stop: Decimal
    target: Decimal | None
    leverage: Decimal
    confidence: Decimal
    limit: int
    """Seconds after entry at which it leaves whatever the price."""
    policy: str = POLICY


class GhostMark(msgspec.Struct, frozen=True, gc=False):
    """What leaving a ghost would have brought some hours after its entry. Account currency."""

    hours: int
    ts: int
    price: Decimal
    """The exit, slippage included."""
    pnl: Decimal
    """After all costs, those of leaving included."""


class GhostEnd(msgspec.Struct, frozen=True, gc=False):
    """How a ghost left. Account currency; ``reason``: an exit's, ``unfilled`` or ``withdrawn``."""

    reason: str
    opened: int
    closed: int
    size: Decimal
    entry: Decimal
    exit: Decimal | None
    pnl: Decimal
    """After all costs."""
    costs: Decimal
    """Fees and what borrowing cost."""
    notional: Decimal
    """Of its entry."""
    marks: tuple[GhostMark, ...] = ()
    """While it was held."""


class PriceMarks(msgspec.Struct, frozen=True, gc=False):
    """Closes of the smallest bars, by symbol: what opinions and plain holding are measured by."""

    step: int
    """Nanoseconds between two stamps."""
    first: int
    """Stamp of the first one."""
    prices: dict[str, tuple[float | None, ...]]
    """None where a symbol had no bar yet."""
