"""The scores in words: sections of short tables, the same for the shell and for the screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from textwrap import wrap
from typing import NamedTuple

from tradeterm.lab.outcomes import Body

NOT_ENOUGH = "not enough data"
_ENDLESS = 10**6
#: No column is made narrower than this.
_NARROWEST = 12


class Section(NamedTuple):
    """A heading, a table of texts, and a sentence below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def table(self) -> list[str]:
        """Aligned lines, the columns' names first: texts to the left, figures to the right."""
        return [line for block in self.blocks(_ENDLESS) for line in block]

    def blocks(self, width: int) -> list[list[str]]:
        """The same in as many tables as ``width`` asks for, none wider.

        Each begins with the first column, its rows numbered where it does not tell them apart.
        """
        if not self.columns:
            return []
        if not self.rows:
            return [["none yet"]]
        first, *rest = zip(self.columns, *self.rows, strict=True)
        if sum(_width(column) + 2 for column in (first, *rest)) - 2 > width:
            first = _told_apart(first)
        limit = max(_NARROWEST, (width - 4) // 2)
        found = [[first]]
        room = width - min(_width(first), limit)
        for column in rest:
            room -= 2 + min(_width(column), limit)
            if room < 0 and len(found[-1]) > 1:
                found.append([first])
                room = width - min(_width(first), limit) - 2 - min(_width(column), limit)
            found[-1].append(column)
        return [_lines(block, limit) for block in found]


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))


def _told_apart(column: Sequence[str]) -> tuple[str, ...]:
    name, *cells = column
    if len(set(cells)) == len(cells):
        return tuple(column)
    return (name, *(f"#{number} {text}" for number, text in enumerate(cells, start=1)))


def _lines(columns: Sequence[Sequence[str]], limit: int) -> list[str]:
    """One table; a cell beyond ``limit`` goes on in the line below."""
    wrapped: list[list[str]] = [[] for _ in columns]
    for row in zip(*columns, strict=True):
        cells = [wrap(text, limit) or [""] for text in row]
        height = max(map(len, cells))
        for column, parts in zip(wrapped, cells, strict=True):
            column += parts + [""] * (height - len(parts))
    aligned = [_aligned(column) for column in wrapped]
    return ["  ".join(line).rstrip() for line in zip(*aligned, strict=True)]


def sections(report: Body, agent: str = "") -> list[Section]:
    """All of them; ``agent`` (a part of its name) leaves only what is said of that one."""
    enough = report["enough"]
    heard = [
        _decisions([one for one in report["decisions"] if agent in one["agent"]], enough),
        _opinions([one for one in report["opinions"] if agent in one["agent"]], enough),
        *_reliabilities(report, agent),
    ]
    if agent:
        return heard
    return [
        _outcomes(report),
        _gates(report["gates"]),
        *heard,
        _approval(report["approval"]),
        *_models(report["pnl"]["models"]),
        _money(report),
    ]


def _outcomes(report: Body) -> Section:
    columns = ["ended", "entries", "over", "won", *(f"{h} h bp" for h in report["horizons"])]
    ghosts = report["ghosts"]
    rest = f"; {ghosts['not_followed']} still argued over or without a stop to follow"
    return Section(
        "What every proposed entry would have come to",
        [*columns, "end bp", "P&L"],
        [
            [
                one["name"], str(one["count"]), str(one["closed"]), str(one["won"]),
                *(points(one[f"bp_{hours}h"]) for hours in report["horizons"]),
                points(one["bp"]), money(one["pnl"]),
            ]
            for one in report["outcomes"]
        ],
        f"{ghosts['opened']} of {report['proposals']} entries followed"
        f"{rest if ghosts['not_followed'] else ''}. P&L of the size asked for, all costs paid.",
    )  # fmt: skip


def _gates(gates: Iterable[Body]) -> Section:
    rows = [
        [
            f"{one['kind']}: {one['name'].replace('_', ' ')}",
            _share(one["let_through"]), points(one["bp_through"]),
            _share(one["refused"]), points(one["bp_refused"]),
            interval(one["right"]), money(one["saved"]), _brier(one),
        ]
        for one in gates
    ]  # fmt: skip
    columns = ["who", "let through", "bp", "refused", "bp", "right", "saved", "Brier"]
    return Section(
        "Who let through and who refused", columns, rows,
        "right / all: letting a winner through, refusing a loser. saved: what the refused or cut "
        "part would have lost; below zero it cost that much.",
    )  # fmt: skip


def _decisions(found: Iterable[Body], enough: int) -> Section:
    rows = [
        [one["agent"], one["by"], *_hits(one, enough), _brier(one), points(one["bp"]),
         money(one["pnl"])]
        for one in found
    ]  # fmt: skip
    columns = ["agent", "by", "entries", "won", "95 %", "Brier", "mean bp", "P&L"]
    return Section("Proposed entries, after costs", columns, rows)


