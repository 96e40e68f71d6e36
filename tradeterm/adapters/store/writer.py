"""The one connection that writes: a slice in, one transaction out, on the connection's thread."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradeterm.adapters.store.projections import (
    PROJECTORS,
    RUN_STARTED,
    SUPERSEDED,
    Change,
    Source,
    project,
)
from tradeterm.adapters.store.rows import GENESIS, Slice, Tail, chain
from tradeterm.adapters.store.schema import TABLES, insert_sql
from tradeterm.errors import StoreError
from tradeterm.model.messages import Row

KEPT_SNAPSHOTS = 3
#: SQLite's limit for one statement.
MOST_VARIABLES = 32_766
#: Rows are inserted in a multiple of so many, then the rest: two statements, each of which waits
#: for the interpreter lock once, and few enough different ones that they are compiled once.
BATCH = 64
CACHED_STATEMENTS = 512
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 2000",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
)


@dataclass(frozen=True, slots=True)
class Composed:
    """A slice ready to be written: flat journal parameters, changes by table, and its end."""

    journal: list[Any]
    changes: dict[str, list[Any]]
    tail: Tail


class Writer(sqlite3.Connection):
    """Writes staged slices. ``commit`` is the unit the owning thread runs without a break.

    aiosqlite carries calls to the connection's thread one at a time. A transaction spread over
    several of them could be torn by a cancelled coroutine and would pay a thread switch each;
    inside ``commit`` it can't be torn and costs one.
    """

    def __init__(self, database: str | Path, **options: Any) -> None:
        super().__init__(
            database, isolation_level=None, cached_statements=CACHED_STATEMENTS, **options
        )
        for pragma in _PRAGMAS:
            self.execute(pragma)
        (mode,) = self.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{database}: this file system cannot do WAL (journal mode {mode})")
        self.staged: deque[Slice] = deque()
        self.tail = read_tail(self)
        self.confirmed = self.tail
        """Differs from ``tail`` when a commit failed but did reach the file."""

    def commit(self) -> None:
        """Write the oldest staged slice in a transaction of its own."""
        if self.staged:
            self.write(self.staged.popleft())

    def write(self, piece: Slice) -> Tail:
        """Number, chain, project, insert, commit. On any failure nothing of it is in the file."""
        if self.confirmed != self.tail:
            landed = compose(piece.rows, self.confirmed).tail == self.tail
            self.confirmed = self.tail
            if landed:
                return self.tail
        composed = compose(piece.rows, self.tail)
        self.execute("BEGIN IMMEDIATE")
        try:
            self._insert(composed, piece)
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        self.tail = self.confirmed = composed.tail
        return self.tail

    def _insert(self, composed: Composed, piece: Slice) -> None:
        insert(self, "journal", composed.journal, 8)
        for table, parameters in composed.changes.items():
            insert(self, table, parameters, len(TABLES[table].columns))
        if piece.snapshot is not None:
            kept = piece.snapshot
            self.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)",
                (
                    composed.tail.seq,
                    composed.tail.run,
                    kept.input,
                    kept.body,
                    kept.feed,
                    kept.digest(),
                ),
            )
            self.execute(
                "DELETE FROM snapshots WHERE seq NOT IN "
                "(SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                (KEPT_SNAPSHOTS,),
            )


def compose(rows: Iterable[Row], tail: Tail) -> Composed:
    """Number and chain ``rows`` after ``tail`` and work out what they change."""
    seq, previous, run = tail
    journal: list[Any] = []
    told: dict[object, tuple[Source, bytes]] = {}
    for row in rows:
        seq += 1
        ts, kind, row_id, parent, taken, body = (
            row.ts,
            row.kind,
            row.id,
            row.parent,
            row.input,
            row.body,
        )
        previous = chain(previous, (seq, ts, kind, row_id, parent, taken, body))
        journal += (seq, ts, kind, row_id, parent, taken, body.decode(), previous)
        if kind in PROJECTORS:
            if kind == RUN_STARTED:
                run += 1
            which = (run, kind, row_id) if kind in SUPERSEDED else seq
            told[which] = Source(run, seq, kind, row_id, ts, parent), body
    changes = [change for source, body in told.values() for change in project(source, body)]
    return Composed(journal, flatten(changes), Tail(seq, previous, run))


def flatten(changes: Iterable[Change]) -> dict[str, list[Any]]:
    """Changes by table as flat parameters; of a replaced row only the newest version."""
    flat: dict[str, list[Any]] = {}
    newest: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {}
    for table, values in changes:
        shape = TABLES[table]
        if shape.replace:
            newest.setdefault(table, {})[values[: len(shape.key)]] = values
        else:
            flat.setdefault(table, []).extend(values)
    for table, rows in newest.items():
        flat[table] = [value for values in rows.values() for value in values]
    return flat


def insert(db: sqlite3.Connection, table: str, parameters: list[Any], columns: int) -> None:
    """Insert flat parameters in as few statements as can be."""
    at = 0
    for count in _batches(len(parameters) // columns, MOST_VARIABLES // columns):
        end = at + count * columns
        db.execute(insert_sql(table, count), parameters[at:end])
        at = end


def _batches(rows: int, most: int) -> Iterator[int]:
    """``1300`` → 1280, 20."""
    while rows:
        count = min(rows, most)
        count -= count % BATCH if count > BATCH else 0
        yield count
        rows -= count


def read_tail(db: sqlite3.Connection) -> Tail:
    """Where the journal of an open file ends."""
    last = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    (run,) = db.execute("SELECT coalesce(max(run), 0) FROM runs").fetchone()
    seq, digest = last or (0, GENESIS)
    return Tail(seq, digest, run)
