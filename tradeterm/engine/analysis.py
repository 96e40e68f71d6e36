"""Runs the five agents on their schedules and puts what they say on the bus."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import CrossRule
from tradeterm.agents.roster import Roster, RosterState
from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.books import Books
from tradeterm.engine.core import Core
from tradeterm.engine.timers import task_timer
from tradeterm.engine.trading import Trading
from tradeterm.model.market import Candle, News
from tradeterm.model.outputs import AgentOutput, Published
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Topic
from tradeterm.settings.orchestration import TaskSettings

TOPICS = {
    AgentName.TECHNICAL: Topic.TA_SIGNALS,
    AgentName.REGIME: Topic.REGIME_UPDATES,
    AgentName.SENTIMENT: Topic.SENTIMENT_UPDATES,
    AgentName.TRADING: Topic.TRADING_SIGNALS,
    AgentName.PORTFOLIO: Topic.PORTFOLIO_UPDATES,
}
#: Agents that look at closed bars only: no new bar, same answer.
BAR_AGENTS = frozenset({AgentName.TECHNICAL, AgentName.REGIME})
#: Agents that look at the symbol's market.
LOOKING_AGENTS = BAR_AGENTS | {AgentName.TRADING}
ALL_SYMBOLS = "*"
TRADING_NAME = AgentName.TRADING.value
NEWS_KEPT = 200


class AnalysisState(msgspec.Struct):
    """Schedules, news window and the agents' own state."""

    enabled: dict[str, bool]
    news: list[News]
    seen: dict[str, int]
    spoken: dict[str, dict[str, Published]]
    roster: RosterState


