"""What an operator (or a headless policy) can order. Imperative, one handler each."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

import msgspec

from tradeterm.model.drills import Drill
from tradeterm.model.health import EmergencyExit, Health
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import Level


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


class UndoReject(Command, frozen=True, tag="undo_reject"):
    """Let what was refused last wait again; an approval still has to follow."""


class DeferCard(Command, frozen=True, tag="defer"):
    """Leave a card to its deadline: nothing waits for it any longer; without a key, no trade."""

    card_id: str


class EditCard(Command, frozen=True, tag="edit"):
    """Put a more careful order on a card: smaller, less leverage, or a nearer stop."""

    card_id: str
    content_hash: str = ""
    """Of the order the operator saw; empty: whichever is on the card."""
    size: Decimal | None = None
    leverage: Decimal | None = None
    stop: Decimal | None = None


class SetLevel(Command, frozen=True, tag="level"):
    """Be at least this careful from here on; looser forgives failures, never conditions."""

    level: Level


class RunDrill(Command, frozen=True, tag="drill"):
    """Rehearse a failure for a while; 0 seconds end it. In a simulated market only."""

    drill: Drill
    seconds: int


class ClosePosition(Command, frozen=True, tag="close"):
    """Close a position, or part of it; at market unless a limit is named."""

    position_id: str
    size: Decimal | None = None
    """Base size; None means all that is not already being closed."""
    limit: Decimal | None = None
    post_only: bool = False


class CloseLosers(Command, frozen=True, tag="close_losers"):
    """Close every position that would lose money if closed now, costs included."""


class MoveStop(Command, frozen=True, tag="move_stop"):
    """Put a position's stop elsewhere; farther away only as far as risk allows."""

    position_id: str
    price: Decimal


class MoveTarget(Command, frozen=True, tag="move_target"):
    """Put a position's target elsewhere; None takes it away."""

    position_id: str
    price: Decimal | None


class BreakEven(Command, frozen=True, tag="break_even"):
    """Move a position's stop to where a close costs nothing, fees included."""

    position_id: str


class SetTrailing(Command, frozen=True, tag="trailing"):
    """Switch the trailing stop of a position on or off; off keeps the stop where it is."""

    position_id: str
    on: bool


class CancelOrder(Command, frozen=True, tag="cancel"):
    """Cancel one working order (protective orders cannot be cancelled)."""

    order_id: str


class AmendOrder(Command, frozen=True, tag="amend"):
    """Make a working limit order smaller, or change its price."""

    order_id: str
    size: Decimal | None = None
    limit: Decimal | None = None


class CancelEntries(Command, frozen=True, tag="cancel_entries"):
    """Cancel every working entry; protection stays."""


class CancelPlan(Command, frozen=True, tag="cancel_plan"):
    """End a DCA plan: what was bought stays, nothing more is."""

    plan_id: str


class Reconcile(Command, frozen=True, tag="reconcile"):
    """Compare orders, positions and balances with the venue now."""


class AdoptDifference(Command, frozen=True, tag="adopt"):
    """Take the venue's word on a difference that was found; recorded as an adjustment."""

    difference_id: str
    reason: str


class ResetBreaker(Command, frozen=True, tag="reset_breaker"):
    """A breaker was looked at: losses so far no longer count against it. Needs a reason."""

    breaker: str
    reason: str


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


class ChangeSetting(Command, frozen=True, tag="set"):
    """Put another value in force; what is looser has to be confirmed."""

    key: str
    """Dotted: ``risk.max_leverage``."""
    value: str
    """As it would be written in a file."""
    confirmed: bool = False
    """The word for loosening was typed."""


class ReportHealth(Command, frozen=True, tag="health"):
    """What the machinery around the engine found of itself: no person orders this."""

    health: Health


class ReportTask(Command, frozen=True, tag="task_died"):
    """A task beside the engine died: no person orders this."""

    task: str
    why: str
    begun_again: bool
    """It is at work again; otherwise the run goes on without it, halted."""


class BookModelCosts(Command, frozen=True, tag="book_model_costs"):
    """What models have cost whose answers enter after the run's end: no person orders this."""

    costs: dict[str, Decimal]
    """USD, by question."""
    day: str
    """Wall-clock UTC day on which they were incurred."""


class AbsorbExit(Command, frozen=True, tag="absorb_exit"):
    """An exit that was carried out while the journal could not be written, as it was kept."""

    exit: EmergencyExit


#: What another shell may order: everything but an approval, which is given before the card.
ShellCommand = (
    RejectCard
    | RejectAll
    | UndoReject
    | DeferCard
    | EditCard
    | SetLevel
    | RunDrill
    | ClosePosition
    | CloseLosers
    | MoveStop
    | MoveTarget
    | BreakEven
    | SetTrailing
    | CancelOrder
    | AmendOrder
    | CancelPlan
    | Reconcile
    | AdoptDifference
    | CancelEntries
    | ResetBreaker
    | Halt
    | Resume
    | Pause
    | Flatten
    | ForceRun
    | EnableTask
    | ChangeSetting
)
OperatorCommand = ApproveCard | ShellCommand
#: Whatever may stand in a journal as a command.
RecordedCommand = OperatorCommand | ReportHealth | ReportTask | AbsorbExit | BookModelCosts


def harmless(command: Command, actor: str | None = None) -> Command:
    """``command`` with its words made visible, under ``actor`` when that is known better."""
    words = {
        name: clean(value)
        for name in command.__struct_fields__
        if isinstance(value := getattr(command, name), str) and not isinstance(value, Enum)
    }
    if actor is not None:
        words["actor"] = actor
    return msgspec.structs.replace(command, **words)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command, in words for the operator."""

    accepted: bool
    text: str
