"""Commands that list the book of record: text for people, JSON for scripts, CSV for spreadsheets."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradeterm.errors import UsageError
from tradeterm.lab.cells import cell
from tradeterm.printing import db_option, how_old, json_option, say, table, with_times

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

Record = dict[str, Any]
#: Newest rows shown when nothing is said; a CSV has all of them.
SHOWN = 100
#: What a spreadsheet takes for the beginning of a formula, and what only looks like one.
_FORMULA = frozenset("=+-@|")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:E[-+]?\d+)?")
_limit = click.IntRange(min=-1)
_csv_option = click.option(
    "--csv", "csv_to", metavar="FILE|-", help="All columns as CSV, to a file or standard output."
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One table of the book of record as a command."""

    name: str
    """The command, the JSON key and the table."""
    help: str
    columns: str
    """Those shown as text; JSON and CSV have all of them."""
    empty: str
    read: Callable[[Reader, bool, int], list[Record]]
    """(reader, finished ones too, how many)"""
    whole: str
    """Help of ``--all``."""
    ended: bool = False
    """Whether those that ended are shown, too, when no other is left (text only)."""
    worked_out: tuple[str, ...] = ()
    """Columns that are not in the table."""


LISTINGS = (
    Listing(
        "positions", "Margin positions.",
        "id symbol side size entry stop stop_kind target leverage collateral opened exit"
        " exit_reason realised fees carry net",
        "no open positions",
        lambda reader, everything, limit: _net(
            _newest(reader.positions(everything=everything), limit)
        ),
        "Closed ones too.",
        worked_out=("net",),
    ),
    Listing(
        "orders", "Orders.",
        "id symbol side type purpose size filled average limit_price trigger_price status created"
        " reason",
        "no working orders",
        lambda reader, everything, limit: reader.orders(everything=everything, limit=limit),
        "Finished ones too, newest first.",
    ),
    Listing(
        "fills", "Fills, newest first.",
        "id ts order_id symbol side price size fee fee_asset liquidity evidence position_id",
        "no fills yet",
        lambda reader, _everything, limit: reader.fills(limit=limit),
        f"All of them, not only the newest {SHOWN}.",
    ),
    Listing(
        "postings", "Ledger postings, newest first; those of an entry sum to zero per asset.",
        "entry_id ts kind account asset amount parent",
        "no postings yet",
        lambda reader, _everything, limit: reader.postings(limit),
        f"All of them, not only the newest {SHOWN}.",
    ),
    Listing(
        "plans", "Rebalances, at once or in batches.",
        "id created purpose status batch batches next filled amount reason",
        "no plan under way",
        lambda reader, everything, limit: _newest(reader.plans(everything=everything), limit),
        "Ended ones too.",
        ended=True,
    ),
    Listing(
        "votes", "What models said in the agents' place, newest first; late votes counted for nothing.",
        "id ts agent symbol model says confidence seconds late fault question",
        "no model was asked for an agent yet",
        lambda reader, _everything, limit: reader.votes(limit),
        f"All of them, not only the newest {SHOWN}.",
    ),
    Listing(
        "differences", "Where the venue's books differ from ours.",
        "id ts kind subject symbol ours venue state reason",
        "the venue's books and ours agree",
        lambda reader, everything, limit: _newest(reader.differences(everything=everything), limit),
        "Settled ones too.",
    ),
)  # fmt: skip


def listing_commands() -> list[click.Command]:
    """Everything this module adds to the command line."""
    return [*(_command(listing) for listing in LISTINGS), portfolio]


def _newest(rows: list[Record], limit: int) -> list[Record]:
    return rows if limit < 0 else rows[max(0, len(rows) - limit) :]


def _net(rows: list[Record]) -> list[Record]:
    """Positions with what they earned so far: realised less fees and carry."""
    from decimal import Decimal

    from tradeterm.model.money import plain

    for row in rows:
        realised, fees, carry = (Decimal(row[name]) for name in ("realised", "fees", "carry"))
        row["net"] = plain(realised - fees - carry)
    return rows


