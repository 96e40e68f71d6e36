"""Runs the five agents on their schedules and puts what they say on the bus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import CrossRule
from tradeterm.agents.roster import Roster, RosterState
from tradeterm.agents.votes import Ballot
from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.agenda import BAR_AGENTS, SENTIMENT, TRADING, Agenda, Task
from tradeterm.engine.books import Books
from tradeterm.engine.churning import Churning, Sent
from tradeterm.engine.consulting import NOTHING_TO_ASK, Consulting, ConsultingState
from tradeterm.engine.core import Core
from tradeterm.engine.talking import RULES, Voice
from tradeterm.engine.trading import Trading
from tradeterm.market.market import Snapshot
from tradeterm.market.recipes import IndicatorSet
from tradeterm.market.series import Stretch
from tradeterm.model.market import Candle, News
from tradeterm.model.outputs import AgentOutput, AllocationView, Published
from tradeterm.model.ports import AgentAnswer, AgentQuestion
from tradeterm.model.vocabulary import AgentName

TRADING_NAME = TRADING.value
#: Agents who only speak: what follows is others' to decide.
ANALYSTS = (*BAR_AGENTS, SENTIMENT)
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
    churning: dict[str, list[Sent]] = {}


class Analysis:
    """The scheduler's tasks and the agents behind them."""

    def __init__(self, core: Core, books: Books, trading: Trading) -> None:
        """Agents are built from the settings."""
        self._core = core
        self._books = books
        self._trading = trading
        self.agenda = Agenda(core)
        self._tasks = self.agenda.tasks
        self._deciding = self._tasks[TRADING]
        self._roster = Roster(core.settings.agents, core.settings.portfolio)
        self._enabled = self.agenda.enabled
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._seen: dict[str, dict[str, int]] = {name.value: {} for name in BAR_AGENTS}
        """Agent → symbol → closed-bar count of its last run."""
        self._spoken: dict[str, dict[str, Published]] = {name.value: {} for name in AgentName}
        """Agent → symbol → its newest output, for the screen."""
        self._failing: set[str] = set()
        self._consulting = Consulting(core, trading, self._roster.briefing)
        trading.asking.ask_agent = self._consulting.probe
        self._churning = Churning(core, self.agenda)
        trading.judging.on_entry = self._churning.sent
        self._on_bar = self.agenda.on_bar

    # -- schedule --------------------------------------------------------------------------

    def recalled(self, symbol: str) -> None:
        """Candles of the past came in: whoever had too few of a symbol to speak looks again."""
        for name in (*BAR_AGENTS, TRADING):
            if (
                self._core.counters.agents[name.value].runs
                and symbol not in self._spoken[name.value]
            ):
                self.agenda.look_again(name)

    def run_due(self, timer: str) -> None:
        """A task's timer fired."""
        task = self.agenda.by_timer[timer]
        self.agenda.plan_next(task)
        self._run_task(task)

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
        """Timers of the analysts, while rules speak for them and only the coordinator listens.

        None beside a decision rule that runs on every bar itself.
        """
        if self._on_bar or self._consulting.possible:
            return ()
        tasks = [self._tasks[name] for name in ANALYSTS if self._enabled[name]]
        if not all(self._core.bus.hears_alone(task.topic, "coordinator") for task in tasks):
            return ()
        return tuple(task.timer for task in tasks)

    def interval(self, timer: str) -> int:
        """From one run of a task to the next (ns)."""
        return self.agenda.interval(self.agenda.by_timer[timer])

    def voice(self, timer: str) -> Voice | None:
        """The analyst behind a timer for a stretch of bars; None when it does not look at bars."""
        task = self.agenda.by_timer[timer]
        if not task.by_bar:
            return None
        return Voice(
            self._core, task, self._roster.rule(task.name), self._roster.along(task.name),
            self._seen[task.key], self._spoken[task.key], self._failing, self._raised,
        )  # fmt: skip

    def bar_context(self, symbol: str, stretch: Stretch, place: int) -> AgentContext:
        """What the analysts look at on a closed bar of a market of bars."""
        now, price = stretch.closed(place)
        figures = stretch.figures(place)
        snapshot = Snapshot(symbol, now, price, price, price, figures, partial(_atr, figures))
        return AgentContext(
            symbol, now, snapshot, None, None, None, (), self._books.account, self._core.instruments
        )

    def talk(self, timer: str) -> None:
        """Run a task now that its time has come."""
        self._run_task(self.agenda.by_timer[timer])

    # -- runs ------------------------------------------------------------------------------

    def run_task(self, name: AgentName) -> None:
        """Run an agent for every symbol it covers, unless the degradation level forbids it."""
        self._run_task(self._tasks[name])

    def _run_task(self, task: Task) -> None:
        if task.name is SENTIMENT and not self._trading.permits(Permission.SENTIMENT):
            return
        for symbol in task.symbols:
            self._run(task, symbol)

    def _run(self, task: Task, symbol: str) -> None:
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

    def _run_rules(self, task: Task, symbol: str, why: str = "", parent: str = "") -> bool:
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
        self, task: Task, symbol: str, run: Callable[[], AgentOutput | None]
    ) -> AgentOutput | None:
        """What a run brings; one that raises is counted, and never stops the others."""
        try:
            output = run()
        except Exception as error:  # noqa: BLE001 - one failing agent never stops the others
            self._raised(task, symbol, error)
            return None
        self._failing.discard(task.key)
        return output

    def _raised(self, task: Task, symbol: str, error: Exception) -> None:
        self._core.counters.agents[task.key].errors += 1
        self._failing.add(task.key)
        self._core.failed(f"{task.key} {symbol}", error)

    # -- models ----------------------------------------------------------------------------

    def _consult(self, task: Task, symbol: str) -> str | None:
        """Ask the agent's models; where that cannot be, why the rules speak ("": by default)."""
        consulting = self._consulting
        why = consulting.refusal(task.name)
        if why is None:
            why = self._put(task, symbol)
        if why is not None:
            self._core.counters.agents[task.key].why = why
        return why

    def _put(self, task: Task, symbol: str) -> str | None:
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

    def _speak(self, task: Task, question: AgentQuestion, ballot: Ballot, answer_id: str) -> None:
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
        heard = (context.technical, context.regime, context.sentiment)
        self._publish(
            task, symbol, output, inputs=tuple([one.id for one in heard if one is not None])
        )
        return True

    def _context(self, task: Task, symbol: str, *, ages: bool = False) -> AgentContext:
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
            core.market.age(symbol, now) if ages and task.looks else 0.0,
        )

    def _heard(self, symbol: str) -> list[Published | None]:
        """What the analysts last said, as far as it is young enough."""
        hearing = self._trading.hearing
        return [hearing.last(source, symbol) for source in ANALYSTS]

    def _inputs(self, task: Task, symbol: str) -> tuple[str, ...]:
        """Ids of the outputs that a run follows from."""
        if task.name is not TRADING:
            return ()
        return tuple(heard.id for heard in self._heard(symbol) if heard is not None)

    def _publish(
        self, task: Task, symbol: str, output: AgentOutput, *, by: str = RULES, why: str = "",
        parent: str = "", inputs: tuple[str, ...] | None = None,
    ) -> None:  # fmt: skip
        """Journal an output and put it on the bus; ``parent`` is the answer it follows from."""
        core, now = self._core, self._core.stamp.now
        if inputs is None:
            inputs = self._inputs(task, symbol)
        published = Published(core.journal.new_id("out"), now, task.name, by, inputs, output, why)
        self._spoken[task.key][symbol] = published
        core.said(published, parent)
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
            self._churning.dump(),
        )

    def load(self, state: AnalysisState) -> None:
        """Continue as the dumped analysis would."""
        self._enabled.update((AgentName(name), on) for name, on in state.enabled.items())
        self._news = deque(state.news, maxlen=NEWS_KEPT)
        self._seen = {name: dict(seen) for name, seen in state.seen.items()}
        self._spoken = {name: dict(spoken) for name, spoken in state.spoken.items()}
        self._roster.load(state.roster)
        self._consulting.load(state.consulting)
        self._churning.load(state.churning)


def _atr(figures: Mapping[int, IndicatorSet], timeframe: int) -> float | None:
    """ATR 14 of one timeframe; None while it has no closed candle."""
    held = figures.get(timeframe)
    return None if held is None else held.atr
