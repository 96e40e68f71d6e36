"""Takes bars on which provably nothing happens in bulk: the fast path of the EMA-cross rule.

Most bars of a replay change figures and decide nothing. A run of them is taken here at once, and
every row, id, count and byte of state afterwards is what ``Engine.run`` would have left bar by
bar (``tests/engine/test_quiet.py`` compares both). It reads columns (``market/bars.py``): events
that come as a list are somebody else's. Why that is safe:

- Only one symbol is in the run, it knows bars only, and each bar is exactly one interval after
  the one before. So the data is never stale, no candle falls due by itself, nothing is rejected.
- Nobody waits: no question is open, no card is pending, every bar stays strictly inside the band
  of the resting orders and of the guards of positions (trailing, margin call, liquidation), and
  nowhere in that band the equity comes near a breaker.
- The averages keep their order, by the very arithmetic of the rule: it says nothing.
- No timer runs in between but three whose work is known: ``watch:data``, which finds the data
  fresh and moves on, ``reconcile``, which finds the venue agreeing (nothing moves there) and
  moves on, and ``mark:minute``, which notes the equity at the last close. Any other
  timer, order under way, expiry or time exit ends the run before it.
- The base window has room and stays in its day: nothing is dropped or begun anew.

Whatever does not fit is left alone, bar by bar, to the engine: this path only ever declines. The
bar that ends a run (a cross, a stop that moves or fires) is the engine's, too, but the timers
before it are known like all others of the run: they are moved on together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tradeterm.agents.cross import CrossRule
from tradeterm.engine.analysis import TRADING_NAME, Analysis
from tradeterm.engine.books import MARK_TIMER, Books
from tradeterm.engine.breaking import Breaking
from tradeterm.engine.core import Core
from tradeterm.engine.degrading import WATCH_TIMER
from tradeterm.engine.reconciliation import RECONCILE_TIMER, Reconciliation
from tradeterm.engine.timers import NEVER
from tradeterm.engine.trading import Trading
from tradeterm.market.bars import Bars
from tradeterm.market.indicators import Ema
from tradeterm.market.symbol import BARS
from tradeterm.model.market import MarketEvent
from tradeterm.model.money import exact
from tradeterm.model.timing import SECOND

#: Shorter runs are not worth the look.
LEAST: Final = 2
#: Beyond this part of the last price the quiet ends: breakers are judged by the band's ends.
MOST_MOVE: Final = 0.05


@dataclass(slots=True)
class _Prospect:
    """What must hold for the next bars to be quiet."""

    above: bool
    fast: Ema
    slow: Ema
    watch: int
    """When ``watch:data`` is due."""
    look: int
    """When ``reconcile`` is due."""
    mark: int
    """When ``mark:minute`` is due; NEVER while nothing is held."""
    until: int
    """The last stamp a bar may have."""
    floor: float
    ceiling: float
    """Prices strictly between these two set nothing off."""


class Quiet:
    """Looks ahead and, where nothing can happen, moves the whole engine on."""

    def __init__(
        self, core: Core, books: Books, trading: Trading, analysis: Analysis,
        reconciliation: Reconciliation, breaking: Breaking,
    ) -> None:  # fmt: skip
        self._core = core
        self._breaking = breaking
        self._reconciliation = reconciliation
        self._books = books
        self._trading = trading
        self._analysis = analysis
        self._m = core.market.symbol(core.market.symbols[0])
        self._asked_at = -1
        """The revision of the books at which the venue last agreed."""
        self.leads_on = False
        """Whether time was moved to the bar after those taken, too: it comes next, and at once."""

    @property
    def possible(self) -> bool:
        """Whether it is worth asking: one symbol of bars, and a rule that runs on every one."""
        return (
            self._m.mode == BARS
            and len(self._core.market.symbols) == 1
            and self._analysis.bar_rule() is not None
        )

    def take(self, events: Sequence[MarketEvent], start: int, stop: int) -> int:
        """How many of ``events[start:stop]`` were taken; 0 leaves the next one to the engine."""
        if stop - start < LEAST or self._trading.watching or self._core.effects:
            return 0
        if not isinstance(events, Bars) or not self._fits(events, start):
            return 0
        rule = self._analysis.bar_rule()
        prospect = None if rule is None else self._prospect(rule)
        if prospect is None:
            return 0
        room = min(self._m.window.room, (prospect.until - self._m.ts) // self._span)
        if room < LEAST:
            return 0
        end = _inside(prospect, events, start, min(stop, start + room))
        count, fast, slow = _calm(prospect, events.columns.closes[start:end])
        if not count:
            return 0
        end = start + count
        leads = end < stop and events.columns.stamps[end] <= prospect.until
        last = events.columns.stamps[end - (not leads)]
        if prospect.look < last and not self._agreed():
            return 0
        self.leads_on = leads
        self._move_time(prospect, last, events.columns.closes[start : end + leads], count)
        self._move_market(events, start, end)
        prospect.fast.moved(fast, count)
        prospect.slow.moved(slow, count)
        return count

    def _agreed(self) -> bool:
        """Whether the venue agrees; it is asked again only after something was booked."""
        if self._asked_at != self._books.revision and self._reconciliation.agrees():
            self._asked_at = self._books.revision
        return self._asked_at == self._books.revision

    @property
    def _span(self) -> int:
        return self._m.base * SECOND

    # -- looking ahead ---------------------------------------------------------------------

    def _prospect(self, rule: CrossRule) -> _Prospect | None:
        """The bounds of the quiet; None when it is not quiet even now."""
        m, core, books, trading = self._m, self._core, self._books, self._trading
        above, watch = rule.side(m.symbol), core.timers.due(WATCH_TIMER)
        averages = m.indicators[m.base].standing(rule.fast, rule.slow)
        rest = books.execution.interested.get(m.symbol)
        look = core.timers.due(RECONCILE_TIMER)
        if above is None or averages is None or rest is None or watch is None or look is None:
            return None
        now = core.stamp.now
        settled = now < m.ts + self._span and m.ts <= now <= watch and m.window.last_ts == m.ts
        if not settled or m.book.ready or trading.coordinator.degradation.holds:
            return None
        until = min(
            m.window.session_end, core.market.next_close,
            books.execution.next_due, trading.next_due,
        )  # fmt: skip
        if until < m.ts + LEAST * self._span:
            return None
        prospect = _Prospect(
            above, *averages, watch=watch, look=look, mark=NEVER, until=until,
            floor=max(rest.low, 0.0), ceiling=rest.high,
        )  # fmt: skip
        handled = [WATCH_TIMER, RECONCILE_TIMER]
        if books.execution.positions:
            if not self._hold(prospect):
                return None
            handled.append(MARK_TIMER)
        prospect.until = min(until, core.timers.earliest_but(handled))
        return prospect

    def _hold(self, prospect: _Prospect) -> bool:
        """Narrow the prospect to what open positions bear; False when it is not that simple."""
        m, core, books = self._m, self._core, self._books
        due = core.timers.due(MARK_TIMER)
        if due is None or due not in (m.ts, m.ts + self._span) or due < core.stamp.now:
            return False  # marks fall on the bars' own stamps, or not at all
        if m.ts % self._span or core.market.step != self._span or books.portfolio.holds_assets:
            return False
        if due == m.ts and books.marked:
            return False
        prospect.mark = due
        return prospect.floor < m.price < prospect.ceiling and self._bears(prospect)

    def _bears(self, prospect: _Prospect) -> bool:
        """Whether no price of the band brings the equity near a breaker."""
        books, m = self._books, self._m
        prospect.floor = max(prospect.floor, m.price * (1 - MOST_MOVE))
        prospect.ceiling = min(prospect.ceiling, m.price * (1 + MOST_MOVE))
        band = [exact(prospect.floor), exact(prospect.ceiling)]
        rate = books.portfolio.rate(m.symbol.partition("/")[2])
        worth = books.portfolio.equities(books.execution.positions.values(), band, rate)
        return self._breaking.quiet_between(min(worth), max(worth))

    def _fits(self, bars: Bars, start: int) -> bool:
        """Whether the bars from ``start`` on continue the market's, the first setting nothing off.

        Cheap: most looks that come to nothing end here.
        """
        m, columns = self._m, bars.columns
        rest = self._books.execution.interested.get(m.symbol)
        if rest is None or not rest.low < columns.lows[start] <= columns.highs[start] < rest.high:
            return False
        if m.window.room < LEAST or columns.stamps[start] != m.ts + self._span:
            return False
        return bars.timeframe == m.base and bars.symbol == m.symbol

    # -- moving on -------------------------------------------------------------------------

    def _move_time(
        self, prospect: _Prospect, last: int, closes: Sequence[float], runs: int
    ) -> None:
        """The timers up to the bar of ``last``, then the clock, the input count and the runs.

        A timer runs before the first bar later than it, so with the bars up to its own time.
        """
        core, inputs = self._core, self._core.stamp.input
        marked = self._marks(prospect, closes) if prospect.mark < last else 0
        watched, watch = 0, prospect.watch
        opened, span, step = self._m.ts, self._span, core.market.step
        if step == span and not (opened % step or watch % step):  # it moves on by as much
            watch += max(0, last - 1 - watch) // (3 * step) * (3 * step)
        while watch < last:  # as Market.next_watch plans it with the bars there are by then
            watched, seen = watch, opened + (watch - opened) // span * span
            watch = (max(watch, seen + 2 * span) // step + 1) * step
        moved = [(watched, WATCH_TIMER, watch)] if watched else []
        if prospect.look < last:
            every = self._reconciliation.every
            looked = prospect.look + (last - 1 - prospect.look) // every * every
            moved.append((looked, RECONCILE_TIMER, looked + every))
        if marked:
            moved.append((marked - self._span, MARK_TIMER, marked))
        for _, name, due in sorted(moved):  # in the order they last ran, as timers are dumped
            core.timers.cancel(name)
            core.timers.set(name, due)
        core.stamp.now, core.stamp.input = last, inputs + len(closes)
        counts = core.counters.agents[TRADING_NAME]
        counts.runs += runs
        counts.last = last

    def _marks(self, prospect: _Prospect, closes: Sequence[float]) -> int:
        """Note the equity at every close that the next bar makes final; the next mark's time."""
        stamp, books, m = self._core.stamp, self._books, self._m
        rate = books.portfolio.rate(m.symbol.partition("/")[2])
        if prospect.mark == m.ts:
            closes = (m.price, *closes)
        else:  # the first mark comes after the first bar
            stamp.input += 1
        prices = list(map(Decimal, map(str, closes[:-1])))  # finite: inside the band
        worth = books.portfolio.equities(books.execution.positions.values(), prices, rate)
        end = prospect.mark + len(worth) * self._span
        books.mark_run(list(zip(range(prospect.mark, end, self._span), worth, strict=True)))
        return end

    def _move_market(self, bars: Bars, start: int, stop: int) -> None:
        m = self._m
        m.close_run(bars, start, stop)
        m.ts, m.price = m.window.last_ts, m.window.newest
        rest = self._books.execution.interested[m.symbol]
        rest.last, rest.seen = m.price, m.ts


def _inside(prospect: _Prospect, bars: Bars, start: int, stop: int) -> int:
    """Where the bars from ``start`` on leave the band, at most ``stop``."""
    floor, ceiling = prospect.floor, prospect.ceiling
    highs, lows = bars.columns.highs[start:stop], bars.columns.lows[start:stop]
    if floor < min(lows) and max(highs) < ceiling:
        return stop
    for index, (high, low) in enumerate(zip(highs, lows, strict=True), start):
        if not (floor < low and high < ceiling):
            return index
    return stop


def _calm(prospect: _Prospect, closes: Sequence[float]) -> tuple[int, float, float]:
    """How many bars leave the averages in their order, and both averages then."""
    way = 1.0 if prospect.above else -1.0
    fast, slow = prospect.fast.value or 0.0, prospect.slow.value or 0.0
    fast_share, slow_share = prospect.fast.share, prospect.slow.share
    count = 0
    for close in closes:
        new_slow = (close - slow) * slow_share + slow
        new_fast = (close - fast) * fast_share + fast
        if (new_fast - new_slow) * way < 0.0:
            break
        fast, slow = new_fast, new_slow
        count += 1
    return count, fast, slow


__all__ = ["LEAST", "Quiet"]
