"""From a signal to a card the operator can decide on: proposal, conflict, resolution, approval."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec

from tradeterm.model.money import plain
from tradeterm.model.vocabulary import (
    CardState,
    ConflictType,
    PositionSide,
    ResolutionAction,
    ResolvedBy,
    VerdictStatus,
)


class TradeIntent(msgspec.Struct, frozen=True, gc=False):
    """A margin entry as it would be sent. Size in base, prices in quote currency."""

    symbol: str
    side: PositionSide
    size: Decimal
    entry: Decimal
    stop: Decimal | None
    target: Decimal | None
    leverage: Decimal
    confidence: Decimal
    wished: Decimal | None = None
    """The size before risk took a part of it away, so that it does so only once."""

    def content_hash(self) -> str:
        """Identifies exactly this order; an approval or verdict of another does not fit."""
        parts = (
            self.symbol, self.side, plain(self.size), plain(self.entry), _text(self.stop),
            _text(self.target), plain(self.leverage),
        )  # fmt: skip
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _text(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


class Consensus(msgspec.Struct, frozen=True, gc=False):
    """How much the analysts agree with a signal (same symbol only)."""

    agreeing: float
    """Share 0–1 of the analysts heard that lean the signal's way."""
    multiplier: float
    heard: dict[str, str]
    """Analyst → bias, for those recent enough."""


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """A signal after consensus. ``close_ids`` are positions it would close (reduce-only)."""

    id: str
    ts: int
    expires: int
    parent: str
    """The signal's id."""
    inputs: tuple[str, ...]
    agent: str
    intent: TradeIntent | None
    """None for a pure close."""
    symbol: str
    close_ids: tuple[str, ...]
    consensus: Consensus
    reopens: bool = False
    """Whether the signal opens the other side once the closes have filled."""


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """Contradictions found around one proposal."""

    id: str
    ts: int
    parent: str
    """The proposal's id."""
    symbol: str
    types: tuple[ConflictType, ...]
    severity: float
    evidence: tuple[str, ...]
    """One plain sentence per contradiction, figures included."""


class NoConflict(msgspec.Struct, frozen=True, gc=False):
    """Every kind of contradiction was looked for around a proposal, and none was found."""

    symbol: str
    looked_for: tuple[ConflictType, ...]
    agreeing: float
    """Share 0–1 of the analysts heard that lean its way."""


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """An arbiter's answer inside its bounds."""

    id: str
    ts: int
    parent: str
    """The conflict's id."""
    action: ResolutionAction
    by: ResolvedBy
    model: str
    confidence: float
    reasoning: str
    size_reduction: Decimal = Decimal(0)
    """Fraction of the size to take away, 0–1."""
    leverage: Decimal | None = None
    entry: Decimal | None = None
    misquoted: tuple[str, ...] = ()
    """Figures in a model's reasoning that are not among the facts it was told."""
    cost: Decimal = Decimal(0)
    """USD for all tries."""
    latency: int = 0
    """Nanoseconds from the question."""


class RuleOutcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One risk rule: its figure against its limit. ``outcome`` is pass, reduced or fail.

    Journaled without its fields' names: they were half of the largest row there is.
    """

    rule: str
    code: str
    value: str
    limit: str
    outcome: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The risk engine's answer for a trade in its final form."""

    id: str
    ts: int
    parent: str
    """The proposal's (or the plan's, or the operator command's) id."""
    status: VerdictStatus
    codes: tuple[str, ...]
    rules: tuple[RuleOutcome, ...]
    intent: TradeIntent | None
    """What may be sent; None when nothing may."""
    content_hash: str
    state: str
    """The version of account and market it was given on; of no use on any other."""
    foreseen: Decimal | None = None
    """The size that standing policy leaves of a larger wish: a cut down to it surprises nobody."""

    @property
    def allows(self) -> bool:
        """Whether an order may follow."""
        return self.status in (VerdictStatus.APPROVED, VerdictStatus.MODIFIED)


class Card(msgspec.Struct, frozen=True, gc=False):
    """A conflicted proposal waiting for the operator, bound to one exact order."""

    id: str
    """``card-N``; what the operator sees as #N."""
    ts: int
    expires: int
    parent: str
    """The resolution's id."""
    proposal: Proposal
    conflict: Conflict
    resolution: Resolution
    intent: TradeIntent | None
    """The order approval would send, after resolution and risk; None for a pure close."""
    content_hash: str
    verdict: Verdict | None
    price: Decimal
    """Mid when the card appeared."""
    drift_limit: Decimal
    """Largest price move (fraction) before the card is void."""
    state: CardState = CardState.PENDING
    decided: int = 0
    decided_by: str = ""
    reason: str = ""
    deferred: bool = False
    """Left to its deadline: the market does not wait for it."""


class CardRow(msgspec.Struct, frozen=True, gc=False):
    """A card as it is journaled: its verdict has a row of its own, with all the rules."""

    id: str
    ts: int
    expires: int
    parent: str
    proposal: Proposal
    conflict: Conflict
    resolution: Resolution
    intent: TradeIntent | None
    content_hash: str
    verdict_id: str | None
    price: Decimal
    drift_limit: Decimal
    state: CardState
    decided: int
    decided_by: str
    reason: str

    @classmethod
    def of(cls, card: Card) -> CardRow:
        """As ``card`` stands."""
        return cls(
            card.id, card.ts, card.expires, card.parent, card.proposal, card.conflict,
            card.resolution, card.intent, card.content_hash,
            card.verdict.id if card.verdict else None, card.price, card.drift_limit, card.state,
            card.decided, card.decided_by, card.reason,
        )  # fmt: skip
