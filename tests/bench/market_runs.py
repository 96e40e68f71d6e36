"""The simulated day, the recorded tape, and the bare path of a book update."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

from tradeterm.desk import Desk
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.model.market import BookDelta, BookSnapshot, MarketEvent
from tradeterm.model.timing import MILLISECOND
from tradeterm.model.vocabulary import MarketMode
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings

DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))
TAPE = "books/binance_spot_BTC_ETH_2024-08-08.jsonl.gz"
DELTAS = 200_000


async def _run(feed: str, db: Path, until: str | None) -> dict[str, Any]:
    settings = load_settings(None, ()).settings
    request = RunRequest(settings, settings.effective(), feed=feed, db=db, until=until)
    began = time.perf_counter()
    desk = await Desk.open(request)
    await desk.run()
    seconds = time.perf_counter() - began
    market = desk.engine.now - desk.feed.start
    await desk.close()
    return {
        "seconds": seconds,
        "market_seconds": market / 1e9,
        "rows": desk.store.last_seq,
        "inputs": desk.engine.inputs,
    }


def sim_day(directory: Path, rounds: int = 2) -> dict[str, Any]:
    """Seconds of a simulated market day at the greatest speed."""
    runs = [asyncio.run(_run("sim", directory / f"day{n}.db", "1d")) for n in range(rounds)]
    seconds = median(run["seconds"] for run in runs)
    return {
        "seconds": seconds,
        "target": 3.0,
        "ratio": seconds / 3.0,
        "rows": runs[-1]["rows"],
        "inputs": runs[-1]["inputs"],
    }


def tape(directory: Path, rounds: int = 2) -> dict[str, Any]:
    """How many times faster than real time the recorded tape runs; loading included."""
    file = DATA / TAPE
    if not file.exists():
        return {"skipped": "the recorded data is absent (TRADETERM_DATA)"}
    runs = [
        asyncio.run(_run(f"replay:{file}", directory / f"tape{n}.db", None)) for n in range(rounds)
    ]
    seconds = median(run["seconds"] for run in runs)
    times = runs[-1]["market_seconds"] / seconds
    return {
        "seconds": seconds,
        "times_real_time": times,
        "target": 50,
        "ratio": times / 50,
        "inputs": runs[-1]["inputs"],
    }


def book_updates(_directory: Path, rounds: int = 3, count: int = DELTAS) -> dict[str, Any]:
    """Deltas per second through the engine, and through two plain dicts (the floor)."""
    events = _deltas(count)
    engines, floors = [], []
    for _ in range(rounds):
        engines.append(_through_engine(events))
        floors.append(_through_dicts(events))
    ours, floor = count / median(engines), count / median(floors)
    return {"deltas": count, "ours": ours, "raw_dicts": floor, "ratio": ours / floor}


def _deltas(count: int) -> list[MarketEvent]:
    start = 1_748_822_400 * 10**9
    bids = tuple((65_000.0 - n / 10, 1.0 + n % 7) for n in range(50))
    asks = tuple((65_000.1 + n / 10, 1.0 + n % 5) for n in range(50))
    events: list[MarketEvent] = [BookSnapshot(start, "BTC/USDT", bids, asks)]
    for n in range(count):
        bid = ((bids[n * 7 % 50][0], float(n % 9 and 1 + n % 4)),)
        ask = ((asks[n * 11 % 50][0], float(n % 8 and 1 + n % 3)),)
        events.append(BookDelta(start + (n + 1) * MILLISECOND, "BTC/USDT", bid, ask))
    return events


def _through_engine(events: list[MarketEvent]) -> float:
    settings = load_settings(None, ()).settings
    instrument = settings.market.instrument("BTC/USDT")
    assert instrument is not None
    engine = Engine(
        settings, {"BTC/USDT": instrument}, ("BTC/USDT",), MarketMode.SIM, 1, Approver()
    )
    engine.begin(events[0].ts, "run")
    began = time.perf_counter()
    index = 0
    while index < len(events):
        index = engine.run(events, index, min(index + 256, len(events)))
    return time.perf_counter() - began


def _through_dicts(events: list[MarketEvent]) -> float:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    began = time.perf_counter()
    for event in events:
        if isinstance(event, BookDelta | BookSnapshot):
            for side, levels in ((bids, event.bids), (asks, event.asks)):
                for price, size in levels:
                    if size:
                        side[price] = size
                    else:
                        side.pop(price, None)
    return time.perf_counter() - began
