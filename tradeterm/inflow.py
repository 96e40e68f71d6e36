"""What may enter the engine by now: a market that waits for us, or one that goes on by itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from time import perf_counter
from typing import Protocol

from tradeterm.engine.engine import Engine
from tradeterm.engine.picture import PacingFacts
from tradeterm.engine.view import FeedLine
from tradeterm.model.market import Feed, LiveMarket, MarketEvent
from tradeterm.model.timing import SECOND
from tradeterm.model.walking import Goal
from tradeterm.pacing import MAX, Pacer
from tradeterm.walking import Walk

#: Events the engine takes between two looks at the clock.
CHUNK = 256

_timestamp = attrgetter("ts")


class Inflow(Protocol):
    """The driver's side of a feed."""

    until: int | None
    """Market time (ns) at which the run ends."""
    finished: bool
    """The feed has ended or ``until`` is reached, and what was due by then has been done."""
    waits: bool
    """Whether the market stands while a question is out."""

    def begin(self) -> None:
        """The driver's loop starts."""
        ...

    def advance(self, deadline: float) -> bool:
        """Run the engine up to now; False when there is nothing to do."""
        ...

    def moment(self) -> int:
        """The stamp (ns) of something that comes from outside the market, now."""
        ...

    def market_time(self) -> int:
        """What the clock on the screen shows (ns)."""
        ...

    def seconds_until_next(self) -> float:
        """Wall seconds until something may be due that nobody will announce."""
        ...

    def arrived(self) -> bool:
        """Whether something came that nobody has been woken for."""
        ...

    def walk(self, goal: Goal, span: int) -> None:
        """Go on at full speed to a moment and stand there; ``span``: how long a bar is (ns)."""
        ...

    def stop_walking(self) -> None:
        """Another pace was chosen meanwhile."""
        ...

    def facts(self, *, uptime: float, store_lag: float, day: str) -> PacingFacts:
        """What the screen is told about the pace."""
        ...


class PacedInflow:
    """Simulated and replayed markets: they run as fast as the pacer says."""

    waits = True

    def __init__(self, engine: Engine, feed: Feed, pacer: Pacer, until: int | None) -> None:
        self.until = until
        self.finished = False
        self._engine = engine
        self._feed = feed
        self._pacer = pacer
        self._batch: Sequence[MarketEvent] = []
        self._index = 0
        self._ended = False
        self._walk: Walk | None = None
        self._arrived = ""
        """Why the last walk ended, until the pace is changed."""

    def begin(self) -> None:
        self._pacer.anchor(self._engine.now or self._feed.start)

    def arrived(self) -> bool:
        return False

    def facts(self, *, uptime: float, store_lag: float, day: str) -> PacingFacts:
        return PacingFacts(
            speed=MAX if self._walk else self._pacer.speed,
            waiting=self._pacer.waiting,
            market_time=self.market_time(),
            uptime=uptime,
            store_lag=store_lag,
            day=day,
            walking=self._walk.goal.value if self._walk else "",
            arrived=self._arrived,
        )

    def moment(self) -> int:
        """Just before the next event: a command may not pass it."""
        reached, limit = self._reached(), self._next_event_time()
        now = self._engine.now if reached is None else max(self._engine.now, reached)
        if limit is not None:
            now = max(self._engine.now, min(now, limit - 1))
        return now + 1

    def market_time(self) -> int:
        """The paced clock between two events, so that countdowns and ages keep moving."""
        reached = self._reached()
        return self._engine.now if reached is None else max(self._engine.now, reached)

    def _reached(self) -> int | None:
        """The pacer's time; while a question is out the market stands."""
        return self._engine.now if self._engine.effects else self._pacer.now()

    def _next_event_time(self) -> int | None:
        """When the next event is due: no timer or command may pass it. None at the feed's end."""
        if self._index >= len(self._batch) and not self._refill():
            return None
        return self._batch[self._index].ts

    def advance(self, deadline: float) -> bool:
        """Run the engine up to the pacer's time; False when there is nothing to do now."""
        if self._walk is not None:
            return self._walk_on(self._walk, deadline)
        engine = self._engine
        reached = self._pacer.now()
        busy = False
        while perf_counter() < deadline and not (engine.effects or engine.slice_full):
            if self._index >= len(self._batch) and not self._refill():
                self._finish()
                return not self.finished
            limit = self._limit(reached)
            if limit <= self._index:
                break
            self._index = engine.run(self._batch, self._index, limit, CHUNK)
            busy = True
        return self._run_idle_timers(reached) or busy

    def walk(self, goal: Goal, span: int) -> None:
        self._pacer.set_stopped(True, self._engine.now)
        self._walk = Walk(goal, self._engine, self.market_time(), span)

    def stop_walking(self) -> None:
        self._walk, self._arrived = None, ""

    def _walk_on(self, walk: Walk, deadline: float) -> bool:
        """One event or moment after the other, so that it ends at the very one."""
        engine = self._engine
        while not (engine.effects or engine.slice_full):
            if told := walk.over():
                self._arrive(told, engine.now)
                break
            if perf_counter() >= deadline or not self._stride(walk):
                break
        return True

    def _stride(self, walk: Walk) -> bool:
        """The next event, or the timers due before it; False at the end of the way."""
        engine = self._engine
        if self._index >= len(self._batch) and not self._refill():
            self._finish()
            return False
        ts, bounds = self._batch[self._index].ts, (walk.bound, self.until)
        bound = min((each for each in bounds if each is not None), default=None)
        if bound is not None and min(ts, engine.next_due) > bound:
            if bound == self.until:
                self._finish()
            self._arrive(f"{walk.goal} on", bound)
            return False
        if engine.next_due < ts:
            engine.advance(engine.next_due)
        else:
            self._index = engine.run(self._batch, self._index, self._index + 1)
        return True

    def _arrive(self, told: str, market: int) -> None:
        self._walk, self._arrived = None, told
        self._pacer.anchor(market)

    def _run_idle_timers(self, reached: int | None) -> bool:
        """Timers that are due although no event has come since."""
        if reached is None or self._engine.effects:
            return False
        limit = self._next_event_time()
        if limit is None:
            return False  # the feed is over, and with it the time: ``_finish`` does the rest
        now = min(reached, limit - 1)
        if self.until is not None:
            now = min(now, self.until)
        return self._engine.advance(now)

    def _limit(self, reached: int | None) -> int:
        """Index of the first event that must not run yet."""
        end = len(self._batch)
        bound = self.until if reached is None else reached
        if bound is None:
            return end
        if self.until is not None:
            bound = min(bound, self.until)
        if self._batch[-1].ts <= bound:
            return end
        limit = bisect_right(self._batch, bound, self._index, end, key=_timestamp)
        if (
            limit == self._index
            and self.until is not None
            and (self._batch[limit].ts > self.until)
            and (reached is None or reached >= self.until)
        ):
            self._finish()
        return limit

    def _refill(self) -> bool:
        if self._ended:
            return False
        self._batch, self._index = self._feed.take(), 0
        self._ended = not self._batch
        return not self._ended

    def _finish(self) -> None:
        """The feed has ended or ``until`` is reached: run what is still due by then."""
        end = self.until if self.until is not None and not self._ended else self._engine.now
        self._engine.advance(end)
        self.finished = not self._engine.effects and self._engine.next_due > end

    def seconds_until_next(self) -> float:
        next_time = self._next_event_time()
        if next_time is None:
            return MAX
        due = min(next_time, self._engine.next_due)
        return max(self._pacer.seconds_until(due), 0.001)


