"""The whole story behind an id: what led to it, what it led to, in the order it happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tradeterm.adapters.store.lives import lives
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.errors import UsageError
from tradeterm.model.timing import iso

#: A chain longer than this is cut; the longest real ones have some dozens.
MOST_LINKS = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the story; of a thing that changed (an order, a card) its newest state."""

    kind: str
    id: str
    ts: int
    """When it first appeared."""
    data: dict[str, Any]
    parents: tuple[str, ...]
    seq: int

    def as_dict(self) -> dict[str, Any]:
        """For ``explain --json``: times as ISO-8601."""
        return {
            "kind": self.kind,
            "id": self.id,
            "ts": iso(self.ts),
            "seq": self.seq,
            "parents": list(self.parents),
            "data": self.data,
        }


def explain(reader: Reader, row_id: str) -> list[Link]:
    """Ancestors, the thing itself and its consequences; UsageError for an unknown id."""
    story = _Story(reader)
    if not story.add(row_id):
        raise UsageError(
            f"nothing in run {reader.run} has the id {row_id!r}; "
            "`tradeterm journal`, `orders` and `positions` list ids"
        )
    story.go_up([row_id])
    # A trade begins with its proposal: what was contradicted, decided and allowed about it
    # hangs below the proposal, not above the order.
    story.go_down([row_id, *story.ids_of("proposal")])
    story.go_up(list(story.found))
    return story.links()


class _Story:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.found: dict[str, list[StoredRow]] = {}

    def add(self, row_id: str) -> bool:
        """Fetch the rows of an id; False when there are none."""
        if row_id not in self.found:
            if len(self.found) >= MOST_LINKS:
                return False
            rows = self._reader.rows_of(row_id)
            if not rows:
                return False
            self.found[row_id] = rows
        return True

    def ids_of(self, kind: str) -> list[str]:
        return [name for name, rows in self.found.items() if any(x.kind == kind for x in rows)]

    def go_up(self, starts: Iterable[str]) -> None:
        """Follow parents and named inputs to the roots."""
        waiting, seen = list(starts), set(starts)
        while waiting:
            for name in _origins(self.found[waiting.pop()]):
                if name not in seen and self.add(name):
                    seen.add(name)
                    waiting.append(name)

    def go_down(self, starts: Iterable[str]) -> None:
        """Follow everything that names these as its parent."""
        waiting, seen = list(starts), set(starts)
        while waiting:
            for row in self._reader.children(waiting.pop()):
                if row.id not in seen and self.add(row.id):
                    seen.add(row.id)
                    waiting.append(row.id)

    def links(self) -> list[Link]:
        links = []
        for name, rows in self.found.items():
            by_kind: dict[str, list[StoredRow]] = {}
            for row in rows:
                by_kind.setdefault(row.kind, []).append(row)
            links += [
                Link(kind, name, same[0].ts, same[-1].data, _parents(same), same[0].seq)
                for kind, same in by_kind.items()
            ]
        stages = self._stages()
        told = [
            replace(link, data=link.data | stages[link.id]) if link.id in stages else link
            for link in links
        ]
        return sorted(told, key=lambda link: link.seq)

    def _stages(self) -> dict[str, dict[str, Any]]:
        """Where each proposal of the story stands, and how it got there."""
        rows = sorted((row for rows in self.found.values() for row in rows), key=lambda r: r.seq)
        return {
            life.id: {
                "stage": None if life.stage is None else life.stage.value,
                "path": [f"{iso(ts)} {stage}" for ts, stage, _ in life.path],
                "outcome": life.outcome,
            }
            for life in lives(rows)
        }


def _parents(rows: list[StoredRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.parent for row in rows if row.parent))


def _origins(rows: list[StoredRow]) -> list[str]:
    """Parents of all versions, and what a body names besides: inputs, the position it reduces."""
    names = list(_parents(rows))
    if rows[0].kind in {"agent_output", "proposal"}:
        names += rows[0].data.get("inputs", ())
    if rows[0].kind == "order":
        request = rows[0].data["request"]
        if request["reduce_only"]:  # what it takes away from is part of why it is there
            names.append(request["position_id"])
    return list(dict.fromkeys(names))
