"""Opening the store: where it lies, who may have it, which files are refused untouched."""

# ruff: noqa: ASYNC240 - these tests look at files; nobody waits for their loop
from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.store_story import LATER_STEPS, filler, run_started, trade
from tests.living import Stopwatch
from tradeterm.adapters.store import migrations
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.lock import StoreLock, current_holder
from tradeterm.adapters.store.migrations import MIGRATIONS, Migration, applied, migrate
from tradeterm.adapters.store.paths import default_path, locate
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreDamaged, StoreError, StoreLocked, StoreUnwritable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def umask_022() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- where -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("umask_022")
async def test_default_store_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    async with await Store.open() as store:
        await store.append(Slice(filler(3)))
        directory = tmp_path / "data" / "tradeterm"
        assert mode(directory) == 0o700
        files = {path.name: mode(path) for path in directory.iterdir()}
    assert {"tradeterm.db", "tradeterm.db-wal", "tradeterm.db-shm", "tradeterm.db.lock"} <= set(
        files
    )
    assert set(files.values()) == {0o600}
    assert mode(directory / "tradeterm.db.head") == 0o600


@pytest.mark.usefixtures("umask_022")
async def test_store_left_readable_by_others_is_made_private(file: Path) -> None:
    await (await Store.open(file)).close()
    file.chmod(0o644)
    await (await Store.open(file)).close()
    assert mode(file) == 0o600


def test_without_any_home_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda text: text)
    with pytest.raises(StoreUnwritable, match="HOME is not set"):
        default_path()


async def test_missing_directory_and_directory_as_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="mkdir -p"):
        await Store.open(tmp_path / "absent" / "book.db")
    with pytest.raises(StoreUnwritable, match="is a directory"):
        await Store.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write anywhere; the product's user may not."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


async def test_read_only_directory_is_named_and_nothing_is_half_created() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o555)
        with (
            ordinary_user(),
            pytest.raises(StoreUnwritable, match=f"the directory {directory} cannot be written"),
        ):
            await Store.open(directory / "book.db")
        assert list(directory.iterdir()) == []


async def test_store_in_a_read_only_directory_can_still_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "book.db"
        async with await Store.open(file) as store:
            await store.append(Slice(filler(5)))
        file.chmod(0o644)
        file.with_name("book.db.head").chmod(0o644)
        file.parent.chmod(0o555)
        with ordinary_user():
            with Reader(file) as reader:
                assert reader.last_seq() == 5
            assert verify(file).ok