class LiveInflow:
    """A market that waits for nobody: what has arrived enters, in the order of its arrival."""

    waits = False

    def __init__(
        self, engine: Engine, feed: LiveMarket, wake: Callable[[], None], until: int | None
    ) -> None:
        """``wake`` is called on another thread when something has arrived."""
        self.until = until
        self.finished = False
        self._engine = engine
        self._feed = feed
        self._wake = wake
        self._batch: Sequence[MarketEvent] = []
        self._index = 0

    def begin(self) -> None:
        self._feed.on_arrival(self._wake)
        self._feed.listen(self._engine.now)

    def arrived(self) -> bool:
        return self._feed.waiting()

    def advance(self, deadline: float) -> bool:
        """Whatever has arrived, then the timers up to a moment nothing can be stamped before."""
        engine, busy = self._engine, False
        while perf_counter() < deadline and not (engine.effects or engine.slice_full):
            if self._index >= len(self._batch):
                reached = self._feed.reach()
                self._batch, self._index = self._feed.take(), 0
                if not self._batch:
                    return self._pass_time(reached) or busy
            limit = self._limit()
            if limit <= self._index:
                return self._pass_time(self._batch[self._index].ts) or busy
            self._index = engine.run(self._batch, self._index, limit, CHUNK)
            busy = True
        return busy

    def _limit(self) -> int:
        """Index of the first event behind the end of the run."""
        end = len(self._batch)
        if self.until is None or self._batch[-1].ts <= self.until:
            return end
        return bisect_right(self._batch, self.until, self._index, end, key=_timestamp)

    def _pass_time(self, reached: int) -> bool:
        engine = self._engine
        if self.until is None or reached < self.until:
            return engine.advance(reached)
        busy = engine.advance(self.until)
        self.finished = not engine.effects and engine.next_due > self.until
        return busy

    def moment(self) -> int:
        return self._feed.reach()

    def market_time(self) -> int:
        """The wall's, unless the past is still being told."""
        return max(self._engine.now, self._feed.now())

    def seconds_until_next(self) -> float:
        return max((self._engine.next_due - self._feed.now()) / SECOND, 0.001)

    def walk(self, goal: Goal, span: int) -> None:
        """It goes at its own pace."""

    def stop_walking(self) -> None:
        """It never does."""

    def facts(self, *, uptime: float, store_lag: float, day: str) -> PacingFacts:
        return PacingFacts(
            speed=1.0,
            waiting=False,
            market_time=self.market_time(),
            uptime=uptime,
            store_lag=store_lag,
            day=day,
            feed=self._lines(),
            lag=self._feed.lag(),
        )

    def _lines(self) -> tuple[FeedLine, ...]:
        now, lag = self._feed.now(), self._feed.lag()
        return tuple(
            FeedLine(
                each.symbol,
                each.source.value,
                max(0, now - each.heard) / SECOND + lag if each.heard else None,
                each.reconnects,
                each.resyncs,
                each.rejected,
            )
            for each in self._feed.health()
        )
