"""`tradeterm replay`: a recorded run lived again, as it was or with other settings."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import ConfigError, UsageError
from tradeterm.lab.cells import cell
from tradeterm.printing import db_option, json_option, say

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.settings.settings import Settings


def replaying_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [replay]


@click.command()
@click.argument("run", required=False)
@db_option
@json_option
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE",
    help="What if this setting had been another? Reports what would have been decided otherwise.",
)  # fmt: skip
@click.option("--feed", help="Where the market of the run lies now, e.g. replay:PATH.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the second book of record in this new file.",
)
def replay(
    run: str | None,
    db: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
    feed: str | None,
    into: Path | None,
) -> int:
    """Execute a recorded RUN again from its market, keys and answers, and compare.

    RUN is a run's id, or a book of record (its newest run); by default the newest run of --db.
    The second book is compared row by row and by hash; exits 1 when anything differs. With --set
    it is a what-if: differences are what you asked for, and the exit is 0.
    """
    if into is not None and into.exists():
        raise UsageError(f"--into {into}: the file exists; name a new one")
    with _recorded(run, db) as reader, TemporaryDirectory(prefix="tradeterm-") as folder:
        place = into or Path(folder) / "replay.db"
        found = asyncio.run(_replayed(reader, place, overrides, feed))
    if into is not None:
        found["into"] = str(into)
    say(as_json, found, _what_if_lines(found) if overrides else _lines(found))
    return int(not found.get("ok", True))


@contextmanager
def _recorded(run: str | None, db: Path | None) -> Iterator[Reader]:
    """The run as the file has it."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.errors import StoreAbsent

    if run is not None and (Path(run).is_file() or os.sep in run or run.endswith(".db")):
        if db is not None:
            raise UsageError(f"{run} is a book of record; leave --db out")
        db, run = Path(run), None
    with Reader(db) as newest:
        known = {str(Reader.run_info(each)["started"]["run"]): each.run for each in _runs(newest)}
        if not known:
            raise StoreAbsent(f"{newest.paths.db} holds no run yet; start `tradeterm` once")
        named = [number for name, number in known.items() if run is None or name.startswith(run)]
        if run is not None and len(named) != 1:
            raise UsageError(
                f"{run!r} is neither a file nor the id of one run; {newest.paths.db} holds "
                f"{', '.join(known)}"
            )
        with Reader(db, named[-1]) as reader:
            yield reader


def _runs(newest: Reader) -> Iterator[Reader]:
    from tradeterm.adapters.store.reader import Reader

    for number in range(1, newest.run + 1):
        with Reader(newest.paths.db, number) as reader:
            yield reader