def _opinions(found: Iterable[Body], enough: int) -> Section:
    rows = [
        [one["agent"], one["by"], one["vote"], f"{one['hours']} h", *_hits(one, enough),
         _brier(one), points(one["bp"])]
        for one in found
    ]  # fmt: skip
    columns = ["agent", "by", "said as", "after", "cases", "right", "95 %", "Brier", "mean bp"]
    return Section(
        "Leanings: whether the market went that way, before costs", columns, rows,
        "Cases do not overlap: a leaning that lasts counts once per span. Brier: score / that of "
        "always saying the rate that came out; 0 is perfect, above the second it is noise.",
    )  # fmt: skip


def _reliabilities(report: Body, agent: str) -> list[Section]:
    """How often a confidence came true, for everybody with enough cases."""
    named = [
        (f"{one['agent']} by {one['by']}, entries", one)
        for one in report["decisions"] if agent in one["agent"]
    ]  # fmt: skip
    named += [
        (f"{one['agent']} by {one['by']} ({one['vote']}) after {one['hours']} h", one)
        for one in report["opinions"] if agent in one["agent"]
    ]  # fmt: skip
    return [
        Section(
            f"Reliability: {name.replace('_', ' ')}",
            ["confidence", "mean", "cases", "came true", "95 %"],
            [
                [
                    f"{each['above']:.1f}-{each['to']:.1f}", f"{each['confidence']:.2f}",
                    str(each["came"]["count"]), percent(each["came"]["rate"]),
                    between(each["came"]),
                ]
                for each in one["reliability"]
            ],
        )
        for name, one in named
        if one["enough"]
    ]  # fmt: skip


def _approval(found: Body) -> Section:
    if not found["count"]:
        return Section("Waiting for the operator", [], [], "no card was approved yet")
    rows = [[
        str(found["count"]), f"{found['seconds']:.1f}", f"{found['seconds_median']:.1f}",
        points(found["bp"]), points(found["bp_since_proposal"]),
    ]]  # fmt: skip
    columns = ["approved", "mean s", "median s", "cost bp", "cost bp since proposed"]
    return Section(
        "Waiting for the operator", columns, rows,
        "cost: how far the price had run from us between the card (or the proposal) and sending.",
    )  # fmt: skip


def _models(models: Sequence[Body]) -> list[Section]:
    """Nothing when no model was asked."""
    rows = [
        [one["model"], str(one["calls"]), str(one["valid"]), f"{one['seconds']:.1f}",
         f"{one['cost']:.4f}"]
        for one in models
    ]  # fmt: skip
    columns = ["model", "requests", "valid", "mean s", "cost USD"]
    return [Section("Language models", columns, rows)] if rows else []


def _money(report: Body) -> Section:
    pnl = report["pnl"]
    rows = [
        ["this account", f"{pnl['equity']:,.2f}", money(pnl["earned"]), _signed(pnl["percent"])],
        ["less language models", "", money(pnl["net_of_llm"]), ""],
    ]
    rows += [
        [one["name"], f"{one['equity']:,.2f}", money(one["earned"]), _signed(one["percent"])]
        for one in report["baselines"]
    ]
    note = f"in {pnl['currency']}"
    if pnl["to"]:  # the newest snapshot's moment
        note += f", as of {pnl['to'][:16]}Z"
    if report["baselines"]:
        first = report["baselines"][0]
        note += f"; holding from {first['from'][:16]} to {first['to'][:16]}, fees paid once"
    else:
        note += "; plain holding needs a quarter of an hour of prices"
    return Section("P&L beside plain holding", ["", "equity", "earned", "%"], rows, note)


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    figures = all(cell[:1] in "+-0123456789" for cell in column[1:] if cell)
    return [cell.rjust(width) if figures else cell.ljust(width) for cell in column]


# -- words -------------------------------------------------------------------------------------


def _hits(one: Body, enough: int) -> list[str]:
    """Count, rate and interval; below the least count it says so instead of judging."""
    if one["count"] >= enough:
        return [str(one["count"]), percent(one["rate"]), between(one)]
    return [str(one["count"]), f"{one['hits']} of {one['count']}", NOT_ENOUGH]


def interval(one: Body) -> str:
    """``31/50 62 % (48–74)``; without enough cases the count alone."""
    share = _share(one)
    if not one["count"]:
        return share
    return f"{share} {percent(one['rate'])} ({between(one)})" if one["enough"] else f"{share} few"


def _share(one: Body) -> str:
    return f"{one['hits']}/{one['count']}" if one["count"] else "-"


def between(one: Body) -> str:
    """The interval in percent."""
    return "-" if one["low"] is None else f"{one['low'] * 100:.0f}-{one['high'] * 100:.0f} %"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.0f} %"


def _brier(one: Body) -> str:
    brier, reference = one.get("brier"), one.get("reference")
    return "-" if brier is None or reference is None else f"{brier:.3f} / {reference:.3f}"


def points(value: float | None) -> str:
    """Basis points."""
    return "-" if value is None else f"{value:+.1f}"


def money(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
