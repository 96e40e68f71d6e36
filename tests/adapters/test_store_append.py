"""Slices go in whole, in order, durably; or not at all, and can be given again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.store_story import filler, run_started, trade
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreDamaged, StoreError, StoreUnwritable
from tradeterm.model.messages import Row


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


async def test_rows_are_numbered_without_gaps_across_slices_and_restarts(file: Path) -> None:
    async with await Store.open(file) as store:
        assert await store.append(Slice([run_started()])) == 1
        assert await store.append(Slice(filler(1000))) == 1001
        assert await store.append(Slice([])) == 1001
    async with await Store.open(file) as store:
        assert (store.last_seq, store.run) == (1001, 1)
        assert await store.append(Slice(filler(7, 1001))) == 1008
    with Reader(file) as reader:
        assert [row.seq for row in reader.rows_after(0)] == list(range(1, 1009))
    outcome = verify(file)
    assert (outcome.ok, outcome.rows, outcome.problems) == (True, 1008, [])


async def test_concurrent_appends_keep_their_order(file: Path) -> None:
    async with await Store.open(file) as store:
        pieces = [Slice(filler(3, 1 + 3 * n)) for n in range(20)]
        ends = await asyncio.gather(*(store.append(piece) for piece in pieces))
        assert ends == [3 * n + 3 for n in range(20)]
    with Reader(file) as reader:
        assert [row.id for row in reader.rows_after(0)] == [f"sys-{n}" for n in range(1, 61)]


async def test_cancelled_append_is_whole_or_absent_and_the_store_goes_on(file: Path) -> None:
    async with await Store.open(file) as store:
        for n in range(30):
            task = asyncio.create_task(store.append(Slice(filler(10, 1 + 10 * n))))
            for _ in range(n % 6):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await store.append(Slice(filler(1, 10_000)))
        assert (store.last_seq - 1) % 10 == 0
    assert verify(file).ok


def test_loop_torn_down_in_the_middle_leaves_whole_slices(file: Path) -> None:
    async def main() -> None:
        store = await Store.open(file)
        await store.append(Slice([run_started()]))
        tasks = [
            asyncio.ensure_future(store.append(Slice(filler(50, 1 + 50 * n)))) for n in range(5)
        ]
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.append(Slice(filler(1, 999)))
        await store.close()

    asyncio.run(main())
    outcome = verify(file)
    assert outcome.ok, outcome.problems
    assert (outcome.rows - 2) % 50 == 0


async def test_contradicting_slice_is_refused_whole_and_the_next_one_accepted(file: Path) -> None:
    rows = trade()
    twice = next(row for row in rows if row.kind == "fill")
    async with await Store.open(file) as store:
        end = await store.append(Slice(rows))
        with pytest.raises(StoreError, match="contradicts the book of record"):
            await store.append(Slice([*filler(3), twice]))
        assert store.last_seq == end
        assert await store.append(Slice(filler(1))) == end + 1
    assert verify(file).ok


async def test_row_with_a_strange_body_is_named_and_nothing_is_written(file: Path) -> None:
    async with await Store.open(file) as store:
        for bad, words in (
            (Row(1, "fill", "fill-1", "", 1, b'{"id": "fill-1"}'), "fill fill-1"),
            (Row(1, "system", "s", "", 1, b"\xff"), "cannot be stored"),
            (Row(2**70, "system", "s", "", 1, b"{}"), "cannot be stored"),
            (Row(1, "card", "card-1", "", 1, b"{"), "card card-1"),
        ):
            with pytest.raises(StoreError, match=words):
                await store.append(Slice([*filler(2), bad]))
        assert await store.append(Slice(filler(1))) == 1
    assert verify(file).rows == 1


async def test_full_database_refuses_then_takes_the_same_slice_in_order(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice([run_started()]))
        assert store._db is not None
        await store._db.execute_fetchall("PRAGMA max_page_count = 60")
        first, second = Slice(filler(1000)), Slice(filler(1, 1001))
        with pytest.raises(StoreUnwritable, match="full"):
            await store.append(first)
        assert store.last_seq == 1
        with pytest.raises(StoreUnwritable, match="earlier slice of 1000 rows"):
            await store.append(second)
        assert await store.append(first) == 1001  # a new connection has no such limit
        assert await store.append(second) == 1002
    assert verify(file).ok


async def test_commit_that_failed_but_landed_is_not_written_twice(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice([run_started()]))
        writer = store._writer
        assert writer is not None
        confirmed = store._tail
        piece = Slice(filler(5))
        await store.append(piece)
        await store._drop()
        store._tail = confirmed  # as after an error reported by the COMMIT itself
        assert await store.append(piece) == 6
        assert await store.append(Slice(filler(1, 6))) == 7
    outcome = verify(file)
    assert (outcome.ok, outcome.rows) == (True, 7)


async def test_lost_confirmed_rows_are_noticed_when_reopening_after_a_failure(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(filler(5)))
        await store._drop()
        file.with_name("book.db.head").unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(file)) as vandal:
            vandal.execute("DELETE FROM journal WHERE seq > 3")
            vandal.commit()
        with pytest.raises(StoreDamaged):
            await store.append(Slice(filler(1, 6)))


_LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from tests.adapters.store_story import filler, run_started
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.errors import StoreUnwritable

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await Store.open(path)
    await store.append(Slice([run_started()]))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    n, refused = 0, 0
    while n < 20:
        piece = Slice(filler(200, 1 + 200 * n))
        try:
            assert await store.append(piece) == 201 + 200 * n
        except StoreUnwritable as error:
            refused += 1
            assert refused == 1, "space is back, it must go through"
            assert store.last_seq == 1 + 200 * n
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            assert await store.append(piece) == 201 + 200 * n
        n += 1
    await store.close()
    print(refused, store.last_seq)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_file_size_limit_in_the_middle_of_a_run_loses_nothing(file: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "4001"]
    outcome = verify(file)
    assert (outcome.ok, outcome.rows) == (True, 4001)


async def test_only_the_last_three_snapshots_are_kept(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice([run_started()]))
        for n in range(5):
            await store.append(Slice(filler(2, 1 + 2 * n), Snapshot(n, b"state %d" % n, b"mark")))
    with Reader(file) as reader, contextlib.closing(sqlite3.connect(file)) as db:
        assert reader.snapshot() == (11, Snapshot(4, b"state 4", b"mark"))
        assert db.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall() == [
            (7,),
            (9,),
            (11,),
        ]
        db.execute("UPDATE snapshots SET body = x'00' WHERE seq = 11")
        db.commit()
        assert reader.snapshot() == (9, Snapshot(3, b"state 3", b"mark"))
    assert verify(file).problems[0].where == "snapshot after row 11"


async def test_head_file_follows_the_journal_and_is_exact_after_closing(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(filler(5)))
        await store.append(Slice(filler(5, 6)))
    with contextlib.closing(sqlite3.connect(file)) as db:
        ((seq, newest),) = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
    expected = {"seq": 10, "hash": newest.hex()}
    assert (json.loads(file.with_name("book.db.head").read_text()), seq) == (expected, 10)
