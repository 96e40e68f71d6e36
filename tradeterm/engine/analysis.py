"""Runs the five agents on their schedules and puts what they say on the bus."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import CrossRule
from tradeterm.agents.roster import Roster, RosterState
from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.timers import task_timer
from tradeterm.engine.trading import Trading
from tradeterm.engine.watching import tell_watch_only
from tradeterm.model.market import Candle, News
from tradeterm.model.outputs import AgentOutput, Published
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Topic
from tradeterm.settings.orchestration import TaskSettings

TECHNICAL, REGIME, SENTIMENT, TRADING, PORTFOLIO = AgentName
TOPICS = {
    AgentName.TECHNICAL: Topic.TA_SIGNALS,
    AgentName.REGIME: Topic.REGIME_UPDATES,
    AgentName.SENTIMENT: Topic.SENTIMENT_UPDATES,
    AgentName.TRADING: Topic.TRADING_SIGNALS,
    AgentName.PORTFOLIO: Topic.PORTFOLIO_UPDATES,
}
#: Agents that look at closed bars only: no new bar, same answer.
BAR_AGENTS = (TECHNICAL, REGIME)
#: Agents that look at the symbol's market.
LOOKING_AGENTS = (*BAR_AGENTS, TRADING)
ALL_SYMBOLS = "*"
TRADING_NAME = TRADING.value
NEWS_KEPT = 200


class Silent(NamedTuple):
    """An agent that is not warm for a symbol."""

    name: AgentName
    symbol: str
    needs: int
    """Bars of the smallest timeframe, at least."""
    has: int


class AnalysisState(msgspec.Struct):
    """Schedules, news window and the agents' own state."""

    enabled: dict[str, bool]
    news: list[News]
    seen: dict[str, dict[str, int]]
    spoken: dict[str, dict[str, Published]]
    roster: RosterState


@dataclass(frozen=True, slots=True)
class _Task:
    """What is fixed about an agent's runs."""

    name: AgentName
    key: str
    """The agent's name, as counters and look-ups know it."""
    timer: str
    topic: Topic
    interval: int
    symbols: tuple[str, ...]
    by_bar: bool
    looks: bool


