"""Commands that look at the book of record, or order something, from another shell."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import StoreAbsent, UsageError

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.model.commands import Command, CommandResult

_db = click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The book of record (default: the platform's data directory).",
)
_AMOUNT = re.compile(r"-?\d+(?:\.\d+)?(?:E[+-]?\d+)?")
#: In the story of an id these stand in the heading already.
_HEADING = {"id", "ts", "parent", "inputs", "question_id"}
_STORY_WIDTH = 100
_limit = click.IntRange(min=-1)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")


def inspecting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [
        status,
        positions,
        orders,
        conflicts,
        journal,
        explain,
        verify,
        halt,
        resume,
        task,
        config,
    ]


def _say(as_json: bool, data: Any, lines: Iterable[str]) -> None:
    if as_json:
        click.echo(json.dumps(data, separators=(",", ":"), default=str))
    else:
        from tradeterm.model.text import visible

        for line in lines:
            click.echo(visible(line))


def _reader(db: Path | None) -> Reader:
    from tradeterm.adapters.store.reader import Reader

    return Reader(db)


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]], empty: str) -> list[str]:
    """Aligned text; numbers to the right."""
    if not rows:
        return [empty]
    cells = [[_cell(name, row.get(name)) for name in columns] for row in rows]
    widths = [max(len(name), *(len(line[n]) for line in cells)) for n, name in enumerate(columns)]
    head = "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True))
    body = (
        "  ".join(
            text.rjust(width) if _is_number(text) else text.ljust(width)
            for text, width in zip(line, widths, strict=True)
        )
        for line in cells
    )
    return [head, *body]


def _cell(name: str, value: Any) -> str:
    from tradeterm.model.timing import iso

    if value is None:
        return "-"
    if (
        name in ("ts", "opened", "closed", "created", "updated", "expires", "decided", "since")
        and value
    ):
        return iso(int(value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _amount(str(value))


def _amount(text: str) -> str:
    """Decimals without exponent or trailing zeros; other text as it is."""
    from decimal import Decimal

    from tradeterm.model.money import plain

    return plain(Decimal(text)) if _AMOUNT.fullmatch(text) else text


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


def _with_times(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for JSON: nanoseconds as ISO-8601, amounts plainly, process columns left out."""
    from tradeterm.model.timing import iso

    stamps = {"ts", "opened", "closed", "created", "updated", "expires", "decided", "since"}
    return [
        {
            name: iso(value)
            if name in stamps and isinstance(value, int) and value
            else _amount(value)
            if isinstance(value, str)
            else value
            for name, value in row.items()
            if name not in ("run", "seq")
        }
        for row in rows
    ]


@click.command()
@_db
@_json
def status(db: Path | None, as_json: bool) -> int:
    """State, level, equity, marks and data age."""
    from tradeterm.control import ask
    from tradeterm.haltfile import halt_file, remove_first
    from tradeterm.standing import standing

    with _reader(db) as reader:
        db = reader.paths.db
        facts = ask(db, "status") or standing(reader)
    lines = list(_standing_lines(facts))
    if facts["halt_file"]:
        lines.append(remove_first(halt_file(db)))
    _say(as_json, facts, lines)
    return 0


def _standing_lines(facts: dict[str, Any]) -> Iterable[str]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from (f"{symbol:>12}  {price}" for symbol, price in value.items())
        else:
            yield f"{name.replace('_', ' '):>12}  {_cell(name, value)}".rstrip()


@click.command()
@_db
@_json
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
def positions(db: Path | None, as_json: bool, everything: bool) -> int:
    """Margin positions."""
    with _reader(db) as reader:
        rows = reader.positions(everything=everything)
    columns = [
        "id",
        "symbol",
        "side",
        "size",
        "entry",
        "stop",
        "target",
        "leverage",
        "collateral",
        "opened",
        "exit",
        "exit_reason",
        "realised",
        "fees",
    ]
    _say(as_json, {"positions": _with_times(rows)}, _table(columns, rows, "no open positions"))
    return 0


@click.command()
@_db
@_json
@click.option("--all", "everything", is_flag=True, help="Finished ones too, newest first.")
@click.option("--limit", type=_limit, default=100, show_default=True, help="-1 for all.")
def orders(db: Path | None, as_json: bool, everything: bool, limit: int) -> int:
    """Orders."""
    with _reader(db) as reader:
        rows = reader.orders(everything=everything, limit=limit)
    columns = [
        "id",
        "symbol",
        "side",
        "type",
        "purpose",
        "size",
        "filled",
        "average",
        "trigger_price",
        "status",
        "created",
        "reason",
    ]
    _say(as_json, {"orders": _with_times(rows)}, _table(columns, rows, "no working orders"))
    return 0


@click.command()
@_db
@_json
@click.option("--limit", type=_limit, default=50, show_default=True, help="-1 for all.")
def conflicts(db: Path | None, as_json: bool, limit: int) -> int:
    """Conflicts with their resolutions and cards, newest first."""
    with _reader(db) as reader:
        rows = reader.conflicts(limit)
    for row in rows:
        for part in ("resolution", "card"):
            row[part] = _with_times([row[part]])[0] if row[part] else None
    lines = _table(
        ["id", "ts", "symbol", "types", "action", "state", "why"],
        [
            {
                **row,
                "action": (row["resolution"] or {}).get("action"),
                "state": (row["card"] or {}).get("state"),
                "why": row["evidence"],
            }
            for row in rows
        ],
        "no conflicts yet",
    )
    _say(as_json, {"conflicts": _with_times(rows)}, lines)
    return 0


