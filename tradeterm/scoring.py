"""``tradeterm scores``: who was right, told in the shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tradeterm.printing import db_option, json_option, say


def scoring_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [scores]


@click.command()
@db_option
@json_option
@click.option("--agent", default="", help="Only this agent (or a part of its name).")
def scores(db: Path | None, as_json: bool, agent: str) -> int:
    """Who was right: agents, models, resolvers, the operator, the risk rules, plain holding."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.lab.scores import report

    with Reader(db) as reader:
        found = report(reader)
    for part in ("decisions", "opinions"):
        found[part] = [one for one in found[part] if agent in one["agent"]]
    say(as_json, found, _lines(found, agent))
    return 0


def _lines(found: dict[str, Any], agent: str) -> Iterator[str]:
    from textwrap import wrap

    from tradeterm.lab.scorecard import sections

    for section in sections(found, agent):
        yield section.title
        yield from (f"  {line}" for line in section.table())
        yield from (f"  {line}" for line in wrap(section.note, 100))
        yield ""
    yield f"Exit policy of every ghost, {found['policy']}:"
    yield from (f"  {line}" for line in wrap(found["policy_text"], 100))
    for caveat in found["caveats"]:
        yield from wrap(caveat, 102, initial_indent="- ", subsequent_indent="  ")
