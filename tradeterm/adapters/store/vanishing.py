"""The file is deleted, moved or replaced under the program that writes it.

SQLite does not notice: it goes on writing into a file that no name leads to any more, and with the
last handle everything is gone.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from itertools import chain, count
from pathlib import Path

import aiosqlite

from tradeterm.adapters.store.paths import FILE_MODE, StorePaths
from tradeterm.errors import StoreUnwritable


class Whereabouts:
    """Whether the open file is still the one at its path; what it holds is saved once if not."""

    def __init__(self, paths: StorePaths) -> None:
        self._path = paths.db
        self._opened = _identity(paths.db)
        self._saved: Path | None = None

    async def check(self, db: aiosqlite.Connection) -> None:
        """StoreUnwritable, which says where the confirmed rows are, unless it is in its place."""
        now = _identity(self._path)
        if now == self._opened:
            return
        if self._saved is None or not self._saved.exists():
            self._saved = await self._save(db)
        happened = "deleted or moved away" if now is None else "replaced by another file"
        saved, path = shlex.quote(str(self._saved)), shlex.quote(str(self._path))
        raise StoreUnwritable(
            f"file {happened} while in use; what was confirmed is saved: put it back, "
            f"or end the program and mv {saved} {path}"
        )

    async def _save(self, db: aiosqlite.Connection) -> Path:
        """The rows as they are in the open file, which has no name, into one that has."""
        for number in chain([""], count(2)):
            target = self._path.with_name(f"{self._path.name}.saved{number}")
            try:
                os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
            except FileExistsError:
                continue
            except OSError as error:
                raise self._lost(error) from error
            try:
                await db.execute_fetchall("VACUUM INTO ?", (str(target),))
            except sqlite3.Error as error:
                target.unlink()
                raise self._lost(error) from error
            return target
        raise AssertionError

    def _lost(self, error: Exception) -> StoreUnwritable:
        return StoreUnwritable(
            f"file deleted or replaced while in use, and a copy of what it held cannot be written "
            f"beside {self._path} ({error}); keep the program running until it can"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # no way to it is as bad as nothing there
        return None
    return found.st_dev, found.st_ino
