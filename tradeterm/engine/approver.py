"""What decides cards when nobody sits at the keyboard: a headless policy, never a default.

``none`` lets every card expire, ``all`` confirms two market seconds after a card appears,
``script`` plays recorded operator keys at their market times.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tradeterm.engine.timers import Timers
from tradeterm.model.commands import ApproveCard, Command, DeferCard, EditCard, RejectCard
from tradeterm.model.proposals import Card
from tradeterm.model.timing import SECOND

CONFIRM_AFTER = 2 * SECOND


class Approver:
    """The policy of a run. The console and ``--approve none`` use it without ``approve_all``."""

    def __init__(
        self, *, approve_all: bool = False, script: Sequence[tuple[int, Command]] = ()
    ) -> None:
        """``script``: (market time, command) pairs in time order."""
        self._approve_all = approve_all
        self._script = tuple(script)

    def begin(self, timers: Timers) -> None:
        """Set a timer for every scripted key."""
        for number, (ts, _) in enumerate(self._script):
            timers.set(f"key:{number:06d}", ts)

    def take_over(self, timers: Timers, cards: Sequence[Card], now: int) -> None:
        """Continue a run that another policy began: its timers go, ours for what is ahead come."""
        for name in timers.names():
            if name.partition(":")[0] in ("key", "approve"):
                timers.cancel(name)
        for number, (ts, _) in enumerate(self._script):
            if ts > now:
                timers.set(f"key:{number:06d}", ts)
        if self._approve_all:
            for card in cards:
                timers.set(f"approve:{card.id}", max(card.ts + CONFIRM_AFTER, now + 1))

    def card_opened(self, card: Card, timers: Timers) -> None:
        """A card appeared."""
        if self._approve_all:
            timers.set(f"approve:{card.id}", card.ts + CONFIRM_AFTER)

    def due(self, name: str, cards: Sequence[Card]) -> Command:
        """The command of a due timer; a scripted key that names no hash gets the card's."""
        kind, _, rest = name.partition(":")
        if kind == "approve":
            return _approve(rest, cards, "headless --approve all")
        command = self._script[int(rest)][1]
        if not isinstance(command, ApproveCard | RejectCard | DeferCard | EditCard):
            return command
        if command.card_id == "oldest":
            command = replace(command, card_id=cards[0].id if cards else "none")
        if isinstance(command, ApproveCard) and not command.content_hash:
            return _approve(command.card_id, cards, command.actor)
        return command


def _approve(card_id: str, cards: Sequence[Card], actor: str) -> ApproveCard:
    content = next((card.content_hash for card in cards if card.id == card_id), "")
    return ApproveCard(card_id, content, actor=actor)
