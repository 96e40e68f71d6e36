"""``--feed replay:PATH``: recorded events of one file or of a folder of them, in time order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.feeds.bars import BarSource
from tradeterm.adapters.feeds.names import from_name
from tradeterm.adapters.feeds.plain import digest
from tradeterm.adapters.feeds.rows import OnBad
from tradeterm.adapters.feeds.sources import Source, SourceMark, Steps
from tradeterm.adapters.feeds.tapes import TapeSource
from tradeterm.errors import DataError, EngineFault
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, FeedMark, MarketEvent
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.market import MarketSettings

_TAPES: Final = (".jsonl", ".ndjson")
_BARS: Final = (".csv", ".feather", ".parquet", ".json")
_PACKED: Final = (".gz", ".zst")

_timestamp = attrgetter("ts")


class ReplayState(msgspec.Struct, frozen=True):
    """The beginning of a batch: events delivered before it, and where each source stood."""

    position: int
    sources: list[tuple[SourceMark, int]]
    """(mark before the chunk in hand, events of it already delivered)."""


class _Hand:
    """A source and the chunk of it that is being dealt out."""

    __slots__ = ("before", "chunk", "source", "used")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.before = source.mark()
        self.chunk: Sequence[MarketEvent] = []
        self.used = 0

    def fill(self) -> bool:
        """Make sure there is an event in hand; False at the end of the file."""
        if self.used < len(self.chunk):
            return True
        self.before = self.source.mark()
        self.chunk = self.source.chunk()
        self.used = 0
        return bool(self.chunk)

    def deal(self, until: int | None) -> Sequence[MarketEvent]:
        """The events in hand stamped ``until`` or earlier (None: all)."""
        chunk, begin = self.chunk, self.used
        end = len(chunk)
        if until is not None and chunk[-1].ts > until:
            end = bisect_right(chunk, until, begin, key=_timestamp)
        self.used = end
        return chunk[begin:end] if begin or end < len(chunk) else chunk

    def restore(self, before: SourceMark, used: int) -> None:
        """Go back to a chunk of which ``used`` events were dealt, or to those that follow it."""
        self.source.seek(before)
        self.before, self.chunk, self.used = before, [], 0
        while used and self.fill():
            self.used = min(used, len(self.chunk))
            used -= self.used


class ReplayFeed:
    """Implements ``Feed`` over files."""

    mode = MarketMode.REPLAY.value

    def __init__(
        self,
        path: Path,
        settings: MarketSettings,
        *,
        symbols: tuple[str, ...] | None = None,
        on_bad: OnBad = "skip",
    ) -> None:
        """Opens every file of ``path``; DataError when one is absent, unknown or has nothing."""
        self._on_bad = on_bad
        self._files = data_files(path)
        self._arrange([_source(file, on_bad) for file in self._files], settings, symbols, path.name)

    def _arrange(
        self,
        sources: list[Source],
        settings: MarketSettings,
        symbols: tuple[str, ...] | None,
        name: str,
    ) -> None:
        """Take the chosen symbols of ``sources``, each on its finest timeframe."""
        self._settings = settings
        self._steps = _steps(sources)
        self.symbols = self._chosen(symbols, name)
        chosen = frozenset(self.symbols)
        self._sources = [source for source in _finest(sources) if chosen & set(source.steps)]
        for source in self._sources:
            source.choose(chosen)
        self.start = min(source.begin for source in self._sources)
        self._hands = [_Hand(source) for source in self._sources]
        self._position = 0
        self._drop = 0
        self._batches: list[ReplayState] = []

    def _chosen(self, wanted: tuple[str, ...] | None, name: str) -> tuple[str, ...]:
        configured = [symbol for symbol in self._settings.symbols if symbol in self._steps]
        there = (*configured, *(symbol for symbol in self._steps if symbol not in configured))
        if wanted is None:
            return there
        missing = [symbol for symbol in wanted if symbol not in self._steps]
        if missing:
            raise DataError(
                f"{name} has no data for {', '.join(missing)}; it has {', '.join(there)}"
            )
        return wanted

    # -- what it is ------------------------------------------------------------------------

    def identity(self) -> dict[str, str]:
        """File names, sizes and contents (not where they lie), symbols, and what is skipped."""
        files = [f"{file.name} {file.stat().st_size} {digest(file)}" for file in self._files]
        return {
            "feed": "replay",
            "files": "; ".join(files),
            "symbols": ",".join(self.symbols),
            "on_bad": self._on_bad,
        }

    def derived(self) -> tuple[Instrument, ...]:
        """Instruments read off the data for symbols that config does not know."""
        fees = self._settings.fees.entry
        found: list[Instrument] = []
        for symbol in self.symbols:
            if self._settings.instrument(symbol) is None:
                steps = self._steps[symbol]
                base, _, quote = symbol.partition("/")
                found.append(
                    Instrument(
                        symbol, base, quote, tick=steps.tick, lot=steps.lot, min_size=steps.lot,
                        min_notional=Decimal(0), taker_fee=fees.taker / 100, derived=True,
                    )
                )  # fmt: skip
        return tuple(found)

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """None: the warm-up comes from the files' own beginning."""
        return []

    # -- reading ---------------------------------------------------------------------------

    def take(self) -> Sequence[MarketEvent]:
        """The next events in time order; of equal stamps the earlier file's first."""
        while True:
            batch = self._deal()
            if not batch or not self._drop:
                return batch
            dropped, self._drop = self._drop, max(0, self._drop - len(batch))
            if len(batch) > dropped:
                return batch[dropped:]

    def _deal(self) -> Sequence[MarketEvent]:
        ready = [hand for hand in self._hands if hand.fill()]
        state = ReplayState(self._position, [(hand.before, hand.used) for hand in self._hands])
        self._batches = [*self._batches[-1:], state]
        if not ready:
            return []
        if len(ready) == 1:
            batch = ready[0].deal(None)
        else:
            until = min(hand.chunk[-1].ts for hand in ready)
            dealt = [event for hand in ready for event in hand.deal(until)]
            batch = sorted(dealt, key=_timestamp)
        self._position += len(batch)
        return batch

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been delivered."""
        for state in reversed(self._batches):
            if state.position <= position <= self._position + self._drop:
                return FeedMark(position, msgspec.msgpack.encode(state))
        if position == 0:
            return FeedMark(0)
        raise EngineFault(f"the replay has no mark for position {position}")

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        if mark.state:
            state = msgspec.msgpack.decode(mark.state, type=ReplayState)
        else:
            state = ReplayState(0, [(SourceMark(), 0) for _ in self._hands])
        for hand, (before, used) in zip(self._hands, state.sources, strict=True):
            hand.restore(before, used)
        self._position = state.position
        self._batches = [state]
        self._drop = mark.position - state.position

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources:
            source.close()


def data_files(path: Path) -> list[Path]:
    """The data files of a path, by name."""
    if path.is_dir():
        found = sorted(
            (file for file in path.iterdir() if file.is_file() and _layout(file)),
            key=lambda file: file.name,
        )
        if not found:
            raise DataError(
                f"the folder {path.name} holds no market data; expected files ending in "
                f"{', '.join(_TAPES + _BARS)} (also with .gz or .zst)"
            )
        return found
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if not _layout(path):
        raise DataError(
            f"{path.name}: unknown kind of file; expected a tape (.jsonl), CSV, feather, Parquet "
            "or freqtrade's JSON, which its name has to say more of (BTC_USDT-5m.json); also with "
            ".gz or .zst, or a folder of them"
        )
    return [path]


def is_tape(path: Path) -> bool:
    """By its name: lines of events, not candles."""
    return _layout(path) == "tape"


def _layout(path: Path) -> str:
    """``tape``, ``bars`` or nothing."""
    if path.name.startswith("."):
        return ""
    name = path.name.removesuffix(path.suffix) if path.suffix in _PACKED else path.name
    suffix = Path(name).suffix.lower()
    if suffix == ".json" and from_name(path.name) == (None, None):
        return ""  # of no symbol: something else beside the data
    return "tape" if suffix in _TAPES else "bars" if suffix in _BARS else ""


def _source(file: Path, on_bad: OnBad) -> Source:
    if is_tape(file):
        return TapeSource(file, on_bad)
    return BarSource(file, on_bad)


def _steps(sources: list[Source]) -> dict[str, Steps]:
    """Symbol → finest steps over all files, in the order first seen."""
    found: dict[str, Steps] = {}
    for source in sources:
        for symbol, steps in source.steps.items():
            known = found.setdefault(symbol, Steps())
            known.price = max(known.price, steps.price)
            known.size = max(known.size, steps.size)
    return found


def _finest(sources: list[Source]) -> list[Source]:
    """Without bars of a symbol that is also there on a finer timeframe."""
    finest: dict[str, int] = {}
    for source in sources:
        if source.timeframe:
            for symbol in source.steps:
                finest[symbol] = min(finest.get(symbol, source.timeframe), source.timeframe)
    return [
        source
        for source in sources
        if not source.timeframe or all(source.timeframe == finest[s] for s in source.steps)
    ]
