"""The life of a proposal: one stage at a time, and what may follow which."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from tradeterm.errors import IllegalStage
from tradeterm.model.vocabulary import CardState


class Stage(StrEnum):
    """Where a proposal stands."""

    DETECTED = "detected"
    """A signal asks for something."""
    RESOLVING = "resolving"
    """It is contradicted; somebody is asked."""
    WAITING = "waiting"
    """Parked until an analyst speaks again."""
    AWAITING = "awaiting operator"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DRIFTED = "drifted"
    VOID = "void"
    RISK = "risk"
    """Judged as it is sent, and let through."""
    VETOED = "vetoed"
    """Judged, and refused."""
    ABORTED = "aborted"
    DROPPED = "dropped"
    """Nothing was left to do, or no time."""
    SENT = "sent"
    UNFILLED = "unfilled"
    FILLED = "filled"
    CLOSED = "closed"


class ProposalEnd(StrEnum):
    """What became of a proposed entry."""

    SENT = "sent"
    CUT = "cut"
    """Sent smaller than it was asked for."""
    VETOED = "vetoed"
    """Risk refused it."""
    ABORTED = "aborted"
    """The arbiter refused it."""
    WAITED = "waited"
    """Its time ran out while it waited for an analyst."""
    REJECTED = "rejected"
    """The operator refused it; in the next two nobody answered, or the price moved away."""
    EXPIRED = "expired"
    DRIFTED = "drifted"
    VOIDED = "voided"
    """A halt, or figures that no longer fitted, ended it."""


_S = Stage
CARD_STAGES: Final = {
    CardState.PENDING: _S.AWAITING, CardState.APPROVED: _S.APPROVED,
    CardState.REJECTED: _S.REJECTED, CardState.EXPIRED: _S.EXPIRED,
    CardState.DRIFTED: _S.DRIFTED, CardState.VOID: _S.VOID,
}  # fmt: skip
#: How a card that was not approved ends its proposal.
CARD_ENDS: Final = {
    CardState.REJECTED: ProposalEnd.REJECTED,
    CardState.EXPIRED: ProposalEnd.EXPIRED,
    CardState.DRIFTED: ProposalEnd.DRIFTED,
    CardState.VOID: ProposalEnd.VOIDED,
}
_DECIDED: Final = {_S.APPROVED, _S.REJECTED, _S.EXPIRED, _S.DRIFTED, _S.VOID}
#: Stage → those that may follow. An edit leaves a card waiting; a refusal can be taken back.
STEPS: Final[dict[Stage, frozenset[Stage]]] = {
    _S.DETECTED: frozenset({_S.RESOLVING, _S.RISK, _S.VETOED, _S.ABORTED, _S.DROPPED, _S.SENT}),
    _S.RESOLVING: frozenset(
        {_S.WAITING, _S.AWAITING, _S.ABORTED, _S.VETOED, _S.DROPPED, _S.RESOLVING}
    ),
    _S.WAITING: frozenset({_S.RESOLVING, _S.RISK, _S.VETOED, _S.ABORTED, _S.DROPPED, _S.SENT}),
    _S.AWAITING: frozenset({*_DECIDED, _S.AWAITING}),
    _S.APPROVED: frozenset({_S.RISK, _S.SENT, _S.DROPPED}),
    _S.REJECTED: frozenset({_S.AWAITING}),
    _S.RISK: frozenset({_S.SENT}),
    _S.SENT: frozenset({_S.FILLED, _S.UNFILLED, _S.SENT, _S.CLOSED}),
    _S.UNFILLED: frozenset(),
    _S.FILLED: frozenset({_S.CLOSED}),
    _S.ABORTED: frozenset({_S.DROPPED}),
    **dict.fromkeys(
        (_S.EXPIRED, _S.DRIFTED, _S.VOID, _S.VETOED, _S.DROPPED, _S.CLOSED), frozenset()
    ),
}


def step(proposal: str, before: Stage | None, after: Stage) -> Stage:
    """``after``, when it may follow ``before`` (None: nothing yet); raises IllegalStage."""
    legal = after is Stage.DETECTED if before is None else after in STEPS[before]
    if not legal:
        raise IllegalStage(f"{proposal} went from {before or 'nothing'} to {after}")
    return after
