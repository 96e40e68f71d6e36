"""What an operator (or a headless policy) can order. Imperative, one handler each."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tradeterm.model.text import clean


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """Base of every command; ``actor`` says who pressed the key."""

    actor: str = "operator"


class ApproveCard(Command, frozen=True, tag="approve"):
    """Approve exactly the order whose hash the operator saw."""

    card_id: str
    content_hash: str


class RejectCard(Command, frozen=True, tag="reject"):
    """Refuse a card: no trade."""

    card_id: str


class RejectAll(Command, frozen=True, tag="reject_all"):
    """Refuse every pending card."""


class ClosePosition(Command, frozen=True, tag="close"):
    """Close a position at market."""

    position_id: str


class CancelOrder(Command, frozen=True, tag="cancel"):
    """Cancel one working order (protective orders cannot be cancelled)."""

    order_id: str


class CancelEntries(Command, frozen=True, tag="cancel_entries"):
    """Cancel every working entry; protection stays."""


class Halt(Command, frozen=True, tag="halt"):
    """No new exposure; entries cancelled, protection stays, pending cards void."""

    reason: str = "operator"


class Resume(Command, frozen=True, tag="resume"):
    """Leave halted or paused."""

    reason: str = ""


class Pause(Command, frozen=True, tag="pause"):
    """No new proposals; analysis goes on."""


class Flatten(Command, frozen=True, tag="flatten"):
    """Close everything at market, then halt."""


class ForceRun(Command, frozen=True, tag="force_run"):
    """Run a task now."""

    task: str


class EnableTask(Command, frozen=True, tag="enable_task"):
    """Switch a scheduled task on or off."""

    task: str
    enabled: bool


#: What another shell may order: everything but an approval, which is given before the card.
ShellCommand = (
    RejectCard
    | RejectAll
    | ClosePosition
    | CancelOrder
    | CancelEntries
    | Halt
    | Resume
    | Pause
    | Flatten
    | ForceRun
    | EnableTask
)
OperatorCommand = ApproveCard | ShellCommand


def harmless(command: Command, actor: str | None = None) -> Command:
    """``command`` with its words made visible, under ``actor`` when that is known better."""
    words = {
        name: clean(value)
        for name in command.__struct_fields__
        if isinstance(value := getattr(command, name), str)
    }
    if actor is not None:
        words["actor"] = actor
    return msgspec.structs.replace(command, **words)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command, in words for the operator."""

    accepted: bool
    text: str