class Analysis:
    """The scheduler's tasks and the agents behind them."""

    def __init__(self, core: Core, books: Books, trading: Trading) -> None:
        """Agents are built from the settings."""
        self._core = core
        self._books = books
        self._trading = trading
        self._schedule = core.settings.orchestration.schedule
        self._tasks = {name: self._task(name) for name in AgentName}
        self._by_timer = {task.timer: task for task in self._tasks.values()}
        self._deciding = self._tasks[TRADING]
        self._roster = Roster(core.settings.agents, core.settings.portfolio)
        self._enabled = {name: self._schedule[name].enabled for name in AgentName}
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._seen: dict[str, dict[str, int]] = {name.value: {} for name in BAR_AGENTS}
        """Agent → symbol → closed-bar count of its last run."""
        self._spoken: dict[str, dict[str, Published]] = {name.value: {} for name in AgentName}
        """Agent → symbol → its newest output, for the screen."""
        self._failing: set[str] = set()
        self._on_bar = core.settings.agents.trading_decision.rule == "ema_cross"

    # -- schedule --------------------------------------------------------------------------

    def _task(self, name: AgentName) -> _Task:
        return _Task(
            name=name,
            key=name.value,
            timer=task_timer(name),
            topic=TOPICS[name],
            interval=self._schedule[name].interval * SECOND,
            symbols=(ALL_SYMBOLS,) if name is PORTFOLIO else self._core.market.symbols,
            by_bar=name in BAR_AGENTS,
            looks=name in LOOKING_AGENTS,
        )

    def schedule(self, start: int) -> None:
        """First runs: one second after the start, or at the first full interval."""
        tell_watch_only(self._core)
        for name in AgentName:
            task = self._tasks[name]
            at_once = self._schedule[name].run_on_start
            first = start + SECOND if at_once else self._next_on_grid(task, start)
            if self._enabled[name] and self._is_timed(name):
                self._core.timers.set(task.timer, first)

    def _is_timed(self, name: AgentName) -> bool:
        """All tasks run by the clock, but a decision rule that runs on every bar needs none."""
        return not (self._on_bar and name is TRADING)

    def _next_on_grid(self, task: _Task, now: int) -> int:
        interval = task.interval
        if task.by_bar:  # nothing can change between two bars
            interval = max(interval, self._core.market.bar_interval)
        return (now // interval + 1) * interval

    def run_due(self, timer: str) -> None:
        """A task's timer fired."""
        core, task = self._core, self._by_timer[timer]
        core.timers.set(timer, self._next_on_grid(task, core.stamp.now))
        self._run_task(task)

    def enable(self, name: AgentName, enabled: bool) -> None:
        """Switch a task on or off."""
        self._enabled[name] = enabled
        core, task = self._core, self._tasks[name]
        if enabled and self._is_timed(name):
            core.timers.set(task.timer, self._next_on_grid(task, core.now))
        else:
            core.timers.cancel(task.timer)

    def follow(self, before: Mapping[AgentName, TaskSettings]) -> None:
        """After ``load`` under other settings: switch what they switch, keep the operator's."""
        for name in AgentName:
            if self._schedule[name].enabled != before[name].enabled:
                self.enable(name, self._schedule[name].enabled)

    def is_enabled(self, name: AgentName) -> bool:
        """Whether the task is on."""
        return self._enabled[name]

    def next_run(self, name: AgentName) -> int | None:
        """Market time of the next scheduled run."""
        return self._core.timers.due(self._tasks[name].timer)

    def last_outputs(self, name: AgentName) -> dict[str, Published]:
        """Symbol → what the agent last said."""
        return self._spoken[name.value]

    def failing(self, name: AgentName) -> bool:
        """Whether its last run raised."""
        return name.value in self._failing

    def silent(self) -> Iterator[Silent]:
        """Agents that ran and have too few bars to say anything yet, symbol by symbol."""
        for name, needs in self._roster.needs().items():
            if not self._core.counters.agents[name.value].runs:
                continue
            for symbol in self._core.market.symbols:
                has = self._core.market.symbol(symbol).window.count
                if symbol not in self._spoken[name.value] and has < needs:
                    yield Silent(name, symbol, needs, has)

    # -- inputs ----------------------------------------------------------------------------

    def on_news(self, news: News) -> None:
        """Keep a headline for the sentiment agent."""
        self._news.append(news)

    def on_closed(self, candles: Sequence[Candle]) -> bool:
        """Bars closed; the bar-driven decision rule, when chosen, runs at once.

        Whether anything was published, so that timers may have changed.
        """
        acted = False
        if self._on_bar and self._enabled[TRADING]:
            for candle in candles:
                if candle.timeframe == self._core.market.smallest(candle.symbol):
                    acted |= self._run_on_bar(candle.symbol)
        return acted

    def bar_rule(self) -> CrossRule | None:
        """The rule that runs on every bar, while one is on."""
        return self._roster.cross if self._on_bar and self._enabled[AgentName.TRADING] else None

    # -- runs ------------------------------------------------------------------------------

    def run_task(self, name: AgentName) -> None:
        """Run an agent for every symbol it covers, unless the degradation level forbids it."""
        self._run_task(self._tasks[name])

    def _run_task(self, task: _Task) -> None:
        if task.name is SENTIMENT and not self._trading.permits(Permission.SENTIMENT):
            return
        for symbol in task.symbols:
            self._run(task, symbol)

    def _run(self, task: _Task, symbol: str) -> None:
        core, counts = self._core, self._core.counters.agents[task.key]
        counts.runs += 1
        counts.last = now = core.stamp.now
        if task.by_bar:
            closes, seen = core.market.closes(symbol), self._seen[task.key]
            if seen.get(symbol) == closes:
                core.bus.refresh(task.topic, symbol, task.key, now)
                if symbol not in self._spoken[task.key]:
                    counts.warming += 1
                return
            seen[symbol] = closes
        try:
            output = self._roster.run(task.name, self._context(task, symbol))
        except Exception as error:  # noqa: BLE001 - one failing agent never stops the others
            counts.errors += 1
            self._failing.add(task.key)
            core.failed(f"{task.key} {symbol}", error)
            return
        self._failing.discard(task.key)
        if output is not None:
            counts.rule += 1
            self._publish(task, symbol, output)
        elif task.looks:
            counts.warming += 1

    def _run_on_bar(self, symbol: str) -> bool:
        core, task = self._core, self._deciding
        counts = core.counters.agents[task.key]
        counts.runs += 1
        counts.last = core.stamp.now
        cross = self._roster.crossed(symbol, core.market)
        if cross is None:
            if core.market.symbol(symbol).window.count < self._roster.cross.slow:
                counts.warming += 1
            return False
        context = self._context(task, symbol)
        output = self._roster.cross_signal(cross, context)
        counts.rule += 1
        self._publish(task, symbol, output)
        return True

    def _context(self, task: _Task, symbol: str) -> AgentContext:
        """What this agent looks at, and nothing it does not: most runs are on every bar."""
        core, name, now = self._core, task.name, self._core.stamp.now
        technical = regime = sentiment = None
        if name is TRADING:
            technical, regime, sentiment = self._heard(symbol)
        return AgentContext(
            symbol,
            now,
            core.market.snapshot(symbol, now) if task.looks else None,
            technical,
            regime,
            sentiment,
            tuple(self._news) if name is SENTIMENT else (),
            self._books.account,
            core.instruments,
        )

    def _heard(self, symbol: str) -> list[Published | None]:
        """What the analysts last said, as far as it is young enough."""
        hearing = self._trading.hearing
        return [hearing.last(source, symbol) for source in (TECHNICAL, REGIME, SENTIMENT)]

    def _publish(self, task: _Task, symbol: str, output: AgentOutput) -> None:
        core, now = self._core, self._core.stamp.now
        inputs: tuple[str, ...] = ()
        if task.name is TRADING:
            inputs = tuple(heard.id for heard in self._heard(symbol) if heard is not None)
        published = Published(core.journal.new_id("out"), now, task.name, "RULES", inputs, output)
        self._spoken[task.key][symbol] = published
        core.journal.write("agent_output", published.id, "", published)
        core.bus.publish(task.topic, task.key, symbol, published, now)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> AnalysisState:
        """For a snapshot."""
        return AnalysisState(
            {name.value: on for name, on in self._enabled.items()},
            list(self._news),
            {name: dict(seen) for name, seen in self._seen.items()},
            {name: dict(spoken) for name, spoken in self._spoken.items()},
            self._roster.dump(),
        )

    def load(self, state: AnalysisState) -> None:
        """Continue as the dumped analysis would."""
        self._enabled = {AgentName(name): on for name, on in state.enabled.items()}
        self._news = deque(state.news, maxlen=NEWS_KEPT)
        self._seen = {name: dict(seen) for name, seen in state.seen.items()}
        self._spoken = {name: dict(spoken) for name, spoken in state.spoken.items()}
        self._roster.load(state.roster)
