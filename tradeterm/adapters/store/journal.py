"""The store: appends slices to the journal, durably, in order, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiosqlite

from tradeterm.adapters.store.faults import damaged, translate
from tradeterm.adapters.store.head import write_head
from tradeterm.adapters.store.inspection import prepare
from tradeterm.adapters.store.lock import StoreLock
from tradeterm.adapters.store.paths import (
    StorePaths,
    default_path,
    locate,
    prepare_directory,
    refuse_second_name,
)
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.recovery import Recovered, recover
from tradeterm.adapters.store.rows import Slice, Tail
from tradeterm.adapters.store.vanishing import Whereabouts
from tradeterm.adapters.store.writer import Writer
from tradeterm.errors import StoreError, StoreUnwritable

#: Seconds between two writes of the head file.
HEAD_INTERVAL = 1.0
#: Seconds a busy thread keeps the interpreter from others. The writing thread asks for it after
#: every statement; at Python's own 5 ms a slice took three times as long to get to disk.
SWITCH_SECONDS = 0.001

_log = logging.getLogger("tradeterm.store")


class Store:
    """The book of record, opened by its one writer. Use it from one event loop."""

    def __init__(self, paths: StorePaths, lock: StoreLock) -> None:
        self.paths = paths
        self._lock = lock
        self._db: aiosqlite.Connection | None = None
        self._writer: Writer | None = None
        self._place: Whereabouts | None = None
        self._tail = Tail()
        self._turn = asyncio.Lock()
        self._owed: list[Slice] = []
        """Slices refused by a failing disk, in order: nothing may overtake them."""
        self._under_way: set[asyncio.Task[int]] = set()
        self._head_task: asyncio.Task[None] | None = None
        self._head_due = 0.0
        self._closed = False

    @classmethod
    async def open(cls, path: Path | None = None, create: bool = True) -> Self:
        """Lock, check, migrate and open; raises StoreLocked, StoreDamaged or StoreUnwritable."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        paths = locate(path)
        prepare_directory(paths, create=path is None or paths == _default())
        store = cls(paths, StoreLock.acquire(paths))
        try:
            refuse_second_name(paths)
            await asyncio.to_thread(prepare, paths, create=create)
            await store._connect()
        except BaseException:
            store._lock.release()
            raise
        return store

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def last_seq(self) -> int:
        """Number of the last confirmed row."""
        return self._tail.seq

    @property
    def run(self) -> int:
        """The current run; a ``run_started`` row begins the next one. 0 before the first."""
        return self._tail.run

    def reader(self) -> Reader:
        """A read-only view of the same file; the caller closes it."""
        return Reader(self.paths.db)

    def recover(self) -> Recovered | None:
        """What the last run left; None in a new store. Reads from disk: call before trading."""
        return recover(self.paths)

    async def append(self, piece: Slice) -> int:
        """Write a slice durably; returns the last row's number.

        Cancelling the caller does not cancel the write. After StoreUnwritable append the same
        object again until it succeeds: the file is reopened, nothing is lost or doubled, and
        later slices are refused until the earlier ones are in. After a plain StoreError (the
        slice itself is wrong) nothing of it was written.
        """
        task = asyncio.ensure_future(self._append(piece))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _append(self, piece: Slice) -> int:
        async with self._turn:
            if self._owed and piece is not self._owed[0]:
                self._owe(piece)
                raise StoreUnwritable(
                    f"{self.paths.db}: an earlier slice of {len(self._owed[0].rows)} rows "
                    "could not be written yet"
                )
            try:
                await self._write(piece)
            except StoreUnwritable:
                self._owe(piece)
                raise
            except StoreError:
                self._settle(piece)
                raise
            self._settle(piece)
            self._mind_head()
            return self._tail.seq

    def _settle(self, piece: Slice) -> None:
        self._owed = [owed for owed in self._owed if owed is not piece]

    def _owe(self, piece: Slice) -> None:
        if not any(piece is owed for owed in self._owed):
            self._owed.append(piece)

    async def _write(self, piece: Slice) -> None:
        if self._db is None or self._writer is None:
            await self._reconnect()
        assert self._db is not None
        assert self._writer is not None
        assert self._place is not None
        await self._place.check(self._db)
        try:
            self._writer.stage(piece)
            await self._db.commit()
        except sqlite3.IntegrityError as error:
            raise StoreError(
                f"a row contradicts the book of record ({error}); nothing of its slice of "
                f"{len(piece.rows)} rows after {self._tail.seq} was written"
            ) from error
        except sqlite3.Error as error:
            await self._drop()
            raise translate(error, self.paths.db, "write") from error
        except (OverflowError, UnicodeError) as error:
            raise StoreError(f"a row after {self._tail.seq} cannot be stored: {error}") from error
        self._tail = self._writer.tail

    async def reopen(self) -> None:
        """Try the file again after a failure, on a new connection; raises while it's no use."""
        async with self._turn:
            if self._db is None:
                await self._reconnect()

    async def _reconnect(self) -> None:
        if self._closed:
            raise StoreError(f"{self.paths.db} is closed")
        await asyncio.to_thread(prepare, self.paths, create=False)
        await self._connect(self._tail)

    async def _connect(self, confirmed: Tail | None = None) -> None:
        """Open the writer connection; ``confirmed`` is what it must still have."""
        made: list[Writer] = []

        def connection(database: str, **options: Any) -> Writer:
            made.append(Writer(database, **options))
            return made[-1]

        try:
            self._db = await aiosqlite.connect(self.paths.db, factory=connection)
            self._writer = made[0]
            self._place = Whereabouts(self.paths)
            if confirmed is not None:
                # What a failed fsync left in the operating system's cache may never reach the
                # disk; copying the log into the file and syncing that does.
                await self._db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            await self._drop()
            raise translate(error, self.paths.db, "open") from error
        if confirmed is not None:
            await self._compare(confirmed)
        self._tail = self._writer.tail

    async def _compare(self, confirmed: Tail) -> None:
        assert self._writer is not None
        found = self._writer.tail
        if found.seq < confirmed.seq or (
            found.seq == confirmed.seq and found.hash != confirmed.hash
        ):
            await self._drop()
            raise damaged(
                self.paths.db,
                f"rows up to {confirmed.seq} were confirmed, after the failure it ends "
                f"at {found.seq}",
            )
        self._writer.confirmed = confirmed

    async def _drop(self) -> None:
        """Give up a connection that failed: it is never used again."""
        db, self._db, self._writer = self._db, None, None
        if db is not None:
            try:
                await db.close()
            except sqlite3.Error as error:
                _log.warning("closing %s after a failure: %s", self.paths.db, error)

    def _mind_head(self) -> None:
        now = time.monotonic()
        if now >= self._head_due and (self._head_task is None or self._head_task.done()):
            self._head_due = now + HEAD_INTERVAL
            self._head_task = asyncio.ensure_future(self._write_head(self._tail))

    async def _write_head(self, tail: Tail) -> None:
        try:
            await asyncio.to_thread(write_head, self.paths.head, tail)
        except (OSError, StoreUnwritable) as error:
            # The head only helps to notice deleted rows; the journal itself is safe.
            _log.warning("cannot write %s: %s", self.paths.head, error)

    async def close(self) -> None:
        """Finish what is under way, write the head, close, unlock."""
        if self._closed:
            return
        if self._under_way:
            await asyncio.wait(set(self._under_way))
        async with self._turn:
            self._closed = True
            try:
                if self._head_task is not None:
                    await asyncio.wait({self._head_task})
                if self._db is not None and self._tail.seq:
                    await self._write_head(self._tail)
            finally:
                await self._drop()
                self._lock.release()


def _default() -> StorePaths | None:
    try:
        return locate(default_path())
    except StoreUnwritable:
        return None
