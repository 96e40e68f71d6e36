"""The coordinator: where a signal is argued over before anybody may act on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tradeterm.coordinator import proposals
from tradeterm.coordinator.briefing import misquoted
from tradeterm.coordinator.cards import CardKeeper, CardsState, Decision
from tradeterm.coordinator.conflicts import Contradiction, Scene, detect, risk_change
from tradeterm.coordinator.consensus import consensus
from tradeterm.coordinator.degradation import Degradation, DegradationState
from tradeterm.coordinator.evidence import Evidence, Heard, within
from tradeterm.coordinator.parking import Parking, ParkingState
from tradeterm.coordinator.proceedings import Proceedings
from tradeterm.coordinator.resolution import applied, bounded, flaw
from tradeterm.model.account import AccountView
from tradeterm.model.outputs import Published
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import (
    Card,
    Conflict,
    Proposal,
    Resolution,
    TradeIntent,
    Verdict,
)
from tradeterm.model.settling import Settle
from tradeterm.model.stages import Stage
from tradeterm.model.vocabulary import (
    AgentName,
    ConflictType,
    ResolutionAction,
    ResolvedBy,
)
from tradeterm.settings.orchestration import OrchestrationSettings

#: Age of an analyst that was not heard.
UNHEARD = -1.0


class CoordinatorState(msgspec.Struct):
    """For a snapshot."""

    cards: CardsState
    parking: ParkingState
    degradation: DegradationState
    stages: dict[str, Stage]


class Considered(msgspec.Struct, frozen=True, gc=False):
    """A proposal and what speaks against it; None when nothing does."""

    proposal: Proposal
    conflict: Conflict | None


class Coordinator:
    """Proposals, conflicts, resolutions, cards and the degradation level."""

    def __init__(
        self,
        settings: OrchestrationSettings,
        ids: Callable[[str], str],
        correlation: Callable[[str, str], Decimal],
    ) -> None:
        """``correlation`` is the risk room's signed view of two symbols."""
        self._settings = settings
        self._ids = ids
        self._correlation = correlation
        self._cards = CardKeeper(settings.approval)
        self._parking = Parking()
        self.degradation = Degradation(settings.degradation)
        self.proceedings = Proceedings()

    # -- argue -----------------------------------------------------------------------------

    def propose(
        self, signal: Published, heard: Evidence, account: AccountView, now: int
    ) -> Proposal | None:
        """What the signal asks for, after consensus; None when it asks for nothing."""
        if not proposals.wants(signal, account):
            return None
        return proposals.propose(signal, heard, account, self._settings, self._ids("proposal"), now)

    def detect(
        self, proposal: Proposal, heard: Evidence, account: AccountView, now: int
    ) -> Conflict | None:
        """What speaks against the proposal (with ``approval.mode: all``, if only the rule)."""
        conflicts = self._settings.conflicts
        found = detect(Scene(proposal, heard, account, self._correlation, conflicts))
        if found:
            return self._conflict(proposal, found, now)
        if self._settings.approval.mode == "all" and proposal.intent is not None:
            return Conflict(
                self._ids("conflict"),
                now,
                proposal.id,
                proposal.symbol,
                (),
                0.0,
                ("no contradiction; by config every proposal needs a key",),
            )
        return None

    def consider(
        self, signal: Published, evidence: Evidence, account: AccountView, now: int
    ) -> Considered | None:
        """``propose`` and ``detect`` in one step, by what is young enough of the evidence."""
        heard = within(evidence, self._settings.windows)
        proposal = self.propose(signal, heard, account, now)
        if proposal is None:
            return None
        return Considered(proposal, self.detect(proposal, heard, account, now))

    def reverse(
        self, signal: Published, evidence: Evidence, account: AccountView, now: int, closed: str
    ) -> Considered | None:
        """The other side of a position that was closed for it: never without a card of its own."""
        considered = self.consider(signal, evidence, account, now)
        if considered is None or considered.conflict is not None:
            return considered
        text = f"turns {considered.proposal.symbol} around: {closed} was closed for it just now"
        found = Contradiction(ConflictType.OPEN_POSITION, 0.5, text)
        return replace(considered, conflict=self._conflict(considered.proposal, [found], now))

    def reconsider(
        self, proposal: Proposal, evidence: Evidence, account: AccountView, now: int
    ) -> Considered | None:
        """A released proposal against what is true now; None when it has nothing left to do.

        Its confidence is not boosted again; closes that have happened meanwhile drop out.
        """
        open_ids = {p.id for p in account.positions}
        close_ids = tuple(one for one in proposal.close_ids if one in open_ids)
        if proposal.intent is None and not close_ids:
            return None
        proposal = replace(proposal, close_ids=close_ids)
        heard = within(evidence, self._settings.windows)
        if proposal.intent is not None:
            proposal = replace(proposal, consensus=consensus(proposal.intent.side, heard))
        return Considered(proposal, self.detect(proposal, heard, account, now))

    def weigh(self, considered: Considered, verdict: Verdict, now: int) -> Considered:
        """Add the contradiction that risk (asked beforehand) would change the trade materially."""
        proposal, conflict = considered.proposal, considered.conflict
        if proposal.intent is None:
            return considered
        found = risk_change(proposal.intent, verdict, self._settings.conflicts)
        if found is None:
            return considered
        if conflict is None:
            return replace(considered, conflict=self._conflict(proposal, [found], now))
        evidence = (*conflict.evidence, found.evidence) if conflict.types else (found.evidence,)
        return replace(
            considered,
            conflict=replace(
                conflict,
                types=(*conflict.types, found.type),
                evidence=evidence,
                severity=max(conflict.severity, found.severity),
            ),
        )

    def _conflict(self, proposal: Proposal, found: list[Contradiction], now: int) -> Conflict:
        return Conflict(
            id=self._ids("conflict"),
            ts=now,
            parent=proposal.id,
            symbol=proposal.symbol,
            types=tuple(one.type for one in found),
            severity=max(one.severity for one in found),
            evidence=tuple(one.evidence for one in found),
        )

    # -- resolve ---------------------------------------------------------------------------

    def question(
        self, proposal: Proposal, conflict: Conflict, evidence: Evidence, now: int
    ) -> ArbiterQuestion:
        """What the arbiter is asked; ages of −1 mean never heard."""
        heard = within(evidence, self._settings.windows)
        ta, regime, mood = heard.technical_view, heard.regime_view, heard.sentiment_view
        return ArbiterQuestion(
            id=self._ids("question"),
            ts=now,
            proposal=proposal,
            conflict=conflict,
            regime=regime.regime if regime else None,
            ta_confidence=ta.confidence if ta else 0.0,
            sentiment_confidence=mood.confidence if mood else 0.0,
            ta_age=_age(heard.technical),
            sentiment_age=_age(heard.sentiment),
            regime_age=_age(heard.regime),
        )

    def resolve(self, question: ArbiterQuestion, answer: ArbiterAnswer, now: int) -> Resolution:
        """The answer inside its bounds; an unusable one becomes the fallback. Feeds the level."""
        self.judge(question, answer)
        resolution = bounded(
            answer, question, self._settings.conflicts.fallback, self._ids("resolution"), now
        )
        resolution = replace(resolution, cost=answer.cost, latency=answer.latency)
        if resolution.by is not ResolvedBy.LLM:
            return resolution
        return replace(resolution, misquoted=misquoted(answer, question))

    def blocked(self, conflict: Conflict, now: int) -> Resolution:
        """The end of a proposal whose kind of conflict the settings let nobody settle."""
        settle = self._settings.conflicts.settle
        named = ", ".join(kind.value for kind in conflict.types if settle[kind] is Settle.BLOCK)
        return Resolution(
            self._ids("resolution"), now, conflict.id, ResolutionAction.ABORT, ResolvedBy.RULES,
            "settings", 1.0, f"orchestration.conflicts.settle: {named} is blocked",
        )  # fmt: skip

    def judge(self, question: ArbiterQuestion, answer: ArbiterAnswer) -> None:
        """Whether asking worked feeds the level; where no model was to be asked, nothing did.

        A rule that answered because no model could (``prompt`` says they were asked) is a failure;
        a question that our own end interrupted is none.
        """
        if answer.unasked or answer.is_interrupted:
            return
        if flaw(answer, question) or (answer.prompt and answer.by is not ResolvedBy.LLM):
            self.degradation.failed("arbiter")
        else:
            self.degradation.succeeded()

    def apply(self, resolution: Resolution, proposal: Proposal) -> TradeIntent | None:
        """The entry to ask risk about; None for wait, abort and pure closes."""
        return applied(resolution, proposal)

    # -- wait ------------------------------------------------------------------------------

    def park(self, proposal: Proposal, conflict: Conflict, now: int) -> bool:
        """Let it wait for an involved analyst; False when it has waited long or often enough."""
        return self._parking.park(proposal, conflict, now)

    def release(self, agent: AgentName, symbol: str, now: int) -> list[Proposal]:
        """Parked proposals that this agent's output wakes; ``reconsider`` them."""
        return self._parking.release(agent, symbol, now)

    def parked(self) -> list[Proposal]:
        """Proposals that wait for an analyst, oldest first."""
        return self._parking.proposals()

    def busy_symbols(self) -> set[str]:
        """Symbols with a card or a parked proposal."""
        cards = {card.proposal.symbol for card in self._cards.pending()}
        return cards | {proposal.symbol for proposal in self._parking.proposals()}

    def expire_parked(self, now: int) -> list[Proposal]:
        """Parked proposals whose time is over."""
        return self._parking.expire(now)

    # -- cards -----------------------------------------------------------------------------

    @property
    def decided(self) -> deque[Card]:
        """Decided cards, oldest first, bounded."""
        return self._cards.decided

    def pending(self) -> list[Card]:
        """Cards waiting for the operator, oldest first."""
        return self._cards.pending()

    def card(self, card_id: str) -> Card | None:
        """A pending card."""
        return self._cards.get(card_id)

    def open_card(
        self,
        proposal: Proposal,
        conflict: Conflict,
        resolution: Resolution,
        intent: TradeIntent | None,
        verdict: Verdict | None,
        price: Decimal,
        now: int,
    ) -> Card:
        """Ask the operator about ``intent`` as risk would send it (or about closes only)."""
        return self._cards.open(
            self._ids("card"), proposal, conflict, resolution, intent, verdict, price, now
        )

    def approve(
        self,
        card_id: str,
        content_hash: str,
        now: int,
        actor: str,
        verdict: Verdict | None,
        mid: Decimal | None,
    ) -> Decision:
        """Approve the exact order seen, if price and risk of now still allow it unchanged."""
        return self._cards.approve(card_id, content_hash, now, actor, verdict, mid)

    def reject(self, card_id: str, now: int, actor: str, also: bool = False) -> Decision:
        """No trade; ``also``: as one refusal with the one before."""
        return self._cards.reject(card_id, now, actor, also)

    def undo_reject(self, now: int) -> list[Card]:
        """The cards of the last refusal wait again, where their time is not over."""
        return self._cards.undo_reject(now)

    def awaits_operator(self, now: int) -> bool:
        """Whether a card waits that was not left to its deadline, or one was refused just now."""
        waiting = any(not card.deferred for card in self._cards.pending())
        return waiting or self._cards.just_refused(now)

    def can_undo(self, now: int) -> bool:
        """Whether a refusal can be taken back."""
        return self._cards.can_undo(now)

    def defer(self, card_id: str) -> Card | None:
        """The card is left to its deadline; None when it does not wait."""
        return self._cards.defer(card_id)

    def amend_card(self, card: Card, intent: TradeIntent, verdict: Verdict) -> Card:
        """Another order on a waiting card."""
        return self._cards.amend(card, intent, verdict)

    def no_card(self, card_id: str) -> str:
        """Why a card can't be acted on, in words."""
        return self._cards.missing(card_id)

    def void(self, card_id: str, now: int, by: str, reason: str) -> Card | None:
        """End one card whose order is no longer possible."""
        return self._cards.void(card_id, now, by, reason)

    def void_all(self, now: int, by: str, reason: str) -> list[Card]:
        """End every card and forget what is parked (a halt)."""
        self._parking.clear()
        return self._cards.void_all(now, by, reason)

    def tick(self, now: int, mids: Mapping[str, Decimal]) -> list[Card]:
        """Cards that expired or drifted; cheap when nothing is pending."""
        return self._cards.tick(now, mids)

    @property
    def next_due(self) -> int:
        """Market time at which a card or a parked proposal runs out; far away when none does."""
        card, parked = self._cards.next_due, self._parking.next_due
        return card if card < parked else parked

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> CoordinatorState:
        return CoordinatorState(
            self._cards.dump(),
            self._parking.dump(),
            self.degradation.dump(),
            self.proceedings.dump(),
        )

    def load(self, state: CoordinatorState) -> None:
        self._cards.load(state.cards)
        self._parking.load(state.parking)
        self.degradation.load(state.degradation)
        self.proceedings.load(state.stages)


def _age(heard: Heard | None) -> float:
    return UNHEARD if heard is None else heard.age
