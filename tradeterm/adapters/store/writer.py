"""The one connection that writes: a slice in, one transaction out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import astuple

from tradeterm.adapters.store.intake import TAKE_IN, intake
from tradeterm.adapters.store.projections import (
    PROJECTORS,
    RUN_STARTED,
    SUPERSEDED,
    Change,
    Source,
    Values,
    project,
)
from tradeterm.adapters.store.rows import GENESIS, Slice, Snapshot, Tail, chain
from tradeterm.adapters.store.schema import TABLES
from tradeterm.errors import StoreError
from tradeterm.model.messages import Row

KEPT_SNAPSHOTS = 3
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 2000",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Composed:
    """A slice ready to be written: its journal in three pieces, changes by table, and its end."""

    first: int
    lines: bytes
    """JSON: what is short of each row, and where its body stands among the ``bodies``."""
    bodies: bytes
    hashes: bytes
    changes: dict[str, bytes]
    """JSON arrays of rows."""
    tail: Tail


class Writer(sqlite3.Connection):
    """Writes a staged slice. ``commit`` is the unit the owning thread runs without a break.

    aiosqlite carries calls to the connection's thread one at a time. A transaction spread over
    several of them could be torn by a cancelled coroutine and would pay a thread switch each;
    inside ``commit`` it can't be torn and costs one.
    """

    def __init__(self, database: str | Path, **options: Any) -> None:
        super().__init__(database, isolation_level=None, **options)
        for pragma in _PRAGMAS:
            self.execute(pragma)
        (mode,) = self.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{database}: this file system cannot do WAL (journal mode {mode})")
        for statement in intake(KEPT_SNAPSHOTS):
            self.execute(statement)
        self.tail = read_tail(self)
        self.confirmed = self.tail
        """Differs from ``tail`` when a commit failed but did reach the file."""
        self._staged: tuple[Tail, tuple[Any, ...]] | None = None

    def stage(self, piece: Slice) -> None:
        """Number, chain and project a slice for ``commit``, in the thread that asks for it.

        While another thread did that, whoever made the slices waited for the interpreter.
        """
        if self.confirmed != self.tail:
            landed = compose(piece.rows, self.confirmed).tail == self.tail
            self.confirmed = self.tail
            if landed:
                return
        composed = compose(piece.rows, self.tail)
        self._staged = composed.tail, _parameters(composed, piece.snapshot)

    def commit(self) -> None:
        """Insert what is staged in a transaction of its own; on a failure nothing of it is there."""
        if self._staged is None:
            return
        (tail, parameters), self._staged = self._staged, None
        try:
            self.execute(TAKE_IN, parameters)
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        self.tail = self.confirmed = tail


def _parameters(composed: Composed, snapshot: Snapshot | None) -> tuple[Any, ...]:
    """In the order of ``TAKE_IN``."""
    kept = (
        (None, None, None, None)
        if snapshot is None
        else (snapshot.input, snapshot.body, snapshot.feed, snapshot.digest())
    )
    changes = (composed.changes.get(table) for table in TABLES)
    journal = composed.first, composed.lines, composed.bodies, composed.hashes
    return *journal, *changes, composed.tail.seq, composed.tail.run, *kept


def compose(rows: Iterable[Row], tail: Tail) -> Composed:
    """Number and chain ``rows`` after ``tail`` and work out what they change."""
    seq, previous, run = tail
    lines: list[tuple[object, ...]] = []
    bodies: list[bytes] = []
    hashes: list[bytes] = []
    told: dict[object, tuple[int, int, Row]] = {}
    place = 1
    for row in rows:
        seq += 1
        ts, kind, row_id, parent, taken, body = astuple(row)
        previous = chain(previous, (seq, ts, kind, row_id, parent, taken, body))
        lines.append((ts, kind, row_id, parent, taken, place, len(body)))
        bodies.append(body)
        hashes.append(previous)
        place += len(body)
        if kind in PROJECTORS:
            run += kind == RUN_STARTED
            told[(run, kind, row_id) if kind in SUPERSEDED else seq] = run, seq, row
    changes = flatten(
        change
        for run, seq, row in told.values()
        for change in project(Source(run, seq, row.kind, row.id, row.ts, row.parent), row.body)
    )
    written = b"".join(bodies)
    if not written.isascii():
        written.decode()  # SQLite would take any bytes for text
    return Composed(
        tail.seq + 1,
        _encode(lines),
        written,
        b"".join(hashes),
        {table: _encode(values) for table, values in changes.items()},
        Tail(seq, previous, run),
    )


def flatten(changes: Iterable[Change]) -> dict[str, list[Values]]:
    """Rows by table; of a replaced one only the newest version."""
    rows: dict[str, list[Values]] = {}
    newest: dict[str, dict[Values, Values]] = {}
    for table, values in changes:
        shape = TABLES[table]
        if shape.replace:
            newest.setdefault(table, {})[values[: len(shape.key)]] = values
        else:
            rows.setdefault(table, []).append(values)
    return rows | {table: list(by_key.values()) for table, by_key in newest.items()}


def insert(db: sqlite3.Connection, table: str, rows: list[Values]) -> None:
    """Insert rows of one table."""
    db.execute(TABLES[table].insertion("?"), (_encode(rows),))


def read_tail(db: sqlite3.Connection) -> Tail:
    """Where the journal of an open file ends."""
    last = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    (run,) = db.execute("SELECT coalesce(max(run), 0) FROM runs").fetchone()
    seq, digest = last or (0, GENESIS)
    return Tail(seq, digest, run)
