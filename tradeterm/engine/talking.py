"""An analyst on the bars of a replay: what ``Analysis`` does at each run, looked up once a stretch.

``engine/quiet.py`` lets them speak on one bar after the other while nobody waits for what they
say: an output is journaled and the newest on the bus, and there is no one to hand it to.
"""

from __future__ import annotations

from collections.abc import Callable

from tradeterm.agents.context import AgentContext
from tradeterm.engine.agenda import Task
from tradeterm.engine.core import Core
from tradeterm.model.outputs import AgentOutput, Published

#: Who spoke where no model did.
RULES = "RULES"


class Voice:
    """One analyst of closed bars and one symbol, for a stretch of bars."""

    __slots__ = (
        "_bus", "_core", "_counts", "_failing", "_newest", "_number", "_raised", "_rule",
        "_seen", "_spoken", "_symbol", "_task",
    )  # fmt: skip

    def __init__(
        self, core: Core, task: Task, rule: Callable[[AgentContext], AgentOutput | None],
        seen: dict[str, int], spoken: dict[str, Published], failing: set[str],
        raised: Callable[[Task, str, Exception], None],
    ) -> None:  # fmt: skip
        """``seen``, ``spoken`` and ``failing`` are those of ``Analysis``."""
        self._task = task
        self._rule = rule
        self._symbol = task.symbols[0]
        self._core = core
        self._bus = core.bus
        self._counts = core.counters.agents[task.key]
        self._seen = seen
        self._spoken = spoken
        self._failing = failing
        self._raised = raised
        self._number = 0
        """Of ``_newest``, as a message."""
        self._newest: Published | None = None

    def speak(self, context: AgentContext, closes: int) -> None:
        """One run, on a bar that was not seen before; ``closes``: how many have closed by then."""
        task, symbol, counts, now = self._task, self._symbol, self._counts, context.now
        counts.runs += 1
        counts.last = now
        self._seen[symbol] = closes
        try:
            output = self._rule(context)
        except Exception as error:  # noqa: BLE001 - one failing agent never stops the others
            self._raised(task, symbol, error)
            return
        if self._failing:
            self._failing.discard(task.key)
        if output is None:
            counts.warming += 1
            return
        counts.rule += 1
        core = self._core
        published = Published(core.journal.new_id("out"), now, task.name, RULES, (), output)
        self._spoken[symbol] = published
        core.said(published)
        self._number, self._newest = self._bus.number(), published

    def rest(self) -> None:
        """The stretch is over: what was said last is the newest on the bus."""
        task, newest = self._task, self._newest
        if newest is not None:
            self._bus.note(self._number, task.topic, task.key, self._symbol, newest, newest.ts)
