"""The console under full load: how soon a key is seen, and how late the engine gets meanwhile.

Full load is a new picture 1,000 times a second, each with another book, at 120×40. The engine's
lateness is that of a task which wants to wake every 20 ms on the engine's own loop, while a real
engine runs the simulated market there.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.console_runs import BUSY, _drain, _read, terminal

#: Of what is on its way to the terminal, the letters.
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;:?<=>$ ]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[78=>])")
#: A key, and what stands in the frame of the pane it leads to.
_KEYS = ((b"5", "┏━ 5 Events"), (b"1", "┏━ 1 Positions"), (b"7", "┏━ 7 Orders"))
#: Seconds of a bench of a terminal that does not read; TRADETERM_LONG makes it a minute.
STALL, LONG_STALL = 10.0, 60.0

#: A real engine, its picture made new 1,000 times a second, a probe on its loop.
LOADED = """
import asyncio, json, os, sys, threading, time
from msgspec.structs import replace
from tests.tui.pictures import book
from tests.wired.stage import request
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.engine_thread import EngineThread
from tradeterm.tui.options import ConsoleOptions
from pathlib import Path
folder, report = Path(sys.argv[1]), Path(sys.argv[2])
books = [book("BTC/USDT", 65014.0 + n, "0.1", 1.4, n) for n in range(97)]
class Loaded(EngineThread):
    n = 1
    def tick(self):
        due = time.perf_counter()
        while True:
            self.n += 1
            due += 0.001
            time.sleep(max(0, due - time.perf_counter()))
    @property
    def view(self):
        view, n = EngineThread.view.fget(self), self.n
        if not view.status.known:
            return view
        new = replace(books[n % 97], version=10**9 + n)
        return replace(view, version=10**9 + n, books={**view.books, "BTC/USDT": new})
session = Loaded(lambda: request("sim", folder / "run.db", seed=7, speed=60.0), lambda _: ConsoleOptions())
late = []
async def probe():
    while True:
        due = time.perf_counter() + 0.02
        await asyncio.sleep(0.02)
        late.append((time.monotonic(), 1000 * (time.perf_counter() - due)))
def watch():
    while session._loop is None:
        time.sleep(0.05)
    time.sleep(3)  # it has started
    session._loop.call_soon_threadsafe(lambda: setattr(session, "probe", session._loop.create_task(probe())))
    while True:
        time.sleep(0.5)
        report.with_suffix(".new").write_text(json.dumps(list(late)))
        os.replace(report.with_suffix(".new"), report)
threading.Thread(target=session.tick, daemon=True).start()
threading.Thread(target=watch, daemon=True).start()
TradetermApp(session).run()
"""


def key_reaction(samples: int = 60) -> dict[str, Any]:
    """Milliseconds from a key on the wire to the frame it moves, while everything is repainted."""
    chance, taken = random.Random(7), []
    with terminal(BUSY, "600", os.devnull) as (master, _):
        _seen(master, "┏━ 1 Positions", 20.0)
        for n in range(samples):
            _idle(master, 0.5 + chance.random() / 5)
            key, wanted = _KEYS[n % len(_KEYS)]
            began = time.perf_counter()
            os.write(master, key)
            _seen(master, wanted, 5.0)
            taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    p99 = taken[int(len(taken) * 0.99) - 1] if len(taken) >= 100 else taken[-1]
    return {"median_ms": median(taken), "p99_ms": p99, "samples": samples, "target": 100,
            "ratio": p99 / 100}  # fmt: skip


def _idle(master: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        _read(master, left)


def _seen(master: int, wanted: str, seconds: float) -> None:
    """Read until it is on the wire, colours aside."""
    until, kept = time.monotonic() + seconds, b""
    while time.monotonic() < until:
        kept = kept[-100_000:] + _read(master, 0.05)
        if wanted.encode() in _SEQUENCE.sub(b"", kept):
            return
    raise RuntimeError(f"{wanted!r} never reached the terminal")


def engine_lateness(directory: Path, seconds: float = 10.0) -> dict[str, Any]:
    """Of the engine's loop, with the terminal read, and then with one that does not read."""
    report = directory / "late.json"
    stall = LONG_STALL if "TRADETERM_LONG" in os.environ else STALL
    (directory / "desk").mkdir()
    with terminal(LOADED, str(directory / "desk"), str(report)) as (master, child):
        until = time.monotonic() + 30
        while not report.exists() or len(json.loads(report.read_text())) < 50:
            if time.monotonic() > until or child.poll() is not None:
                raise RuntimeError("the engine did not start")
            _read(master, 0.1)
        began = time.monotonic()
        _idle(master, seconds)
        frozen = time.monotonic()
        time.sleep(stall)
        ended = time.monotonic()
        time.sleep(0.7)  # the report is written twice a second
        late = json.loads(report.read_text())
        _drain(master, child, 2.0)
    read = sorted(one for at, one in late if began <= at < frozen)
    # The pipe to the terminal takes a moment to fill.
    stalled = sorted(one for at, one in late if frozen + 1 <= at < ended)
    return {
        "read": _percentiles(read, 20),
        "not_read": {"seconds": stall, **_percentiles(stalled, 250)},
    }


def _percentiles(late: list[float], target: float) -> dict[str, Any]:
    p99 = late[int(len(late) * 0.99)]
    return {"median_ms": median(late), "p99_ms": p99, "worst_ms": late[-1], "samples": len(late),
            "target": target, "ratio": p99 / target}  # fmt: skip