async def test_absent_store_is_not_created_unless_asked(file: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        await Store.open(file, create=False)
    with pytest.raises(StoreError, match="no store at"):
        Reader(file)
    assert not file.exists()


# -- one at a time ---------------------------------------------------------------------------


async def test_second_start_is_told_who_has_it_also_through_a_link(file: Path) -> None:
    link = file.parent / "link.db"
    link.symlink_to(file)
    async with await Store.open(file):
        for path in (file, link):
            watch = Stopwatch()
            with pytest.raises(StoreLocked, match=f"already running: pid {os.getpid()} since 20"):
                await Store.open(path)
            assert watch.seconds < 1
        holder = current_holder(locate(link))
        assert holder is not None
        assert holder.pid == os.getpid()
    assert StoreLocked.exit_code == 3
    assert current_holder(locate(file)) is None
    await (await Store.open(link)).close()


async def test_lock_dies_with_its_holder(file: Path) -> None:
    code = (
        "import asyncio, time\nfrom pathlib import Path\n"
        "from tradeterm.adapters.store.journal import Store\n"
        "async def main():\n"
        "    store = await Store.open(Path(sys.argv[1])); print('open', flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(main())"
    )
    with child(code, str(file)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"pid {process.pid}"):
            await Store.open(file)
        process.send_signal(signal.SIGKILL)
    await (await Store.open(file)).close()


def test_lock_file_without_content_still_locks(file: Path) -> None:
    lock = StoreLock.acquire(locate(file))
    file.with_name("book.db.lock").write_text("")
    with pytest.raises(StoreLocked, match="another process has"):
        StoreLock.acquire(locate(file))
    lock.release()


# -- what is refused -------------------------------------------------------------------------


def _zero(file: Path) -> None:
    file.write_bytes(b"")


def _foreign(file: Path) -> None:
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (name)")


def _text(file: Path) -> None:
    file.write_text("dear diary " * 100)


def _truncated(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size // 2)


def _truncated_header(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.truncate(50)


def _newer(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO migrations VALUES (99, 'warp drive', '2030')")
        db.commit()


def _tail_cut(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("DELETE FROM journal WHERE seq > 150")
        db.commit()


def _row_changed(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE journal SET body = '{}' WHERE seq = 190")
        db.commit()


def _gone(file: Path) -> None:
    file.unlink()


CASES: list[tuple[Callable[[Path], None], str]] = [
    (_zero, r"empty \(0 bytes\).*mv "),
    (_foreign, "some other program"),
    (_text, "not a SQLite database"),
    (_truncated, "truncated"),
    (_truncated_header, "truncated"),
    (_newer, rf"schema 99 \(warp drive\), this version knows up to {MIGRATIONS[-1].number}"),
    (_tail_cut, "rows 151 to 201 had been confirmed and are gone"),
    (_row_changed, "journal row 190"),
    (_gone, "the file is gone but book.db.head is still there"),
]


@pytest.mark.parametrize(("spoil", "words"), CASES, ids=lambda x: getattr(x, "__name__", ""))
async def test_damaged_file_is_named_and_left_as_it_is(
    file: Path, spoil: Callable[[Path], None], words: str
) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice([run_started(), *filler(200)]))
    spoil(file)
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(StoreDamaged, match=words):
        await Store.open(file)
    assert (file.read_bytes() if file.exists() else None) == before
    if file.exists():
        outcome = verify(file)
        assert not outcome.ok
        assert outcome.problems[0].what
    # The lock was given back: the remedy can be carried out.
    assert current_holder(locate(file)) is None


_ABANDON = """
import asyncio, os
from pathlib import Path
from tests.adapters.store_story import filler
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice

async def main():
    store = await Store.open(Path(sys.argv[1]))
    for n in range(20):
        await store.append(Slice(filler(10, 1 + 10 * n)))
    await store._write_head(store._tail)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_missing_log_of_a_killed_process_is_noticed(file: Path) -> None:
    with child(_ABANDON, str(file)) as process:
        process.communicate(timeout=30)
    log = file.with_name("book.db-wal")
    kept = log.read_bytes()
    log.unlink()
    before = file.read_bytes()
    with pytest.raises(StoreDamaged, match=r"rows 1 to 200 .* and book\.db-wal is missing"):
        await Store.open(file)
    assert file.read_bytes() == before
    log.write_bytes(kept)
    async with await Store.open(file) as store:
        assert store.last_seq == 200


# -- migrations ------------------------------------------------------------------------------


def test_migrations_are_recorded_and_taken_once(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        assert migrate(db, file) == [step.name for step in MIGRATIONS]
        assert migrate(db, file, LATER_STEPS) == ["notes", "fill"]
        assert migrate(db, file, LATER_STEPS) == []
        assert list(applied(db)) == [step.number for step in LATER_STEPS]
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER_STEPS),)


async def test_file_of_an_older_shape_gets_its_tables_anew_from_the_journal(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(trade()))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        whole = [db.execute(f"SELECT * FROM {name}").fetchall() for name in ("orders", "positions")]
        assert all(whole)
        db.execute("DROP TABLE positions")
        db.execute("CREATE TABLE positions (run, id)")  # as if it knew less of them
        db.execute("DELETE FROM orders WHERE id = 'PAPER-2'")
        for name in ("postings", "conflicts", "resolutions"):  # and kept these in tables
            db.execute(f"DROP VIEW {name}")
            db.execute(f"CREATE TABLE {name} (run)")
        db.execute("DELETE FROM migrations WHERE number >= 3")
        db.execute("PRAGMA user_version = 2")
        migrate(db, file)
        again = [db.execute(f"SELECT * FROM {name}").fetchall() for name in ("orders", "positions")]
        assert again == whole
    assert verify(file).ok


def test_file_that_kept_outputs_and_verdicts_in_tables_reads_them_off_the_journal(
    file: Path,
) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        migrate(db, file, MIGRATIONS[:1])
        for table in ("agent_outputs", "equity_marks", "verdicts"):
            db.execute(f"CREATE TABLE {table} (run)")
        db.execute("INSERT INTO runs VALUES (1, 1, 5)")
        body = (
            '{"agent":"a","by":"RULES","inputs":["out-0"],'
            '"output":{"symbol":"BTC/USDT","action":"BUY","confidence":0.5}}'
        )
        said = (2, 7, "agent_output", "out-1", body)
        marks = (3, 9, "equity", "eq-1", '{"marks":[[8,"1.5"],[9,"2.5"]]}')
        body = '{"status":"rejected","codes":["paused"],"intent":null,"content_hash":"h"}'
        refused = (4, 9, "verdict", "ver-1", body)
        rows = (said, marks, refused)
        db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, '', 1, ?, x'00')", rows)
        migrate(db, file)
        assert db.execute("SELECT * FROM agent_outputs").fetchall() == [
            (1, "out-1", 7, "a", "RULES", "BTC/USDT", "BUY", 0.5, '["out-0"]', 2)
        ]
        assert db.execute("SELECT * FROM equity_marks WHERE run = 1").fetchall() == [
            (1, 8, 3, 0, "1.5"),
            (1, 9, 3, 1, "2.5"),
        ]
        assert db.execute("SELECT * FROM verdicts WHERE status = 'rejected'").fetchall() == [
            (1, "ver-1", 9, "", "rejected", '["paused"]', None, "h", 4)
        ]


def test_failing_migration_leaves_the_schema_before_it(file: Path) -> None:
    steps = ("CREATE TABLE notes (a)", "CREATE nonsense")
    broken = (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "half", steps))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, file, broken)
        assert list(applied(db)) == [step.number for step in MIGRATIONS]
        assert db.execute("SELECT * FROM sqlite_master WHERE name = 'notes'").fetchone() is None


_DIE_HALF_WAY = """
import os, sqlite3
from pathlib import Path
from tests.adapters.store_story import LATER_STEPS
from tradeterm.adapters.store.migrations import migrate

class Mortal(sqlite3.Connection):
    left = int(sys.argv[2])
    def execute(self, *args):
        if Mortal.left == 0:
            os.kill(os.getpid(), 9)
        Mortal.left -= 1
        return super().execute(*args)

db = sqlite3.connect(sys.argv[1], isolation_level=None, factory=Mortal)
migrate(db, Path(sys.argv[1]), LATER_STEPS)
"""


def test_migration_killed_at_any_statement_is_whole_or_absent(tmp_path: Path) -> None:
    for statements in (3, 9, 20, 26, 31, 34):
        file = tmp_path / f"{statements}.db"
        with child(_DIE_HALF_WAY, str(file), str(statements)) as process:
            process.communicate(timeout=30)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
            done = applied(db)
            assert list(done) == list(range(1, len(done) + 1))
            assert db.execute("PRAGMA user_version").fetchone() == (len(done),)
            migrate(db, file, LATER_STEPS)
            assert list(applied(db)) == [step.number for step in LATER_STEPS]
            assert db.execute("SELECT count(*) FROM notes").fetchone() == (1,)


async def test_store_with_an_older_schema_is_brought_up_to_date(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Store.open(file)).close()
    monkeypatch.setattr(migrations.pending, "__defaults__", (LATER_STEPS,))
    monkeypatch.setattr(migrations.migrate, "__defaults__", (LATER_STEPS,))
    with pytest.raises(StoreError, match="older schema"):
        Reader(file)
    async with await Store.open(file) as store:
        await store.append(Slice(filler(1)))
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert list(applied(db)) == [step.number for step in LATER_STEPS]


def test_half_created_store_is_started_over(file: Path) -> None:
    file.with_name("book.db.new").write_bytes(b"half")
    code = (
        "import asyncio\nfrom pathlib import Path\n"
        "from tradeterm.adapters.store.journal import Store\n"
        "async def main():\n    async with await Store.open(Path(sys.argv[1])) as s:\n"
        "        print(s.last_seq, s.run)\nasyncio.run(main())"
    )
    with child(code, str(file)) as process:
        out, err = process.communicate(timeout=30)
    assert (out.split(), err) == (["0", "0"], "")
    assert sorted(x.name for x in file.parent.iterdir()) == ["book.db", "book.db.lock"]


async def test_a_store_with_a_second_name_is_refused(file: Path) -> None:
    async with await Store.open(file) as store:
        assert store.last_seq == 0
        file.with_name("other.db").hardlink_to(file)
        with pytest.raises(StoreError, match=r"other\.db has 2 names \(hard links\).*--db"):
            await Store.open(file.with_name("other.db"))
    with pytest.raises(StoreError, match="hard links"):
        await Store.open(file)
    file.with_name("other.db").unlink()
    async with await Store.open(file) as store:
        assert store.last_seq == 0
