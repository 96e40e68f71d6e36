"""`tradeterm data import`, `list` and `check`: history from files, and whether it is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import UsageError
from tradeterm.model.timing import timeframe_seconds
from tradeterm.model.vocabulary import DataFault
from tradeterm.printing import json_option, say, table

if TYPE_CHECKING:
    from tradeterm.adapters.history.catalogue import Catalogue
    from tradeterm.adapters.history.inspecting import Inspected

#: Findings of one file that are told line by line; the rest is counted.
TOLD = 50

folder_option = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of history (default: history/ in the platform's data directory).",
)


def opened(folder: Path | None) -> Catalogue:
    """The history in ``folder``, or in the default one."""
    from tradeterm.adapters.history.catalogue import Catalogue, default_folder

    return Catalogue(folder or default_folder())


def storing_commands() -> list[click.Command]:
    """What belongs to ``tradeterm data`` beside fetching."""
    return [import_, list_, check]


# -- import ----------------------------------------------------------------------------------


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--exchange", default="files", show_default=True, help="Whose market it was.")
@click.option("--symbol", help="When neither name nor column says it, e.g. BTC/USDT.")
@click.option("--timeframe", help="Likewise, e.g. 1h.")
@folder_option
@click.option(
    "--on-bad",
    type=click.Choice(["skip", "refuse"]),
    default="skip",
    show_default=True,
    help="What to do with a file that has damaged rows.",
)
@json_option
def import_(
    files: tuple[Path, ...],
    exchange: str,
    symbol: str | None,
    timeframe: str | None,
    folder: Path | None,
    on_bad: str,
    as_json: bool,
) -> int:
    """FILES of history: Kraken's OHLCVT and trade downloads, CSV with a header, Parquet, freqtrade's
    feather and JSON; also .gz and .zst, and folders of them.

    Bad rows are told by line and left out. Exits 1 when a file was refused.
    """
    span = _span(timeframe) if timeframe is not None else None
    name = _exchange_name(exchange)
    catalogue, every = opened(folder), list(_expanded(files))
    refuse = on_bad == "refuse"
    with catalogue.writing():
        found = [_imported(catalogue, file, name, symbol, span, refuse=refuse) for file in every]
    ok = all(one["ok"] for one in found)
    lines = [line for one in found for line in _import_lines(one)]
    say(as_json, {"ok": ok, "files": found}, lines)
    return int(not ok)


def _span(timeframe: str) -> int:
    return timeframe_seconds("--timeframe", timeframe)


def _exchange_name(text: str) -> str:
    """It becomes a folder."""
    import re

    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", text):
        raise UsageError(f"--exchange {text!r}: write small letters and digits, e.g. kraken")
    return text


def _expanded(files: tuple[Path, ...]) -> Iterator[Path]:
    """Folders as the data files in them."""
    from tradeterm.adapters.feeds.replay import data_files

    for file in files:
        yield from data_files(file)


def _imported(
    catalogue: Catalogue,
    file: Path,
    exchange: str,
    symbol: str | None,
    span: int | None,
    *,
    refuse: bool,
) -> dict[str, Any]:
    from tradeterm.adapters.history.inspecting import inspect
    from tradeterm.errors import DataError

    try:
        inspected = inspect(file, symbol, span)
    except DataError as error:
        return {"file": str(file), "ok": False, "why": str(error), "findings": []}
    told = _told(inspected)
    rejected = any(one["matters"] for one in told) and refuse
    if rejected or not len(inspected.series):
        why = f"{file.name}: " + ("refused for its bad rows" if rejected else "not one usable bar")
        return {"file": str(file), "ok": False, "why": why, "findings": told}
    shelf = catalogue.shelf(exchange, inspected.symbol, inspected.timeframe)
    added = catalogue.add(shelf, inspected.series)
    return {
        "file": str(file),
        "ok": True,
        "into": shelf.name,
        "rows": len(inspected.series),
        "new": added.new,
        "replaced": added.replaced,
        "remarks": inspected.remarks,
        "findings": told,
    }


def _told(inspected: Inspected) -> list[dict[str, Any]]:
    left_out = {DataFault.BAD_ROW, DataFault.DUPLICATE, DataFault.DISORDER}
    return [
        {
            "line": one.line,
            "fault": one.fault.value,
            "what": one.what,
            "matters": one.fault in left_out,
        }
        for one in inspected.findings
    ]


def _import_lines(one: dict[str, Any]) -> Iterable[str]:
    yield from _finding_lines(Path(one["file"]).name, one["findings"])
    if not one["ok"]:
        yield one["why"]
        return
    yield from one["remarks"]
    yield (
        f"{Path(one['file']).name}: {one['rows']} candles into {one['into']} "
        f"({one['new']} new, {one['replaced']} replaced)"
    )


def _finding_lines(name: str, findings: list[dict[str, Any]]) -> Iterable[str]:
    for one in findings[:TOLD]:
        at = f"{name}:{one['line']}: " if one["line"] else ""
        yield f"{at}{one['fault']}: {one['what']}"
    rest = Counter(one["fault"] for one in findings[TOLD:])
    if rest:
        yield f"{name}: and " + ", ".join(
            f"{count} more of {fault}" for fault, count in rest.items()
        )


# -- list and check --------------------------------------------------------------------------


@click.command("list")
@folder_option
@json_option
def list_(folder: Path | None, as_json: bool) -> int:
    """What history there is."""
    from tradeterm.model.timing import iso, timeframe_text

    catalogue = opened(folder)
    rows = [
        {
            "exchange": shelf.exchange,
            "symbol": shelf.symbol,
            "timeframe": timeframe_text(shelf.timeframe),
            "candles": shelf.rows,
            "from": iso(shelf.first),
            "to": iso(shelf.last),
            "missing": (shelf.last - shelf.first) // (shelf.timeframe * 10**9) - shelf.rows,
            "files": len(shelf.months),
        }
        for shelf in catalogue.shelves()
        if shelf.months
    ]
    columns = ["exchange", "symbol", "timeframe", "candles", "from", "to", "missing"]
    empty = f"no history in {catalogue.folder}; `tradeterm data fetch` or `import` brings some"
    say(as_json, {"folder": str(catalogue.folder), "history": rows}, table(columns, rows, empty))
    return 0


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--symbol", help="When neither name nor column says it, e.g. BTC/USDT.")
@click.option("--timeframe", help="Likewise, e.g. 1h.")
@folder_option
@json_option
def check(
    files: tuple[Path, ...],
    symbol: str | None,
    timeframe: str | None,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Gaps, duplicates, disorder, bad rows and outliers, by line: of FILES, or of what is stored.

    FILES are candles, tapes, folders of them and recorded runs. Exits 1 when anything is wrong; an
    outlier alone may be the truth and exits 0.
    """
    from tradeterm.adapters.tape.recorded import recordings

    span = _span(timeframe) if timeframe is not None else None
    if files:
        found = []
        for file in files:
            runs = recordings(file)
            found += [_checked_run(run) for run in runs]
            if not runs:
                found += [_checked(each, symbol, span) for each in _expanded((file,))]
    else:
        found = list(_stored(opened(folder)))
    ok = not any(one["matters"] for one in found)
    lines = [line for one in found for line in _check_lines(one)]
    say(as_json, {"ok": ok, "files": found}, lines or ["nothing to check"])
    return int(not ok)


