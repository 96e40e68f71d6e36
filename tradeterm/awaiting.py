"""Waiting for an answer that takes real time, without keeping anybody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tradeterm.model.ports import Advisor, Answer, Question


async def answered(
    advisor: Advisor,
    question: Question,
    meanwhile: Callable[[], Awaitable[bool]],
    wake: asyncio.Event,
    seconds: float,
) -> Answer | None:
    """The answer; None when ``meanwhile`` (called at every ``wake``, and that often) says stop."""
    request = asyncio.create_task(advisor.settle(question))
    try:
        while not request.done():
            if not await meanwhile():
                return None
            woken = asyncio.create_task(wake.wait())
            await asyncio.wait(
                {request, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            woken.cancel()
            wake.clear()
        return request.result()
    finally:
        request.cancel()
