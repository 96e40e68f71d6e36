"""The recording of a live market: after a restart first what is on the tape, then the present."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.adapters.tape.writer import TapeWriter
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Feed, FeedHealth, FeedMark, FeedNotice, MarketEvent
from tradeterm.settings.recording import RecordingSettings

#: Code of the notice about files that were removed.
SHORTENED = "tape_shortened"
#: Trades at the end of the tape that a backfill must not tell again.
RECALLED = 2_000


@runtime_checkable
class Source(Feed, Protocol):
    """A market that goes on by itself, as its adapter offers it (``live/feed.py``)."""

    def resume(
        self,
        since: int,
        floor: int,
        known: Sequence[Instrument],
        told: Mapping[str, Sequence[str]],
    ) -> None:
        """Begin to listen. What was missed after ``since`` is told first, unless that is 0.

        Nothing is stamped before ``floor``; ``known`` are the instruments the run goes by, and
        ``told`` the ids of the last trades by symbol.
        """
        ...

    def on_arrival(self, call: Callable[[], None] | None) -> None: ...

    def waiting(self) -> bool: ...

    def reach(self) -> int: ...

    def now(self) -> int: ...

    def lag(self) -> float: ...

    def clock_skew(self) -> float | None: ...

    def health(self) -> Sequence[FeedHealth]: ...


class LiveRecording(RecordingFeed):
    """Implements ``LiveMarket``."""

    def __init__(
        self,
        inner: Feed,
        tape: TapeWriter,
        limits: RecordingSettings,
        run: str,
        past: RecordedFeed | None = None,
    ) -> None:
        super().__init__(inner, tape, limits, run, past)
        assert isinstance(inner, Source)
        self._source = inner
        self._rest = past
        """What is still to be read from the tape before the market itself is heard."""
        self._floor = 0
        self._listening = self._resumed = False
        self._said = ""
        """What the next batch begins with: files that were removed."""

    @classmethod
    def of(cls, inner: Feed, folder: Path, limits: RecordingSettings, *, begin: bool) -> Self:
        """A new run's recording, or a continued one's."""
        return cls.begin(inner, folder, limits) if begin else cls.resume(inner, folder, limits)

    def listen(self, now: int) -> None:
        """The engine stands at ``now`` and takes the rest of the tape first."""
        self._floor, self._listening = now, True
        self._go_on()

    def take(self) -> Sequence[MarketEvent]:
        """What the tape still has, then what has arrived."""
        if self._rest is not None:
            batch = self._rest.take()
            if batch:
                self._count(batch)
                return batch
            self._rest = None
            self._go_on()
        batch = self._source.take()
        if self._said:
            said, self._said = self._said, ""
            batch = [FeedNotice(self._last, "", SHORTENED, said), *batch]
        return self._keep(batch)

    def mark(self, position: int) -> FeedMark:
        """The tape knows the block by the number of the event."""
        self._marks.append(position)
        return FeedMark(position)

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        self._stand(mark.position)
        if self._past is not None:
            self._past.seek(mark)
            self._rest = self._past

    def _tell(self, text: str) -> None:
        super()._tell(text)
        self._said = text

    def _go_on(self) -> None:
        """Hear the market itself once the tape has been told."""
        if self._rest is not None or not self._listening or self._resumed:
            return
        self._resumed = True
        since = 0 if self._past is None else max(self._tape.last_ts, self.start)
        told = {} if self._past is None else self._past.last_trades(RECALLED)
        self._source.resume(since, max(since, self._floor), self.derived(), told)

    def reach(self) -> int:
        """While the tape is told, time goes no further than it."""
        return self._source.reach() if self._resumed else max(self._floor, self._last)

    def on_arrival(self, call: Callable[[], None] | None) -> None:
        self._source.on_arrival(call)

    def waiting(self) -> bool:
        return not self._resumed or self._source.waiting()

    def now(self) -> int:
        return self._source.now()

    def lag(self) -> float:
        return self._source.lag()

    def clock_skew(self) -> float | None:
        return self._source.clock_skew()

    def health(self) -> Sequence[FeedHealth]:
        return self._source.health()
