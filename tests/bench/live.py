"""A live market in a hurry: websocket → book → engine → picture → screen, on one core.

The exchange is a process of its own that stamps each message as it leaves. The age of a picture is
the time from the newest stamp in it to the moment it can be drawn; the age of a frame, to the
moment the terminal was sent it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tests.bench.console_runs import _drain, terminal
from tests.live.session import ALONE, Session
from tradeterm.adapters.feeds.live import sink
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.verify import verify
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import Flatten, Resume
from tradeterm.model.timing import MILLISECOND
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings

if TYPE_CHECKING:
    from tests.exchanges.kraken import KrakenServer

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

    def newest(self) -> int | None:
        """The newest stamp the engine has taken (ns)."""
        if self.desk is None or not self.received:
            return None
        at = bisect_right(self.received, self.desk.engine.core.market.heard) - 1
        return self.stamps[at] if at >= 0 else None

    def publish(self, _view: ConsoleView) -> None:
        """A picture is there: what is the newest that went into it?"""
        stamp = self.newest()
        if stamp is not None:
            age = (time.time_ns() - stamp) / MILLISECOND
            self.ages.append((time.monotonic(), age))


@contextmanager
def stormy(phases: list[tuple[int, float]]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The exchange on a core of its own, and the ``--set`` lines that lead to it."""
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.exchanges.kraken_storm",
         *(f"{rate}x{seconds}" for rate, seconds in phases)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        rest, ws = server.stdout.readline().split()
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(server.pid, cores[1:] or cores)
        yield server, [f"live.endpoints.rest={rest}", f"live.endpoints.ws={ws}"]
    finally:
        server.communicate("\n")


async def _told(server: subprocess.Popen[str]) -> dict[str, Any]:
    """What it says when all is sent."""
    assert server.stdout is not None
    told: dict[str, Any] = json.loads(await asyncio.to_thread(server.stdout.readline))
    return told


async def _live(phases: list[tuple[int, float]], directory: Path) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    ages = Ages()
    with stormy(phases) as (server, where):
        settings = load_settings(None, (*where, *ALONE)).settings
        request = RunRequest(
            settings, settings.effective(), feed="live", db=directory / "live.db", headless=False
        )
        os.sched_setaffinity(0, cores[:1])
        try:
            began = time.monotonic()
            desk = ages.desk = await Desk.open(request, publish=ages.publish)
            inner: Any = desk.feed
            inner.inner._gauge.stamped = ages.stamped
            running = asyncio.create_task(desk.run())
            while not desk.engine.core.market.symbol("XRP/BTC").book.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            first_book = time.monotonic() - began
            trading = asyncio.create_task(_trade(desk, running))
            cpu = time.process_time()
            told = await _told(server)
            cpu = time.process_time() - cpu
            ended = time.monotonic()
            trading.cancel()
            await asyncio.sleep(2)
            health = [f"{h.resyncs} resyncs, {h.rejected} rejected" for h in inner.health()]
            inputs = desk.engine.input_counts()
            merged = inner.inner._inbox.merged
            desk.driver.stop()
            await running
            summary = desk.summary()
            await desk.close()
        finally:
            os.sched_setaffinity(0, cores)
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
        **_kept(directory / "live.db", summary),
        "health": health[0],
        "cpu_us_per_message": cpu / sum(phase["sent"] for phase in told["phases"]) * 1e6,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _trade(desk: Desk, running: asyncio.Task[None]) -> None:
    """Positions opened and closed all through the storm."""
    live = Session(desk, cast("KrakenServer", None), running, [])
    while True:
        await asyncio.sleep(0.5)
        if desk.engine.books.execution.positions:
            desk.driver.submit(Flatten())
            await asyncio.sleep(0.5)
            desk.driver.submit(Resume())
        else:
            live.propose()


def _kept(db: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Orders and fills as the engine counted them, as the book of record has them, and its word."""
    with Reader(db) as reader:
        orders, fills = len(reader.orders(everything=True)), len(reader.fills())
    return {
        "orders": sum(summary["orders"].values()),
        "orders_kept": orders,
        "fills": summary["fills"],
        "fills_kept": fills,
        "verified": verify(db).ok,
    }


def drawn(directory: Path, seconds: float = 10.0) -> dict[str, Any]:
    """The whole console on a terminal at 120×40, on one core, at 5,000 messages a second."""
    told_to, cores = directory / "frames.json", sorted(os.sched_getaffinity(0))
    with stormy([(5000, seconds)]) as (server, where):
        words = ["run", "--feed", "live", "--db", str(directory / "drawn.db")]
        words += [part for line in where for part in ("--set", line)]
        env = {"HOME": str(directory), "TRADETERM_FRAMES": str(told_to)}
        with terminal("from tests.bench.live_console import main; main()", *words, env=env) as (
            master, child,
        ):  # fmt: skip
            os.sched_setaffinity(child.pid, cores[:1])
            reader = threading.Thread(target=_drain, args=(master, child, 120.0), daemon=True)
            reader.start()
            assert server.stdout is not None
            json.loads(server.stdout.readline())
            ended = time.monotonic()
            child.terminate()
            reader.join()
    frames = [(at, age) for at, age in json.loads(told_to.read_text())]
    return {**_spread(frames, ended - seconds, ended), "target_p99": 250.0}


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
