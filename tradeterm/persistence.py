"""Slices to disk, however long it takes: while the journal can't be written the market is held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.errors import StoreUnwritable

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Persistence:
    """Appends slices and keeps trying; ``fault`` is what to show meanwhile.

    ``show`` gets the words for the screen, ``complain`` those for whoever has none.
    """

    def __init__(
        self, store: Store, show: Callable[[str], None], complain: Callable[[str], None] | None
    ) -> None:
        self.fault = ""
        self._store = store
        self._show = show
        self._complain = complain
        self._given_up = asyncio.Event()

    def give_up(self) -> None:
        """Try no longer than once: nothing of what is lost was confirmed or shown."""
        self._given_up.set()

    async def append(self, piece: Slice) -> int:
        """The last row's number once ``piece`` is durable; StoreUnwritable after ``give_up``."""
        while True:
            try:
                seq = await self._store.append(piece)
            except StoreUnwritable as error:
                self._held(error)
                if self._given_up.is_set():
                    raise
                await self._pause()
            else:
                self._released()
                return seq

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
