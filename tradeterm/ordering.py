"""Commands that order something from another shell, while a console runs or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradeterm.errors import StoreAbsent, UsageError
from tradeterm.printing import db_option, json_option, say

if TYPE_CHECKING:
    from tradeterm.model.commands import Command, CommandResult


def ordering_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [halt, resume, task]


@click.command()
@db_option
@json_option
@click.option("--reason", default="operator", show_default=True)
def halt(db: Path | None, as_json: bool, reason: str) -> int:
    """No new exposure: entries cancelled, protection stays. Works while a console runs or not."""
    from tradeterm.model.commands import Halt

    return _order(db, Halt(reason=reason, actor="shell"), as_json)


@click.command()
@db_option
@json_option
@click.option("--yes", is_flag=True, help="Confirm: this allows new exposure again.")
def resume(db: Path | None, as_json: bool, yes: bool) -> int:
    """Leave halted or paused."""
    from tradeterm.model.commands import Resume

    if not yes:
        raise UsageError("resume allows new exposure again; say `tradeterm resume --yes`")
    return _order(db, Resume(reason="shell", actor="shell"), as_json)


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
