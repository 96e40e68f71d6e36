"""Commands that order something from another shell, while a console runs or not.

One row of ``ORDERS`` is one command: its words have the names of the command's own fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import StoreAbsent, UsageError
from tradeterm.model.drills import Drill
from tradeterm.model.vocabulary import Breaker, Level
from tradeterm.printing import db_option, json_option, say

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.model.commands import Command, CommandResult


class Amount(click.ParamType["Decimal | None"]):
    """A size or price: a plain decimal above zero; ``nothing`` is a word that means none."""

    name = "amount"

    def __init__(self, nothing: str = "") -> None:
        self._nothing = nothing

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal | None:
        """Refuses what is no amount, naming what would be."""
        if self._nothing and value == self._nothing:
            return None
        try:
            amount = value if isinstance(value, Decimal) else Decimal(value)
        except InvalidOperation:
            amount = Decimal(0)
        if not amount.is_finite() or amount <= 0:
            other = f" or {self._nothing}" if self._nothing else ""
            self.fail(f"{value!r} is no amount; write a number above 0{other}", param, ctx)
        return amount


class Subject(click.ParamType[str]):
    """An id that must exist: ``known`` lists those that do, ``what`` says what they are."""

    name = "id"

    def __init__(self, what: str, known: Callable[[Reader], list[str]]) -> None:
        self.what = what
        self.known = known


POSITION = Subject("open position", lambda reader: [row["id"] for row in reader.positions()])
ORDER = Subject("working order", lambda reader: [row["id"] for row in reader.orders()])
PLAN = Subject("open plan", lambda reader: [row["id"] for row in reader.plans()])
CARD = Subject("waiting card", lambda reader: [row["id"] for row in reader.cards("pending")])
DIFFERENCE = Subject("open difference", lambda reader: [r["id"] for r in reader.differences()])


class Switch(click.Choice[str]):
    """on or off."""

    def __init__(self) -> None:
        super().__init__(["on", "off"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """True or False."""
        return value if isinstance(value, bool) else super().convert(value, param, ctx) == "on"


def _word(name: str, kind: click.ParamType[Any], shown: str) -> click.Parameter:
    return click.Argument([name], type=kind, metavar=shown)


def _position() -> click.Parameter:
    return _word("position_id", POSITION, "POSITION")


def _reason(default: str = "") -> click.Parameter:
    said = {"default": default, "show_default": True} if default else {"required": True}
    return click.Option(["--reason"], help="Goes into the journal.", **said)


_SIZE = "In base currency; without it: {}."
_LIMIT = "Limit price in quote currency; without it: {}."


@dataclass(frozen=True, slots=True)
class Order:
    """One command of the shell."""

    name: str
    command: str
    """The class in ``model.commands``."""
    help: str
    words: Sequence[click.Parameter] = ()
    sure: str = ""
    """What ``--yes`` has to confirm; empty when nothing has to be."""


def _seconds(text: str) -> int:
    """``90s``, ``15m``, ``1h30m``; raises UsageError."""
    from tradeterm.model.timing import SECOND, parse_duration

    return parse_duration(text) // SECOND


class Duration(click.ParamType[int]):
    """Seconds, written as a duration; 0 is none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Refuses what is no duration."""
        if isinstance(value, int):
            return value
        return 0 if value in {"0", "0s"} else _seconds(value)


ORDERS = (
    Order(
        "halt",
        "Halt",
        "No new exposure: entries cancelled, protection stays. Works while a console runs or not.",
        [_reason("operator")],
    ),
    Order("reset-breaker", "ResetBreaker",
          "Let a tripped breaker go: what was lost so far no longer counts against it.",
          [_word("breaker", click.Choice([str(one) for one in Breaker]), "|".join(Breaker)),
           _reason()]),
    Order("resume", "Resume", "Leave halted or paused.", [_reason("shell")],
          sure="allows new exposure again"),
    Order("flatten", "Flatten", "Close every position at market, cancel entries, halt.",
          sure="closes everything at market and halts"),
    Order("reject", "RejectCard", "Refuse a waiting card: no trade.",
          [_word("card_id", CARD, "CARD")]),
    Order("reject-all", "RejectAll", "Refuse every waiting card."),
    Order("undo-reject", "UndoReject",
          "Let what was refused last wait again; an approval still has to follow."),
    Order("defer", "DeferCard", "Leave a card to its deadline: nothing waits for it any longer.",
          [_word("card_id", CARD, "CARD")]),
    Order("edit", "EditCard", "Put a more careful order on a card; its approval is another key.", [
        _word("card_id", CARD, "CARD"),
        click.Option(["--size"], type=Amount(), help="Smaller, in base currency."),
        click.Option(["--leverage"], type=Amount(), help="Less."),
        click.Option(["--stop"], type=Amount(), help="Nearer to the entry, in quote currency."),
    ]),
    Order("level", "SetLevel",
          "Be at least this careful; looser forgives failures, never conditions that last.",
          [_word("level", click.Choice([str(one) for one in Level]), "|".join(Level))],
          sure="may allow again what failures forbade"),
    Order("drill", "RunDrill",
          "Rehearse a failure in a simulated market; the level follows as from a real one.",
          [_word("drill", click.Choice([str(one) for one in Drill]), "|".join(Drill)),
           click.Option(["--for", "seconds"], type=Duration(), default="10m", show_default=True,
                        metavar="DURATION", help="Of market time; 0 ends the drill.")]),
    Order("close", "ClosePosition", "Close a position, or part of it, at market or at a limit.", [
        _position(),
        click.Option(["--size"], type=Amount(), help=_SIZE.format("all of it")),
        click.Option(["--limit"], type=Amount(), help=_LIMIT.format("at market")),
        click.Option(["--post-only"], is_flag=True, help="With --limit: add liquidity or nothing."),
    ]),
    Order("close-losers", "CloseLosers",
          "Close every position that would lose money now, costs included."),
    Order("move-stop", "MoveStop",
          "Put a position's stop elsewhere; farther away only as far as risk allows.",
          [_position(), _word("price", Amount(), "PRICE")]),
    Order("move-target", "MoveTarget", "Put a position's target elsewhere, or take it away.",
          [_position(), _word("price", Amount("none"), "PRICE|none")]),
    Order("break-even", "BreakEven",
          "Move a position's stop to where a close costs nothing, fees included.", [_position()]),
    Order("trailing", "SetTrailing",
          "Switch a position's trailing stop on or off; off keeps the stop where it is.",
          [_position(), _word("on", Switch(), "on|off")]),
    Order("cancel", "CancelOrder", "Cancel a working order; stops and targets stay.",
          [_word("order_id", ORDER, "ORDER")]),
    Order("cancel-entries", "CancelEntries", "Cancel every working entry; protection stays."),
    Order("amend", "AmendOrder", "Make a working limit order smaller, or change its price.", [
        _word("order_id", ORDER, "ORDER"),
        click.Option(["--size"], type=Amount(), help=_SIZE.format("as it is")),
        click.Option(["--limit"], type=Amount(), help=_LIMIT.format("as it is")),
    ]),
    Order("cancel-plan", "CancelPlan", "End a DCA plan: what was bought stays, nothing more is.",
          [_word("plan_id", PLAN, "PLAN")]),
    Order("reconcile", "Reconcile", "Compare orders, positions and balances with the venue now."),
    Order("adopt", "AdoptDifference",
          "Take the venue's word on a difference; recorded as an adjustment.",
          [_word("difference_id", DIFFERENCE, "DIFFERENCE"), _reason()]),
)  # fmt: skip


def ordering_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [*(_shell_command(order) for order in ORDERS), task]


def _shell_command(order: Order) -> click.Command:
    @db_option
    @json_option
    def give(db: Path | None, as_json: bool, yes: bool = True, **words: Any) -> int:
        import msgspec

        from tradeterm.model import commands

        if not yes:
            raise UsageError(f"{order.name} {order.sure}; add --yes to confirm")
        _refuse_nonsense(order.name, words)
        _refuse_unknown(db, order, words)
        kind = getattr(commands, order.command)
        return _order(db, msgspec.convert({**words, "actor": "shell"}, kind), as_json)

    made = click.command(order.name, help=order.help)(give)
    made.params[:0] = order.words
    if order.sure:
        made.params.append(
            click.Option(["--yes"], is_flag=True, help=f"Confirm: this {order.sure}.")
        )
    return made


def _refuse_nonsense(name: str, words: dict[str, Any]) -> None:
    """What no position or order could make sense of."""
    if name == "close" and words["post_only"] and words["limit"] is None:
        raise UsageError("--post-only needs --limit: a market order always takes")
    if name == "edit" and not any(words[word] for word in ("size", "leverage", "stop")):
        raise UsageError("edit what? write --size, --leverage or --stop")
    if name == "amend" and words["size"] is None and words["limit"] is None:
        raise UsageError("amend what? write --size, --limit or both")


def _refuse_unknown(db: Path | None, order: Order, words: dict[str, Any]) -> None:
    """An id that is not there is a mistake of the caller, found before anything is sent."""
    from tradeterm.adapters.store.reader import Reader

    for word in order.words:
        subject = word.type
        if isinstance(subject, Subject) and word.name is not None:
            with Reader(db) as reader:
                known = subject.known(reader)
            if words[word.name] not in known:
                there = ", ".join(known) or "none"
                raise UsageError(f"no {subject.what} {words[word.name]!r}; there are: {there}")


@click.group()
def task() -> None:
    """The analysts' scheduled tasks: run one now, or switch it on or off."""


