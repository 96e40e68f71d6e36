"""Slices to disk, however long it takes: while the journal can't be written the market is held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.errors import StoreUnwritable

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


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
    ) -> None:
        self.fault = ""
        self._store = store
        self._tape = tape
        self._show = show
        self._complain = complain
        self._given_up = asyncio.Event()

    def give_up(self) -> None:
        """Try no longer than once: nothing of what is lost was confirmed or shown."""
        self._given_up.set()

    async def append(self, piece: Slice, position: int) -> None:
        """Until ``piece`` is durable, and the run's first ``position`` market events before it.

        StoreUnwritable after ``give_up``.
        """
        while True:
            try:
                if self._tape is not None:
                    await self._tape.secure(position)
                if piece.rows or piece.snapshot:
                    await self._store.append(piece)
            except StoreUnwritable as error:
                self._held(error)
                if self._given_up.is_set():
                    raise
                await self._pause()
            else:
                self._released()
                return

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._given_up.wait(), RETRY_SECONDS)
        except TimeoutError:
            return

    def _held(self, error: StoreUnwritable) -> None:
        if not self.fault:
            log.error("journal cannot be written: %s", error)
            if self._complain is not None:
                self._complain(f"journal cannot be written, market held: {error}")
        self.fault = f"JOURNAL CANNOT BE WRITTEN, market held: {error}"
        self._show(self.fault)

    def _released(self) -> None:
        if self.fault:
            self.fault = ""
            log.warning("journal can be written again")
            if self._complain is not None:
                self._complain("journal can be written again, the market goes on")