def _command(listing: Listing) -> click.Command:
    @db_option
    @json_option
    @_csv_option
    @click.option(
        "--limit",
        type=_limit,
        help=f"Newest rows (default: {SHOWN}, with --all and --csv all of them).",
    )
    def show(
        db: Path | None,
        as_json: bool,
        csv_to: str | None,
        limit: int | None,
        everything: bool,
    ) -> int:
        from tradeterm.adapters.store.reader import Reader
        from tradeterm.adapters.store.schema import COLUMNS

        refuse_two(as_json, csv_to)
        if limit is None:
            limit = SHOWN if csv_to is None and not everything else -1
        with Reader(db) as reader:
            rows = listing.read(reader, everything, limit)
            ended = listing.read(reader, True, limit) if listing.ended and not rows else []
            book = reader.paths.db
        if csv_to is not None:
            columns = [name for name in COLUMNS[listing.name] if name not in ("run", "seq")]
            columns += listing.worked_out
            write_csv(csv_to, columns, with_times(rows), book)
            return 0
        lines = table(listing.columns.split(), rows, listing.empty)
        if ended:
            lines = [f"{listing.empty}; ended:", *table(listing.columns.split(), ended, "")]
        say(as_json, {listing.name: with_times(rows)}, lines)
        return 0

    show = click.option("--all", "everything", is_flag=True, help=listing.whole)(show)
    return click.command(listing.name, help=listing.help)(show)


def refuse_two(as_json: bool, csv_to: str | None) -> None:
    """One form at a time."""
    if as_json and csv_to is not None:
        raise UsageError("--json and --csv are two forms of the same answer; choose one")


def write_csv(to: str, columns: Sequence[str], rows: Sequence[Record], book: Path) -> None:
    """A header and one line per row; ``-`` is standard output. Raises UsageError."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_inert(_flat(row.get(name))) for name in columns] for row in rows)
    if to == "-":
        click.echo(out.getvalue(), nl=False)
        return
    path = Path(to)
    place, own = path.resolve(), book.resolve()
    if path.exists() and place.parent == own.parent and place.name.startswith(own.name):
        raise UsageError(f"--csv {to} is the book of record itself; write somewhere else")
    try:
        path.write_text(out.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"--csv {to}: cannot be written ({error.strerror})") from error


def _inert(text: str) -> str:
    """On one line, and no formula: what a spreadsheet would calculate is marked as text (``'``)."""
    from tradeterm.model.text import visible

    shown = visible(text).replace("\n", " ")
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA and not _NUMBER.fullmatch(shown) else shown


def _flat(value: Any) -> str:
    """Nothing for what is unknown, so that a spreadsheet sees numbers or nothing."""
    if isinstance(value, list):
        import json

        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)


@click.command()
@db_option
@json_option
@_csv_option
def portfolio(db: Path | None, as_json: bool, csv_to: str | None) -> int:
    """Allocation against its targets, bags, plans, fees and what was earned; CSV: the allocation."""
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.control import ask
    from tradeterm.standing import holdings

    refuse_two(as_json, csv_to)
    with Reader(db) as reader:
        book = reader.paths.db
        facts = ask(book, "portfolio") or holdings(reader)
    if csv_to is not None:
        write_csv(csv_to, ["asset", "value", "weight", "target", "off"], facts["allocation"], book)
        return 0
    say(as_json, facts, list(_portfolio_lines(facts)))
    return 0


def _portfolio_lines(facts: Record) -> list[str]:
    currency = facts["currency"]
    head = f"{facts['market_time']}  equity {facts['equity']} {currency}  free {facts['free']}"
    lines = [*how_old(facts), head, "", *table(
        ["asset", "value", "weight", "target", "off"], facts["allocation"],
        "no allocation while a holding has no price",
    )]  # fmt: skip
    lines += ["", *table(["asset", "amount", "worth", "earmarked"], facts["hodl"], "no bags")]
    lines += ["", *table(
        ["id", "status", "batch", "batches", "next", "filled", "amount", "reason"],
        facts["plans"], "no plan yet",
    )]  # fmt: skip
    profit = (f"{name} {cell(name, amount)}" for name, amount in facts["profit"].items())
    lines += ["", f"since the beginning ({currency}): {', '.join(profit)}"]
    if facts["positions"]:
        columns = ["id", "symbol", "side", "price", "fees", "carry", "net"]
        lines += ["", *table(columns, facts["positions"], "")]
    if facts["fee_tier"]:
        tier = facts["fee_tier"]
        lines += ["", _tier_line({name: cell(name, tier[name]) for name in tier}, currency)]
    for room in facts["rate_limits"]:
        lines.append(f"rate limit {room['name']}: {room['left']:g} of {room['of']:g} left")
    for each in facts["differences"]:
        lines.append(f"DIFFERS {each['id']}: {each['text']}")
    return lines


def _tier_line(tier: dict[str, str], currency: str) -> str:
    """The step of the fee ladder, with its units."""
    following = "" if tier["next_volume"] == "-" else f", next step at {tier['next_volume']}"
    return (
        f"fees: maker {tier['maker']} %, taker {tier['taker']} %"
        f" at {tier['volume']} {currency} in 30 days{following}"
    )
