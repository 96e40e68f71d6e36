"""How the commands print: one JSON line, or aligned and cleaned text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from tradeterm.lab.cells import STAMPS, amount, cell

db_option = click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The book of record (default: the platform's data directory).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")


def say(as_json: bool, data: Any, lines: Iterable[str]) -> None:
    """One JSON object on one line, or the lines of text."""
    if as_json:
        click.echo(json.dumps(data, separators=(",", ":"), default=str))
    else:
        from tradeterm.model.text import visible

        for line in lines:
            click.echo(visible(line))


def how_old(facts: dict[str, Any]) -> list[str]:
    """A line on facts that are older than the journal; none when they are the newest."""
    if not facts.get("rows_behind"):
        return []
    since = f"as of {facts['market_time']}; {facts['rows_behind']} rows of the journal came after"
    return [
        f"OLD: {since} ({facts['behind_because']}); `positions`, `orders` and `fills` are newer"
    ]


def table(columns: Sequence[str], rows: Sequence[dict[str, Any]], empty: str) -> list[str]:
    """Aligned text; numbers to the right."""
    if not rows:
        return [empty]
    cells = [[cell(name, row.get(name)) for name in columns] for row in rows]
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


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


def with_times(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for JSON: nanoseconds as ISO-8601, amounts plainly, process columns left out."""
    from tradeterm.model.timing import iso

    return [
        {
            name: iso(value)
            if name in STAMPS and isinstance(value, int) and value
            else amount(value)
            if isinstance(value, str)
            else value
            for name, value in row.items()
            if name not in ("run", "seq")
        }
        for row in rows
    ]
