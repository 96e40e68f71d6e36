"""An analyst on the bars of a replay: what ``Analysis`` does at each run, looked up once a stretch.

``engine/quiet.py`` lets them speak on one bar after the other while nobody waits for what they
say: an output is journaled and the newest on the bus, and there is no one to hand it to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tradeterm.agents.context import AgentContext
from tradeterm.agents.roster import Along
from tradeterm.engine.agenda import Task
from tradeterm.engine.core import Core
from tradeterm.market.series import Stretch
from tradeterm.model.outputs import AgentOutput, Published

#: Who spoke where no model did.
RULES = "RULES"


class Voice:
    """One analyst of closed bars and one symbol, for a stretch of bars.

    It thinks about all of them, then speaks on one after the other: beside the others' work in
    between each thought would take half as long again.
    """

    __slots__ = (
        "_along", "_bus", "_core", "_counts", "_failing", "_newest", "_number", "_raised", "_rule",
        "_seen", "_spoken", "_symbol", "_task", "_thoughts",
    )  # fmt: skip

    def __init__(
        self, core: Core, task: Task, rule: Callable[[AgentContext], AgentOutput | None],
        along: Along, seen: dict[str, int], spoken: dict[str, Published], failing: set[str],
        raised: Callable[[Task, str, Exception], None],
    ) -> None:  # fmt: skip
        """``seen``, ``spoken`` and ``failing`` are those of ``Analysis``."""
        self._task = task
        self._rule = rule
        self._along = along
        self._symbol = task.symbols[0]
        self._core = core
        self._bus = core.bus
        self._counts = core.counters.agents[task.key]
        self._seen = seen
        self._spoken = spoken
        self._failing = failing
        self._raised = raised
        self._thoughts: Iterator[AgentOutput | Exception | None] = iter(())
        self._number = 0
        """Of ``_newest``, as a message."""
        self._newest: Published | None = None

    def think(
        self, stretch: Stretch, places: range, context: Callable[[int], AgentContext], closes: int
    ) -> None:
        """Its runs, on bars that were not seen before; the last is the ``closes``-th that closed.

        ``context`` is what it looks at on one of them.
        """
        counts, thoughts = self._counts, self._thought(stretch, places, context)
        self._thoughts = iter(thoughts)
        counts.runs += len(thoughts)
        counts.last, _ = stretch.closed(places[-1])
        self._seen[self._symbol] = closes

    def _thought(
        self, stretch: Stretch, places: range, context: Callable[[int], AgentContext]
    ) -> Sequence[AgentOutput | Exception | None]:
        try:
            return self._along(self._symbol, stretch, places)
        except Exception:  # noqa: BLE001 - on which of them, says the run on each
            return [self._tried(context(place)) for place in places]

    def _tried(self, context: AgentContext) -> AgentOutput | Exception | None:
        try:
            return self._rule(context)
        except Exception as error:  # noqa: BLE001 - told when it speaks
            return error

    def speak(self) -> None:
        """Say the next thought, now."""
        output, core = next(self._thoughts), self._core
        if isinstance(output, Exception):
            self._raised(self._task, self._symbol, output)
            return
        if self._failing:
            self._failing.discard(self._task.key)
        if output is None:
            self._counts.warming += 1
            return
        self._counts.rule += 1
        new_id, now = core.journal.new_id("out"), core.stamp.now
        self._newest = newest = Published(new_id, now, self._task.name, RULES, (), output)
        self._number = self._bus.number()
        core.said(newest)

    def rest(self) -> None:
        """The stretch is over: what was said last is the newest on the bus."""
        task, newest = self._task, self._newest
        if newest is not None:
            self._spoken[self._symbol] = newest
            self._bus.note(self._number, task.topic, task.key, self._symbol, newest, newest.ts)
