"""How the run did so far: figures, months, trades by group, equity and drawdown as plots."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradeterm.model.timing import SECOND
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, clip, fit
from tradeterm.tui.panes.columns import Column, heads, row
from tradeterm.tui.printable import printable

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader

_FIGURES = (("TRADES", 0), ("WON", 1), ("P&L", 0), ("COSTS", 2), ("FACTOR", 3), ("HOURS", 4))
#: Trades by group where there is room, and where there is little: hours leave first.
_GROUPS = (
    Column("CLOSED TRADES BY", 28, "<"),
    *(Column(name, 10, ">", rank) for name, rank in _FIGURES),
)
_TIGHT = (
    Column("CLOSED TRADES BY", 20, "<"),
    *(Column(name, 9 if name in {"P&L", "COSTS"} else 7, ">", rank) for name, rank in _FIGURES),
)
_ROOMY = 94
#: Lines of one plot, and how many of its points are drawn at most.
PLOT_HEIGHT, PLOT_POINTS = 12, 400


def read(reader: Reader) -> dict[str, Any]:
    """The report, and the curves it is drawn from."""
    from tradeterm.lab.performance import curve, run_report, underwater

    found = run_report(reader)
    return {**found, "curve": curve(reader), "underwater": underwater(reader)}


def lines(found: dict[str, Any], width: int) -> Sequence[Line]:
    """The page; without an equity mark it says when there will be one."""
    if not found["from"]:
        return [(("no equity mark yet: the first follows the first fill or 00:00 UTC", "quiet"),)]
    return [
        *_figures(found),
        BLANK,
        *_plot("equity", found["curve"], width),
        BLANK,
        *_plot("percent below the peak", found["underwater"], width),
        BLANK,
        *_months(found["months"]),
        BLANK,
        *_groups(found["trades"], width),
        BLANK,
        (("how each figure is computed, and from what: docs/performance.md", "quiet"),),
    ]


def _figures(found: dict[str, Any]) -> list[Line]:
    equity, fallen, trades = found["equity"], found["drawdown"], found["trades"][0]
    earned = f"{equity['earned']:+,.2f} ({found['percent']:+.2f} %)"
    closed = f"{trades['count']}, won {trades['wins']}, {trades['pnl']:+,.2f}"
    told = [
        ("span", f"{found['from'][:16]} to {found['to'][:16]}Z, {found['days']} whole days"),
        ("equity", f"{equity['start']:,.2f} to {equity['end']:,.2f}{_newest(found['to'])}"),
        ("earned", f"{earned}, net of language models {found['net_of_llm']:+,.2f}"),
        ("closed trades", f"{closed} after {trades['costs']:,.2f} of costs"),
        ("drawdown", "none" if fallen is None else _fallen(fallen)),
        ("ratios", _ratios(found)),
    ]
    return [((fit(name, 15), "quiet"), (text, "text")) for name, text in told]


def _newest(to: str) -> str:
    """The status line is ahead of the journal: it says the equity of this moment."""
    return f", newest mark on disk {to[11:16]}Z"


def _fallen(fallen: dict[str, Any]) -> str:
    since = "recovered" if fallen["recovered"] else "not recovered"
    return f"{fallen['percent']:.2f} % at the most, {fallen['trough'][:16]}Z, {since}"


def _ratios(found: dict[str, Any]) -> str:
    if found["days"] < found["enough_days"]:
        return f"not enough data below {found['enough_days']} whole days"
    names = ("sharpe", "sortino", "calmar")
    return "  ".join(
        f"{name} {'undefined' if found[name] is None else format(found[name], '.2f')}"
        for name in names
    )


def _plot(title: str, curve: Sequence[tuple[int, Decimal | float]], width: int) -> list[Line]:
    """Drawn by plotext in one colour: its own would not follow the theme."""
    if len(curve) < 2:
        return [((f"{title}: drawn from the second mark on, at the next fill or minute", "quiet"),)]
    import plotext

    step = max(1, len(curve) // PLOT_POINTS)
    points = [*curve[::step], curve[-1]]
    plotext.clear_figure()
    plotext.limit_size(False, False)  # a page may be larger than what it takes for the terminal
    plotext.theme("clear")
    plotext.plotsize(width, PLOT_HEIGHT)
    plotext.title(title)
    plotext.date_form("d/m H:M")
    stamps = [plotext.datetime_to_string(_moment(ts)) for ts, _ in points]
    plotext.plot(stamps, [float(value) for _, value in points], marker="braille")
    drawn = plotext.uncolorize(plotext.build()).splitlines()
    return [((printable(clip(line, width)), "accent"),) for line in drawn]


def _moment(ts: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ts // SECOND, UTC)


def _months(months: dict[str, float]) -> list[Line]:
    head: Line = ((fit("month", 10) + fit("percent", 10, ">"), "quiet"),)
    if not months:
        return [head, (("no whole day yet", "quiet"),)]
    return [head, *(
        ((fit(month, 10) + fit(f"{percent:+.2f}", 10, ">"), "up" if percent >= 0 else "down"),)
        for month, percent in months.items()
    )]  # fmt: skip


def _groups(trades: Sequence[dict[str, Any]], width: int) -> list[Line]:
    columns = _GROUPS if width >= _ROOMY else _TIGHT
    found: list[Line] = [heads(columns, width)]
    for one in trades:
        factor = one["profit_factor"]
        told = (
            str(one["count"]), str(one["wins"]), figures.signed(one["pnl"]),
            figures.money(one["costs"]), "no loss" if factor is None else f"{factor:.2f}",
            f"{one['hours']:.1f}",
        )  # fmt: skip
        name = one["name"] if one["group"] == "all" else f"{one['group']} {one['name']}"
        role = "text+bold" if one["group"] == "all" else "text"
        cells = (printable(name.replace("_", " ")), *told)
        found.append(row(columns, [(cell, role) for cell in cells], width))
    return found
