"""kill -9 at any moment: every acknowledged row is there, the chain holds, nothing is doubled."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.adapters.store_story import filler
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice
from tradeterm.adapters.store.verify import verify

_WRITER = """
import asyncio, os, sys
from pathlib import Path
from tests.adapters.store_story import filler, trade
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice, Snapshot

async def main(path):
    store = await Store.open(path)
    if store.last_seq == 0:
        await store.append(Slice(trade()))
    n = 0
    os.write(1, b"%d\\n" % store.last_seq)
    while True:
        n += 1
        size = (1, 2, 40, 1000)[n % 4]
        snapshot = Snapshot(n, os.urandom(3000)) if n % 3 == 0 else None
        seq = await store.append(Slice(filler(size, store.last_seq + 1), snapshot))
        os.write(1, b"%d\\n" % seq)

asyncio.run(main(Path(sys.argv[1])))
"""


def _run_and_kill(file: Path, after: float) -> int:
    """The last row number the child acknowledged before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        first = process.stdout.readline()
        assert first.strip(), process.stderr.read()
        time.sleep(after)
        process.kill()
        lines = (first + process.stdout.read()).split("\n")
    return int([line for line in lines[:-1] if line][-1])


@pytest.mark.parametrize("seed", range(6))
async def test_killed_writer_loses_no_acknowledged_row(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "book.db"
    draw = random.Random(seed)
    for _ in range(2):  # the second life begins on what the first one left
        acknowledged = _run_and_kill(file, draw.uniform(0.0, 0.12))
        with Reader(file) as reader:
            assert reader.last_seq() >= acknowledged
            found = reader.snapshot()
            assert found is None or found[0] <= reader.last_seq()
        outcome = verify(file)
        assert outcome.ok, outcome.problems
    async with await Store.open(file) as store:
        recovered = store.recover()
        assert recovered is not None
        rows = [row.seq for row in recovered.rows()]
        assert rows == list(range(recovered.snapshot_seq + 1, store.last_seq + 1))
        await store.append(Slice(filler(10)))
    assert verify(file).ok


_STUBBORN = """
import asyncio, sys
from pathlib import Path
from tests.adapters.store_story import filler
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.errors import StoreUnwritable

async def main(path):
    store, refused = await Store.open(path), []
    for n in range(30):
        piece = Slice(filler(60, 1 + 60 * n))
        while True:
            used = store._writer
            try:
                assert await store.append(piece) == 60 * (n + 1)
            except StoreUnwritable as error:
                refused.append(str(error))
                assert store._writer is None or store._writer is not used
            else:
                break
    await store.close()
    print(len(refused), refused[0])

asyncio.run(main(Path(sys.argv[1])))
"""


def _can_trace() -> bool:
    tracer = shutil.which("strace")
    return (
        tracer is not None and subprocess.run([tracer, "-qq", "true"], check=False).returncode == 0
    )


async def made(file: Path) -> None:
    """An empty store."""
    await (await Store.open(file)).close()


@pytest.mark.skipif(not _can_trace(), reason="needs strace to make fsync fail")
@pytest.mark.parametrize("when", [6, 12])
def test_failed_fsync_drops_the_connection_and_loses_nothing(tmp_path: Path, when: int) -> None:
    file = tmp_path / "book.db"
    asyncio.run(made(file))  # migrations write, too: the fault is for those who trade
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(tmp_path / "trace"),
            "-e",
            "trace=fdatasync",
            "-e",
            f"inject=fdatasync:error=EIO:when={when}",
            sys.executable,
            "-c",
            _STUBBORN,
            str(file),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    assert "SQLITE_IOERR_FSYNC" in done.stdout
    outcome = verify(file)
    assert (outcome.ok, outcome.rows) == (True, 1800)
