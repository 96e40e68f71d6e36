"""How long a market of bars stays quiet, and what moves on by itself meanwhile: time and marks.

A stretch of bars can be taken at once (``engine/quiet.py``) while all of this holds:

- Only one symbol is in the run, it knows bars only, and each bar is exactly one interval after
  the one before. So the data is never stale, no candle falls due by itself, nothing is rejected.
- Nobody waits: no question is open, no card is pending, every bar stays strictly inside the band
  of the resting orders and of the guards of positions (trailing, margin call, liquidation), and
  nowhere in that band the equity comes near a breaker. A bar that leaves the band only where it
  moves stops, all of one side, may do so (``execution/following.py``): each step of a stop is
  written down in its place among the marks.
- No timer runs in between but three whose work is known: ``watch:data``, which finds the data
  fresh and moves on, ``reconcile``, which finds the venue agreeing (nothing moves there) and
  moves on, and ``mark:minute``, which notes the equity at the last close; and those the caller
  runs himself. Any other timer, order under way, expiry or time exit ends the stretch before it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import Final, NamedTuple

from tradeterm.engine.books import Books
from tradeterm.engine.breaking import Breaking
from tradeterm.engine.core import Core
from tradeterm.engine.degrading import WATCH_TIMER
from tradeterm.engine.following import Meanwhile
from tradeterm.engine.marking import MARK_TIMER
from tradeterm.engine.reconciliation import RECONCILE_TIMER, Reconciliation
from tradeterm.engine.timers import NEVER
from tradeterm.engine.trading import Trading
from tradeterm.execution.following import Follower, Following
from tradeterm.market.bars import Bars
from tradeterm.model.money import ZERO, exact
from tradeterm.model.orders import Position
from tradeterm.model.timing import SECOND

#: Shorter stretches are not worth the look.
LEAST: Final = 2
#: Beyond this part of the last price the quiet ends: breakers are judged by the band's ends.
MOST_MOVE: Final = 0.05
#: The same where a breaker is not that far away.
LITTLE_MOVE: Final = 0.01
#: A known band is used as long as the price is this part of itself away from its ends.
NEAR: Final = 0.02
#: Timers whose work is known; while something is held that of the marks is, too.
KNOWN: Final = frozenset({WATCH_TIMER, RECONCILE_TIMER})
#: Later than the name of any timer.
ALL_NAMES: Final = chr(sys.maxunicode)
#: A timer that moved: when it ran last, its name, when it is due next.
Moved = tuple[int, str, int]


@dataclass(slots=True)
class Prospect:
    """What must hold for the next bars to be quiet."""

    watch: int
    """When ``watch:data`` is due."""
    look: int
    """When ``reconcile`` is due."""
    mark: int
    """When ``mark:minute`` is due; NEVER while nothing is held."""
    until: int
    """The last stamp a bar may have."""
    turn: str
    """Of the timers due at that very stamp those named before this are known, too."""
    floor: float
    ceiling: float
    """Prices strictly between these two set nothing off."""
    bottom: float = 0.0
    top: float = inf
    """Prices strictly between these bring the equity near no breaker."""
    follower: Follower | None = None
    """Who knows how a stop follows, where it may."""
    steps: list[Position] = field(default_factory=list)
    """What the stop does meanwhile: the position after each bar that moves it."""

    def inside(self, bars: Bars, start: int, stop: int) -> int:
        """Where the bars from ``start`` on leave the band, at most ``stop``."""
        floor, ceiling = max(self.floor, self.bottom), min(self.ceiling, self.top)
        out = _leaves(bars, start, stop, floor, ceiling)
        if out == stop or self.follower is None:
            return out
        following = self.follower.begin(bars.symbol)
        return out if following is None else self._follow(following, bars, out, stop)

    def turn_at(self, last: int, more: bool) -> str:
        """Timers due with the last bar run by now if named before this.

        ``more``: a later bar is known to come, else none of them does.
        """
        if not more:
            return ""
        return ALL_NAMES if last < self.until else self.turn

    def ends(self, last: int) -> None:
        """The run ends at ``last``, perhaps before the band was left."""
        self.steps = [step for step in self.steps if step.updated <= last]

    def _follow(self, following: Following, bars: Bars, out: int, stop: int) -> int:
        """The same, from the first bar on that may move the stop."""
        stamps, _, highs, lows, closes, *_ = bars.columns
        self.steps = following.steps
        while out < stop:
            low, high = lows[out], highs[out]
            if not (self.bottom < low and high < self.top):
                return out
            if not following.step(stamps[out], low, high, closes[out]):
                return out
            out = _leaves(bars, out + 1, stop, *following.band(self.bottom, self.top))
        return stop


def reached(timer: str, last: int, turn: str) -> int:
    """A timer runs when it is due before this; ``last`` and ``turn`` as in ``move_time``."""
    return last + (timer < turn)


def _leaves(bars: Bars, start: int, stop: int, floor: float, ceiling: float) -> int:
    """The first bar that is not strictly between two prices, or ``stop``."""
    highs, lows = bars.columns.highs[start:stop], bars.columns.lows[start:stop]
    if not lows or (floor < min(lows) and max(highs) < ceiling):
        return stop
    for index, (high, low) in enumerate(zip(highs, lows, strict=True), start):
        if not (floor < low and high < ceiling):
            return index
    return stop


class Band(NamedTuple):
    """What everything is worth, at the least and at the most, while the price stays in a band."""

    floor: float = 0.0
    ceiling: float = 0.0
    least: Decimal = ZERO
    most: Decimal = ZERO
    entries: int = -1
    """Of the ledger: it says so until something is booked."""

    def holds(self, price: float) -> bool:
        """Whether a price is well inside."""
        return self.floor * (1 + NEAR) < price < self.ceiling * (1 - NEAR)


class Outlook:
    """Says how far the quiet reaches, and moves time, timers and marks along."""

    def __init__(
        self, core: Core, books: Books, trading: Trading, reconciliation: Reconciliation,
        breaking: Breaking,
    ) -> None:  # fmt: skip
        self._core = core
        self._books = books
        self._trading = trading
        self._reconciliation = reconciliation
        self._breaking = breaking
        self._m = core.market.symbol(core.market.symbols[0])
        self._asked_at = -1
        """The revision of the books at which the venue last agreed."""
        self._agreed = False
        """Whether it did when time last began to move."""
        self._wide = Band()

    @property
    def span(self) -> int:
        """From one bar to the next (ns)."""
        return self._m.base * SECOND

    # -- looking ahead ---------------------------------------------------------------------

    def fits(self, bars: Bars, start: int) -> bool:
        """Whether the bars from ``start`` on continue the market's, the first setting nothing off.

        Cheap: most looks that come to nothing end here.
        """
        m, columns = self._m, bars.columns
        execution, span = self._books.execution, self.span
        rest = execution.interested.get(m.symbol)
        if rest is None or columns.stamps[start] != m.ts + span:
            return False
        if execution.next_due < m.ts + LEAST * span:  # an order under way, most often
            return False
        if bars.timeframe != m.base or bars.symbol != m.symbol:
            return False
        low, high = columns.lows[start], columns.highs[start]
        if rest.low < low and high < rest.high:
            return True
        following = execution.follower.begin(m.symbol)
        return following is not None and following.clears(low, high)

    def prospect(self, own: Collection[str] = ()) -> Prospect | None:
        """The bounds of the quiet; None when it is not quiet even now.

        ``own``: timers the caller runs himself.
        """
        m, core, books, trading = self._m, self._core, self._books, self._trading
        rest = books.execution.interested.get(m.symbol)
        watch, look = core.timers.due(WATCH_TIMER), core.timers.due(RECONCILE_TIMER)
        if rest is None or watch is None or look is None:
            return None
        now = core.stamp.now
        settled = now < m.ts + self.span and m.ts <= now <= watch and m.window.last_ts == m.ts
        if not settled or m.book.ready or trading.coordinator.degradation.holds:
            return None
        held = bool(books.execution.positions) or books.portfolio.holds_assets
        known = KNOWN | {MARK_TIMER} if held else KNOWN
        until = min(core.market.next_close, books.execution.next_due, trading.next_due)
        due, turn = core.timers.earliest_but(known.union(own) if own else known)
        if due < until:
            until = due
        else:
            turn = ""
        if until < m.ts + LEAST * self.span:
            return None
        prospect = Prospect(watch, look, NEVER, until, turn, max(rest.low, 0.0), rest.high)
        if held:
            if not self._hold(prospect):
                return None
            if not core.flattening:
                prospect.follower = books.execution.follower
        return prospect

    def _hold(self, prospect: Prospect) -> bool:
        """Narrow the prospect to what holdings bear; False when it is not that simple."""
        m, core, books = self._m, self._core, self._books
        due = core.timers.due(MARK_TIMER)
        if due is None or due not in (m.ts, m.ts + self.span) or due < core.stamp.now:
            return False  # marks fall on the bars' own stamps, or not at all
        if m.ts % self.span or core.market.step != self.span:
            return False
        if (due == m.ts and books.marking.fresh) or not books.portfolio.moves_with(m.symbol):
            return False
        prospect.mark = due
        return prospect.floor < m.price < prospect.ceiling and self._bears(prospect)

    def _bears(self, prospect: Prospect) -> bool:
        """Whether no price of the band brings the equity near a breaker."""
        wide, price, entries = self._wide, self._m.price, self._books.portfolio.ledger.entries
        if wide.entries != entries or not wide.holds(price):
            floor, ceiling = price * (1 - MOST_MOVE), price * (1 + MOST_MOVE)
            wide = self._wide = Band(floor, ceiling, *self._between(floor, ceiling), entries)
        if self._breaking.quiet_between(wide.least, wide.most):
            prospect.bottom, prospect.top = wide.floor, wide.ceiling
            return True
        bottom, top = price * (1 - LITTLE_MOVE), price * (1 + LITTLE_MOVE)
        inside = max(prospect.floor, bottom), min(prospect.ceiling, top)
        for prospect.bottom, prospect.top in ((bottom, top), inside):
            if self._breaking.quiet_between(*self._between(prospect.bottom, prospect.top)):
                return True
        return False

    def _between(self, floor: float, ceiling: float) -> tuple[Decimal, Decimal]:
        """The lowest and the highest equity at prices between the two."""
        worth = self._worth([exact(floor), exact(ceiling)])
        return min(worth), max(worth)

    def _worth(self, prices: Sequence[Decimal]) -> list[Decimal]:
        portfolio = self._books.portfolio
        rate = portfolio.rate(self._m.symbol.partition("/")[2])
        return portfolio.equities(self._books.execution.positions.values(), prices, rate)

    def agrees(self) -> bool:
        """Whether the venue agrees; it is asked again only after something was booked."""
        if self._asked_at != self._books.revision and self._reconciliation.agrees():
            self._asked_at = self._books.revision
        return self._asked_at == self._books.revision

    # -- moving on -------------------------------------------------------------------------

    def move_time(
        self, prospect: Prospect, last: int, closes: Sequence[float], own: Iterable[Moved] = (),
        *, turn: str = "",
    ) -> Meanwhile:  # fmt: skip
        """The timers up to the bar of ``last``, then the clock and the input count.

        A timer runs before the first bar later than it, so with the bars up to its own time;
        ``turn``: that one is known, and those due with the last bar run if named before this.
        ``closes`` are those of the bars to come; ``own`` the caller's timers that moved. What else
        happens is the caller's to put down: ``pass_over`` when he has nothing in between.
        """
        core, inputs = self._core, self._core.stamp.input
        self._agreed = self._asked_at == self._books.revision
        before = reached(MARK_TIMER, last, turn)
        made = closes[:-1] if before == last else closes
        marks = self._marks(prospect, made) if prospect.mark < before else []
        # The first mark comes with the newest bar, or after the first of those to come.
        first = inputs + (prospect.mark != self._m.ts)
        meanwhile = Meanwhile(core, self._books, marks, first, self._steps(prospect))
        moved = [*own]
        if watch := self._watched(prospect.watch, reached(WATCH_TIMER, last, turn)):
            moved.append(watch)
        before = reached(RECONCILE_TIMER, last, turn)
        if prospect.look < before:
            every = self._reconciliation.every
            looked = prospect.look + (before - 1 - prospect.look) // every * every
            moved.append((looked, RECONCILE_TIMER, looked + every))
        if marks:
            moved.append((marks[-1][0], MARK_TIMER, marks[-1][0] + self.span))
        core.timers.move([each[1:] for each in sorted(moved)])
        core.stamp.now, core.stamp.input = last, inputs + len(closes)
        return meanwhile

    def pass_over(self, meanwhile: Meanwhile) -> None:
        """Put down what is left of it: the clock stays where it is."""
        stamp = self._core.stamp
        now, taken = stamp.now, stamp.input
        meanwhile.finish()
        stamp.now, stamp.input = now, taken
        if self._agreed:  # a venue that did does so after a stop has moved
            self._asked_at = self._books.revision

    def _watched(self, watch: int, before: int) -> Moved | None:
        """Where ``watch:data`` goes, as Market.next_watch plans it with the bars there are then."""
        opened, span, step, watched = self._m.ts, self.span, self._core.market.step, 0
        if step == span and not (opened % step or watch % step):  # it moves on by as much
            watch += max(0, before - 1 - watch) // (3 * step) * (3 * step)
        while watch < before:
            watched, seen = watch, opened + (watch - opened) // span * span
            watch = (max(watch, seen + 2 * span) // step + 1) * step
        return (watched, WATCH_TIMER, watch) if watched else None

    def _steps(self, prospect: Prospect) -> list[tuple[int, Position]]:
        """What the stop does meanwhile, by the number of the bar that moves it."""
        taken, began, span = self._core.stamp.input, self._m.ts, self.span
        return [(taken + (one.updated - began) // span, one) for one in prospect.steps]

    def _marks(self, prospect: Prospect, closes: Sequence[float]) -> list[tuple[int, Decimal]]:
        """The equity at every close that a later bar makes final."""
        if prospect.mark == self._m.ts:
            closes = (self._m.price, *closes)
        prices = map(Decimal, map(float.__repr__, closes))  # finite: inside the band
        worth = self._worth(list(prices))
        stamps = range(prospect.mark, prospect.mark + len(worth) * self.span, self.span)
        return list(zip(stamps, worth, strict=True))


__all__ = ["LEAST", "Moved", "Outlook", "Prospect", "reached"]
