"""Waiting for answers that take real time, without keeping anybody else waiting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from tradeterm.engine.engine import Engine
from tradeterm.errors import EngineFault, TradetermError
from tradeterm.model.commands import BookModelCosts
from tradeterm.model.ports import Advisor, Answer, Question
from tradeterm.supervising import named

log = logging.getLogger(__name__)


async def answered(
    advisor: Advisor,
    questions: Sequence[Question],
    meanwhile: Callable[[], Awaitable[bool]],
    wake: asyncio.Event,
    seconds: float,
) -> list[Answer] | None:
    """The answers to questions asked side by side, in their order.

    None when ``meanwhile`` (called at every ``wake``, and that often) says stop.
    """
    requests = [asyncio.create_task(advisor.settle(question)) for question in questions]
    try:
        while out := {request for request in requests if not request.done()}:
            if not await meanwhile():
                return None
            woken = asyncio.create_task(wake.wait())
            await asyncio.wait({*out, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            wake.clear()
        return [_result(request) for request in requests]
    finally:
        for request in requests:
            request.cancel()


def _result(request: asyncio.Task[Answer]) -> Answer:
    if (error := request.exception()) is not None:
        _fail(error)
    return request.result()


def _fail(error: BaseException) -> None:
    """Raise what ended a question: a failure on purpose as it is, any other as its task's death."""
    if isinstance(error, TradetermError):
        raise error
    log.error("E-TASK question to a model died", exc_info=error)
    raise EngineFault(f"E-TASK question to a model died: {named(error)}") from error


async def left_to_pay(engine: Engine, advisor: Advisor) -> BookModelCosts | None:
    """What answers cost that enter after the run's end, and the reservation of those still out in a
    live market; None when nothing is left to pay.
    """
    paid = engine.asked.paid()
    for question in engine.asked.open():
        answer = await advisor.interrupted(question, 0)
        if answer.cost:
            paid[question.id] = answer
    if not paid:
        return None
    costs = {name: answer.cost for name, answer in paid.items()}
    day = max(answer.day for answer in paid.values())
    return BookModelCosts(costs=costs, day=day, actor="desk")


class Background:
    """Questions that are out while the market goes on; each answer enters when it comes."""

    def __init__(
        self, advisor: Advisor, moment: Callable[[], int], enter: Callable[[Answer], None]
    ) -> None:
        """``moment`` is market time (ns), later than all that has been stamped so far."""
        self._advisor = advisor
        self._moment = moment
        self._enter = enter
        self._out: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask all of them at once; returns at once."""
        for question in questions:
            task = asyncio.create_task(self._ask(question))
            self._out.add(task)
            task.add_done_callback(self._done)

    async def _ask(self, question: Question) -> None:
        answer = await self._advisor.settle(question)
        # It takes as long as it took, not as long as it says.
        self._enter(replace(answer, latency=self._moment() - question.ts))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._out.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()

    def check(self) -> None:
        """Raise what ended a question without an answer: a cassette that does not fit, a fault."""
        if self._failure is not None:
            _fail(self._failure)

    async def stop(self) -> None:
        """Whatever is still out is interrupted; a restart says so."""
        for task in self._out:
            task.cancel()
        await asyncio.gather(*self._out, return_exceptions=True)
