"""Between the market's thread, which stamps and puts, and the engine's, which takes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tradeterm.model.market import BookDelta, Levels, MarketEvent, News

#: Events waiting beyond which book changes are merged; the burst is over when they are taken.
CROWD = 5_000

Make = Callable[[int], MarketEvent]


class Inbox:
    """Events in the order of their arrival, each stamped later than everything before it.

    ``reach`` promises a moment: whatever arrives afterwards is stamped later still. So the engine
    may run its timers up to it, and a replay of the tape runs them at the same places.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock``: receive time in ns."""
        self.merged = 0
        """Book changes that were merged into a later one."""
        self._clock = clock
        self._door = threading.Lock()
        self._events: list[MarketEvent] = []
        self._late: list[tuple[Make, bool]] | None = None
        """What arrives while the past is told first, and whether it is a print; None when nothing
        has to wait."""
        self._prints_wait = True
        self._floor = 0
        self._frozen = False
        self._crowded = CROWD
        self._on_arrival: Callable[[], None] | None = None

    # -- the engine's side -----------------------------------------------------------------

    def take(self) -> list[MarketEvent]:
        """Everything that has arrived; empty when nothing has."""
        with self._door:
            events, self._events = self._events, []
            self._crowded = CROWD
        return self._merge(events) if len(events) > CROWD else events

    def reach(self) -> int:
        """A moment (ns) after everything so far and before everything to come."""
        with self._door:
            self._floor = self._floor + 1 if self._frozen else max(self._clock(), self._floor + 1)
            return self._floor

    def freeze(self, after: int) -> None:
        """Time stands at ``after`` until ``thaw``: what was missed comes first."""
        with self._door:
            self._floor = max(self._floor, after)
            self._frozen = True
            self._late = [] if self._late is None else self._late

    def on_arrival(self, call: Callable[[], None] | None) -> None:
        """Called (on the market's thread) when something arrives after nothing was there."""
        self._on_arrival = call

    # -- the market's side -----------------------------------------------------------------

    def put(self, make: Make, *, is_print: bool = False) -> None:
        """``make`` gets the stamp."""
        with self._door:
            if self._late is not None and (self._prints_wait or not is_print):
                self._late.append((make, is_print))
                return
            first = not self._events
            self._add(make, self._clock())
        if first:
            self._wake()

    def put_past(self, make: Make, then: int) -> None:
        """Something of ``then`` (ns): stamped so where time has not gone further already."""
        with self._door:
            self._add(make, then)
        self._wake()

    def hold(self) -> None:
        """What arrives from now on waits for ``thaw``."""
        with self._door:
            self._late = [] if self._late is None else self._late
            self._prints_wait = True

    def admit_prints(self) -> None:
        """The past takes too long: prints go in before it, those that wait first."""
        with self._door:
            if self._late is None:
                return
            late, self._late, self._prints_wait = self._late, [], False
            for make, is_print in late:
                if is_print:
                    self._add(make, self._clock())
                else:
                    self._late.append((make, is_print))
        self._wake()

    def thaw(self) -> None:
        """Time goes on, and what had to wait enters now."""
        with self._door:
            self._frozen = False
            late, self._late = self._late or (), None
            for make, _ in late:
                self._add(make, self._clock())
        self._wake()

    @property
    def waiting(self) -> int:
        """Events that the engine has not taken."""
        return len(self._events)

    def _add(self, make: Make, ts: int) -> None:
        self._floor = ts if ts > self._floor else self._floor + 1
        self._events.append(make(self._floor))
        if len(self._events) > self._crowded:  # nobody takes: do not grow with the market
            self._events = self._merge(self._events)
            self._crowded = max(CROWD, 2 * len(self._events))

    def _wake(self) -> None:
        call = self._on_arrival
        if call is not None and self._events:
            call()

    def _merge(self, events: list[MarketEvent]) -> list[MarketEvent]:
        """One book change per symbol between two of its other events: trades are never lost."""
        kept: list[MarketEvent | None] = []
        open_at: dict[str, int] = {}
        """Symbol → where its newest book change stands."""
        for event in events:
            if isinstance(event, BookDelta):
                at = open_at.get(event.symbol)
                if at is not None:
                    event = _both(kept[at], event)
                    kept[at] = None
                    self.merged += 1
                open_at[event.symbol] = len(kept)
            elif not isinstance(event, News):
                open_at.pop(event.symbol, None)
            kept.append(event)
        return [event for event in kept if event is not None]


def _both(earlier: MarketEvent | None, later: BookDelta) -> BookDelta:
    """The later one's stamp, the newest size of every level."""
    assert isinstance(earlier, BookDelta)
    return BookDelta(
        later.ts, later.symbol,
        _newest(earlier.bids, later.bids), _newest(earlier.asks, later.asks),
    )  # fmt: skip


def _newest(earlier: Levels, later: Levels) -> Levels:
    return (
        tuple({**dict(earlier), **dict(later)}.items()) if earlier and later else earlier or later
    )
