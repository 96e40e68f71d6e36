"""SQLite's failures in the house's words: what happened, and what to do."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
from pathlib import Path

from tradeterm.errors import StoreDamaged, StoreError, StoreUnwritable

_PRIMARY = 0xFF
#: What Python says of a text with a flipped bit; SQLite itself does not look.
_UNDECODABLE = "Could not decode to UTF-8"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def damaged(path: Path, case: str, remedy: str = "") -> StoreDamaged:
    """A StoreDamaged naming the case and the safe command."""
    file = shlex.quote(str(path))
    advice = remedy or (
        f"restore a backup, or keep it for inspection and start anew: mv {file} {file}.damaged"
    )
    return StoreDamaged(f"{path}: {case}. Nothing was changed. To go on: {advice}")


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 when the error did not come from SQLite itself."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def translate(error: sqlite3.Error, path: Path, doing: str) -> StoreError:
    """The StoreError for a failed ``doing`` ("write", "open", "read")."""
    code = primary_code(error)
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if code in _DAMAGED or _UNDECODABLE in str(error):
        return damaged(path, f"damaged, SQLite says {error} ({name})")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnwritable(
            f"cannot {doing} {path}: the disk (or the file's quota) is full, {_free(path)} free; "
            "make room, nothing already confirmed is lost"
        )
    if code == sqlite3.SQLITE_BUSY:
        return StoreUnwritable(
            f"cannot {doing} {path}: another program holds it locked; "
            "close other SQLite tools that write to it"
        )
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        return StoreUnwritable(
            f"cannot {doing} {path}: input/output error ({name}), {_free(path)} free; "
            "check the disk, its space and its permissions"
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return StoreUnwritable(
            f"cannot {doing} {path}: read-only ({name}); make it writable or use --db"
        )
    return StoreError(f"cannot {doing} {path}: {error} ({name})")


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free / 2**20:.1f} MiB"
    except OSError:
        return "unknown space"