def _task_command(name: str, explanation: str, order: Callable[[str], Command]) -> None:
    @task.command(name, help=explanation)
    @click.argument("name", metavar="NAME")
    @db_option
    @json_option
    def give(name: str, db: Path | None, as_json: bool) -> int:
        from tradeterm.model.vocabulary import AgentName

        if name not in AgentName.__members__.values():
            raise UsageError(f"no task {name!r}; there are {', '.join(AgentName)}")
        return _order(db, order(name), as_json)


def _force_run(name: str) -> Command:
    from tradeterm.model.commands import ForceRun

    return ForceRun(task=name, actor="shell")


def _switched(enabled: bool) -> Callable[[str], Command]:
    def order(name: str) -> Command:
        from tradeterm.model.commands import EnableTask

        return EnableTask(task=name, enabled=enabled, actor="shell")

    return order


_task_command("run", "Run a task now.", _force_run)
_task_command("enable", "Switch a task on.", _switched(True))
_task_command("disable", "Switch a task off.", _switched(False))


def _order(db: Path | None, command: Command, as_json: bool) -> int:
    from tradeterm.adapters.store.paths import locate
    from tradeterm.standing import deliver

    path = locate(db).db
    if not path.exists():
        raise StoreAbsent(f"no store at {path}; there is nothing to order")
    result: CommandResult = deliver(path, command)
    say(as_json, {"accepted": result.accepted, "text": result.text}, [result.text])
    return 0 if result.accepted else 1
