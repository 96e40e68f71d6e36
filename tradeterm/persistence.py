"""Slices to disk, in order, however long it takes.

In sim and replay the market is held while the journal can't be written. A live market does not
wait: it goes on in memory, nothing is entered (risk's rule ``journal_health``), and an exit that
falls due is put into ``emergency.jsonl`` before anybody is shown that it was carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import msgspec

from tradeterm.adapters.store.emergency import EmergencyFile
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.engine.engine import Engine
from tradeterm.errors import EngineFault, StoreUnwritable, TradetermError
from tradeterm.model.commands import AbsorbExit
from tradeterm.model.health import EmergencyExit
from tradeterm.model.messages import Row
from tradeterm.model.orders import Fill
from tradeterm.model.vocabulary import ExitReason, Purpose
from tradeterm.supervising import named

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
#: Rows a live market may run ahead of the disk, a few minutes of a busy one; then it is held, too.
MOST_AHEAD = 200_000

_fill = msgspec.json.Decoder(Fill).decode


class Persistence:
    """Appends slices and keeps trying; ``fault`` is what to show meanwhile.

    What a slice followed from is on the tape first, where there is one. ``show`` gets the words
    for the screen, ``complain`` those for whoever has none.
    """

    def __init__(
        self,
        store: Store,
        tape: RecordingFeed | None,
        show: Callable[[str], None],
        complain: Callable[[str], None] | None,
        engine: Engine,
        *,
        live: bool,
    ) -> None:
        self.fault = ""
        self._store = store
        self._tape = tape
        self._show = show
        self._complain = complain
        self._engine = engine
        self._live = live
        self._emergency = EmergencyFile(store.paths)
        self._kept = 0
        """The number of the slice that holds the last exit of the emergency file; 0: none does."""
        self._handed = self._done = 0
        """Slices handed over, and on disk."""
        self._given_up = asyncio.Event()
        self._lost: StoreUnwritable | None = None
        """Why a slice was given up: nothing may follow it."""
        self._failing = asyncio.Event()
        """Set with ``fault``."""
        self._turn = asyncio.Lock()
        self._since: deque[float] = deque()
        """When each slice that is not on disk was handed over."""
        self._pieces: deque[Slice] = deque()
        """Those slices."""
        self._waiting = 0
        """Their rows."""
        if live:
            self._emergency.reserve()

    # -- what the others must know -------------------------------------------------------------

    @property
    def ahead(self) -> bool:
        """Whether the market goes on although nothing of it gets to disk."""
        return self._live and bool(self.fault) and self._waiting < MOST_AHEAD

    @property
    def holds(self) -> bool:
        """Whether the market has to wait until everything is on disk."""
        return bool(self.fault) and not self.ahead

    def lag(self) -> tuple[float, str]:
        """How long the oldest slice has been waiting (s), and why it cannot be written, if so."""
        return (perf_counter() - self._since[0] if self._since else 0.0), self.fault

    async def wait_for(self, write: asyncio.Task[None]) -> bool:
        """Until a write is done; False as soon as a live market has to go on without it."""
        while not write.done() and (self._given_up.is_set() or not self.ahead):
            failing = asyncio.ensure_future(self._failing.wait())
            ends: set[asyncio.Future[Any]] = {write, failing}
            if self._given_up.is_set() or self.fault:
                ends = {write}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            failing.cancel()
        return write.done()

    def give_up(self) -> None:
        """Try no longer than once: nothing of what is lost was confirmed or shown."""
        self._given_up.set()

    # -- writing -------------------------------------------------------------------------------

    async def append(self, piece: Slice, position: int) -> None:
        """Until ``piece`` is durable, and the run's first ``position`` market events before it.

        StoreUnwritable after ``give_up``. Slices take turns in the order of the calls.
        """
        self._handed += 1
        self._since.append(perf_counter())
        self._pieces.append(piece)
        self._waiting += len(piece.rows)
        try:
            async with self._turn:
                await self._write(piece, position)
        except TradetermError:
            raise
        except Exception as error:
            log.exception("E-TASK writer of journal and tape died", exc_info=error)
            raise EngineFault(f"E-TASK writer of journal and tape died: {named(error)}") from error
        finally:
            self._since.popleft()
            self._pieces.popleft()
            self._waiting -= len(piece.rows)

    async def _write(self, piece: Slice, position: int) -> None:
        while True:
            if self._lost is not None:
                raise StoreUnwritable(f"after a slice that was given up: {self._lost}")
            try:
                if self._tape is not None:
                    await self._tape.secure(position)
                if piece.rows or piece.snapshot:
                    await self._store.append(piece)
            except StoreUnwritable as error:
                self._held(error)
                if self._given_up.is_set():
                    self._lost = error
                    raise
                await self._pause()
            else:
                self._written()
                return

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await self._given_up.wait()
        except TimeoutError:
            return

    def _held(self, error: StoreUnwritable) -> None:
        means = "no entries, exits go to emergency.jsonl" if self._live else "market held"
        if not self.fault:
            log.error("journal cannot be written: %s", error)
            if self._complain is not None:
                self._complain(f"journal cannot be written, {means}: {error}")
            if self._live:  # what was handed over and thought to be as good as written
                self._keep([row for piece in self._pieces for row in piece.rows], self._handed)
        self.fault = f"JOURNAL CANNOT BE WRITTEN, {means}: {error}"
        self._failing.set()
        self._show(self.fault)

    def _written(self) -> None:
        self._done += 1
        if self._kept and self._done >= self._kept:
            self._kept = 0
            self._emergency.clear()
            self._emergency.reserve()
        behind = perf_counter() - self._since[1] if len(self._since) > 1 else 0.0
        if self.fault and behind < RETRY_SECONDS:
            self.fault = ""
            self._failing.clear()
            log.warning("journal can be written again")
            if self._complain is not None:
                self._complain("journal can be written again, the market goes on")

    # -- what cannot wait ----------------------------------------------------------------------

    def keep_exits(self, rows: Sequence[Row]) -> None:
        """Make the exits among ``rows``, which are handed over next, durable beside the store.

        A disk that takes not even that leaves the fault on the screen; the exit itself stands.
        """
        self._keep(rows, self._handed + 1)

    def _keep(self, rows: Sequence[Row], last: int) -> None:
        """``last``: the number of the slice that holds the newest of ``rows``."""
        exits = [found for row in rows if (found := _exit(self._engine, row)) is not None]
        if not exits:
            return
        try:
            self._emergency.keep(exits)
            self._kept = last
        except StoreUnwritable as error:
            log.error("exits cannot be kept: %s", error)
            self.fault = f"JOURNAL CANNOT BE WRITTEN, nor emergency.jsonl: {error}"
            self._show(self.fault)

    def close(self) -> None:
        """Give back what was reserved."""
        if self._live:
            self._emergency.release()


def absorb(engine: Engine, store: Store) -> EmergencyFile | None:
    """Book what the journal missed, before anything else; ``clear`` the file once that is durable.

    None when there is no file. An exit whose row did get into the journal is not booked again.
    """
    emergency = EmergencyFile(store.paths)
    kept = emergency.read()
    if not kept:
        return None
    with store.reader() as reader:
        there = {(fill["id"], fill["ts"]) for fill in reader.fills()}
    for each in kept:
        if (each.fill_id, each.ts) not in there:
            engine.command(AbsorbExit(exit=each, actor="desk"), max(engine.now, each.ts) + 1)
    return emergency


def _exit(engine: Engine, row: Row) -> EmergencyExit | None:
    """What a row says of a position that was reduced; None for every other row."""
    if row.kind != "fill":
        return None
    fill = _fill(row.body)
    order = engine.books.execution.order(fill.order_id)
    if order is None or not order.request.reduce_only or fill.position_id is None:
        return None
    request = order.request
    usual = ExitReason.TARGET if request.purpose is Purpose.TARGET else ExitReason.STOP
    return EmergencyExit(
        fill.ts, fill.position_id, fill.order_id, fill.symbol, fill.price, fill.size,
        request.exit_reason or usual, row.id,
    )  # fmt: skip
