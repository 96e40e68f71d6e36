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

HALT_FILE = "HALT"


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
