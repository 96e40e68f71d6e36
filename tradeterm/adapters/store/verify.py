"""Proves that a store is what was written: chain, numbering, invariants, projections."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import InvalidOperation
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from tradeterm.adapters.store.head import read_head
from tradeterm.adapters.store.inspection import inspect, open_readonly
from tradeterm.adapters.store.invariants import JUDGED, Invariants
from tradeterm.adapters.store.migrations import applied, migrate
from tradeterm.adapters.store.paths import StorePaths, locate
from tradeterm.adapters.store.projections import PROJECTORS, RUN_STARTED, Change, Source, project
from tradeterm.adapters.store.rows import Snapshot, StoredRow, Tail, chained, decode_body
from tradeterm.adapters.store.schema import TABLES, projected_tables
from tradeterm.adapters.store.writer import flatten, insert
from tradeterm.errors import StoreAbsent, StoreDamaged, StoreError

#: A damaged file can break every row; the first ones tell the story.
MOST_PROBLEMS = 100
_PAGE = 2000
_SELECT = (
    "SELECT seq, ts, kind, id, parent, input, CAST(body AS BLOB), hash"
    " FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
)
_ORPHANS = (
    "SELECT seq, kind, id, parent FROM journal AS child WHERE parent <> ''"
    " AND seq BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM journal AS origin"
    " WHERE origin.id = child.parent AND origin.id <> '' AND origin.seq BETWEEN ?1 AND ?2)"
    " ORDER BY seq LIMIT ?3"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    where: str
    what: str


@dataclass(slots=True)
class Verified:
    """The outcome. ``problems`` begins with the first thing found wrong."""

    rows: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """``{ok, rows, problems: [{where, what}]}``."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "problems": [{"where": x.where, "what": x.what} for x in self.problems],
        }


def verify(path: Path | None = None) -> Verified:
    """Check a whole store without changing it; a console may be running on it."""
    paths = locate(path)
    if not paths.db.exists():
        raise StoreAbsent(f"no store at {paths.db}; name one with --db")
    outcome = Verified()
    try:
        inspect(paths)
    except StoreError as error:  # damaged, or text that cannot be read as such
        outcome.problems.append(Problem("file", str(error)))
    try:
        with closing(open_readonly(paths)) as db:
            _Verification(paths, db, outcome).run()
    except StoreError as error:
        outcome.problems.append(Problem("file", str(error)))
    except sqlite3.Error as error:
        outcome.problems.append(Problem("file", f"SQLite cannot read it: {error}"))
    return outcome


