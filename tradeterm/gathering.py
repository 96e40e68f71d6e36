"""`tradeterm data`: history from exchanges and files, what there is of it, and whether it is sound."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import ExchangeError, UsageError
from tradeterm.printing import json_option, say, table

if TYPE_CHECKING:
    from tradeterm.adapters.history.catalogue import Catalogue, Shelf
    from tradeterm.adapters.history.inspecting import Inspected
    from tradeterm.settings.settings import Settings

#: Findings of one file that are told line by line; the rest is counted.
TOLD = 50

folder_option = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of history (default: history/ in the platform's data directory).",
)


def gathering_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [data]


@click.group()
def data() -> None:
    """History: fetch it from an exchange, import it from files, list it, check it."""


def _catalogue(folder: Path | None) -> Catalogue:
    from tradeterm.adapters.history.catalogue import Catalogue, default_folder

    return Catalogue(folder or default_folder())


# -- fetch -----------------------------------------------------------------------------------


@data.command()
@click.option("--exchange", help="Whose history, e.g. kraken (default: live.exchange).")
@click.option("--symbols", help="Comma-separated (default: market.symbols).")
@click.option("--since", required=True, help="From this market time, or so long ago (30d).")
@click.option("--until", help="To this market time, or so long ago (default: now).")
@click.option("--timeframe", "timeframes", multiple=True, help="1m, 1h …; default: all of market's.")
@folder_option
@click.option("--config", "config_dir", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE")
@json_option
def fetch(
    exchange: str | None,
    symbols: str | None,
    since: str,
    until: str | None,
    timeframes: tuple[str, ...],
    folder: Path | None,
    config_dir: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    """Candles from an exchange. Interrupted, the same command goes on where it was.

    Exits 1 when the exchange did not give everything that was asked for.
    """
    from tradeterm.settings.loading import load_settings

    if exchange is not None:
        overrides = (*overrides, f"live.exchange={exchange}")
    settings = load_settings(config_dir, overrides, os.environ).settings
    now = time.time_ns()
    begin = _moment("--since", since, now)
    end = now if until is None else min(now, _moment("--until", until, now))
    if begin >= end:
        raise UsageError(f"--since {since!r} is not before --until {until or 'now'!r}")
    chosen = [s.strip() for s in symbols.split(",")] if symbols else list(settings.market.symbols)
    spans = [_seconds(name) for name in timeframes] or list(settings.market.timeframes)
    catalogue = _catalogue(folder)
    with catalogue.writing():
        found = asyncio.run(_fetched(settings, catalogue, chosen, spans, (begin, end)))
    lines = [f"{one['what']}: {one['new']} new, {one['replaced']} replaced"
             + (f"  ({one['remark']})" if one["remark"] else "") for one in found]  # fmt: skip
    say(as_json, {"ok": all(one["ok"] for one in found), "fetched": found}, lines)
    return int(not all(one["ok"] for one in found))


async def _fetched(
    settings: Settings,
    catalogue: Catalogue,
    symbols: list[str],
    spans: list[int],
    stretch: tuple[int, int],
) -> list[dict[str, Any]]:
    from tradeterm.adapters.feeds.live.exchange import close_exchange, open_exchange
    from tradeterm.adapters.history.fetching import Fetcher

    name = settings.live.exchange
    shelves = [catalogue.shelf(name, symbol, span) for symbol in symbols for span in spans]
    found = []
    exchange = open_exchange(name, settings.live)
    try:
        with _progress(shelves, stretch) as report:
            fetcher = Fetcher(exchange, catalogue, report)
            for shelf in shelves:
                try:
                    done = await fetcher.fetch(shelf, *stretch)
                except ExchangeError as error:
                    one = {"new": 0, "replaced": 0, "pages": 0, "remark": str(error), "ok": False}
                else:
                    one = {
                        "new": done.new,
                        "replaced": done.replaced,
                        "pages": done.pages,
                        "remark": done.remark,
                        "ok": not done.remark,
                    }
                found.append({"what": shelf.name, "rows": shelf.rows, **one})
    finally:
        await close_exchange(exchange)
    return found


@contextmanager
def _progress(
    shelves: list[Shelf], stretch: tuple[int, int]
) -> Iterator[Callable[[Shelf, int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere."""
    since, until = stretch
    if not sys.stderr.isatty():
        yield lambda _shelf, _at: None
        return
    from tradeterm.model.timing import SECOND

    length = max(1, (until - since) // SECOND)
    place = {id(shelf): number for number, shelf in enumerate(shelves)}
    with click.progressbar(
        length=length * len(shelves),
        label="fetching",
        file=sys.stderr,
        item_show_func=lambda shelf: shelf.name if shelf is not None else "",
    ) as bar:

        def report(shelf: Shelf, at: int) -> None:
            reached = place[id(shelf)] * length + (min(at, until) - since) // SECOND
            bar.update(max(0, reached - bar.pos), shelf)

        yield report


def _moment(option: str, text: str, now: int) -> int:
    """ns from a time or from how long ago; raises UsageError."""
    from tradeterm.model.timing import parse_duration, parse_instant

    try:
        return now - parse_duration(text)
    except UsageError:
        pass
    try:
        return parse_instant(text)
    except UsageError:
        raise UsageError(
            f"{option} {text!r}: write a time such as 2025-06-01 or 2025-06-01T12:00:00Z, or how "
            "long ago, such as 30d"
        ) from None


def _seconds(name: str) -> int:
    """A timeframe in seconds; raises UsageError."""
    from tradeterm.model.timing import SECOND, parse_duration

    try:
        span, rest = divmod(parse_duration(name), SECOND)
    except UsageError:
        span, rest = 0, 0
    if rest or span <= 0:
        raise UsageError(f"--timeframe {name!r}: write for example 1m, 5m, 1h or 1d")
    return span


# -- import ----------------------------------------------------------------------------------


@data.command("import")
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
    span = _seconds(timeframe) if timeframe is not None else None
    name = _exchange_name(exchange)
    catalogue, every = _catalogue(folder), list(_expanded(files))
    found = []
    with catalogue.writing():
        for file in every:
            found.append(_imported(catalogue, file, name, symbol, span, refuse=on_bad == "refuse"))
    ok = all(one["ok"] for one in found)
    lines = [line for one in found for line in _import_lines(one)]
    say(as_json, {"ok": ok, "files": found}, lines)
    return int(not ok)


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
    from tradeterm.model.vocabulary import DataFault

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
    yield f"{Path(one['file']).name}: {one['rows']} candles into {one['into']} ({one['new']} new, {one['replaced']} replaced)"  # noqa: E501


def _finding_lines(name: str, findings: list[dict[str, Any]]) -> Iterable[str]:
    for one in findings[:TOLD]:
        at = f"{name}:{one['line']}: " if one["line"] else ""
        yield f"{at}{one['fault']}: {one['what']}"
    rest = Counter(one["fault"] for one in findings[TOLD:])
    if rest:
        yield f"{name}: and " + ", ".join(f"{count} more of {fault}" for fault, count in rest.items())


# -- list and check --------------------------------------------------------------------------


@data.command("list")
@folder_option
@json_option
def list_(folder: Path | None, as_json: bool) -> int:
    """What history there is."""
    from tradeterm.model.timing import iso, timeframe_text

    catalogue = _catalogue(folder)
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


@data.command()
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

    Exits 1 when anything is wrong; an outlier alone may be the truth and exits 0.
    """
    span = _seconds(timeframe) if timeframe is not None else None
    if files:
        found = [_checked(file, symbol, span) for file in _expanded(files)]
    else:
        found = list(_stored(_catalogue(folder)))
    ok = not any(one["matters"] for one in found)
    lines = [line for one in found for line in _check_lines(one)]
    say(as_json, {"ok": ok, "files": found}, lines or ["nothing to check"])
    return int(not ok)


def _checked(file: Path, symbol: str | None = None, span: int | None = None) -> dict[str, Any]:
    from tradeterm.adapters.history.inspecting import inspect
    from tradeterm.errors import DataError
    from tradeterm.model.vocabulary import DataFault

    try:
        inspected = inspect(file, symbol, span)
    except DataError as error:
        damage = {"line": 0, "fault": DataFault.DAMAGED.value, "what": str(error)}
        return {"file": str(file), "rows": 0, "counts": {"damaged": 1}, "matters": True,
                "findings": [damage]}  # fmt: skip
    counts = Counter(one.fault.value for one in inspected.findings)
    return {
        "file": str(file),
        "symbol": inspected.symbol,
        "timeframe": inspected.timeframe,
        "rows": len(inspected.series),
        "counts": dict(counts),
        "matters": any(fault != DataFault.OUTLIER.value for fault in counts),
        "findings": [
            {"line": one.line, "fault": one.fault.value, "what": one.what}
            for one in inspected.findings
        ],
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
    yield f"{name}: {one['rows']} candles, {said}"
