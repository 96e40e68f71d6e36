"""A feed that keeps what the engine was told by another one.

What is on the tape is what the engine has taken, no more: events handed out and never run are not.
A simulated or replayed market can be asked again after a restart; a live one cannot, so there the
tape is where the run goes on from.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tradeterm.adapters.store.writer import KEPT_SNAPSHOTS
from tradeterm.adapters.tape.about import FORMAT, About, write_beginning
from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.adapters.tape.writer import TapeWriter
from tradeterm.errors import DataError, StoreUnwritable
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, Feed, FeedMark, MarketEvent
from tradeterm.settings.recording import RecordingSettings

#: Events of one block at most: what reading one takes at a time.
LARGEST_BLOCK = 4_096

log = logging.getLogger(__name__)


class RecordingFeed:
    """Implements ``Feed`` around another one. ``secure`` before anything that followed is kept."""

    def __init__(
        self,
        inner: Feed,
        tape: TapeWriter,
        limits: RecordingSettings,
        run: str,
        past: RecordedFeed | None = None,
    ) -> None:
        """``past``: the tape so far; None for a new run."""
        self.inner = inner
        self.mode = inner.mode
        self.symbols = inner.symbols if past is None else past.symbols
        self.start = inner.start if past is None else past.start
        self._tape = tape
        self._run = run
        self._block_seconds = limits.block_seconds
        self._past = past
        self._candles: list[Candle] = []
        self._begun = past is not None
        self._handed = 0
        """Events handed out so far: the run's position."""
        self._pending: deque[Sequence[MarketEvent]] = deque()
        """Events behind the tape's end."""
        self._marks: deque[int] = deque(maxlen=KEPT_SNAPSHOTS + 1)
        self._last = self.start
        """Stamp of the last event handed out."""
        self._turn = asyncio.Lock()
        self._due = 0.0

    @classmethod
    def begin(cls, inner: Feed, folder: Path, limits: RecordingSettings) -> Self:
        """Record a new run in a new folder, which is called what the run is called."""
        return cls(inner, TapeWriter.begin(folder, limits), limits, folder.name)

    @classmethod
    def resume(cls, inner: Feed, folder: Path, limits: RecordingSettings) -> Self:
        """Go on recording: start, symbols and warm-up are those of the tape."""
        tape = TapeWriter.resume(folder, limits)
        return cls(inner, tape, limits, folder.name, RecordedFeed(folder, mode=inner.mode))

    # -- what it is ------------------------------------------------------------------------

    def identity(self) -> dict[str, str]:
        """That of the feed itself: recording changes nothing."""
        return self.inner.identity()

    def derived(self) -> tuple[Instrument, ...]:
        """Instruments that the feed brings along; on the tape once it is there."""
        return self.inner.derived() if self._past is None else self._past.derived()

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """The feed's candles, kept: a restart begins with exactly the same ones."""
        if self._past is not None:
            return self._past.history(symbol, timeframe, count)
        candles = self.inner.history(symbol, timeframe, count)
        self._candles += candles
        return candles

    # -- reading ---------------------------------------------------------------------------

    def take(self) -> Sequence[MarketEvent]:
        """What the feed has."""
        return self._keep(self.inner.take())

    def _keep(self, batch: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """Hand out ``batch``; what is not on the tape yet waits to be secured."""
        known = self._tape.position - self._handed
        if known < len(batch):
            self._pending.append(batch[known:] if known > 0 else batch)
        self._count(batch)
        return batch

    def _count(self, batch: Sequence[MarketEvent]) -> None:
        self._handed += len(batch)
        if batch:
            self._last = batch[-1].ts

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been handed out."""
        self._marks.append(position)
        return self.inner.mark(position)

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        self._stand(mark.position)
        self.inner.seek(mark)

    def _stand(self, position: int) -> None:
        """``position`` events have been handed out; nothing was committed that is not on disk."""
        if position > self._tape.position:
            raise DataError(
                f"the run's tape {self._tape.folder} ends after {self._tape.position} events, and "
                f"the journal goes by {position}: a part of it is gone; put it back, or begin a "
                "new run with --fresh or --db FILE"
            )
        self._pending.clear()
        self._handed = position

    def close(self) -> None:
        """Let go of the feed; what was secured is on disk."""
        self.inner.close()

    # -- writing ---------------------------------------------------------------------------

    def due(self, now: float) -> bool:
        """Whether events should go to disk although nothing asks for it; ``now`` in seconds."""
        if now < self._due or not self._pending:
            return False
        self._due = now + self._block_seconds
        return True

    async def secure(self, position: int) -> None:
        """Have the run's first ``position`` events on disk; raises StoreUnwritable."""
        async with self._turn:
            if not self._begun:
                await asyncio.to_thread(self._begin)
            events = self._up_to(position)
            for begin in range(0, len(events), LARGEST_BLOCK):
                block = events[begin : begin + LARGEST_BLOCK]
                await asyncio.to_thread(self._tape.append, block)
                self._forget(len(block))
            if len(self._marks) == self._marks.maxlen:
                await self._shorten(self._marks[0])

    def _begin(self) -> None:
        about = About(
            FORMAT,
            self._run,
            self.mode,
            self.start,
            self.symbols,
            self.inner.derived(),
            self.identity(),
        )
        try:
            write_beginning(self._tape.folder, about, self._candles)
        except OSError as error:
            raise StoreUnwritable(
                f"the tape {self._tape.folder} cannot be written: {error.strerror}"
            ) from error
        self._begun, self._candles = True, []

    def _up_to(self, position: int) -> list[MarketEvent]:
        wanted = position - self._tape.position
        events: list[MarketEvent] = []
        for batch in self._pending:
            if wanted <= len(events):
                break
            events += batch[: wanted - len(events)]
        return events

    def _forget(self, count: int) -> None:
        """The oldest pending events are on disk."""
        while count:
            batch = self._pending.popleft()
            if len(batch) > count:
                self._pending.appendleft(batch[count:])
                return
            count -= len(batch)

    async def _shorten(self, needed: int) -> None:
        """Keep the tapes within their bounds and say what went."""
        self._marks.clear()
        gone = await asyncio.to_thread(self._tape.give_up, needed)
        if gone is not None:
            self._tell(
                f"the tape reached recording.total_size: {gone.files} oldest files were removed; "
                f"it now begins after {gone.first:,} events"
            )

    def _tell(self, text: str) -> None:
        """Say what became of the tape: not to the engine, whose inputs recording never changes."""
        log.warning("%s", text)