@click.command()
@_db
@_json
@click.option("--kind", help="Only rows of this kind, e.g. fill.")
@click.option("--id", "row_id", help="Only rows with this id or parent.")
@click.option("--since", help="Only rows from this market time on.")
@click.option(
    "--limit", type=_limit, default=100, show_default=True, help="Newest rows; -1 for all."
)
def journal(
    db: Path | None,
    as_json: bool,
    kind: str | None,
    row_id: str | None,
    since: str | None,
    limit: int,
) -> int:
    """The journal: every input and everything that followed."""
    from tradeterm.model.timing import iso, parse_instant

    start = parse_instant(since) if since else None
    with _reader(db) as reader:
        rows = [
            {
                "seq": row.seq,
                "ts": iso(row.ts),
                "kind": row.kind,
                "id": row.id,
                "parent": row.parent,
                "data": row.data,
            }
            for row in reader.journal(kind=kind, row_id=row_id, since=start, limit=limit)
        ]
    lines = (
        f"{row['seq']:>7} {row['ts']} {row['kind']:<12} {row['id']:<12} {row['parent']:<12} "
        f"{json.dumps(row['data'], separators=(',', ':'))[:160]}"
        for row in rows
    )
    _say(as_json, {"rows": rows}, lines)
    return 0


@click.command()
@click.argument("row_id", metavar="ID")
@_db
@_json
def explain(row_id: str, db: Path | None, as_json: bool) -> int:
    """The whole chain behind an order, fill, position, conflict, card or refusal."""
    from tradeterm.adapters.store.explain import explain as chain

    with _reader(db) as reader:
        links = [link.as_dict() for link in chain(reader, row_id)]
    _say(as_json, {"id": row_id, "links": links}, _story(links))
    return 0


def _story(links: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Each link with its facts below it, without what the heading says."""
    from textwrap import wrap

    for link in links:
        yield f"{link['ts']} {link['kind']} {link['id']}  <- {', '.join(link['parents']) or '-'}"
        facts = "  ".join(_facts(link["data"], ""))
        yield from wrap(
            facts,
            _STORY_WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _facts(value: Any, name: str) -> Iterable[str]:
    """``name=value`` for everything that says something; times readable, long lists counted."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _HEADING:
                yield from _facts(inner, f"{name}.{key}" if name and key[:1].islower() else key)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        yield f"{name}=({len(value)})"
    elif value not in (None, "", []):
        yield f"{name}={_cell(name.rpartition('.')[2], value)}"


@click.command()
@_db
@_json
def verify(db: Path | None, as_json: bool) -> int:
    """Check the journal chain, the ledger and every invariant of the book of record."""
    from tradeterm.adapters.store.verify import verify as check

    found = check(db)
    problems = [{"where": problem.where, "what": problem.what} for problem in found.problems]
    data = {"ok": not problems, "rows": found.rows, "problems": problems}
    lines = (
        [f"{found.rows} rows verified: ok"]
        if not problems
        else [f"{problem['where']}: {problem['what']}" for problem in problems]
    )
    _say(as_json, data, lines)
    return 0 if not problems else 1


@click.command()
@_db
@_json
@click.option("--reason", default="operator", show_default=True)
def halt(db: Path | None, as_json: bool, reason: str) -> int:
    """No new exposure: entries cancelled, protection stays. Works while a console runs or not."""
    from tradeterm.model.commands import Halt

    return _order(db, Halt(reason=reason, actor="shell"), as_json)


@click.command()
@_db
@_json
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
    @_db
    @_json
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
    _say(as_json, {"accepted": result.accepted, "text": result.text}, [result.text])
    return 0 if result.accepted else 1


@click.group()
def config() -> None:
    """The settings: show them with their origins, or check them."""


def _config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        _json,
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE"),
        click.option("--config", "config_dir", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@config.command("show")
@_config_options
def config_show(config_dir: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Every effective value and where it came from."""
    from tradeterm.settings.loading import load_settings

    loaded = load_settings(config_dir, overrides, os.environ)
    values = dict(_leaves(loaded.settings.effective(), ""))
    data = {
        key: {"value": value, "origin": _origin(loaded.origins, key)}
        for key, value in values.items()
    }
    lines = (f"{key} = {entry['value']}   [{entry['origin']}]" for key, entry in data.items())
    _say(as_json, data, lines)
    return 0


@config.command("check")
@_config_options
def config_check(config_dir: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Whether the settings are valid; every mistake with file, line, key and remedy."""
    from tradeterm.settings.loading import load_settings

    loaded = load_settings(config_dir, overrides, os.environ)
    _say(
        as_json,
        {"ok": True, "keys": len(loaded.origins)},
        [f"settings are valid ({len(loaded.origins)} keys)"],
    )
    return 0


def _leaves(value: Any, key: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _origin(origins: dict[str, str], key: str) -> str:
    """The origin of a leaf, or of the list or mapping it lies in."""
    while key not in origins and "." in key:
        key = key.rpartition(".")[0]
    return origins.get(key, "default")
