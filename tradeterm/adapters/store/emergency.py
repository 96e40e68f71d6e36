"""``emergency.jsonl`` beside the store: exits that could not wait for the journal, one a line.

Fsynced before the exit counts as carried out; taken in and removed first thing when the journal
is back. It is a plain file of its own, so that a damaged or locked store does not keep it away.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

import msgspec

from tradeterm.adapters.store.paths import (
    StorePaths,
    create_private,
    replace_file,
    sync_directory,
)
from tradeterm.errors import StoreDamaged, StoreUnwritable
from tradeterm.model.health import EmergencyExit

FILE_NAME = "emergency.jsonl"
#: Kept aside so that a few exits still fit on a full disk: their lines overwrite this.
BALLAST = 16 * 1024


class _Line(msgspec.Struct, frozen=True):
    """Stores in one folder share the file."""

    store: str
    exit: EmergencyExit


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


class EmergencyFile:
    """The exits of one store's run that its journal has not got yet."""

    def __init__(self, paths: StorePaths) -> None:
        self.path = paths.db.with_name(FILE_NAME)
        self._store = paths.db.name
        self._reserve = paths.db.with_name(f"{paths.db.name}.reserve")

    def reserve(self) -> None:
        """Take room on the disk while there is some; best effort."""
        with contextlib.suppress(OSError, StoreUnwritable):
            descriptor = create_private(self._reserve)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST)
            finally:
                os.close(descriptor)

    def keep(self, exits: Sequence[EmergencyExit]) -> None:
        """Append, durably; StoreUnwritable when even that cannot be done."""
        lines = b"".join(_encode(_Line(self._store, each)) + b"\n" for each in exits)
        with contextlib.suppress(OSError):
            self._reserve.unlink()
        try:
            fresh = not self.path.exists()
            descriptor = create_private(self.path, os.O_APPEND)
            try:
                while lines:
                    lines = lines[os.write(descriptor, lines) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if fresh:
                sync_directory(self.path.parent)
        except OSError as error:
            raise StoreUnwritable(f"cannot write {self.path}: {error.strerror}") from error

    def read(self) -> list[EmergencyExit]:
        """What is kept, oldest first; a line that was cut short never counted as carried out."""
        return [line.exit for line in self._lines() if line.store == self._store]

    def _lines(self) -> list[_Line]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreUnwritable(f"cannot read {self.path}: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]
        found: list[_Line] = []
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                found.append(_decode(line))
            except msgspec.MsgspecError as error:
                raise StoreDamaged(
                    f"{self.path}, line {number}: {error}. It says which positions were reduced; "
                    "correct it by hand, or move it away to go on without it"
                ) from error
        return found

    def clear(self) -> None:
        """The journal has them."""
        others = [line for line in self._lines() if line.store != self._store]
        if others:
            replace_file(self.path, b"".join(_encode(line) + b"\n" for line in others))
            return
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
            sync_directory(self.path.parent)

    def release(self) -> None:
        """Give the room kept on the disk back."""
        with contextlib.suppress(OSError):
            self._reserve.unlink()
