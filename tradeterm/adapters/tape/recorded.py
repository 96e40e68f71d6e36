"""A recorded run as a feed: what its engine was told, in the same order, to the last digit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.feeds.plain import digest
from tradeterm.adapters.tape.about import ABOUT, About, read_about, read_warm_up
from tradeterm.adapters.tape.blocks import (
    Block,
    damaged,
    first_of,
    read,
    tape_files,
    whole_blocks,
)
from tradeterm.errors import DataError, EngineFault
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, FeedMark, MarketEvent, News, Trade

#: Events handed out at a time, as far as whole blocks allow it.
BATCH: Final = 2_048


class Place(msgspec.Struct, frozen=True):
    """The beginning of a batch: events handed out before it, and before it on the tape."""

    handed: int
    taped: int


class RecordedFeed:
    """Implements ``Feed`` over the folder of one recorded run."""

    def __init__(
        self, folder: Path, *, mode: str | None = None, symbols: tuple[str, ...] | None = None
    ) -> None:
        """``mode`` None: as recorded. ``symbols`` None: all. Raises DataError."""
        self.folder = folder
        self.about: About = read_about(folder)
        self.mode = mode or self.about.mode
        self.symbols = self._chosen(symbols)
        self.start = self.about.start
        self._files = tape_files(folder)
        self._wanted = None if symbols is None else frozenset(self.symbols)
        self._blocks: dict[Path, list[Block]] = {}
        self._warm_up: dict[tuple[str, int], list[Candle]] | None = None
        self._file = 0
        self._block = 0
        self._place = Place(self.begins, self.begins)
        self._drop = 0
        self._batches: list[Place] = []

    def _chosen(self, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
        missing = [symbol for symbol in wanted or () if symbol not in self.about.symbols]
        if missing:
            raise DataError(
                f"{self.folder.name} has no data for {', '.join(missing)}; "
                f"it has {', '.join(self.about.symbols)}"
            )
        return wanted or self.about.symbols

    # -- what it is ------------------------------------------------------------------------

    @property
    def begins(self) -> int:
        """How many of the run's first events are on the tape no longer."""
        return first_of(self._files[0]) if self._files else 0

    def identity(self) -> dict[str, str]:
        """The recorded run and its files' contents, and the symbols chosen."""
        told = sha256()
        for file in (self.folder / ABOUT, *self._files):
            told.update(f"{file.name} {digest(file)};".encode())
        return {
            "feed": "replay",
            "files": f"run {self.about.run} {told.hexdigest()[:24]}",
            "symbols": ",".join(self.symbols),
        }

    def derived(self) -> tuple[Instrument, ...]:
        """Instruments that the recorded feed brought along."""
        return tuple(each for each in self.about.instruments if each.symbol in self.symbols)

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """The candles the recorded run began with."""
        if self._warm_up is None:
            self._warm_up = read_warm_up(self.folder)
        return self._warm_up.get((symbol, timeframe), [])[-count:]

    # -- reading ---------------------------------------------------------------------------

    def take(self) -> Sequence[MarketEvent]:
        """The next events; empty at the end of the tape."""
        while True:
            self._batches = [*self._batches[-1:], self._place]
            batch, taped = self._deal()
            if not taped:
                return batch
            self._place = Place(self._place.handed + len(batch), self._place.taped + taped)
            if len(batch) > self._drop:
                batch, self._drop = batch[self._drop :], 0
                return batch
            self._drop -= len(batch)

    def _deal(self) -> tuple[list[MarketEvent], int]:
        """(Chosen events of the next blocks, how many events those blocks have)."""
        events: list[MarketEvent] = []
        taped = 0
        while len(events) < BATCH and (found := self._next_block()) is not None:
            file, block = found
            self._block += 1
            taped += block.events
            events += self._only_wanted(read(file, block))
        return events, taped

    def _next_block(self) -> tuple[Path, Block] | None:
        while self._file < len(self._files):
            file = self._files[self._file]
            blocks = self._blocks_of(file)
            if self._block < len(blocks):
                return file, blocks[self._block]
            self._file, self._block = self._file + 1, 0
        return None

    def _blocks_of(self, file: Path) -> list[Block]:
        known = self._blocks.get(file)
        if known is None:
            known = whole_blocks(file)
            self._check_seam(file, known)
            self._blocks = {file: known}
        return known

    def last_trades(self, count: int) -> dict[str, list[str]]:
        """The ids of the newest ``count`` trades or so, by symbol, oldest first."""
        found: dict[str, list[str]] = {}
        file = self._files[-1] if self._files else None
        for block in reversed(whole_blocks(file) if file is not None else ()):
            assert file is not None
            for event in reversed(read(file, block)):
                if isinstance(event, Trade) and event.id:
                    found.setdefault(event.symbol, []).append(event.id)
            if sum(map(len, found.values())) >= count:
                break
        return {symbol: ids[::-1] for symbol, ids in found.items()}

    def _check_seam(self, file: Path, blocks: list[Block]) -> None:
        """Only the newest file may be cut off: what follows another begins where it ends."""
        index = self._files.index(file)
        if index + 1 < len(self._files):
            ends = blocks[-1].last if blocks else first_of(file)
            if ends != first_of(self._files[index + 1]):
                last = blocks[-1] if blocks else Block(0, ends, 0, 0, 0, 0, 0)
                raise damaged(file, last, "what followed it was cut off")

    def _only_wanted(self, events: list[MarketEvent]) -> list[MarketEvent]:
        if self._wanted is None:
            return events
        wanted = self._wanted
        return [
            event
            for event in events
            if isinstance(event, News) or not event.symbol or event.symbol in wanted
        ]

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been handed out."""
        for place in reversed(self._batches):
            if place.handed <= position <= self._place.handed:
                return FeedMark(position, msgspec.msgpack.encode(place))
        if position <= self.begins:
            return FeedMark(position)
        raise EngineFault(f"the recorded run has no mark for position {position}")

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events; a mark without state counts the whole tape."""
        wanted = Place(mark.position, mark.position)
        place = msgspec.msgpack.decode(mark.state, type=Place) if mark.state else wanted
        self._file = max(0, bisect_right(self._files, place.taped, key=first_of) - 1)
        blocks = self._blocks_of(self._files[self._file]) if self._files else []
        self._block = max(0, bisect_right(blocks, place.taped, key=lambda one: one.first) - 1)
        begin = blocks[self._block].first if blocks else place.taped
        if place.taped < begin:
            raise DataError(
                f"{self.folder.name}: the tape begins after {begin} events of the run; the first "
                "ones were given up to keep it within recording.total_size"
            )
        self._place = Place(place.handed - (place.taped - begin), begin)
        self._batches = [self._place]
        self._drop = mark.position - self._place.handed

    def close(self) -> None:
        """Nothing is open between two calls."""


def recordings(path: Path) -> list[Path]:
    """Folders of recorded runs: the path itself, or those in it."""
    if (path / ABOUT).is_file():
        return [path]
    if not path.is_dir():
        return []
    return sorted(folder for folder in path.iterdir() if (folder / ABOUT).is_file())
