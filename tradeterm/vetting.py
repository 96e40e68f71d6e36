"""Commands about risk: a verdict on an order nobody sent, and the self-assessment."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from tradeterm.errors import StoreAbsent
from tradeterm.printing import db_option, how_old, json_option, say, table


class Figure(click.ParamType[Decimal]):
    """Any number, sensible or not: risk is asked about it, and answers."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Refuses only what is no number at all."""
        try:
            return value if isinstance(value, Decimal) else Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)


def vetting_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [risk, assess]


@click.group()
def risk() -> None:
    """The veto: ask it about an order without sending one."""


@risk.command()
@db_option
@json_option
@click.option("--symbol", required=True, help="For example BTC/USDT.")
@click.option("--side", required=True, type=click.Choice(["long", "short", "buy", "sell"]))
@click.option("--size", type=Figure(), help="In base currency; without it: what risk allows.")
@click.option("--entry", type=Figure(), help="Without it: the touch.")
@click.option("--stop", type=Figure(), help="Without it: by the ATR, where the settings allow it.")
@click.option("--target", type=Figure())
@click.option("--leverage", type=Figure(), default="1", show_default=True)
@click.option("--confidence", type=Figure(), default="1", show_default=True)
def check(db: Path | None, as_json: bool, side: str, **figures: Any) -> int:
    """What an entry would be told: now where the run lives, else at its last market time.

    Exits 0 when it (or a part of it) would be allowed, 1 when it would be refused.
    """
    from tradeterm.adapters.store.paths import locate
    from tradeterm.engine.whatif import Hypothesis
    from tradeterm.model.vocabulary import PositionSide
    from tradeterm.standing import hypothetical

    path = locate(db).db
    if not path.exists():
        raise StoreAbsent(f"no store at {path}; start `tradeterm` once")
    way = PositionSide.LONG if side in {"long", "buy"} else PositionSide.SHORT
    verdict = hypothetical(path, Hypothesis(side=way, **figures))
    say(as_json, verdict, _verdict_lines(verdict, figures["symbol"]))
    return 0 if verdict["size"] is not None else 1


def _verdict_lines(verdict: dict[str, Any], symbol: str) -> Iterable[str]:
    from tradeterm.model.units import with_unit

    yield from how_old(verdict)
    codes = ", ".join(verdict["codes"])
    yield f"{verdict['status']}{': ' if codes else ''}{codes} (at {verdict['market_time']})"
    if verdict["size"] is not None:
        yield f"size {verdict['size']}, leverage {verdict['leverage']}, stop {verdict['stop']}"
    rules = [
        {**rule, **{name: with_unit(rule["rule"], rule[name], symbol, verdict["currency"])
                    for name in ("value", "limit")}}
        for rule in verdict["rules"]
    ]  # fmt: skip
    yield from table(["rule", "value", "limit", "outcome"], rules, "no rules")


@click.command()
@db_option
@json_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Directory of the report (default: beside the store).",
)
def assess(db: Path | None, as_json: bool, out: Path | None) -> int:
    """Limit, collar, throttle, halt and restore drills on a copy, with a dated report."""
    from tradeterm.ops.assessing import assess as drilled

    drills, report = drilled(db, out)
    ok = all(drill.passed for drill in drills)
    data = {
        "ok": ok,
        "report": str(report),
        "drills": [{"drill": d.name, "passed": d.passed, "found": d.found} for d in drills],
    }
    lines = [f"{'ok  ' if d.passed else 'FAIL'}  {d.name:<9} {d.found}" for d in drills]
    say(as_json, data, [*lines, f"report: {report}"])
    return 0 if ok else 1
