"""Commands that look at the book of record and at the settings, from another shell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import UsageError
from tradeterm.lab.cells import cell
from tradeterm.printing import db_option, how_old, json_option, say, table, with_times

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

_limit = click.IntRange(min=-1)


def inspecting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [
        status,
        conflicts,
        journal,
        explain,
        verify,
        config,
    ]


def _reader(db: Path | None) -> Reader:
    from tradeterm.adapters.store.reader import Reader

    return Reader(db)


@click.command()
@db_option
@json_option
def status(db: Path | None, as_json: bool) -> int:
    """State, level, equity, marks and data age."""
    from tradeterm.control import ask
    from tradeterm.haltfile import halt_file, remove_first
    from tradeterm.standing import standing

    with _reader(db) as reader:
        db = reader.paths.db
        facts = ask(db, "status") or standing(reader)
    lines = [*how_old(facts), *_standing_lines(facts)]
    if facts["halt_file"]:
        lines.append(remove_first(halt_file(db)))
    say(as_json, facts, lines)
    return 0


#: Facts that most runs have nothing to say about.
_WHEN_THERE = frozenset({"watch_only", "away", "clock_skew", "journal_fault"})


def _standing_lines(facts: dict[str, Any]) -> Iterable[str]:
    left_out = {"reason"} if facts["state"] == "running" else set()  # of the last resume: over
    left_out |= {"behind_because"}  # told above all
    left_out |= {key for key in _WHEN_THERE if facts.get(key) in (None, "", [])}
    for name, value in facts.items():
        if name in left_out:
            continue
        if name == "away":
            yield f"        away  {value['since']} to {value['until'] or 'now'}: {value['fills']} fills"
            yield from (f"{'':>12}  {line}" for line in value["lines"])
        elif isinstance(value, dict):
            yield from (f"{symbol:>12}  {price}" for symbol, price in value.items())
        else:
            yield f"{name.replace('_', ' '):>12}  {cell(name, value)}".rstrip()


@click.command()
@db_option
@json_option
@click.option("--limit", type=_limit, default=50, show_default=True, help="-1 for all.")
def conflicts(db: Path | None, as_json: bool, limit: int) -> int:
    """Conflicts with their resolutions and cards, newest first."""
    with _reader(db) as reader:
        rows = reader.conflicts(limit)
    for row in rows:
        for part in ("resolution", "card"):
            row[part] = with_times([row[part]])[0] if row[part] else None
    lines = table(
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
    say(as_json, {"conflicts": with_times(rows)}, lines)
    return 0


@click.command()
@db_option
@json_option
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
    say(as_json, {"rows": rows}, lines)
    return 0


@click.command()
@click.argument("row_id", metavar="ID")
@db_option
@json_option
def explain(row_id: str, db: Path | None, as_json: bool) -> int:
    """The whole chain behind an order, fill, position, conflict, card or refusal."""
    from tradeterm.adapters.store.explain import explain as chain
    from tradeterm.lab.story import story

    with _reader(db) as reader:
        links = [link.as_dict() for link in chain(reader, row_id)]
    say(as_json, {"id": row_id, "links": links}, story(links))
    return 0


@click.command()
@db_option
@json_option
def verify(db: Path | None, as_json: bool) -> int:
    """Check the journal chain, the ledger, every invariant of the book of record, and its tape."""
    from tradeterm.adapters.store.verify import verify as check

    found = check(db)
    problems = [{"where": problem.where, "what": problem.what} for problem in found.problems]
    problems += [{"where": where, "what": what} for where, what in _tape(db)]
    data = {"ok": not problems, "rows": found.rows, "problems": problems}
    lines = (
        [f"{found.rows} rows verified: ok"]
        if not problems
        else [f"{problem['where']}: {problem['what']}" for problem in problems]
    )
    say(as_json, data, lines)
    return 0 if not problems else 1


def _tape(db: Path | None) -> Iterator[tuple[str, str]]:
    """What is wrong with the tapes beside a book of record; most runs have none."""
    import msgspec

    from tradeterm.adapters.store.paths import locate
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.adapters.tape.soundness import tape_problems
    from tradeterm.model.market import FeedMark

    tapes = locate(db).tape
    if not tapes.is_dir():
        return
    with Reader(db) as reader:
        newest = str((reader.run_info()["started"] or {}).get("run", ""))
        kept = reader.snapshot()
    needed = 0 if kept is None else msgspec.msgpack.decode(kept[1].feed, type=FeedMark).position
    for folder in sorted(each for each in tapes.iterdir() if each.is_dir()):
        for file, what in tape_problems(folder, needed if folder.name == newest else 0):
            yield f"tape {folder.name}/{file}", what


@click.group()
def config() -> None:
    """The settings: show them with their origins, or check them."""


def _config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        json_option,
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE"),
        click.option("--config", "config_dir", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@config.command("show")
@_config_options
@click.option("--run", "of_run", is_flag=True, help="What the run in the file is under.")
@db_option
def config_show(
    config_dir: Path | None,
    overrides: tuple[str, ...],
    of_run: bool,
    db: Path | None,
    as_json: bool,
) -> int:
    """Every effective value and where it came from; with --run or --db those of that very run."""
    if of_run or db is not None:
        if overrides or config_dir:
            raise UsageError("--run shows what is in force; `tradeterm set KEY=VALUE` changes it")
        data = _of_run(db)
    else:
        data = _of_a_start(config_dir, overrides)
    lines = (f"{key} = {entry['value']}   [{entry['origin']}]" for key, entry in data.items())
    say(as_json, data, lines)
    return 0


def _of_run(db: Path | None) -> dict[str, Any]:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.holding import in_force

    with Reader(db) as reader:
        return {held.key: {"value": held.value, "origin": held.origin} for held in in_force(reader)}


def _of_a_start(config_dir: Path | None, overrides: tuple[str, ...]) -> dict[str, Any]:
    from tradeterm.holding import origin_of
    from tradeterm.settings.loading import load_settings
    from tradeterm.settings.settings import leaves

    loaded = load_settings(config_dir, overrides, os.environ)
    return {
        key: {"value": value, "origin": origin_of(loaded.origins, key)}
        for key, value in leaves(loaded.settings.effective())
    }


@config.command("check")
@_config_options
def config_check(config_dir: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Whether the settings are valid; every mistake with file, line, key and remedy."""
    from tradeterm.settings.loading import load_settings

    loaded = load_settings(config_dir, overrides, os.environ)
    say(
        as_json,
        {"ok": True, "keys": len(loaded.origins)},
        [f"settings are valid ({len(loaded.origins)} keys)"],
    )
    return 0


@config.command("reference")
def config_reference() -> None:
    """Every setting with its default, bounds and meaning, as one page of Markdown."""
    from tradeterm.settings.reference import reference

    click.echo(reference(), nl=False)
