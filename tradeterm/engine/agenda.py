"""When the five agents run: the scheduler's tasks, on a grid of market time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradeterm.engine.core import Core
from tradeterm.engine.timers import task_timer
from tradeterm.engine.watching import tell_watch_only
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Topic
from tradeterm.settings.orchestration import TaskSettings

TECHNICAL, REGIME, SENTIMENT, TRADING, PORTFOLIO = AgentName
TOPICS = {
    TECHNICAL: Topic.TA_SIGNALS,
    REGIME: Topic.REGIME_UPDATES,
    SENTIMENT: Topic.SENTIMENT_UPDATES,
    TRADING: Topic.TRADING_SIGNALS,
    PORTFOLIO: Topic.PORTFOLIO_UPDATES,
}
#: Agents that look at closed bars only: no new bar, same answer.
BAR_AGENTS = (TECHNICAL, REGIME)
#: Agents that look at the symbol's market.
LOOKING_AGENTS = (*BAR_AGENTS, TRADING)
ALL_SYMBOLS = "*"


@dataclass(frozen=True, slots=True)
class Task:
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


class Agenda:
    """Who is switched on, and when each runs next."""

    def __init__(self, core: Core) -> None:
        """As the settings say."""
        self._core = core
        self._schedule = core.settings.orchestration.schedule
        self.tasks = {name: self._task(name) for name in AgentName}
        self.by_timer = {task.timer: task for task in self.tasks.values()}
        self.enabled = {name: self._schedule[name].enabled for name in AgentName}
        self.on_bar = core.settings.agents.trading_decision.rule == "ema_cross"
        """Whether the decision rule runs on every closed bar and needs no clock."""

    def _task(self, name: AgentName) -> Task:
        return Task(
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
            task = self.tasks[name]
            at_once = self._schedule[name].run_on_start
            first = start + SECOND if at_once else self.next_on_grid(task, start)
            if self.enabled[name] and self._is_timed(name):
                self._core.timers.set(task.timer, first)

    def _is_timed(self, name: AgentName) -> bool:
        """All tasks run by the clock, but a decision rule that runs on every bar needs none."""
        return not (self.on_bar and name is TRADING)

    def interval(self, task: Task) -> int:
        """From one run of a task to the next (ns)."""
        if task.by_bar:  # nothing can change between two bars
            return max(task.interval, self._core.market.bar_interval)
        return task.interval

    def next_on_grid(self, task: Task, now: int) -> int:
        """When a task runs that ran at ``now``."""
        interval = self.interval(task)
        return (now // interval + 1) * interval

    def plan_next(self, task: Task) -> None:
        """Its next run, on the grid."""
        core = self._core
        core.timers.set(task.timer, self.next_on_grid(task, core.stamp.now))

    def look_again(self, name: AgentName) -> None:
        """Run it a second from now, if it is on and began at once."""
        if self.enabled[name] and self._schedule[name].run_on_start:
            self._core.timers.set(self.tasks[name].timer, self._core.now + SECOND)

    def enable(self, name: AgentName, enabled: bool) -> None:
        """Switch a task on or off."""
        self.enabled[name] = enabled
        core, task = self._core, self.tasks[name]
        if enabled and self._is_timed(name):
            core.timers.set(task.timer, self.next_on_grid(task, core.now))
        else:
            core.timers.cancel(task.timer)

    def follow(self, before: Mapping[AgentName, TaskSettings]) -> None:
        """After ``load`` under other settings: switch what they switch, keep the operator's."""
        for name in AgentName:
            if self._schedule[name].enabled != before[name].enabled:
                self.enable(name, self._schedule[name].enabled)

    def is_enabled(self, name: AgentName) -> bool:
        """Whether the task is on."""
        return self.enabled[name]

    def next_run(self, name: AgentName) -> int | None:
        """Market time of the next scheduled run."""
        return self._core.timers.due(self.tasks[name].timer)
