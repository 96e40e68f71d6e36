"""Two books of record of one run side by side: row by row, or decision by decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.model.money import plain
from tradeterm.model.timing import iso
from tradeterm.rerun import SESSION_KINDS

#: Differences told in full; the rest is counted.
TOLD: Final = 20
#: Figures of a summary that a what-if is about.
FIGURES: Final = (
    "signals", "fills", "equity", "realised_pnl", "unrealised_pnl", "fees", "state",
)  # fmt: skip
_COUNTED: Final = ("verdicts", "orders", "exits", "approvals")
#: What makes an order the same order in another course of events.
_SAME_ORDER: Final = ("created", "symbol", "side", "purpose", "type")
_TERMS: Final = ("size", "limit_price", "trigger_price", "leverage", "status", "filled")


@dataclass(slots=True)
class Rows:
    """How two journals compare."""

    same: int = 0
    different: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)
    """The first differences, in order."""
    beyond: int = 0
    """Rows that follow where the record was cut short, or stopped between two timers of one moment:
    no difference."""


def compare_rows(recorded: Reader, lived: Reader) -> Rows:
    """Row by row, in order, without the sessions: those name processes and the wall clock."""
    found = Rows()
    finished = recorded.run_info()["finished"]
    whole = finished is not None and finished["reason"] == "finished"
    for one, other in zip_longest(_rows(recorded), _rows(lived)):
        if one is None and not whole:
            found.beyond += 1
        elif one is None or other is None or _told(one) != _told(other):
            found.different += 1
            if len(found.told) < TOLD:
                found.told.append(_difference(one, other))
        else:
            found.same += 1
    return found


def _rows(reader: Reader) -> Iterator[StoredRow]:
    first, last = reader.span()
    return (row for row in reader.rows_after(first - 1, last) if row.kind not in SESSION_KINDS)


def _told(row: StoredRow) -> tuple[Any, ...]:
    return row.ts, row.kind, row.id, row.parent, row.input, row.body


def _difference(one: StoredRow | None, other: StoredRow | None) -> dict[str, Any]:
    row = one or other
    assert row is not None
    return {
        "seq": row.seq if one is not None else None,
        "ts": iso(row.ts),
        "recorded": None if one is None else _words(one),
        "replayed": None if other is None else _words(other),
    }


def _words(row: StoredRow) -> dict[str, Any]:
    return {"ts": iso(row.ts), "kind": row.kind, "id": row.id, "parent": row.parent,
            "input": row.input, "data": row.data}  # fmt: skip


def decisions(
    recorded: Reader, before: dict[str, Any], lived: Reader, after: dict[str, Any]
) -> dict[str, Any]:
    """What would have been decided otherwise; ``before`` and ``after`` are the runs' summaries."""
    return {
        "figures": {
            name: {"recorded": before[name], "what_if": after[name], **_change(before, after, name)}
            for name in FIGURES
        },
        "counts": {
            f"{group} {name}": {"recorded": was, "what_if": now}
            for group in _COUNTED
            for name, was, now in _counts(before[group], after[group])
        },
        "orders": _orders(recorded.orders(everything=True), lived.orders(everything=True)),
        "fills": _fills(recorded.fills(), lived.fills()),
    }


def _change(before: dict[str, Any], after: dict[str, Any], name: str) -> dict[str, str]:
    if not isinstance(before[name], str) or name == "state":
        return {}
    return {"change": plain(Decimal(after[name]) - Decimal(before[name]))}


def _counts(before: dict[str, Any], after: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name, 0), after.get(name, 0)
        if isinstance(was, dict):
            yield from _counts(was, now)
        elif was != now:
            yield name, was, now


def _orders(was: list[dict[str, Any]], now: list[dict[str, Any]]) -> dict[str, Any]:
    """Orders that only one of them has, and those with other terms; oldest first."""
    ours, theirs = _by_moment(was), _by_moment(now)
    both = [key for key in ours if key in theirs]
    return {
        "only_recorded": [_order(ours[key]) for key in ours if key not in theirs],
        "only_what_if": [_order(theirs[key]) for key in theirs if key not in ours],
        "changed": [
            {"recorded": _order(ours[key]), "what_if": _order(theirs[key])}
            for key in both
            if any(ours[key][name] != theirs[key][name] for name in _TERMS)
        ],
    }


def _by_moment(orders: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Orders by what makes them the same, the second of a kind apart from the first."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for order in sorted(orders, key=lambda each: (each["created"], each["seq"])):
        key = tuple(order[name] for name in _SAME_ORDER)
        found[*key, seen[key]] = order
        seen[key] += 1
    return found


def _order(order: dict[str, Any]) -> dict[str, Any]:
    named = {name: order[name] for name in ("id", *_SAME_ORDER, *_TERMS)}
    return {**named, "created": iso(order["created"])}


def _fills(was: list[dict[str, Any]], now: list[dict[str, Any]]) -> dict[str, int]:
    """How many fills are the same in moment, symbol, side, price and size."""
    names = ("ts", "symbol", "side", "price", "size")
    ours, theirs = (Counter(tuple(fill[n] for n in names) for fill in each) for each in (was, now))
    return {
        "same": (ours & theirs).total(),
        "only_recorded": (ours - theirs).total(),
        "only_what_if": (theirs - ours).total(),
    }
