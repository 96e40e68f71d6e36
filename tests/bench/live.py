"""A live market in a hurry: websocket → book → engine → picture, on one core.

The exchange is a process of its own that stamps each message as it leaves. The age of a picture is
the time from the newest stamp in it to the moment it can be drawn.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

from tradeterm.adapters.feeds.live import sink
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.timing import MILLISECOND
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings

ROOT = Path(__file__).parents[2]


class Ages:
    """Which of the exchange's stamps each picture holds."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.stamps: list[int] = []
        self.ages: list[tuple[float, float]] = []
        """(loop seconds, age in ms) of every picture."""
        self.desk: Desk | None = None

    def stamped(self, when: int, received: int) -> None:
        self.received.append(received)
        self.stamps.append(when)

    def publish(self, _view: ConsoleView) -> None:
        """A picture is there: what is the newest that went into it?"""
        if self.desk is None or not self.received:
            return
        at = bisect_right(self.received, self.desk.engine.core.market.heard) - 1
        if at >= 0:
            age = (time.time_ns() - self.stamps[at]) / MILLISECOND
            self.ages.append((time.monotonic(), age))


async def _live(phases: list[tuple[int, float]], directory: Path) -> dict[str, Any]:
    server = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        [sys.executable, "-W", "ignore", "-m", "tests.exchanges.kraken_storm",
         *(f"{rate}x{seconds}" for rate, seconds in phases)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    rest, ws = (await asyncio.to_thread(server.stdout.readline)).split()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    os.sched_setaffinity(server.pid, cores[1:] or cores)
    settings = load_settings(
        None, (f"live.endpoints.rest={rest}", f"live.endpoints.ws={ws}")
    ).settings
    ages = Ages()
    request = RunRequest(
        settings, settings.effective(), feed="live", db=directory / "live.db", headless=False
    )
    try:
        began = time.monotonic()
        desk = ages.desk = await Desk.open(request, publish=ages.publish)
        inner: Any = desk.feed
        gauge = inner.inner._gauge
        gauge.stamped = ages.stamped
        gc.freeze()
        running = asyncio.create_task(desk.run())
        while not desk.engine.core.market.symbol("XRP/BTC").book.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        first_book = time.monotonic() - began
        cpu = time.process_time()
        told = json.loads(await asyncio.to_thread(server.stdout.readline))
        cpu = time.process_time() - cpu
        ended = time.monotonic()
        await asyncio.sleep(2)
        health = [f"{h.resyncs} resyncs, {h.rejected} rejected" for h in inner.health()]
        inputs = desk.engine.input_counts()
        merged = inner.inner._inbox.merged
        desk.driver.stop()
        await running
        await desk.close()
    finally:
        gc.unfreeze()
        os.sched_setaffinity(0, cores)
        server.communicate("\n")
    return {
        "first_book_seconds": first_book,
        "phases": [
            {**phase, **_spread(ages.ages, *span)}
            for phase, span in zip(told["phases"], _spans(phases, ended), strict=True)
        ],
        "trades_sent": told["trades"],
        "trades_taken": inputs["trade"],
        "deltas_taken": inputs["delta"],
        "deltas_merged": merged,
        "health": health[0],
        "cpu_us_per_message": cpu / sum(phase["sent"] for phase in told["phases"]) * 1e6,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _spans(phases: list[tuple[int, float]], ended: float) -> list[tuple[float, float]]:
    spans = []
    for _, seconds in reversed(phases):
        spans.append((ended - seconds, ended))
        ended -= seconds
    return spans[::-1]


def _spread(ages: list[tuple[float, float]], begin: float, end: float) -> dict[str, float]:
    found = sorted(age for at, age in ages if begin + 1 <= at <= end)
    if not found:
        return {"pictures": 0}
    return {
        "pictures": len(found),
        "age_ms_median": found[len(found) // 2],
        "age_ms_p99": found[min(len(found) - 1, int(len(found) * 0.99))],
        "age_ms_most": found[-1],
    }


def storm(directory: Path, seconds: float = 20.0) -> dict[str, Any]:
    """5,000 messages a second sustained, then a burst of 15,000."""
    sink.COMPARED = 1  # type: ignore[misc]  # every stamp counts here
    try:
        return asyncio.run(_live([(5000, seconds), (15_000, seconds / 2)], directory))
    finally:
        sink.COMPARED = 16  # type: ignore[misc]
