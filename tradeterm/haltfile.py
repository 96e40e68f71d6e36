"""A file named HALT beside the store: halts whatever runs there, and keeps it halted.

It is the way to halt that needs nothing else to work: no process, no socket, no market data.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

from tradeterm.adapters.store.paths import create_private, sync_directory
from tradeterm.errors import StoreUnwritable
from tradeterm.model.commands import Halt
from tradeterm.supervising import Task

HALT_FILE = "HALT"
#: Seconds between two looks whether it is there.
LOOK_SECONDS = 0.05


def halt_file(db: Path) -> Path:
    """Beside the store."""
    return db.with_name(HALT_FILE)


def write_halt_file(db: Path, reason: str) -> Path:
    """Put the file there, durably; raises StoreUnwritable."""
    path = halt_file(db)
    try:
        descriptor = create_private(path)
        try:
            with contextlib.suppress(OSError):  # on a full disk the name alone halts
                os.pwrite(descriptor, f"{reason}\n".encode(), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except OSError as error:
        raise StoreUnwritable(f"cannot write {path}: {error.strerror}") from error
    return path


def remove_first(path: Path) -> str:
    """What to tell somebody who wants to resume while the file lies there."""
    return f"{path} keeps this run halted: remove it first (rm {shlex.quote(str(path))})"


class HaltFileWatch:
    """Looks for the file; ``path`` is where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._failure = ""
        self._due = 0.0
        self._seen = False

    def look(self, now: float, *, halted: bool) -> Halt | None:
        """What to order, ``now`` in monotonic seconds; ``halted``: whether the run is already.

        As long as the file lies there a run that was resumed all the same is halted again.
        """
        if now < self._due:
            return None
        self._due = now + LOOK_SECONDS
        try:
            present = self.path.exists()
        except OSError as error:
            self._failure = f"{self.path.name} cannot be looked for: {error.strerror}"
            return None
        before, self._seen = self._seen, present
        new = present and not (before and halted)  # a scripted key may have resumed
        return Halt(reason=f"file {self.path.name}", actor="file") if new else None

    @property
    def task(self) -> Task:
        """What there is to supervise."""
        return Task("watch of the halt file", lambda: self._failure, self._again)

    async def _again(self) -> None:
        self._failure = ""
