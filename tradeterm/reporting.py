"""Commands that judge a run afterwards, from another shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tradeterm.printing import db_option, json_option, say, table


def reporting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [fidelity]


@click.command()
@db_option
@json_option
@click.option("--each", is_flag=True, help="Every fill, not only the means.")
def fidelity(db: Path | None, as_json: bool, each: bool) -> int:
    """Whether paper fills are too kind: each one against the prints of the seconds after it."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.lab.fidelity import report

    with Reader(db) as reader:
        rows = [(row.parent, row.data) for row in reader.journal(kind="fidelity", limit=-1)]
        found = report(rows, len(reader.fills()))
    singles = found.pop("differences")
    if each:
        found["differences"] = singles
    say(as_json, found, _lines(found))
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    still = f", {found['still_open']} not followed to the end" if found["still_open"] else ""
    columns = ["group", "name", "seconds", "fills", "by_prints", "by_mid", "unseen", "mean_bp"]
    columns += ["error_bp", "worst_bp", "best_bp"]
    lines = [
        f"{found['fills']} fills{still}: {found['verdict']}",
        "",
        *table(columns, [_in_words(bias) for bias in found["biases"]], "no fills were followed"),
    ]
    if "differences" in found:
        fields = ["fill", "order", "symbol", "side", "evidence", "seconds", "against", "bp"]
        singles = [{**each, "bp": _points(each["bps"])} for each in found["differences"]]
        lines += ["", *table(fields, singles, "")]
    return [*lines, "", *found["caveats"]]


def _in_words(bias: dict[str, Any]) -> dict[str, Any]:
    points = {f"{name}_bp": _points(bias[name]) for name in ("mean", "error", "worst", "best")}
    return {**bias, **points}


def _points(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
