"""Schema changes: ordered, recorded, each in one transaction with its record."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradeterm.adapters.store import schema
from tradeterm.adapters.store.faults import damaged
from tradeterm.adapters.store.projections import (
    PROJECTORS,
    RUN_STARTED,
    Change,
    Source,
    project,
)
from tradeterm.adapters.store.writer import flatten, insert


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; ``statements`` are executed one by one (executescript would commit first)."""

    number: int
    name: str
    statements: tuple[str, ...]
    rebuilt: tuple[str, ...] = ()
    """Projected tables it made anew: they are filled from the journal."""


#: Tables that a step made anew because they have more columns, or are new.
_GROWN = ("orders", "positions", "plans", "differences")
_FIRST_VIEWS = ("agent_outputs", "verdicts", "equity_marks")
_LATER_VIEWS = ("postings", "conflicts", "resolutions")
MIGRATIONS = (
    Migration(
        1,
        "journal, snapshots and projections",
        (
            f"PRAGMA application_id = {schema.APPLICATION_ID}",
            schema.JOURNAL,
            schema.SNAPSHOTS,
            *schema.projected_tables(),
            *schema.INDEXES,
        ),
    ),
    Migration(
        2,
        "agent outputs, verdicts and equity marks as views",
        (
            *(f"DROP TABLE IF EXISTS {name}" for name in _FIRST_VIEWS),
            *(schema.VIEWS[name].ddl() for name in _FIRST_VIEWS),
        ),
    ),
    Migration(
        3,
        "carry, stop kinds, plans and differences",
        (
            *(f"DROP TABLE IF EXISTS {name}" for name in _GROWN),
            *(schema.TABLES[name].ddl() for name in _GROWN),
        ),
        rebuilt=_GROWN,
    ),
    Migration(
        4,
        "votes of models as a view",
        ("DROP VIEW IF EXISTS votes", schema.VIEWS["votes"].ddl()),
    ),
    Migration(
        5,
        "postings, conflicts and resolutions as views",
        (
            *(f"DROP TABLE IF EXISTS {name}" for name in _LATER_VIEWS),
            *(schema.VIEWS[name].ddl() for name in _LATER_VIEWS),
        ),
    ),
)

_PAGE = (
    "SELECT seq, ts, kind, id, parent, CAST(body AS BLOB) FROM journal"
    " WHERE seq > ? ORDER BY seq LIMIT 2000"
)
_RECORD = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL) STRICT"
)


def applied(db: sqlite3.Connection) -> dict[int, str]:
    """Number → name of the migrations a file has."""
    known = db.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    ).fetchone()
    if known is None:
        return {}
    return dict(db.execute("SELECT number, name FROM migrations ORDER BY number"))


def pending(
    db: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> list[Migration]:
    """What is still to do; raises StoreDamaged for a file of a newer or a strange version."""
    done = applied(db)
    newest, known = max(done, default=0), migrations[-1].number
    if newest > known:
        raise damaged(
            path,
            f"written by a newer tradeterm: it has schema {newest} ({done[newest]}), "
            f"this version knows up to {known}",
            "install the newer version, or use --db with another file",
        )
    for migration in migrations:
        if done.get(migration.number, migration.name) != migration.name:
            raise damaged(
                path,
                f"its schema {migration.number} is {done[migration.number]!r}, "
                f"expected {migration.name!r}",
            )
    return [migration for migration in migrations if migration.number not in done]


def migrate(
    db: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> list[str]:
    """Bring an autocommit connection's file up to date; returns the names of the steps taken."""
    steps = pending(db, path, migrations)
    for step in steps:
        _apply(db, step)
    return [step.name for step in steps]


def _rebuild(db: sqlite3.Connection, tables: Collection[str]) -> None:
    """Project every row of the journal into these tables."""
    seq, run = 0, 0
    while True:
        page = db.execute(_PAGE, (seq,)).fetchall()
        if not page:
            return
        changes: list[Change] = []
        for seq, ts, kind, row_id, parent, body in page:
            run += kind == RUN_STARTED
            if kind in PROJECTORS:
                source = Source(run, seq, kind, row_id, ts, parent)
                changes += (each for each in project(source, body) if each.table in tables)
        for table, rows in flatten(changes).items():
            insert(db, table, rows)


def _apply(db: sqlite3.Connection, step: Migration) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_RECORD)
        for statement in step.statements:
            db.execute(statement)
        if step.rebuilt:
            _rebuild(db, step.rebuilt)
        db.execute(
            "INSERT INTO migrations VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
            (step.number, step.name),
        )
        db.execute(f"PRAGMA user_version = {step.number}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
