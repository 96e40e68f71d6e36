"""Takes bars on which provably nothing happens in bulk: the fast path of the EMA-cross rule.

Most bars of a replay change figures and decide nothing. A run of them is taken here at once, and
every row, id, count and byte of state afterwards is what ``Engine.run`` would have left bar by
bar (``tests/engine/test_quiet.py`` compares both). Why that is safe:

- Only one symbol is in the run, it knows bars only, and each bar is exactly one interval after
  the one before. So the data is never stale, no candle falls due by itself, nothing is rejected.
- Nobody waits: no question is open, no card is pending, every bar stays strictly inside the band
  of the resting orders and on the safe side of liquidation.
- The averages keep their order, by the very arithmetic of the rule: it says nothing.
- No timer runs in between but two whose work is known: ``watch:data``, which finds the data
  fresh and moves on, and ``mark:minute``, which notes the equity at the last close. Any other
  timer, order under way, expiry or time exit ends the run before it.
- The base window has room and stays in its day: nothing is dropped or begun anew.

Whatever does not fit is left alone, bar by bar, to the engine: this path only ever declines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from tradeterm.agents.cross import CrossRule
from tradeterm.engine.analysis import TRADING_NAME, Analysis
from tradeterm.engine.books import MARK_TIMER, Books
from tradeterm.engine.core import Core
from tradeterm.engine.timers import NEVER
from tradeterm.engine.trading import WATCH_TIMER, Trading
from tradeterm.market.indicators import Ema
from tradeterm.market.symbol import BARS, Columns
from tradeterm.model.market import Candle, MarketEvent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import PositionSide

#: Shorter runs are not worth the look; longer ones would look too far ahead for nothing.
LEAST: Final = 4
MOST: Final = 144
#: Relative distance kept from liquidation: far more than a float can be off.
MARGIN: Final = 1e-9


@dataclass(slots=True)
class _Prospect:
    """What must hold for the next bars to be quiet."""

    above: bool
    fast: Ema
    slow: Ema
    watch: int
    """When ``watch:data`` is due."""
    mark: int
    """When ``mark:minute`` is due; NEVER while nothing is held."""
    until: int
    """The last stamp a bar may have."""
    floor: float
    ceiling: float
    """Prices strictly between these two set nothing off."""


class Quiet:
    """Looks ahead and, where nothing can happen, moves the whole engine on."""

    def __init__(self, core: Core, books: Books, trading: Trading, analysis: Analysis) -> None:
        self._core = core
        self._books = books
        self._trading = trading
        self._analysis = analysis
        self._m = core.market.symbol(core.market.symbols[0])

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
        rule = self._analysis.bar_rule()
        prospect = None if rule is None else self._prospect(rule)
        if prospect is None:
            return 0
        room = min(MOST, self._m.window.room, (prospect.until - self._m.ts) // self._span)
        if room < LEAST:
            return 0
        bars = self._regular(events[start : min(stop, start + room)])
        if len(bars) < LEAST:
            return 0
        stamps, _, _, *figures = zip(*map(msgspec.structs.astuple, bars), strict=True)
        opens, highs, lows, closes, volumes = figures
        count, fast, slow = _calm(prospect, highs, lows, closes)
        if not count:
            return 0
        part = slice(count)
        self._move_time(prospect, stamps[part], closes[part])
        self._move_market(bars[part], (
            stamps[part], opens[part], highs[part], lows[part], closes[part], volumes[part],
        ))  # fmt: skip
        prospect.fast.moved(fast, count)
        prospect.slow.moved(slow, count)
        return count

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
        if above is None or averages is None or rest is None or watch is None:
            return None
        now = core.stamp.now
        settled = now < m.ts + self._span and m.ts <= now <= watch and m.window.last_ts == m.ts
        if not settled or m.book.ready or trading.coordinator.degradation.holds:
            return None
        prospect = _Prospect(
            above, *averages, watch=watch, mark=NEVER, until=m.window.session_end,
            floor=max(rest.low, 0.0), ceiling=rest.high,
        )  # fmt: skip
        handled = [WATCH_TIMER]
        if books.execution.positions:
            if not self._hold(prospect):
                return None
            handled.append(MARK_TIMER)
        prospect.until = min(
            prospect.until, core.timers.earliest_but(handled), core.market.next_close,
            books.execution.next_due, trading.next_due,
        )  # fmt: skip
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
        for position in books.execution.positions.values():
            level = float(books.execution.liquidation_level(position))
            if position.side is PositionSide.LONG:
                prospect.floor = max(prospect.floor, level * (1 + MARGIN))
            else:
                prospect.ceiling = min(prospect.ceiling, level * (1 - MARGIN))
        prospect.mark = due
        prospect.until = min(prospect.until, books.execution.next_exit)
        return prospect.floor < m.price < prospect.ceiling

    def _regular(self, events: Sequence[MarketEvent]) -> list[Candle]:
        """The leading bars that follow one another as they should."""
        m, bars = self._m, []
        symbol, base, due = m.symbol, m.base, m.ts
        span = self._span
        for event in events:
            due += span
            if event.__class__ is not Candle or event.ts != due:
                break
            if event.timeframe != base or event.symbol != symbol:
                break
            bars.append(event)
        return bars

    # -- moving on -------------------------------------------------------------------------

    def _move_time(
        self, prospect: _Prospect, stamps: Sequence[int], closes: Sequence[float]
    ) -> None:
        """The timers between the bars, then the clock, the input count and the rule's runs.

        A timer runs before the first bar later than it, so with the bars up to its own time.
        """
        core, inputs = self._core, self._core.stamp.input
        marked = self._marks(prospect, closes) if prospect.mark < stamps[-1] else 0
        watched, watch, last = 0, prospect.watch, stamps[-1]
        opened, span, step = self._m.ts, self._span, core.market.step
        while watch < last:  # as Market.next_watch plans it with the bars there are by then
            watched, seen = watch, opened + (watch - opened) // span * span
            watch = (max(watch, seen + 2 * span) // step + 1) * step
        moved = [(watched, WATCH_TIMER, watch)] if watched else []
        if marked:
            moved.append((marked - self._span, MARK_TIMER, marked))
        for _, name, due in sorted(moved):  # in the order they last ran, as timers are dumped
            core.timers.cancel(name)
            core.timers.set(name, due)
        core.stamp.now, core.stamp.input = stamps[-1], inputs + len(stamps)
        counts = core.counters.agents[TRADING_NAME]
        counts.runs += len(stamps)
        counts.last = stamps[-1]

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

    def _move_market(self, bars: list[Candle], columns: Columns) -> None:
        m, last = self._m, bars[-1]
        m.close_run(bars, columns)
        m.ts, m.price = last.ts, last.close
        rest = self._books.execution.interested[m.symbol]
        rest.last, rest.seen = last.close, last.ts


def _calm(
    prospect: _Prospect, highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]
) -> tuple[int, float, float]:
    """How many bars stay inside and leave the averages as they stand, and both averages then."""
    above, floor, ceiling = prospect.above, prospect.floor, prospect.ceiling
    fast, slow = prospect.fast.value or 0.0, prospect.slow.value or 0.0
    fast_share, slow_share = prospect.fast.share, prospect.slow.share
    count = 0
    for high, low, close in zip(highs, lows, closes, strict=True):
        new_slow = (close - slow) * slow_share + slow
        new_fast = (close - fast) * fast_share + fast
        crossed = (new_fast > new_slow) is not above and new_fast != new_slow
        if crossed or not floor < low <= close <= high < ceiling:
            break
        fast, slow = new_fast, new_slow
        count += 1
    return count, fast, slow


__all__ = ["LEAST", "MOST", "Quiet"]
