"""Settles what happened at the venue while nobody looked.

Sim and replay hold the market, so nothing happens while the program is away. A market that goes on
(live) has two ways back. Either its feed can fetch the trades or bars of the gap: they stand in
the stream between two notices and act on orders, stops and positions as they would have then; the
analysts were not there and do not speak for it, and the books from before are not walked. Or it
cannot, and every working order is marked unknown with the reason until the venue was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.model.away import Away
from tradeterm.model.market import (
    GAP,
    GAP_LOST,
    GAP_OVER,
    PROGRAM_AWAY,
    BookDelta,
    BookSnapshot,
    Candle,
    FeedNotice,
    Trade,
)
from tradeterm.model.money import plain
from tradeterm.model.orders import ExecutionEvent, Filled, PositionChanged
from tradeterm.model.timing import MINUTE, iso

CODES: Final = frozenset({GAP, GAP_OVER, GAP_LOST})
GapEvent = Trade | Candle | BookDelta | BookSnapshot
#: A line that flaps is one alarm: a gap so soon after another is told only with what it changed.
QUIET: Final = 10 * MINUTE
#: Lines kept about one gap; the journal has the rest.
MAX_LINES: Final = 100
_TOLD: Final = frozenset({"opened", "reduced", "closed"})


class Gap:
    """Lets market events act on market and orders, and on nothing else, while it is open."""

    def __init__(self, core: Core, books: Books, inputs: dict[str, int]) -> None:
        """``inputs`` counts what was taken, by kind."""
        self.open = False
        self.away: Away | None = None
        """The last gap, or the one that is open."""
        self._core = core
        self._books = books
        self._inputs = inputs
        market = core.market
        self._takers: dict[type, tuple[str, Callable[[Any], object]]] = {
            Trade: ("trade", market.on_trade),
            Candle: ("candle", market.bridge),
            BookDelta: ("delta", market.on_delta),
            BookSnapshot: ("snapshot", market.on_snapshot),
        }
        self.takes = tuple(self._takers)
        """What it takes in place of the engine while the gap is open."""

    # -- notices ---------------------------------------------------------------------------

    def notice(self, notice: FeedNotice) -> None:
        """A gap begins, ends, or cannot be told of."""
        if notice.code == GAP:
            self._begin(notice.text)
        elif notice.code == GAP_OVER:
            self._end()
        else:
            self._lost(notice.text)

    def _begin(self, why: str) -> None:
        core = self._core
        if self.open:
            return
        self.open = True
        since = max(core.market.last_event, core.market.heard) or core.now
        soon = self.away is not None and since < self.away.until + QUIET
        again = soon and why != PROGRAM_AWAY
        self.away = Away(since, again=again)
        core.market.forget_books()
        self._books.execution.follow_prints()
        if not again:
            core.alert("E-GAP", "warning", f"nobody listened since {iso(since)}: {why}")

    def _end(self) -> None:
        if not self.open or self.away is None:
            return
        core, away = self._core, self.away
        self.open = False
        self._books.marking.mark()
        self.away = away = msgspec.structs.replace(away, until=core.now)
        told = (
            f"away from {iso(away.since)} to {iso(core.now)}: {away.events} market events settled, "
            f"{away.fills} fills"
        )
        text = "; ".join((told, *away.lines))
        if away.fills:
            core.risk_alert("E-GAP", "error", text)  # an operator who was away must not miss it
        elif away.lines or not away.again:
            core.alert("E-GAP", "warning", text)

    def _lost(self, reason: str) -> None:
        """Nothing of the gap can be fetched: nothing is assumed, filled or unfilled."""
        core, books = self._core, self._books
        since = self.away.since if self.open and self.away is not None else core.market.last_event
        self.open = False
        core.market.forget_books()
        doubted = books.execution.lose_sight(reason, core.now)
        books.booked(doubted)
        text = f"{len(doubted)} working orders are unknown: {reason}"
        self.away = Away(since, core.now, lines=(text,))
        core.risk_alert("E-GAP-UNKNOWN", "error", text)

    # -- the market of the gap -------------------------------------------------------------

    def act(self, event: GapEvent) -> None:
        """One event of the gap, at its own time."""
        kind, take = self._takers[type(event)]
        self._inputs[kind] += 1
        unheard = self._unheard(event) if isinstance(event, Candle) else event
        take(event)
        self._count(events=1)
        execution = self._books.execution
        if isinstance(event, Trade):
            self._booked(execution.on_market(event))
        elif isinstance(event, Candle):
            assert isinstance(unheard, Candle)
            self._booked(execution.on_market(unheard))
            self._doubt(event, unheard)
        elif event.symbol in execution.guarded:
            self._books.watch_mid(event.symbol)

    def _unheard(self, bar: Candle) -> Candle:
        """What a bar says of the time nobody listened, as far as that can be told.

        Of a minute that was heard in part only an extreme beyond all we heard is news.
        """
        market = self._core.market.symbol(bar.symbol)
        low, high = bar.low, bar.high
        opened = bar.open
        if (heard := market.heard_of(bar)) is not None:
            opened = market.price
            low = low if low < heard.low else min(opened, bar.close)
            high = high if high > heard.high else max(opened, bar.close)
        # Of no length: all of it is news, whatever was judged before it.
        return msgspec.structs.replace(bar, timeframe=0, open=opened, low=low, high=high)

    def _doubt(self, bar: Candle, unheard: Candle) -> None:
        """Orders whose level was traded in a minute heard in part, before or after we left."""
        if (bar.low, bar.high) == (unheard.low, unheard.high):
            return
        execution = self._books.execution
        levels = {
            name: float(level)
            for name, order in execution.working.items()
            if order.request.symbol == bar.symbol
            and (level := order.request.trigger or order.request.limit) is not None
        }
        among = [name for name, level in levels.items() if bar.low < level < bar.high]
        if not among:
            return
        reason = f"the bar until {iso(bar.ts)} reaches it and cannot be split"
        self._booked(execution.lose_sight(reason, self._core.now, among))
        self._count(line=f"{iso(bar.ts)[11:19]} {', '.join(among)} unknown: {reason}")

    def advance(self, due: int) -> None:
        """What was due at the venue then: expiries, rollovers, time exits."""
        self._booked(self._books.execution.advance(due))

    def _booked(self, happened: Sequence[ExecutionEvent]) -> None:
        if not happened:
            return
        for event in happened:
            if isinstance(event, Filled):
                self._count(fills=1)
            elif isinstance(event, PositionChanged) and event.what in _TOLD:
                self._tell(event)
        self._books.booked(happened)

    def _tell(self, event: PositionChanged) -> None:
        after = event.position
        text = f"{after.id} {after.symbol} {after.side} {event.what}"
        if event.what == "closed" and after.exit is not None:
            text += f" by {after.exit_reason} at {plain(after.exit)}, P&L {after.pnl:+.2f}"
        elif event.what == "opened":
            text += f" {plain(after.size)} at {plain(after.entry)}"
        self._count(line=f"{iso(after.updated)[11:19]} {text}")

    def _count(self, *, events: int = 0, fills: int = 0, line: str = "") -> None:
        away = self.away
        assert away is not None
        lines = (*away.lines, line)[:MAX_LINES] if line else away.lines
        self.away = msgspec.structs.replace(
            away, events=away.events + events, fills=away.fills + fills, lines=lines
        )
