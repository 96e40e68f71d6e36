"""`tradeterm proposals`: where each proposal stands, and the way it took."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.model.stages import Stage
from tradeterm.model.timing import iso
from tradeterm.printing import db_option, json_option, say, table

if TYPE_CHECKING:
    from tradeterm.adapters.store.lives import Life

SHOWN = 100


def tracing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [proposals]


@click.command()
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in Stage]),
    help="Only those that stand here.",
)
@click.option(
    "--limit", type=click.IntRange(min=-1), default=SHOWN, show_default=True,
    help="Newest ones; -1 for all.",
)  # fmt: skip
@json_option
@db_option
def proposals(db: Path | None, as_json: bool, stage: str | None, limit: int) -> int:
    """Proposals, newest last: detected, resolving, awaiting operator … sent, filled, closed."""
    from tradeterm.adapters.store.lives import MOVING, lives
    from tradeterm.adapters.store.reader import Reader

    with Reader(db) as reader:
        found = lives(reader.of_kinds(MOVING))
    if stage is not None:
        found = [life for life in found if life.stage is not None and life.stage.value == stage]
    if limit >= 0:
        found = found[max(0, len(found) - limit) :]
    rows = [_record(life) for life in found]
    lines = table(
        ["id", "ts", "symbol", "side", "stage", "way", "outcome"],
        [{**row, "way": _way(life)} for row, life in zip(rows, found, strict=True)],
        "no proposals yet",
    )
    say(as_json, {"proposals": rows}, lines)
    return 0


def _record(life: Life) -> dict[str, Any]:
    record = life.as_dict()
    record["ts"] = iso(life.ts)
    record["path"] = [{**one, "ts": iso(one["ts"])} for one in record["path"]]
    return record


def _way(life: Life) -> str:
    return " > ".join(stage.value for _, stage, _ in life.path[:-1])
