"""Proposals that wait for an analyst to speak again."""

from __future__ import annotations

import msgspec

from tradeterm.model.proposals import Conflict, Proposal
from tradeterm.model.vocabulary import AgentName, ConflictType

#: How often one signal may be told to wait; after that it has missed its moment.
MOST_WAITS = 3
NEVER = 2**63 - 1

#: Conflict type → the analysts whose next word may settle it.
INVOLVED = {
    ConflictType.TA_SENTIMENT: (AgentName.TECHNICAL, AgentName.SENTIMENT),
    ConflictType.REGIME_CHOPPY: (AgentName.REGIME,),
    ConflictType.REGIME_CHANGE: (AgentName.REGIME,),
    ConflictType.OPEN_POSITION: (AgentName.TECHNICAL, AgentName.REGIME),
    ConflictType.CORRELATED: (AgentName.TECHNICAL, AgentName.REGIME),
    ConflictType.REBALANCE: (AgentName.PORTFOLIO,),
    ConflictType.RISK_CHANGE: (AgentName.TECHNICAL, AgentName.REGIME),
}


class Parked(msgspec.Struct, frozen=True):
    """A proposal and whom it waits for."""

    proposal: Proposal
    agents: tuple[AgentName, ...]


class Waits(msgspec.Struct, frozen=True):
    """How often a proposal has waited; worth knowing ``until`` it expires."""

    count: int
    until: int


class ParkingState(msgspec.Struct):
    """For a snapshot."""

    parked: list[Parked]
    waits: dict[str, Waits]


class Parking:
    """Parked proposals in the order they came."""

    def __init__(self) -> None:
        """Empty."""
        self._parked: list[Parked] = []
        self._waits: dict[str, Waits] = {}
        """By proposal; pruned when the next one parks."""
        self.next_due = NEVER
        """When the next one runs out."""

    def _plan(self) -> None:
        self.next_due = min((one.proposal.expires for one in self._parked), default=NEVER)

    def proposals(self) -> list[Proposal]:
        """What waits, oldest first."""
        return [one.proposal for one in self._parked]

    def park(self, proposal: Proposal, conflict: Conflict, now: int) -> bool:
        """Keep it until an involved analyst speaks; False when it has had its time."""
        self._waits = {key: one for key, one in self._waits.items() if now < one.until}
        waits = self._waits[proposal.id].count + 1 if proposal.id in self._waits else 1
        if waits > MOST_WAITS or now >= proposal.expires:
            return False
        self._waits[proposal.id] = Waits(waits, proposal.expires)
        agents = dict.fromkeys(a for kind in conflict.types for a in INVOLVED[kind])
        self._parked.append(Parked(proposal, tuple(agents)))
        self._plan()
        return True

    def release(self, agent: AgentName, symbol: str, now: int) -> list[Proposal]:
        """Take out what this output wakes, oldest first."""
        if not self._parked:
            return []
        woken = [
            one.proposal
            for one in self._parked
            if agent in one.agents
            and now < one.proposal.expires
            and (one.proposal.symbol == symbol or agent is AgentName.PORTFOLIO)
        ]
        self._drop({proposal.id for proposal in woken})
        return woken

    def expire(self, now: int) -> list[Proposal]:
        """Take out what nobody woke in time."""
        ended = [one.proposal for one in self._parked if now >= one.proposal.expires]
        self._drop({proposal.id for proposal in ended})
        return ended

    def clear(self) -> list[Proposal]:
        """Take out everything."""
        ended = [one.proposal for one in self._parked]
        self._parked, self._waits = [], {}
        self._plan()
        return ended

    def _drop(self, ids: set[str]) -> None:
        if ids:
            self._parked = [one for one in self._parked if one.proposal.id not in ids]
            self._plan()

    def dump(self) -> ParkingState:
        return ParkingState(list(self._parked), dict(self._waits))

    def load(self, state: ParkingState) -> None:
        self._parked, self._waits = list(state.parked), dict(state.waits)
        self._plan()