def _checked(file: Path, symbol: str | None = None, span: int | None = None) -> dict[str, Any]:
    from tradeterm.adapters.feeds.replay import is_tape
    from tradeterm.adapters.history.inspecting import inspect
    from tradeterm.errors import DataError

    tape = is_tape(file)
    try:
        if tape:
            return _checked_tape(file)
        inspected = inspect(file, symbol, span)
    except DataError as error:
        return _damaged(file, 0, "events" if tape else "candles", [str(error)])
    counts = Counter(one.fault.value for one in inspected.findings)
    return {
        "file": str(file),
        "symbol": inspected.symbol,
        "timeframe": inspected.timeframe,
        "rows": len(inspected.series),
        "grain": "candles",
        "counts": dict(counts),
        "matters": any(fault != DataFault.OUTLIER.value for fault in counts),
        "findings": [
            {"line": one.line, "fault": one.fault.value, "what": one.what}
            for one in inspected.findings
        ],
    }


def _checked_tape(file: Path) -> dict[str, Any]:
    """Every line as a replay would read it. Raises DataError when it is no tape."""
    from tradeterm.adapters.feeds.rows import BAD_ROW
    from tradeterm.adapters.feeds.tapes import TapeSource
    from tradeterm.model.market import FeedNotice

    source, events, findings = TapeSource(file, "skip"), 0, []
    while chunk := source.chunk():
        for event in chunk:
            if isinstance(event, FeedNotice) and event.code == BAD_ROW:
                line, _, what = event.text.removeprefix(f"{file.name}:").partition(": ")
                fault = DataFault.BAD_ROW.value
                findings.append({"line": int(line), "fault": fault, "what": what})
            else:
                events += 1
    bad = source.mark().bad
    return {
        "file": str(file),
        "symbols": list(source.steps),
        "rows": events,
        "grain": "events",
        "counts": {DataFault.BAD_ROW.value: bad} if bad else {},
        "matters": bad > 0,
        "findings": findings,
    }


def _checked_run(folder: Path) -> dict[str, Any]:
    """A recorded run, block by block; an end that a crash cut off is told and is no fault."""
    from tradeterm.adapters.tape.soundness import cut_off, recorded_events, tape_problems

    problems = [f"{name}: {what}" for name, what in tape_problems(folder)]
    if problems:
        return _damaged(folder, 0, "events", problems)
    found = _damaged(folder, recorded_events(folder), "events", [])
    if rest := cut_off(folder):
        what = f"{rest} bytes behind the last whole block, as a crash leaves them"
        found["findings"].append({"line": 0, "fault": DataFault.CUT_OFF.value, "what": what})
        found["counts"][DataFault.CUT_OFF.value] = 1
    return found


def _damaged(file: Path, rows: int, grain: str, problems: list[str]) -> dict[str, Any]:
    damaged = DataFault.DAMAGED.value
    return {
        "file": str(file),
        "rows": rows,
        "grain": grain,
        "counts": {damaged: len(problems)} if problems else {},
        "matters": bool(problems),
        "findings": [{"line": 0, "fault": damaged, "what": what} for what in problems],
    }


def _stored(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Every stored file, also against what the list says of it, and the seams between them."""
    from tradeterm.adapters.history.checking import check_month, check_seams

    for shelf in catalogue.shelves():
        for file, month in catalogue.files(shelf):
            found = _checked(file)
            for fault in check_month(file, month):
                found["findings"].insert(0, {"line": 0, "fault": "damaged", "what": fault})
                found["counts"]["damaged"] = found["counts"].get("damaged", 0) + 1
                found["matters"] = True
            for what in check_seams(shelf, month):
                found["findings"].append({"line": 1, "fault": "gap", "what": what})
                found["counts"]["gap"] = found["counts"].get("gap", 0) + 1
                found["matters"] = True
            yield found


def _check_lines(one: dict[str, Any]) -> Iterable[str]:
    name = Path(one["file"]).name
    yield from _finding_lines(name, one["findings"])
    said = ", ".join(f"{count} × {fault}" for fault, count in one["counts"].items()) or "sound"
    yield f"{name}: {one['rows']} {one['grain']}, {said}"
