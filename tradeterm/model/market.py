"""What a market tells us. Cheap, immutable values: prices and sizes are float observations.

Every event carries ``ts`` in nanoseconds UTC. A candle is stamped with its **close**.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from tradeterm.model.instruments import Instrument
from tradeterm.model.vocabulary import FeedSource

#: (price, size) pairs; a size of 0 in a delta removes the level.
Levels = tuple[tuple[float, float], ...]


class Trade(msgspec.Struct, frozen=True, gc=False, tag="trade"):
    """One print; ``side`` is the taker's: ``"buy"`` or ``"sell"``. Size in base currency."""

    ts: int
    symbol: str
    price: float
    size: float
    side: str
    id: str = ""


class BookSnapshot(msgspec.Struct, frozen=True, gc=False, tag="snap"):
    """A whole order book, best level first on both sides."""

    ts: int
    symbol: str
    bids: Levels
    asks: Levels


class BookDelta(msgspec.Struct, frozen=True, gc=False, tag="delta"):
    """Changed levels of an order book, absolute sizes, in no particular order."""

    ts: int
    symbol: str
    bids: Levels
    asks: Levels


class Candle(msgspec.Struct, frozen=True, gc=False, tag="candle"):
    """One closed bar; ``timeframe`` in seconds, volume in base currency.

    Beside prints (live) it is stamped as it came, within the interval after its own.
    """

    ts: int
    symbol: str
    timeframe: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class News(msgspec.Struct, frozen=True, gc=False, tag="news"):
    """One headline, already cleaned at the border; ``assets`` are the base assets it names."""

    ts: int
    source: str
    text: str
    assets: tuple[str, ...] = ()
    id: str = ""
    """As its source names it; empty where it gives none."""


class FeedNotice(msgspec.Struct, frozen=True, gc=False, tag="notice"):
    """Something the feed has to say: rejected data, a gap, a resync. Counted and shown."""

    ts: int
    symbol: str
    code: str
    text: str


class Pulse(msgspec.Struct, frozen=True, gc=False, tag="pulse"):
    """The connection is alive although the market had nothing to say."""

    ts: int
    symbol: str = ""


class Past(msgspec.Struct, frozen=True, gc=False, tag="past"):
    """Candles of all timeframes from before the first event, as one input (warm-up, live)."""

    ts: int
    symbol: str
    candles: tuple[Candle, ...]
    """By timeframe, oldest first; all closed at or before ``ts``."""


class Listing(msgspec.Struct, frozen=True, gc=False, tag="listing"):
    """What the exchange says of a symbol from now on; None: it trades it no longer."""

    ts: int
    symbol: str
    instrument: Instrument | None = None


#: Codes of notices that bracket the market of a time nobody was listening: what lies between GAP
#: and GAP_OVER acts on orders and positions as it would have then. GAP_LOST: nobody can tell.
GAP, GAP_OVER, GAP_LOST = "gap", "gap_over", "gap_lost"
#: What a GAP says that begins with the program, not with a line that broke.
PROGRAM_AWAY = "the program was away"

MarketEvent = Trade | BookSnapshot | BookDelta | Candle | News | FeedNotice | Pulse | Past | Listing


class FeedMark(msgspec.Struct, frozen=True):
    """Where a feed stands: ``position`` events were delivered; ``state`` is the feed's own."""

    position: int
    state: bytes = b""


class Feed(Protocol):
    """A source of market events that can be read at any pace (sim and replay)."""

    mode: str
    """``SIM``, ``REPLAY`` or ``LIVE``."""
    symbols: tuple[str, ...]
    start: int
    """Market time (ns) of the run's beginning."""

    def identity(self) -> dict[str, str]:
        """What makes this feed this feed; a store refuses to continue under another."""
        ...

    def derived(self) -> tuple[Instrument, ...]:
        """Instruments read off the data (finest tick and lot seen), for symbols not in config."""
        ...

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """Up to ``count`` candles closed at or before ``start``, oldest first (warm-up)."""
        ...

    def take(self) -> Sequence[MarketEvent]:
        """The next events in time order; empty when the feed has ended."""
        ...

    def mark(self, position: int) -> FeedMark:
        """A mark for an event of the batch last taken (or the one before it)."""
        ...

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events; the next ``take`` starts there."""
        ...

    def close(self) -> None:
        """Let go of files; taking more opens them again."""
        ...


class FeedHealth(Protocol):
    """How one symbol's connection fares."""

    symbol: str
    source: FeedSource
    heard: int
    """Receive time (ns) of its last event; 0 before the first."""
    reconnects: int
    resyncs: int
    rejected: int


class LiveMarket(Feed, Protocol):
    """A feed that goes on by itself: nothing to take does not mean that it has ended.

    Every event is stamped later than whatever ``reach`` has returned before.
    """

    def listen(self, now: int) -> None:
        """The engine stands at ``now`` (ns); begin to hear what is new, the missed part first."""
        ...

    def on_arrival(self, call: Callable[[], None] | None) -> None:
        """Have ``call`` called, on another thread, when something has arrived."""
        ...

    def reach(self) -> int:
        """A moment (ns) that nothing will be stamped before any more."""
        ...

    def waiting(self) -> bool:
        """Whether something has arrived that was not taken."""
        ...

    def now(self) -> int:
        """Receive time (ns)."""
        ...

    def lag(self) -> float:
        """Seconds the newest message was on its way to us."""
        ...

    def clock_skew(self) -> float | None:
        """Seconds our clock is ahead of the exchange's; None while nobody knows."""
        ...

    def health(self) -> Sequence[FeedHealth]:
        """Symbol by symbol."""
        ...
