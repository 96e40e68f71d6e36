"""One process writes the store: an exclusive flock that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tradeterm.adapters.store.paths import StorePaths, create_private
from tradeterm.errors import StoreLocked


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the store. Process id 0: not known (yet)."""

    pid: int
    since: str


class StoreLock:
    """Held from ``acquire`` to ``release``; kill -9 frees it at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, paths: StorePaths) -> StoreLock:
        """Take the lock or raise StoreLocked naming who has it; never waits."""
        descriptor = create_private(paths.lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StoreLocked(_refusal(paths, read_holder(paths.lock))) from error
        os.fchmod(descriptor, 0o600)
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # A full disk must not stop the start of a system that may hold positions.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": since}).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let others in; the file stays (removing it would let two processes lock two files)."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def read_holder(lock: Path) -> Holder:
    """What the lock file says about its holder."""
    try:
        found = json.loads(lock.read_bytes())
        return Holder(int(found["pid"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(0, "an unknown time")


def current_holder(paths: StorePaths) -> Holder | None:
    """Who is writing the store now, or None; does not touch the lock file."""
    try:
        descriptor = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return read_holder(paths.lock)
    finally:
        os.close(descriptor)
    return None


def _refusal(paths: StorePaths, holder: Holder) -> str:
    who = f"pid {holder.pid} since {holder.since}" if holder.pid else "another process"
    return (
        f"already running: {who} has {paths.db}; look on with `tradeterm watch`, stop it, or use "
        "--db with another file"
    )
