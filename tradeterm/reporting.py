"""Commands that judge a run afterwards, from another shell."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tradeterm.printing import db_option, json_option, say, table


def reporting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [fidelity, performance]


@click.command()
@db_option
@json_option
@click.option("--each", is_flag=True, help="Every fill, not only the means.")
def fidelity(db: Path | None, as_json: bool, each: bool) -> int:
    """Whether paper fills are too kind: each one against the prints of the seconds after it."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.holding import settings_in_force
    from tradeterm.lab.fidelity import report

    with Reader(db) as reader:
        rows = [(row.parent, row.data) for row in reader.journal(kind="fidelity", limit=-1)]
        seconds = settings_in_force(reader).execution.fidelity
        found = report(rows, reader.fills(), seconds)
    singles = found.pop("differences")
    if each:
        found["differences"] = singles
    say(as_json, found, _lines(found))
    return 0


@click.command()
@db_option
@json_option
@click.option("--hours", is_flag=True, help="Also by the UTC hour in which a position opened.")
def performance(db: Path | None, as_json: bool, hours: bool) -> int:
    """Equity, drawdown, months, ratios and trades by symbol, side, hour, agent and exit."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.lab.performance import run_report

    with Reader(db) as reader:
        found = run_report(reader)
    say(as_json, found, _performance_lines(found, hours=hours))
    return 0


def _performance_lines(found: dict[str, Any], *, hours: bool) -> list[str]:
    equity, fallen = found["equity"], found["drawdown"]
    if not found["from"]:
        return ["no equity mark yet: nothing was held so far"]
    trades = found["trades"][0]
    months = [
        {"month": month, "percent": f"{percent:+.2f}"} for month, percent in found["months"].items()
    ]
    lines = [
        f"{found['from']} to {found['to']}, {found['days']} whole days",
        f"equity {equity['start']:.2f} -> {equity['end']:.2f}, put aside {-equity['moved']:.2f}",
        f"earned {equity['earned']:+.2f} ({found['percent']:+.2f} %)",
        f"after the cost of language models {found['net_of_llm']:+.2f}",
        f"closed positions {trades['pnl']:+.2f} after {trades['costs']:.2f} of costs",
        _fallen(fallen),
        _ratios(found),
        f"longest losing streak {found['losing_streak']}; {found['open']} positions open",
        "",
        *table(["month", "percent"], months, "no whole day yet, so no month"),
        "",
    ]
    columns = ["group", "name", "count", "wins", "pnl", "costs", "profit_factor", "mean_win"]
    columns += ["mean_loss", "hours"]
    groups = [_rounded(one) for one in found["trades"] if hours or one["group"] != "hour"]
    return lines + table(columns, groups, "")


def _fallen(fallen: dict[str, Any] | None) -> str:
    if fallen is None:
        return "no drawdown"
    back = f"recovered {fallen['recovered']}" if fallen["recovered"] else "not recovered"
    span = f"{fallen['peak']} to {fallen['trough']}"
    return f"largest drawdown {fallen['percent']:.2f} %, {span}, {back}"


def _ratios(found: dict[str, Any]) -> str:
    names = ("sharpe", "sortino", "calmar")
    if found["days"] < found["enough_days"]:
        return f"{', '.join(names)}: not enough data below {found['enough_days']} whole days"
    told = [
        f"{name} undefined" if found[name] is None else f"{name} {found[name]:.2f}"
        for name in names
    ]
    return ", ".join(told)


def _rounded(group: dict[str, Any]) -> dict[str, Any]:
    return {
        name: f"{value:.2f}" if isinstance(value, float | Decimal) else value
        for name, value in group.items()
    }


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
