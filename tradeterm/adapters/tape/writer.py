"""Writing a tape: blocks at the end, a new file every so often, the oldest ones given up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from tradeterm.adapters.store.paths import DIRECTORY_MODE, create_private, sync_directory
from tradeterm.adapters.tape.blocks import (
    Block,
    behind,
    damaged,
    file_name,
    first_of,
    pack,
    sound,
    tape_files,
    walk,
)
from tradeterm.errors import StoreUnwritable
from tradeterm.model.market import MarketEvent
from tradeterm.model.timing import HOUR
from tradeterm.settings.recording import RecordingSettings

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Files that were removed to keep a tape within its bounds."""

    files: int
    size: int
    """Bytes."""
    first: int
    """The tape now begins after this many events."""


class TapeWriter:
    """Appends to the tape in ``folder``. Used by one thread at a time."""

    def __init__(self, folder: Path, limits: RecordingSettings) -> None:
        self.folder = folder
        self.position = 0
        """Events that are on disk, durably."""
        self.last_ts = 0
        """Stamp of the last of them (ns)."""
        self._limits = limits
        self._file: Path | None = None
        self._size = 0
        self._begun = 0

    @classmethod
    def begin(cls, folder: Path, limits: RecordingSettings) -> Self:
        """An empty tape in a new folder; raises StoreUnwritable."""
        try:
            folder.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            folder.mkdir(mode=DIRECTORY_MODE)
            sync_directory(folder.parent)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return cls(folder, limits)

    @classmethod
    def resume(cls, folder: Path, limits: RecordingSettings) -> Self:
        """Go on behind the last whole block; what was cut off by a crash goes.

        Raises DataError, and touches nothing, when sound blocks lie behind one that is damaged.
        """
        tape = cls(folder, limits)
        files = tape_files(folder)
        while files and not tape._take_up(files[-1]):
            files.pop().unlink()
        return tape

    def _take_up(self, file: Path) -> bool:
        """Whether the file has a whole block; nothing is left behind its last one."""
        blocks = list(walk(file))
        while blocks and not sound(file, blocks[-1]):
            blocks.pop()
        end, last = (blocks[-1].following, blocks[-1].last) if blocks else (0, first_of(file))
        if (lost := behind(file, end)) is not None:
            gone = Block(end, last, lost.first - last, 0, 0, 0, 0)
            raise damaged(file, gone, "sound blocks follow it")
        if not blocks:
            return False
        self._file, self._begun = file, blocks[0].begin
        self._size, self.position = blocks[-1].following, blocks[-1].last
        self.last_ts = blocks[-1].end
        if self._size < file.stat().st_size:
            os.truncate(file, self._size)
        return True

    def append(self, events: list[MarketEvent]) -> None:
        """One block; on disk when this returns. Raises StoreUnwritable, and then nothing was."""
        block = pack(self.position, events)
        if self._file is None or self._is_full(events[0].ts):
            self._turn_over(events[0].ts)
        assert self._file is not None
        try:
            _write(self._file, self._size, block)
        except OSError as error:
            raise _unwritable(self._file, error) from error
        if not self._size:
            sync_directory(self.folder)
        self._size += len(block)
        self.position += len(events)
        self.last_ts = events[-1].ts

    def _is_full(self, now: int) -> bool:
        return (
            self._size >= self._limits.file_size * _MIB
            or now - self._begun >= self._limits.file_hours * HOUR
        )

    def _turn_over(self, now: int) -> None:
        self._file = self.folder / file_name(self.position)
        self._size, self._begun = 0, now

    def give_up(self, needed: int) -> GivenUp | None:
        """Remove the oldest files beyond the size allowed, but none with events after ``needed``.

        Tapes of earlier runs beside this one go first: nobody continues those.
        """
        sizes = {file: file.stat().st_size for file in self._removable(needed)}
        kept = sum(file.stat().st_size for file in self.folder.parent.rglob("*") if file.is_file())
        removed = 0
        total = 0
        for file, size in sizes.items():
            if kept - total <= self._limits.total_size * _MIB:
                break
            file.unlink()
            removed, total = removed + 1, total + size
        if not removed:
            return None
        return GivenUp(removed, total, first_of(tape_files(self.folder)[0]))

    def _removable(self, needed: int) -> list[Path]:
        others = sorted(
            (
                folder
                for folder in self.folder.parent.iterdir()
                if folder.is_dir() and folder != self.folder
            ),
            key=lambda folder: folder.stat().st_mtime_ns,
        )
        mine = tape_files(self.folder)
        ended = [file for file, after in pairwise(mine) if first_of(after) <= needed]
        return [*(file for folder in others for file in tape_files(folder)), *ended]


def _write(file: Path, offset: int, block: bytes) -> None:
    """At ``offset``, durably; what a failed try left behind it is cut off first."""
    descriptor = create_private(file)
    try:
        os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        view = memoryview(block)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StoreUnwritable:
    return StoreUnwritable(f"the tape {path} cannot be written: {error.strerror}")
