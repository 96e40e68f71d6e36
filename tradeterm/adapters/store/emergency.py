"""Exits that were due while the journal could not be written: fsynced beside the store."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import msgspec

from tradeterm.adapters.store.paths import (
    StorePaths,
    create_private,
    replace_file,
    sync_directory,
)
from tradeterm.adapters.store.reader import Reader
from tradeterm.errors import StoreDamaged, StoreUnwritable
from tradeterm.model.messages import Row

#: Disk space held back so that an exit can still be recorded on a full disk.
RESERVE = 256 * 1024


class Line(msgspec.Struct, frozen=True):
    """One journal row in waiting; ``store`` is the file name it belongs to."""

    store: str
    ts: int
    kind: str
    id: str
    parent: str
    input: int
    body: msgspec.Raw


class EmergencyLog:
    """``emergency.jsonl``: record while the journal is down, absorb when it is back."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths
        self.torn = 0
        """Bytes of an incomplete last line, seen by ``absorb`` and kept in the renamed file."""

    @property
    def path(self) -> Path:
        """Where the lines are."""
        return self._paths.emergency

    def reserve(self) -> None:
        """Hold back disk space for emergencies; on a full disk there is none to hold."""
        if self._paths.reserve.exists():
            return
        descriptor = create_private(self._paths.reserve)
        try:
            with contextlib.suppress(OSError):
                os.posix_fallocate(descriptor, 0, RESERVE)
        finally:
            os.close(descriptor)

    def record(self, rows: list[Row]) -> None:
        """Append ``rows`` durably before they are acted on; raises StoreUnwritable."""
        name = self._paths.db.name
        text = b"".join(
            msgspec.json.encode(Line(
                name, row.ts, row.kind, row.id, row.parent, row.input, msgspec.Raw(row.body),
            )) + b"\n"
            for row in rows
        )
        try:
            self._append(text)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise self._unwritable(error) from error
            self._paths.reserve.unlink(missing_ok=True)
            try:
                self._append(text)
            except OSError as second:
                raise self._unwritable(second) from second

    def _append(self, text: bytes) -> None:
        fresh = not self.path.exists()
        descriptor = create_private(self.path, os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            try:
                # A line torn by a crash or a full disk ends here, so that ours starts a new one.
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    text = b"\n" + text
                written = os.write(descriptor, text)
                if written < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        if fresh:
            sync_directory(self.path.parent)

    def _unwritable(self, error: OSError) -> StoreUnwritable:
        return StoreUnwritable(f"cannot write {self.path}: {error.strerror}")

    def absorb(self, reader: Reader | None = None) -> list[Row]:
        """Rows recorded for this store, oldest first; the file stays until ``absorbed``.

        With a reader, rows the journal already has are left out: a crash between writing them
        and ``absorbed`` doubles nothing.
        """
        rows = [
            Row(line.ts, line.kind, line.id, line.parent, line.input, bytes(line.body))
            for line in self._lines() if line.store == self._paths.db.name
        ]
        if reader is None:
            return rows
        return [row for row in rows if not _journaled(row, reader)]

    def absorbed(self) -> Path | None:
        """The rows are in the journal now: put the file out of the way; returns its new name."""
        lines = self._lines()
        if not any(line.store == self._paths.db.name for line in lines):
            return None
        target = self._free_name()
        others = [line for line in lines if line.store != self._paths.db.name]
        if others:  # two stores in one directory: leave the other one its lines
            replace_file(target, self.path.read_bytes())
            replace_file(self.path, b"".join(msgspec.json.encode(x) + b"\n" for x in others))
        else:
            self.path.rename(target)
        sync_directory(self.path.parent)
        return target

    def _free_name(self) -> Path:
        n = 1
        while (name := self.path.with_name(f"emergency-absorbed-{n}.jsonl")).exists():
            n += 1
        return name

    def _lines(self) -> list[Line]:
        try:
            parts = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        # A last line without its newline was never confirmed by an fsync: nothing was done on it.
        self.torn = len(parts.pop())
        lines = []
        for number, text in enumerate(parts, 1):
            try:
                lines.append(msgspec.json.decode(text, type=Line))
            except msgspec.DecodeError as error:
                raise StoreDamaged(
                    f"{self.path}, line {number}: not an emergency record ({error}). It holds exits "
                    "that were carried out: repair or remove that line by hand, then start again"
                ) from error
        return lines


def _journaled(row: Row, reader: Reader) -> bool:
    return any(
        (known.kind, known.ts, known.body) == (row.kind, row.ts, row.body)
        for known in reader.rows_of(row.id)
    )
