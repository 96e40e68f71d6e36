"""Durable commits and rows per second of the store, beside raw sqlite3; prints JSON.

``python -m tests.bench.store_commits [directory]``
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.adapters.store_story import filler, run_started
from tradeterm.adapters.store import schema
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import GENESIS, Slice
from tradeterm.adapters.store.verify import verify

COMMITS = 2000
SLICES = 200


def raw_commits(file: Path) -> float:
    """Commits per second of one row each: same table, same pragmas, nothing else."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(schema.JOURNAL)
        for index in schema.INDEXES[:3]:
            db.execute(index)
        rows = [
            (n, row.ts, row.kind, row.id, row.parent, row.input, row.body.decode(), GENESIS)
            for n, row in enumerate(filler(COMMITS), 1)
        ]
        began = time.perf_counter()
        for row in rows:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO journal VALUES (?,?,?,?,?,?,?,?)", row)
            db.execute("COMMIT")
        return COMMITS / (time.perf_counter() - began)


async def store_rates(file: Path) -> dict[str, float]:
    """One-row commits, 1,000-row slices, and the latter beside a busy thread, per second."""
    async with await Store.open(file) as store:
        await store.append(Slice([run_started()]))
        ones = [Slice(filler(1, n)) for n in range(1, COMMITS + 1)]
        commits = COMMITS / await _timed(store, ones)
        many = [Slice(filler(1000, 1000 * n)) for n in range(10, 10 + SLICES)]
        rows = 1000 * SLICES / await _timed(store, many)
        stop = threading.Event()
        burner = threading.Thread(target=_burn, args=(stop,))
        burner.start()
        try:
            some = [Slice(filler(1000, 10**6 * n)) for n in range(1, 21)]
            beside = 20_000 / await _timed(store, some)
        finally:
            stop.set()
            burner.join()
    return {"one_row_commits": commits, "rows_in_slices": rows, "rows_beside_busy_thread": beside}


async def _timed(store: Store, pieces: list[Slice]) -> float:
    began = time.perf_counter()
    for piece in pieces:
        await store.append(piece)
    return time.perf_counter() - began


def _burn(stop: threading.Event) -> None:
    total = 0
    while not stop.is_set():
        for n in range(1000):
            total += n


def measure(directory: Path) -> dict[str, float]:
    """Everything, in units per second."""
    figures = {"raw_sqlite3_one_row_commits": raw_commits(directory / "raw.db")}
    figures |= asyncio.run(store_rates(directory / "book.db"))
    began = time.perf_counter()
    outcome = verify(directory / "book.db")
    if not outcome.ok:
        raise RuntimeError(str(outcome.problems[0]))
    figures["verified_rows"] = outcome.rows / (time.perf_counter() - began)
    began = time.perf_counter()
    with Reader(directory / "book.db") as reader:
        count = sum(1 for _ in reader.rows_after(0))
    figures["rows_read"] = count / (time.perf_counter() - began)
    return {name: round(value) for name, value in figures.items()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1])), indent=2))
    else:
        with tempfile.TemporaryDirectory(dir=".") as name:
            print(json.dumps(measure(Path(name)), indent=2))