class _Verification:
    """One pass over the journal, then comparisons with what stands beside it."""

    def __init__(self, paths: StorePaths, db: sqlite3.Connection, outcome: Verified) -> None:
        self._paths, self._db, self._outcome = paths, db, outcome
        self._tail = Tail()
        self._starts: list[int] = []
        self._chain_broken = False
        self._invariants = self._fresh_invariants()

    def _report(self, where: str, what: str) -> None:
        if len(self._outcome.problems) < MOST_PROBLEMS:
            self._outcome.problems.append(Problem(where, what))

    def _fresh_invariants(self) -> Invariants:
        return Invariants(self._report, self._known_before)

    def _known_before(self, row_id: str, seq: int) -> bool:
        first = self._starts[-1] if self._starts else 1
        return (
            self._db.execute(
                "SELECT 1 FROM journal WHERE id = ? AND id <> '' AND seq >= ? AND seq < ? LIMIT 1",
                (row_id, first, seq),
            ).fetchone()
            is not None
        )

    def run(self) -> None:
        head = self._head()
        self._schema()
        with closing(sqlite3.connect("", isolation_level=None)) as rebuilt:
            for statement in projected_tables():
                rebuilt.execute(statement)
            rebuilt.execute("BEGIN")
            # Page by page up to today's end, so that a writer's log can be checkpointed …
            (goal,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
            while self._tail.seq < goal and self._page(rebuilt, head):
                pass
            # … and what came meanwhile in one transaction with the tables it is compared to.
            self._db.execute("BEGIN")
            try:
                while self._page(rebuilt, head) == _PAGE:
                    pass
                self._after_the_last_row(rebuilt, head)
            finally:
                self._db.execute("COMMIT")
        self._integrity()

    def _head(self) -> Tail | None:
        try:
            return read_head(self._paths.head)
        except StoreDamaged as error:
            self._report("head file", str(error))
            return None

    def _schema(self) -> None:
        """Tables, indexes and the record of migrations must be those this version makes."""
        there, expected = _objects(self._db), _expected_objects(self._paths)
        for name in sorted({*there, *expected}):
            if name not in expected:
                self._report("schema", f"{name} does not belong there")
            elif name not in there:
                self._report("schema", f"{name} is missing")
            elif there[name] != expected[name]:
                self._report("schema", f"{name} is {there[name]!r}, expected {expected[name]!r}")

    # -- the journal ------------------------------------------------------------------------

    def _page(self, rebuilt: sqlite3.Connection, head: Tail | None) -> int:
        found = self._db.execute(_SELECT, (self._tail.seq, _PAGE)).fetchall()
        changes: list[Change] = []
        for values in found:
            row = StoredRow(*values)
            self._check_chain(row, head)
            if row.kind in PROJECTORS or row.kind in JUDGED:
                changes += self._check_row(row)
        self._outcome.rows += len(found)
        self._rebuild(rebuilt, changes)
        return len(found)

    def _check_chain(self, row: StoredRow, head: Tail | None) -> None:
        seq, previous, run = self._tail
        where = f"journal row {row.seq}"
        if row.seq != seq + 1:
            missing = f"{seq + 1}" if row.seq == seq + 2 else f"{seq + 1} to {row.seq - 1}"
            self._report(where, f"row {missing} is missing before it")
        if not chained(row, previous) and not self._chain_broken:
            self._chain_broken = True
            self._report(where, "its hash does not fit: this row or the one before was altered")
        if head is not None and head.seq == row.seq and head.hash != row.hash:
            self._report(where, "the head file remembers another hash for it")
        self._tail = Tail(row.seq, row.hash, run + (row.kind == RUN_STARTED))

    def _check_row(self, row: StoredRow) -> list[Change]:
        try:
            body = decode_body(row.body)
            if row.kind == RUN_STARTED:
                self._invariants.finish()
                self._starts.append(row.seq)
                self._invariants = self._fresh_invariants()
            source = Source(self._tail.run, row.seq, row.kind, row.id, row.ts, row.parent)
            changes = project(source, row.body) if row.kind in PROJECTORS else []
            self._invariants.check(row, body)
        except (msgspec.DecodeError, StoreError) as error:
            self._report(f"journal row {row.seq}", str(error))
        except (KeyError, ValueError, TypeError, InvalidOperation) as error:
            self._report(
                f"journal row {row.seq} ({row.kind} {row.id})",
                f"its body does not fit: {type(error).__name__} {error}",
            )
        else:
            return changes
        return []

    def _rebuild(self, rebuilt: sqlite3.Connection, changes: list[Change]) -> None:
        for table, rows in flatten(changes).items():
            try:
                insert(rebuilt, table, rows)
            except sqlite3.Error as error:
                self._report(f"table {table}", f"cannot be rebuilt from the journal: {error}")

    # -- what stands beside it ----------------------------------------------------------------

    def _after_the_last_row(self, rebuilt: sqlite3.Connection, head: Tail | None) -> None:
        self._invariants.finish()
        if head is not None and head.seq > self._tail.seq:
            self._report(
                "journal end",
                f"the head file remembers row {head.seq}, the journal ends at {self._tail.seq}",
            )
        for first, last in self._spans():
            orphans = self._db.execute(_ORPHANS, (first, last, MOST_PROBLEMS))
            for seq, kind, row_id, parent in orphans:
                self._report(
                    f"journal row {seq} ({kind} {row_id})", f"its parent {parent} does not exist"
                )
        for table in TABLES:
            self._compare(table, rebuilt)
        self._snapshots()

    def _spans(self) -> Iterator[tuple[int, int]]:
        """First and last row of each run; rows before the first run count with it."""
        firsts = [1, *self._starts[1:]]
        lasts = [start - 1 for start in self._starts[1:]] + [self._tail.seq]
        return zip(firsts, lasts, strict=True)

    def _compare(self, table: str, rebuilt: sqlite3.Connection) -> None:
        shape = TABLES[table]
        columns = tuple(shape.columns)
        sql = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(shape.key)}"  # noqa: S608 - names of the schema
        width = len(shape.key)
        for there, expected in zip_longest(self._db.execute(sql), rebuilt.execute(sql)):
            if there == expected:
                continue
            if there is None or expected is None or there[:width] != expected[:width]:
                extra = expected is None or (there is not None and there[:width] < expected[:width])
                key = (there if extra else expected)[:width]
                self._report(
                    f"table {table}, key {key}",
                    "is not in the journal" if extra else "is in the journal but not in the table",
                )
                return
            for name, value, right in zip(columns, there, expected, strict=True):
                if value != right:
                    self._report(
                        f"table {table}, key {there[:width]}",
                        f"{name} is {value!r}, the journal says {right!r}",
                    )
                    return

    def _snapshots(self) -> None:
        kept = self._db.execute("SELECT seq, input, body, feed, digest FROM snapshots")
        for seq, taken, body, feed, digest in kept:
            if Snapshot(taken, body, feed).digest() != digest:
                self._report(f"snapshot after row {seq}", "its digest does not fit")
            if seq > self._tail.seq:
                self._report(f"snapshot after row {seq}", "stands after the journal's end")

    def _integrity(self) -> None:
        for (text,) in self._db.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
            if text != "ok":
                self._report("file", f"SQLite: {text}")
        for table, row, parent, _ in self._db.execute("PRAGMA foreign_key_check"):
            self._report(f"table {table}", f"row {row} refers to a missing row of {parent}")


def _objects(db: sqlite3.Connection) -> dict[str, str]:
    """Every table, index, view and trigger with its definition, and the migrations recorded."""
    made = db.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    steps = {f"migration {number}": name for number, name in applied(db).items()}
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return {**dict(made), **steps, "user_version": str(version)}


def _expected_objects(paths: StorePaths) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, paths.db)
        return _objects(fresh)
