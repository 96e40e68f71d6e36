"""`tradeterm data`: history from exchanges and files, what there is of it, and whether it is sound."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import ExchangeError, UsageError
from tradeterm.model.timing import timeframe_seconds
from tradeterm.printing import json_option, say
from tradeterm.storing import folder_option, opened, storing_commands

if TYPE_CHECKING:
    from tradeterm.adapters.history.catalogue import Catalogue, Shelf
    from tradeterm.settings.settings import Settings


def gathering_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [data]


@click.group()
def data() -> None:
    """History: fetch it from an exchange, import it from files, list it, check it."""


for _command in storing_commands():
    data.add_command(_command)


@data.command()
@click.option("--exchange", help="Whose history, e.g. kraken (default: live.exchange).")
@click.option("--symbols", help="Comma-separated (default: market.symbols).")
@click.option("--since", required=True, help="From this market time, or so long ago (30d).")
@click.option("--until", help="To this market time, or so long ago (default: now).")
@click.option(
    "--timeframe", "timeframes", multiple=True, help="1m, 1h …; default: all of market's."
)
@folder_option
@click.option(
    "--config", "config_dir", type=click.Path(path_type=Path), help="Directory of YAML overrides."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting."
)
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
    spans = [timeframe_seconds("--timeframe", name) for name in timeframes] or list(
        settings.market.timeframes
    )
    catalogue = opened(folder)
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
    """Ns from a time or from how long ago; raises UsageError."""
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
