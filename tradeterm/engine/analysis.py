"""Runs the five agents on their schedules and puts what they say on the bus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import CrossRule
from tradeterm.agents.roster import Roster, RosterState
from tradeterm.agents.votes import Ballot
from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.books import Books
from tradeterm.engine.consulting import NOTHING_TO_ASK, Consulting, ConsultingState
from tradeterm.engine.core import Core
from tradeterm.engine.timers import task_timer
from tradeterm.engine.trading import Trading
from tradeterm.engine.watching import tell_watch_only
from tradeterm.model.market import Candle, News
from tradeterm.model.outputs import AgentOutput, AllocationView, Published
from tradeterm.model.ports import AgentAnswer, AgentQuestion
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
#: Agents who only speak: what follows is others' to decide.
ANALYSTS = (*BAR_AGENTS, SENTIMENT)
#: Agents that look at the symbol's market.
LOOKING_AGENTS = (*BAR_AGENTS, TRADING)
ALL_SYMBOLS = "*"
RULES = "RULES"
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

    consulting: ConsultingState

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
        self._consulting = Consulting(core, trading, self._roster.briefing)
        trading.asking.ask_agent = self._consulting.probe
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

    def recalled(self, symbol: str) -> None:
        """Candles of the past came in: whoever had too few of a symbol to speak looks again."""
        for name in (*BAR_AGENTS, TRADING):
            task = self._tasks[name]
            begun = self._schedule[name].run_on_start and self._core.counters.agents[task.key].runs
            if self._enabled[name] and begun and symbol not in self._spoken[task.key]:
                self._core.timers.set(task.timer, self._core.now + SECOND)

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
        """Keep a headline for the sentiment agent, unless it is there already."""
        if not (news.id and any(known.id == news.id for known in self._news)):
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

    # -- analysts on the bars of a replay (``engine/quiet.py``) -------------------------------

    def talkers(self) -> tuple[str, ...]:
        """Timers of the analysts, while rules speak for them.

        None beside a decision rule that runs on every bar itself.
        """
        if self._on_bar or self._consulting.possible:
            return ()
        return tuple(self._tasks[name].timer for name in ANALYSTS if self._enabled[name])

    def until(self, timer: str, due: int, last: int) -> tuple[int, str, int] | None:
        """A task that is due at ``due``, and on, before ``last``: its last run, and its next."""
        ran, task = 0, self._by_timer[timer]
        while due < last:
            ran, due = due, self._next_on_grid(task, due)
        return (ran, timer, due) if ran else None

    def talk(self, timer: str) -> int:
        """Run a task now that its time has come; when it is due next."""
        task = self._by_timer[timer]
        self._run_task(task)
        return self._next_on_grid(task, self._core.stamp.now)

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
        if self._consulting.possible and self._consulting.holds_back(task.name, symbol):
            return
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
        why = ""
        if self._consulting.possible:
            asked = self._consult(task, symbol)
            if asked is None:
                return
            why = asked
        self._run_rules(task, symbol, why)

    def _run_rules(self, task: _Task, symbol: str, why: str = "", parent: str = "") -> bool:
        """The rule version; ``why`` it speaks in a model's place. Whether it spoke."""
        counts, name = self._core.counters.agents[task.key], task.name
        output = self._tried(
            task, symbol, lambda: self._roster.run(name, self._context(task, symbol))
        )
        if output is not None:
            if not parent:
                counts.rule += 1
            self._publish(task, symbol, output, why=why, parent=parent)
        elif task.looks and task.key not in self._failing:
            counts.warming += 1
        return output is not None

    def _tried(
        self, task: _Task, symbol: str, run: Callable[[], AgentOutput | None]
    ) -> AgentOutput | None:
        """What a run brings; one that raises is counted, and never stops the others."""
        core = self._core
        try:
            output = run()
        except Exception as error:  # noqa: BLE001 - one failing agent never stops the others
            core.counters.agents[task.key].errors += 1
            self._failing.add(task.key)
            core.failed(f"{task.key} {symbol}", error)
            return None
        self._failing.discard(task.key)
        return output

    # -- models ----------------------------------------------------------------------------

    def _consult(self, task: _Task, symbol: str) -> str | None:
        """Ask the agent's models; where that cannot be, why the rules speak ("": by default)."""
        consulting = self._consulting
        why = consulting.refusal(task.name)
        if why is None:
            why = self._put(task, symbol)
        if why is not None:
            self._core.counters.agents[task.key].why = why
        return why

    def _put(self, task: _Task, symbol: str) -> str | None:
        """Put the question to the models; why not, where there is nothing to ask."""
        context = self._context(task, symbol, ages=True)
        view = self._tried(task, symbol, lambda: self._roster.foreseen(task.name, context))
        if view is None:
            return ""
        due = None
        if isinstance(view, AllocationView):
            if not view.legs:
                return ""
            due = view
        asked = self._consulting.ask(task.name, context, self._inputs(task, symbol), due)
        return None if asked else NOTHING_TO_ASK

    def answered(self, answer: AgentAnswer, answer_id: str) -> None:
        """What an agent's models said enters; runs that waited for it follow."""
        taken = self._consulting.take(answer, answer_id)
        if taken is not None:
            question, ballot = taken
            task = self._tasks[question.agent]
            self._core.counters.agents[task.key].why = ballot.why
            if self._enabled[task.name]:
                self._speak(task, question, ballot, answer_id)
        while free := self._consulting.released():
            for name, symbol in free:
                if self._enabled[name]:
                    self._run(self._tasks[name], symbol)

    def _speak(self, task: _Task, question: AgentQuestion, ballot: Ballot, answer_id: str) -> None:
        counts, symbol, said = self._core.counters.agents[task.key], question.symbol, ballot.opinion
        if said is None:
            if self._run_rules(task, symbol, ballot.why, answer_id):
                counts.invalid += ballot.asked
                counts.rule += not ballot.asked
            return
        context = self._context(task, symbol)
        output = self._tried(task, symbol, lambda: self._roster.spoken(task.name, context, said))
        if output is not None:
            counts.llm += 1
            inputs = question.inputs
            self._publish(task, symbol, output, by=ballot.by, parent=answer_id, inputs=inputs)

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

    def _context(self, task: _Task, symbol: str, *, ages: bool = False) -> AgentContext:
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
            self._trading.hearing.ages(symbol) if ages and name is TRADING else {},
        )

    def _heard(self, symbol: str) -> list[Published | None]:
        """What the analysts last said, as far as it is young enough."""
        hearing = self._trading.hearing
        return [hearing.last(source, symbol) for source in (TECHNICAL, REGIME, SENTIMENT)]

    def _inputs(self, task: _Task, symbol: str) -> tuple[str, ...]:
        """Ids of the outputs that a run follows from."""
        if task.name is not TRADING:
            return ()
        return tuple(heard.id for heard in self._heard(symbol) if heard is not None)

    def _publish(
        self, task: _Task, symbol: str, output: AgentOutput, *, by: str = RULES, why: str = "",
        parent: str = "", inputs: tuple[str, ...] | None = None,
    ) -> None:  # fmt: skip
        """Journal an output and put it on the bus; ``parent`` is the answer it follows from."""
        core, now = self._core, self._core.stamp.now
        if inputs is None:
            inputs = self._inputs(task, symbol)
        published = Published(core.journal.new_id("out"), now, task.name, by, inputs, output, why)
        self._spoken[task.key][symbol] = published
        core.journal.write("agent_output", published.id, parent, published)
        core.bus.publish(task.topic, task.key, symbol, published, now)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> AnalysisState:
        """For a snapshot."""
        return AnalysisState(
            self._consulting.dump(),
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
        self._consulting.load(state.consulting)
