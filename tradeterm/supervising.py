"""Whether what goes along with a run is alive: a task that dies is an alarm, never silence.

It is begun anew once. Where that does not help the run halts: nobody may trade on unaware that a
part they count on (a notification, the way to halt from another shell) is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tradeterm.logs import without_secrets
from tradeterm.model.commands import ReportTask
from tradeterm.model.text import clean

log = logging.getLogger(__name__)

#: Seconds between two looks.
LOOK_SECONDS = 0.25
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Task:
    """Something that has to be at work as long as the run is."""

    name: str
    dead: Callable[[], str]
    """Why it is at work no more; empty while it is."""
    again: Callable[[], Awaitable[None]]
    """Begins it anew, or raises."""


def named(error: BaseException) -> str:
    """An error as the reason of a death."""
    return f"{type(error).__name__}: {error}"


class Supervisor:
    """Looks at every task from the driver's loop."""

    def __init__(
        self, report: Callable[[ReportTask], object], complain: Callable[[str], None] | None
    ) -> None:
        """``report`` tells the engine, ``complain`` whoever has no screen."""
        self.due = 0.0
        """When the next look is to be taken (monotonic s)."""
        self._report = report
        self._complain = complain
        self._tasks: list[Task] = []
        self._begun_again: set[str] = set()
        self._given_up: set[str] = set()

    def watch(self, *tasks: Task) -> None:
        """Look at these, too."""
        self._tasks += tasks

    async def look(self, now: float) -> None:
        """Whoever has died since is begun anew, or given up; both are told."""
        self.due = now + LOOK_SECONDS
        for task in self._tasks:
            if task.name not in self._given_up and (why := task.dead()):
                await self._died(task, why)

    async def _died(self, task: Task, why: str) -> None:
        failed = "a second time"
        if task.name not in self._begun_again:
            self._begun_again.add(task.name)
            failed = await self._begin_again(task)
        if failed:
            self._given_up.add(task.name)
            why = f"{why} ({failed})"
        told = clean(without_secrets(why), _LONGEST)
        log.error("E-TASK %s died: %s", task.name, told)
        if self._complain is not None:
            self._complain(f"E-TASK {task.name} died: {told}")
        self._report(ReportTask(task=task.name, why=told, begun_again=not failed, actor="desk"))

    async def _begin_again(self, task: Task) -> str:
        """Why that was not possible; empty when it was."""
        try:
            await task.again()
        except Exception as error:
            log.exception("%s cannot be begun again", task.name, exc_info=error)
            return f"and cannot be begun again: {named(error)}"
        return ""
