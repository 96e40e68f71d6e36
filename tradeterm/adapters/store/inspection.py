"""Looks at a store before it is opened for writing; refuses without changing a byte."""

from __future__ import annotations

import glob
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from tradeterm.adapters.store import migrations, schema
from tradeterm.adapters.store.faults import damaged, translate
from tradeterm.adapters.store.head import read_head
from tradeterm.adapters.store.paths import (
    StorePaths,
    create_private,
    keep_private,
    sync_directory,
)
from tradeterm.adapters.store.rows import StoredRow, Tail, chained
from tradeterm.errors import StoreError, StoreUnwritable

_MAGIC = b"SQLite format 3\x00"
#: So many rows at the end have their hashes checked at every start; ``verify`` does them all.
CHECKED_AT_START = 500


def open_readonly(paths: StorePaths) -> sqlite3.Connection:
    """A connection that cannot change the file; autocommit, so nothing is held open."""
    uri = f"file:{quote(str(paths.db))}?mode=ro"
    options = "" if _size(paths.wal) else "&immutable=1"
    try:
        return _connect(uri)
    except sqlite3.OperationalError as error:
        # A read-only place or a full disk cannot hold SQLite's shared index; without a log
        # beside it the file alone is the whole truth.
        if not options or not paths.db.exists():
            raise translate(error, paths.db, "read") from error
        return _connect(uri + options)


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("PRAGMA query_only = ON")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """SQLite's errors become StoreErrors about ``path``."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path, doing) from error


def inspect(paths: StorePaths) -> bool:
    """Raise StoreDamaged when the file is not a whole tradeterm store this version can use.

    Returns whether its schema has to be brought up to date first.
    """
    _look_at_bytes(paths)
    logged = _size(paths.wal) > 0  # before SQLite puts an empty one there
    head = read_head(paths.head)  # before the tail: a running writer moves both
    with translated(paths.db, "read"), closing(open_readonly(paths)) as db:
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        if mark != schema.APPLICATION_ID:
            raise damaged(
                paths.db,
                "a SQLite database of some other program, not a tradeterm store",
                "use --db with another file",
            )
        outdated = bool(migrations.pending(db, paths.db))
        tail = _check_end(db, paths)
    _compare_head(paths, head, tail, logged=logged)
    return outdated


def header_of(path: Path) -> bytes:
    """The first 100 bytes of a SQLite database; StoreDamaged when it cannot be one.

    Whoever named somebody else's file by mistake is not told to move it away.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise StoreUnwritable(f"cannot read {path}: {error.strerror}") from error
    if not header:
        raise damaged(path, "the file is empty (0 bytes)")
    if not header.startswith(_MAGIC):
        raise damaged(path, "not a SQLite database", "use --db with another file")
    return header


def _look_at_bytes(paths: StorePaths) -> None:
    path = paths.db
    header, size = header_of(path), _size(path)
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    # With a log beside it the file may lag behind its header: a checkpoint was interrupted.
    if len(header) < 100 or (not _size(paths.wal) and size < page * pages):
        raise damaged(path, f"truncated: {size} bytes of {max(100, page * pages)}")


def _check_end(db: sqlite3.Connection, paths: StorePaths) -> Tail:
    """The last rows must be numbered without gaps and chained."""
    found = db.execute(
        "SELECT * FROM (SELECT seq, ts, kind, id, parent, input, CAST(body AS BLOB), hash"
        " FROM journal ORDER BY seq DESC LIMIT ?) ORDER BY seq",
        (CHECKED_AT_START + 1,),
    ).fetchall()
    rows = [StoredRow(*row) for row in found]
    if not rows:
        return Tail()
    previous = Tail()
    if rows[0].seq > 1:
        previous, rows = Tail(rows[0].seq, rows[0].hash), rows[1:]
    for row in rows:
        if row.seq != previous.seq + 1 or not chained(row, previous.hash):
            raise damaged(
                paths.db, f"journal row {row.seq} is not what was written after {previous.seq}"
            )
        previous = Tail(row.seq, row.hash)
    return previous


def _size(path: Path) -> int:
    """Bytes of a file, 0 when it is absent."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _compare_head(paths: StorePaths, head: Tail | None, tail: Tail, *, logged: bool) -> None:
    if head is None or head.seq <= tail.seq:
        return
    why = "" if logged else f", and {paths.wal.name} is missing"
    raise damaged(
        paths.db,
        f"rows {tail.seq + 1} to {head.seq} had been confirmed and are gone{why}",
        "put the missing file back or restore a backup; to accept the loss: "
        f"rm {shlex.quote(str(paths.head))}",
    )


def prepare(paths: StorePaths, *, create: bool) -> None:
    """Make the file ready for the writer: created, or inspected and brought up to date."""
    if paths.db.exists():
        outdated = inspect(paths)
        keep_private(paths.db, paths.wal, paths.shm, paths.head)
        if outdated:
            _migrate(paths.db)
    elif create:
        _create(paths)
    else:
        raise StoreError(f"no store at {paths.db}; start `tradeterm` once, or name one with --db")


def _create(paths: StorePaths) -> None:
    """A new store gets its name only when it is complete: a crash leaves no half store."""
    for leftover in (paths.wal, paths.head):
        if _size(leftover):
            raise damaged(
                paths.db,
                f"the file is gone but {leftover.name} is still there",
                f"{_put_back(paths)}; to start anew: rm {shlex.quote(str(leftover))}",
            )
    draft = paths.draft
    for suffix in ("", "-wal", "-shm", "-journal"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    os.close(create_private(draft))
    _migrate(draft)
    draft.replace(paths.db)
    sync_directory(paths.db.parent)


def _put_back(paths: StorePaths) -> str:
    """How to have the file again; a run whose file went under it has saved what it held."""
    copies = paths.db.parent.glob(f"{glob.escape(paths.db.name)}.saved*")
    newest = max(copies, key=lambda each: each.stat().st_mtime_ns, default=None)
    if newest is None:
        return "put the file back or restore a backup"
    mine, stale = (shlex.quote(str(path)) for path in (paths.db, paths.wal))
    return (
        f"the run that lost it saved what was confirmed: rm -f {stale} && "
        f"mv {shlex.quote(str(newest))} {mine}"
    )


def _migrate(path: Path) -> None:
    with (
        translated(path, "prepare"),
        closing(sqlite3.connect(path, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if migrations.migrate(db, path):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
