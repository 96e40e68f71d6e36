"""Cards waiting for the operator: bound to one exact order, for a while, near one price."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tradeterm.model.proposals import (
    Card,
    Conflict,
    Proposal,
    Resolution,
    TradeIntent,
    Verdict,
)
from tradeterm.model.timing import SECOND
from tradeterm.model.units import reasons
from tradeterm.model.vocabulary import CardState
from tradeterm.settings.orchestration import ApprovalSettings

#: Decided cards kept for the screen.
DECIDED_KEPT = 50
NEVER = 2**63 - 1
#: After a refusal the market does not run away for so long: time for second thoughts.
UNDO_TIME = 5 * SECOND


class CardsState(msgspec.Struct):
    """For a snapshot."""

    pending: list[Card]
    decided: list[Card]
    refused: list[str]


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a key did; ``card`` is its new state, None when nothing changed."""

    accepted: bool
    card: Card | None
    text: str


class CardKeeper:
    """Opens, decides and ends cards. What was ended stays so, but for a refusal taken back."""

    def __init__(self, settings: ApprovalSettings) -> None:
        """Expiry and drift come from ``settings``."""
        self._settings = settings
        self._pending: dict[str, Card] = {}
        self.decided: deque[Card] = deque(maxlen=DECIDED_KEPT)
        self._refused: list[str] = []
        """What was refused last, one card or all at once: the only thing that can be undone."""
        self.next_due = NEVER
        """Market time of the next expiry."""

    def pending(self) -> list[Card]:
        """Oldest first."""
        return list(self._pending.values())

    def get(self, card_id: str) -> Card | None:
        """A pending card."""
        return self._pending.get(card_id)

    def open(
        self,
        card_id: str,
        proposal: Proposal,
        conflict: Conflict,
        resolution: Resolution,
        intent: TradeIntent | None,
        verdict: Verdict | None,
        price: Decimal,
        now: int,
    ) -> Card:
        """A new card for what ``intent`` says, or for the closes of the proposal."""
        card = Card(
            id=card_id,
            ts=now,
            expires=now + self._settings.expiry * SECOND,
            parent=resolution.id,
            proposal=proposal,
            conflict=conflict,
            resolution=resolution,
            intent=intent,
            content_hash=content_of(proposal, intent),
            verdict=verdict,
            price=price,
            drift_limit=self._drift(intent),
        )
        self._pending[card_id] = card
        self._schedule()
        return card

    def _drift(self, intent: TradeIntent | None) -> Decimal:
        """Fraction: the configured one, or half the stop distance when that is smaller."""
        drift = self._settings.drift / 100
        if intent is None or intent.stop is None:
            return drift
        return min(drift, abs(intent.entry - intent.stop) / intent.entry / 2)

    # -- decisions -------------------------------------------------------------------------

    def approve(
        self,
        card_id: str,
        content_hash: str,
        now: int,
        actor: str,
        verdict: Verdict | None,
        mid: Decimal | None,
    ) -> Decision:
        """Approve the very order the operator saw, if ``verdict`` (of now) still is the same.

        ``verdict`` is None for closes, which need none; ``mid`` is the price of this moment.
        """
        card = self._pending.get(card_id)
        if card is None:
            return self._unknown(card_id)
        if content_hash != card.content_hash:
            return Decision(False, None, f"{card_id} is another order than the one you approved")
        if now >= card.expires:
            return Decision(
                False,
                self._end(card, CardState.EXPIRED, now, "clock", "no answer"),
                f"{card_id} has expired: no trade",
            )
        if mid is None or not _moved(card, mid) <= card.drift_limit:
            reason = _drifted(card, mid)
            return Decision(
                False,
                self._end(card, CardState.DRIFTED, now, "market", reason),
                f"{card_id} has drifted away ({reason}): no trade",
            )
        refusal = refusal_of(card, verdict)
        if refusal:
            return Decision(
                False,
                self._end(card, CardState.VOID, now, "risk", refusal),
                f"{card_id} is void: {refusal}",
            )
        return Decision(
            True, self._end(card, CardState.APPROVED, now, actor, ""), f"{card_id} approved"
        )

    def reject(self, card_id: str, now: int, actor: str, also: bool = False) -> Decision:
        """No trade; ``also``: together with the one before, as one refusal."""
        card = self._pending.get(card_id)
        if card is None:
            return self._unknown(card_id)
        ended = self._end(card, CardState.REJECTED, now, actor, "rejected")
        self._refused = [*(self._refused if also else ()), card_id]
        return Decision(True, ended, f"{card_id} rejected: no trade")

    def undo_reject(self, now: int) -> list[Card]:
        """The last refusal is taken back, once, for every card whose time is not over."""
        ids, self._refused = set(self._refused), []
        back = [c for c in self.decided if c.id in ids and c.state is CardState.REJECTED]
        back = [card for card in back if now < card.expires]
        gone = {card.id for card in back}
        kept = [card for card in self.decided if card.id not in gone]
        self.decided = deque(kept, maxlen=DECIDED_KEPT)
        again = [
            replace(c, state=CardState.PENDING, decided=0, decided_by="", reason="") for c in back
        ]
        waiting = sorted((*self._pending.values(), *again), key=lambda card: card.ts)
        self._pending = {card.id: card for card in waiting}
        self._schedule()
        return again

    def can_undo(self, now: int) -> bool:
        """Whether anything of the last refusal could still wait again."""
        return any(c.id in self._refused and now < c.expires for c in self.decided)

    def just_refused(self, now: int) -> bool:
        """Whether the operator may still be about to take it back."""
        return any(
            c.id in self._refused and now < min(c.expires, c.decided + UNDO_TIME)
            for c in self.decided
        )

    def defer(self, card_id: str) -> Card | None:
        """It is left to its deadline; None when it does not wait."""
        card = self._pending.get(card_id)
        return None if card is None else self._put(replace(card, deferred=True))

    def amend(self, card: Card, intent: TradeIntent, verdict: Verdict) -> Card:
        """Another order on a waiting card: other content, its own verdict, the same deadline."""
        return self._put(
            replace(
                card, intent=intent, verdict=verdict, drift_limit=self._drift(intent),
                content_hash=content_of(card.proposal, intent),
            )
        )  # fmt: skip

    def _put(self, card: Card) -> Card:
        self._pending[card.id] = card
        return card

    def missing(self, card_id: str) -> str:
        """Why a card can't be acted on, in words."""
        known = next((c for c in self.decided if c.id == card_id), None)
        return f"no card {card_id}" if known is None else f"{card_id} is already {known.state}"

    def _unknown(self, card_id: str) -> Decision:
        return Decision(False, None, self.missing(card_id))

    # -- ends without a key ----------------------------------------------------------------

    def tick(self, now: int, mids: Mapping[str, Decimal]) -> list[Card]:
        """Cards that expired, or whose price (quote currency) moved too far; in card order."""
        if not self._pending:
            return []
        ended = []
        for card in list(self._pending.values()):
            mid = _usable(mids.get(card.proposal.symbol))
            if now >= card.expires:
                ended.append(self._end(card, CardState.EXPIRED, now, "clock", "no answer"))
            elif mid is not None and not _moved(card, mid) <= card.drift_limit:
                reason = _drifted(card, mid)
                ended.append(self._end(card, CardState.DRIFTED, now, "market", reason))
        return ended

    def void(self, card_id: str, now: int, by: str, reason: str) -> Card | None:
        """End a card because it no longer stands for a possible order."""
        card = self._pending.get(card_id)
        return None if card is None else self._end(card, CardState.VOID, now, by, reason)

    def void_all(self, now: int, by: str, reason: str) -> list[Card]:
        """End every pending card."""
        return [
            self._end(card, CardState.VOID, now, by, reason)
            for card in list(self._pending.values())
        ]

    def _end(self, card: Card, state: CardState, now: int, by: str, reason: str) -> Card:
        ended = replace(card, state=state, decided=now, decided_by=by, reason=reason)
        del self._pending[card.id]
        self.decided.append(ended)
        self._schedule()
        return ended

    def _schedule(self) -> None:
        self.next_due = min((card.expires for card in self._pending.values()), default=NEVER)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> CardsState:
        return CardsState(list(self._pending.values()), list(self.decided), list(self._refused))

    def load(self, state: CardsState) -> None:
        self._pending = {card.id: card for card in state.pending}
        self.decided = deque(state.decided, maxlen=DECIDED_KEPT)
        self._refused = list(state.refused)
        self._schedule()