class Analysis:
    """The scheduler's tasks and the agents behind them."""

    def __init__(self, core: Core, books: Books, trading: Trading) -> None:
        """Agents are built from the settings."""
        self._core = core
        self._books = books
        self._trading = trading
        self._schedule = core.settings.orchestration.schedule
        self._roster = Roster(core.settings.agents, core.settings.portfolio)
        self._enabled = {name: self._schedule[name].enabled for name in AgentName}
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._seen: dict[str, int] = {}
        """``agent symbol`` → closed-bar count of its last run."""
        self._spoken: dict[str, dict[str, Published]] = {name.value: {} for name in AgentName}
        """Agent → symbol → its newest output, for the screen."""
        self._failing: set[str] = set()
        self._on_bar = core.settings.agents.trading_decision.rule == "ema_cross"

    # -- schedule --------------------------------------------------------------------------

    def schedule(self, start: int) -> None:
        """First runs: one second after the start, or at the first full interval."""
        for name in AgentName:
            task = self._schedule[name]
            first = start + SECOND if task.run_on_start else self._next_on_grid(name, start)
            if self._enabled[name] and self._is_timed(name):
                self._core.timers.set(task_timer(name), first)

    def _is_timed(self, name: AgentName) -> bool:
        """All tasks run by the clock, but a decision rule that runs on every bar needs none."""
        return not (self._on_bar and name is AgentName.TRADING)

    def _next_on_grid(self, name: AgentName, now: int) -> int:
        interval = self._schedule[name].interval * SECOND
        if name in BAR_AGENTS:  # nothing can change between two bars
            interval = max(interval, self._core.market.bar_interval)
        return (now // interval + 1) * interval

    def run_due(self, timer: str) -> None:
        """A task's timer fired."""
        name = AgentName(timer.rpartition(":")[2])
        self._core.timers.set(timer, self._next_on_grid(name, self._core.now))
        self.run_task(name)

    def enable(self, name: AgentName, enabled: bool) -> None:
        """Switch a task on or off."""
        self._enabled[name] = enabled
        if enabled and self._is_timed(name):
            self._core.timers.set(task_timer(name), self._next_on_grid(name, self._core.now))
        else:
            self._core.timers.cancel(task_timer(name))

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
        return self._core.timers.due(task_timer(name))

    def last_outputs(self, name: AgentName) -> dict[str, Published]:
        """Symbol → what the agent last said."""
        return self._spoken[name.value]

    def failing(self, name: AgentName) -> bool:
        """Whether its last run raised."""
        return name.value in self._failing

    # -- inputs ----------------------------------------------------------------------------

    def on_news(self, news: News) -> None:
        """Keep a headline for the sentiment agent."""
        self._news.append(news)

    def on_closed(self, candles: Sequence[Candle]) -> bool:
        """Bars closed; the bar-driven decision rule, when chosen, runs at once.

        Whether anything was published, so that timers may have changed.
        """
        acted = False
        if self._on_bar and self._enabled[AgentName.TRADING]:
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
        if name is AgentName.SENTIMENT and not self._trading.permits(Permission.SENTIMENT):
            return
        symbols = (ALL_SYMBOLS,) if name is AgentName.PORTFOLIO else self._core.market.symbols
        for symbol in symbols:
            self._run(name, symbol)

    def _run(self, name: AgentName, symbol: str) -> None:
        core, counts = self._core, self._core.counters.agents[name.value]
        counts.runs += 1
        counts.last = core.now
        if name in BAR_AGENTS:
            closes = core.market.closes(symbol)
            key = f"{name} {symbol}"
            if self._seen.get(key) == closes:
                core.bus.refresh(TOPICS[name], symbol, name.value, core.now)
                return
            self._seen[key] = closes
        try:
            output = self._roster.run(name, self._context(name, symbol))
        except Exception as error:  # noqa: BLE001 - one failing agent never stops the others
            counts.errors += 1
            self._failing.add(name.value)
            core.failed(f"{name} {symbol}", error)
            return
        self._failing.discard(name.value)
        if output is not None:
            counts.rule += 1
            self._publish(name, symbol, output)

    def _run_on_bar(self, symbol: str) -> bool:
        core = self._core
        counts = core.counters.agents[TRADING_NAME]
        counts.runs += 1
        counts.last = core.stamp.now
        cross = self._roster.crossed(symbol, core.market)
        if cross is None:
            return False
        output = self._roster.cross_signal(cross, self._context(AgentName.TRADING, symbol))
        counts.rule += 1
        self._publish(AgentName.TRADING, symbol, output)
        return True

    def _context(self, name: AgentName, symbol: str) -> AgentContext:
        """What this agent looks at, and nothing it does not: most runs are on every bar."""
        core, trading = self._core, self._trading
        decides = name is AgentName.TRADING
        return AgentContext(
            symbol=symbol,
            now=core.now,
            snapshot=core.market.snapshot(symbol, core.now) if name in LOOKING_AGENTS else None,
            technical=trading.hearing.last(AgentName.TECHNICAL, symbol) if decides else None,
            regime=trading.hearing.last(AgentName.REGIME, symbol) if decides else None,
            sentiment=trading.hearing.last(AgentName.SENTIMENT, symbol) if decides else None,
            news=tuple(self._news) if name is AgentName.SENTIMENT else (),
            read_account=self._books.account,
            instruments=core.instruments,
        )

    def _publish(self, name: AgentName, symbol: str, output: AgentOutput) -> None:
        core = self._core
        published = Published(
            id=core.journal.new_id("out"), ts=core.now, agent=name, by="RULES",
            inputs=self._inputs_of(name, symbol), output=output,
        )
        self._spoken[name.value][symbol] = published
        core.journal.write("agent_output", published.id, "", published)
        core.bus.publish(TOPICS[name], name.value, symbol, published, core.now)

    def _inputs_of(self, name: AgentName, symbol: str) -> tuple[str, ...]:
        if name is not AgentName.TRADING:
            return ()
        heard = (
            self._trading.hearing.last(source, symbol)
            for source in (AgentName.TECHNICAL, AgentName.REGIME, AgentName.SENTIMENT)
        )
        return tuple(published.id for published in heard if published is not None)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> AnalysisState:
        """For a snapshot."""
        return AnalysisState(
            {name.value: on for name, on in self._enabled.items()},
            list(self._news),
            dict(self._seen),
            {name: dict(spoken) for name, spoken in self._spoken.items()},
            self._roster.dump(),
        )

    def load(self, state: AnalysisState) -> None:
        """Continue as the dumped analysis would."""
        self._enabled = {AgentName(name): on for name, on in state.enabled.items()}
        self._news = deque(state.news, maxlen=NEWS_KEPT)
        self._seen = dict(state.seen)
        self._spoken = {name: dict(spoken) for name, spoken in state.spoken.items()}
        self._roster.load(state.roster)