async def _replayed(
    reader: Reader, into: Path, overrides: tuple[str, ...], feed: str | None
) -> dict[str, Any]:
    """Live it, and say how the two compare."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.lab.comparison import compare_rows, decisions
    from tradeterm.lab.replay import Replay

    changed = _changed(overrides) if overrides else None
    with _progress() as report:
        again = Replay(reader, changed=changed, feed=feed, report=report)
        lived = await again.run(into)
    info = reader.run_info()
    head = {
        "run": info["started"]["run"],
        "market": again.feed.identity().get("feed", again.feed.mode),
        "inputs": sum(lived.summary["inputs"].values()) - lived.summary["inputs"]["answer"],
        "state_hash": lived.summary["state_hash"],
    }
    finished = info["finished"]
    with Reader(into) as other:
        if not overrides:
            rows = compare_rows(reader, other)
            recorded_hash = finished["summary"]["state_hash"] if finished else None
            same_hash = recorded_hash in {None, head["state_hash"]}
            return {
                "ok": not rows.different and same_hash,
                **head,
                "recorded_hash": recorded_hash,
                "rows": rows.same,
                "different": rows.different,
                "beyond": rows.beyond,
                "differences": rows.told,
            }
        before = finished["summary"] if finished else await _as_it_was(reader, feed)
        return {
            **head,
            "recorded_hash": before["state_hash"],
            "settings": list(overrides),
            "unheard": lived.unheard,
            "rebound": lived.rebound,
            **decisions(reader, before, other, lived.summary),
        }


async def _as_it_was(reader: Reader, feed: str | None) -> dict[str, Any]:
    """The summary of a run that was never brought to an end in order."""
    from tradeterm.lab.replay import Replay

    with TemporaryDirectory(prefix="tradeterm-") as folder:
        return (await Replay(reader, feed=feed).run(Path(folder) / "was.db")).summary


def _changed(overrides: tuple[str, ...]) -> Callable[[dict[str, Any]], Settings]:
    """Recorded settings → the same with ``overrides``; raises ConfigError for a bad one."""
    from pydantic import ValidationError

    from tradeterm.settings.loading import load_settings
    from tradeterm.settings.settings import Settings

    wanted = load_settings(None, overrides).settings.effective()
    paths = [text.partition("=")[0].strip().split(".") for text in overrides]

    def changed(recorded: dict[str, Any]) -> Settings:
        values = copy.deepcopy(recorded)
        for path in paths:
            into, source = values, wanted
            for name in path[:-1]:
                into, source = into.setdefault(name, {}), source[name]
            into[path[-1]] = source[path[-1]]
        try:
            return Settings.from_effective(values)
        except ValidationError as error:
            raise ConfigError(
                f"--set does not go with the settings the run was recorded with: "
                f"{str(error).splitlines()[2].strip()}"
            ) from error

    return changed


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="replaying", file=sys.stderr) as bar:

        def report(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield report


def _lines(found: dict[str, Any]) -> Iterable[str]:
    yield f"run {found['run']}: {found['inputs']} inputs, {found['rows']} rows the same"
    if found["beyond"]:
        yield f"{found['beyond']} rows follow where the record was cut short"
    for one in found["differences"]:
        yield f"row {one['seq'] or '-'} {one['ts']}"
        for side in ("recorded", "replayed"):
            yield f"    {side}: {_row_words(one[side])}"
    if found["different"] > len(found["differences"]):
        yield f"and {found['different'] - len(found['differences'])} more"
    if found["recorded_hash"] is None:
        yield f"state hash {found['state_hash']} (the run was not brought to an end: none to compare)"
    elif found["recorded_hash"] == found["state_hash"]:
        yield f"state hash {found['state_hash']}: the same"
    else:
        yield f"state hash {found['state_hash']}, recorded {found['recorded_hash']}: DIFFERENT"
        if not found["different"]:
            yield "no row differs: another version of the program, which keeps more or other state"


def _row_words(row: dict[str, Any] | None) -> str:
    if row is None:
        return "nothing"
    data = ", ".join(f"{name}={cell(name, value)}" for name, value in row["data"].items())
    return f"{row['kind']} {row['id']} <- {row['parent'] or '-'} ({data[:200]})"


def _what_if_lines(found: dict[str, Any]) -> Iterable[str]:
    yield f"run {found['run']} with {', '.join(found['settings'])}"
    for name, figure in found["figures"].items():
        change = figure.get("change")
        yield (
            f"{name.replace('_', ' '):>16}  {figure['recorded']} -> {figure['what_if']}"
            + (f"  ({'+' if not change.startswith('-') else ''}{change})" if change else "")
        )
    for name, count in found["counts"].items():
        yield f"{name:>40}  {count['recorded']} -> {count['what_if']}"
    orders, fills = found["orders"], found["fills"]
    yield f"fills: {fills['same']} the same, {fills['only_recorded']} gone, {fills['only_what_if']} new"
    for title, key in (("gone", "only_recorded"), ("new", "only_what_if")):
        for order in orders[key]:
            yield f"{title}: {_order_words(order)}"
    for pair in orders["changed"]:
        was, now = pair["recorded"], pair["what_if"]
        terms = (
            f"{name.replace('_', ' ')} {cell(name, was[name])} -> {cell(name, now[name])}"
            for name in was
            if name != "id" and was[name] != now[name]
        )
        yield f"changed: {_order_words(was)}: {', '.join(terms)}"
    if found["unheard"]:
        yield f"{found['unheard']} questions nobody was asked then: their fallbacks applied"
    if found["rebound"]:
        yield f"{found['rebound']} approvals went to a card that reads differently now"


def _order_words(order: dict[str, Any]) -> str:
    price = order["limit_price"] or order["trigger_price"]
    at = f" at {cell('price', price)}" if price else ""
    return (
        f"{order['created']} {order['id']} {order['side']} {cell('size', order['size'])} "
        f"{order['symbol']} {order['type']}{at} ({order['purpose']}, {order['status']})"
    )
