"""Takes bars on which provably nothing is decided in bulk: the fast path of bar replays.

Most bars of a replay change figures and decide nothing. A run of them is taken here at once, and
every row, id, count and byte of state afterwards is what ``Engine.run`` would have left bar by
bar (``tests/engine/test_quiet.py`` compares both). It reads columns (``market/bars.py``): events
that come as a list are somebody else's. Why that is safe says ``engine/outlook.py``; beyond it

- with the EMA-cross rule the averages keep their order, by the very arithmetic of the rule: it
  says nothing;
- without any agent on the bars nobody looks at them;
- with the other rules the analysts that look at closed bars speak on every bar, and nobody waits
  for what they say: no proposal is parked.

A bar that moves stops of one side, and does nothing else, belongs to the run
(``execution/following.py``). Whatever does not fit is left alone, bar by bar, to the
engine: this path only ever declines. The bar that ends a run (a cross, a stop that fires) is the
engine's, too, but the timers before it are known like all others of the run: they are moved on
together.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from tradeterm.agents.cross import CrossRule
from tradeterm.engine.analysis import TRADING_NAME, Analysis
from tradeterm.engine.books import Books
from tradeterm.engine.breaking import Breaking
from tradeterm.engine.core import Core
from tradeterm.engine.following import Meanwhile
from tradeterm.engine.outlook import LEAST, Moved, Outlook, reached
from tradeterm.engine.reconciliation import RECONCILE_TIMER, Reconciliation
from tradeterm.engine.timers import NEVER
from tradeterm.engine.trading import Trading
from tradeterm.market.bars import Bars
from tradeterm.market.candles import CandleWindow
from tradeterm.market.indicators import Ema
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.model.market import MarketEvent

#: However many events there are.
ALL: Final = sys.maxsize
#: What a look at the bars to come costs, and what follows from it: the work of so many events.
LOOK: Final = 16


class Quiet:
    """Looks ahead and, where nothing can happen, moves the whole engine on."""

    def __init__(
        self, core: Core, books: Books, trading: Trading, analysis: Analysis,
        reconciliation: Reconciliation, breaking: Breaking,
    ) -> None:  # fmt: skip
        self._core = core
        self._books = books
        self._trading = trading
        self._analysis = analysis
        self._outlook = Outlook(core, books, trading, reconciliation, breaking)
        self._m = core.market.symbol(core.market.symbols[0])
        self._until = NEVER
        """Where the last outlook ended."""
        self.leads_on = False
        """Whether time was moved to the bar after those taken, too: it comes next, and at once."""

    @property
    def possible(self) -> bool:
        """Whether it is worth asking: there is one symbol, and it is one of bars."""
        return self._m.mode == BARS and len(self._core.market.symbols) == 1

    def take(self, events: Sequence[MarketEvent], start: int, stop: int, most: int) -> int:
        """How many of ``events[start:stop]`` were taken; 0 leaves the next one to the engine.

        ``most``: so many at once, where each of them is work.
        """
        if stop - start < LEAST or self._trading.watching or self._core.effects:
            return 0
        if not isinstance(events, Bars) or self._timed(events.columns.stamps[start]):
            return 0
        if not self._outlook.fits(events, start):
            return 0
        rule = self._analysis.bar_rule()
        if rule is None and (talkers := self._analysis.talkers()):
            return self._listen(talkers, events, start, min(stop, start + most))
        return self._pass(rule, events, start, stop)

    def _timed(self, ts: int) -> bool:
        """Whether the timer that ended the last outlook has to run before the next bar."""
        return self._until < ts > self._core.timers.next_due

    def _moved(self) -> None:
        """Resting orders have seen the bars."""
        rest = self._books.execution.interested[self._m.symbol]
        rest.last, rest.seen = self._m.price, self._m.ts

    # -- nobody who has anything to say ----------------------------------------------------

    def _pass(self, rule: CrossRule | None, bars: Bars, start: int, stop: int) -> int:
        """Pass over the bars up to the next cross; without a rule nobody looks at them."""
        m, outlook = self._m, self._outlook
        prospect = outlook.prospect()
        if prospect is None:
            return 0
        watch = None if rule is None else _Averages.of(rule, m)
        if rule is not None and watch is None:
            return 0
        room = (prospect.until - m.ts) // outlook.span
        end = prospect.inside(bars, start, min(stop, start + room))
        if watch is not None:
            end = start + watch.calm(bars.columns.closes[start:end], m.window)
        if end == start:
            return 0
        stamps, self._until = bars.columns.stamps, prospect.until
        self.leads_on = end < stop and stamps[end] <= prospect.until
        last = stamps[end] if self.leads_on else stamps[end - 1]
        turn = "" if self.leads_on else prospect.turn_at(last, end < stop)
        if prospect.look < reached(RECONCILE_TIMER, last, turn) and not outlook.agrees():
            return 0
        prospect.ends(stamps[end - 1])
        closes = bars.columns.closes[start : end + self.leads_on]
        outlook.pass_over(outlook.move_time(prospect, last, closes, turn=turn))
        m.close_run(bars, start, end)
        m.ts, m.price = m.window.last_ts, m.window.newest
        self._moved()
        if watch is not None:
            counts = self._core.counters.agents[TRADING_NAME]
            counts.runs += end - start
            counts.last = last
            watch.moved(m.window)
        return end - start

    # -- analysts who speak, and nobody who waits for it -----------------------------------

    def _listen(self, talkers: Sequence[str], bars: Bars, start: int, stop: int) -> int:
        """Take the bars up to the next decision, and let the analysts speak on each."""
        core, outlook, stamps = self._core, self._outlook, bars.columns.stamps
        self.leads_on = False  # whoever speaks on the last bar does so before the next one comes
        if core.timers.next_due <= self._m.ts or self._trading.next_due != NEVER:
            return 0
        dues = {timer: core.timers.due(timer) or 0 for timer in talkers}
        if not all(self._on_bars(timer, due) for timer, due in dues.items()):
            return 0
        prospect = outlook.prospect(talkers)
        if prospect is None:
            return 0
        room = (prospect.until - self._m.ts) // outlook.span
        if room < LEAST:
            return 0
        end = self._m.along(bars, start, min(stop, start + room))
        end = prospect.inside(bars, start, end)
        if end - start < LEAST:
            return 0
        last, self._until = stamps[end - 1], prospect.until
        turn = prospect.turn_at(last, end < stop)
        if prospect.look < reached(RECONCILE_TIMER, last, turn) and not outlook.agrees():
            return 0
        inputs = core.stamp.input
        moved = [
            _moved_on(timer, due, before, self._analysis.interval(timer))
            for timer, due in dues.items()
            if due < (before := reached(timer, last, turn))
        ]
        closes = bars.columns.closes[start:end]
        meanwhile = outlook.move_time(prospect, last, closes, moved, turn=turn)
        self._talk(bars, start, end, dues, turn, inputs, meanwhile)
        outlook.pass_over(meanwhile)
        self._moved()
        return end - start

    def _on_bars(self, timer: str, due: int) -> bool:
        """Whether a task runs on stamps of bars to come, and on no others."""
        interval, span = self._analysis.interval(timer), self._outlook.span
        in_step = not ((due - self._m.ts) % span or interval % span or due % interval)
        return in_step and due > self._m.ts

    def _talk(
        self, bars: Bars, start: int, end: int, dues: dict[str, int], turn: str, inputs: int,
        meanwhile: Meanwhile,
    ) -> None:  # fmt: skip
        """Close the bars; whoever looks at one of them does so when the next one has come."""
        stamp, analysis, m, span = self._core.stamp, self._analysis, self._m, self._outlook.span
        last, taken, first, closes = stamp.now, stamp.input, m.ts + span, m.closes
        stretch = m.close_along(bars, start, end)
        m.ts, m.price = m.window.last_ts, m.window.newest
        context = partial(analysis.bar_context, m.symbol, stretch)
        talks: list[tuple[range, Callable[[], None]]] = []
        voices = []
        for timer, due in dues.items():
            seen = (reached(timer, last, turn) - first - 1) // span + 1
            places = range((due - first) // span, seen, analysis.interval(timer) // span)
            voice = analysis.voice(timer)
            if voice is None:
                talks.append((places, partial(analysis.talk, timer)))
            elif places:
                voice.think(stretch, places, context, closes + places[-1] + 1)
                talks.append((places, voice.speak))
                voices.append(voice)
        for place, now in enumerate(bars.columns.stamps[start:end]):
            number = inputs + place + 1
            if meanwhile.due <= number:
                meanwhile.until(number)
            stamp.now, stamp.input = now, number
            for places, speak in talks:
                if place in places:
                    speak()
        for voice in voices:
            voice.rest()
        stamp.now, stamp.input = last, taken


def _moved_on(timer: str, due: int, before: int, interval: int) -> Moved:
    """A task that is due at ``due``, and on, before another time: its last run, and its next."""
    ran = due + (before - 1 - due) // interval * interval
    return ran, timer, ran + interval


class _Averages:
    """The two averages of the rule, carried on by its very arithmetic."""

    def __init__(self, fast: Ema, slow: Ema, *, above: bool) -> None:
        self._fast, self._slow = fast, slow
        self._way = 1.0 if above else -1.0
        self._values = fast.value or 0.0, slow.value or 0.0

    @classmethod
    def of(cls, rule: CrossRule, m: SymbolMarket) -> _Averages | None:
        """None until the rule knows where they stand."""
        above, averages = rule.side(m.symbol), m.indicators[m.base].standing(rule.fast, rule.slow)
        return None if above is None or averages is None else cls(*averages, above=above)

    def calm(self, closes: array[float], window: CandleWindow) -> int:
        """How many bars leave the averages in their order, though the window may drop its oldest."""
        count, full = 0, window.room
        while True:
            fits = min(full, len(closes))
            count = self._carry(closes, count, fits)
            if count < fits or count == len(closes) or not self._anew(closes[: count + 1], window):
                return count
            count, full = count + 1, full + window.stride

    def _carry(self, closes: array[float], start: int, stop: int) -> int:
        """Carry them on up to ``stop``, or to the bar that crosses them."""
        way, (fast, slow) = self._way, self._values
        fast_share, slow_share = self._fast.share, self._slow.share
        count = start
        for close in closes[start:stop]:
            new_slow = (close - slow) * slow_share + slow
            new_fast = (close - fast) * fast_share + fast
            if (new_fast - new_slow) * way < 0.0:
                break
            fast, slow = new_fast, new_slow
            count += 1
        self._values = fast, slow
        return count

    def _anew(self, closes: array[float], window: CandleWindow) -> bool:
        """Begin them again on what stays at the last close; False (and no change) if they cross."""
        held = window.closes_when_full(closes)
        fast, slow = self._fast.of(held), self._slow.of(held)
        if fast is None or slow is None or (fast - slow) * self._way < 0.0:
            return False
        self._values = fast, slow
        return True

    def moved(self, window: CandleWindow) -> None:
        """Those bars have closed."""
        self._fast.moved(self._values[0], window)
        self._slow.moved(self._values[1], window)


__all__ = ["ALL", "LEAST", "LOOK", "Quiet"]