def content_of(proposal: Proposal, intent: TradeIntent | None) -> str:
    """Identifies exactly what approval does: one entry, or the closes of these positions."""
    if intent is not None:
        return intent.content_hash()
    text = "|".join(("close", proposal.symbol, *proposal.close_ids))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _usable(mid: Decimal | None) -> Decimal | None:
    """None for what is no price: such a card waits for its clock, and risk refuses it anyway."""
    return mid if mid is not None and mid.is_finite() and mid > 0 else None


def _moved(card: Card, mid: Decimal) -> Decimal:
    return abs(mid - card.price) / card.price


def _drifted(card: Card, mid: Decimal | None) -> str:
    return "no price" if mid is None else f"price moved {_moved(card, mid) * 100:.2f} %"


def refusal_of(card: Card, verdict: Verdict | None) -> str:
    """Why the order on the card can no longer be sent as it stands."""
    if card.intent is None:
        return ""
    if verdict is None:
        return "no fresh risk verdict"
    if not verdict.allows:
        return f"risk: {reasons(verdict, card.intent.symbol)}"
    if verdict.content_hash != card.content_hash:
        return f"risk would change it: {_changes(card.intent, verdict)}"
    return ""


def _changes(asked: TradeIntent, verdict: Verdict) -> str:
    """By which rules, and to which figures."""
    codes, left = ", ".join(verdict.codes) or "other figures", verdict.intent
    if left is None:
        return codes
    figures = [
        f"{name} {was.normalize():f} to {now.normalize():f}"
        for name, was, now in (
            ("size", asked.size, left.size),
            ("leverage", asked.leverage, left.leverage),
        )
        if was != now
    ]
    return f"{codes} ({', '.join(figures)})" if figures else codes
