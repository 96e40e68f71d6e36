"""The console on a pseudo-terminal: first paint, CPU share, and a halt nobody looks at."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fcntl import ioctl
from pathlib import Path
from sqlite3 import connect
from statistics import median
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

from tradeterm.control import send, socket_path
from tradeterm.model.commands import Halt, Resume

ROOT = Path(__file__).parents[2]
HEAVY = ("ccxt", "litellm", "numpy", "pyarrow", "pydantic", "talib")
EMPTY = "from textual.app import App; App().run()"
CONSOLE = "from tradeterm.cli import main; main()"
#: The session of the screen's own tests, with a new book in every picture, 1,000 times a second.
BUSY = """
import sys, threading, time
from msgspec.structs import replace
from tests.tui.pictures import FakeSession, book, busy
from tradeterm.tui.app import TradetermApp
session, first = FakeSession(busy()), busy()
def change():
    n, due = 1, time.perf_counter()
    books = [book("BTC/USDT", 65014.0 + n, "0.1", 1.4, n) for n in range(97)]
    while True:
        n += 1
        new = replace(books[n % 97], version=n)
        session._views = [replace(first, version=n, books={**first.books, "BTC/USDT": new})]
        due += 0.001
        time.sleep(max(0, due - time.perf_counter()))
threading.Thread(target=change, daemon=True).start()
app = TradetermApp(session)
def report():
    time.sleep(2)
    began, wall = time.process_time(), time.perf_counter()
    time.sleep(float(sys.argv[1]))
    share = (time.process_time() - began) / (time.perf_counter() - wall)
    open(sys.argv[2], "w").write(str(share))
    app.call_from_thread(app.exit)
threading.Thread(target=report, daemon=True).start()
app.run()
"""


@contextmanager
def terminal(
    code: str, *words: str, env: dict[str, str] | None = None, rows: int = 40, columns: int = 120
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A Python child on a pseudo-terminal: its master end and the process."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
    full = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONPATH": str(ROOT),
        **(env or {}),
    }
    full.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=full,
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield master, child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        _drain(master, child, 10.0)
        if child.poll() is None:
            child.kill()
        child.wait()
        os.close(master)


def _drain(master: int, child: subprocess.Popen[bytes], seconds: float) -> int:
    """Read until the child has ended: a terminal that nobody reads would hold it."""
    until, taken = time.monotonic() + seconds, 0
    while child.poll() is None and time.monotonic() < until:
        taken += len(_read(master, 0.05))
    return taken


def _read(master: int, wait: float) -> bytes:
    ready, _, _ = select.select([master], [], [], wait)
    try:
        return os.read(master, 65_536) if ready else b""
    except OSError:
        return b""


def first_paint(directory: Path, rounds: int = 5) -> dict[str, Any]:
    """Seconds until the first cells are on the terminal, beside an empty Textual app's."""
    env = {
        "HOME": str(directory),
        "XDG_DATA_HOME": str(directory / "data"),
        "XDG_STATE_HOME": str(directory / "state"),
    }
    ours: list[float] = []
    empty: list[float] = []
    for n in range(rounds + 1):
        mine, other = _painted(CONSOLE, env), _painted(EMPTY, env)
        if n:  # the first round only warms the bytecode
            ours.append(mine)
            empty.append(other)
    return {
        "ours": median(ours),
        "empty_textual": median(empty),
        "ratio": median(ours) / median(empty),
        "target": 1.5,
        "heavy_modules_before_paint": _heavy(env),
    }


def _painted(code: str, env: dict[str, str]) -> float:
    began = time.perf_counter()
    with terminal(code, env=env) as (master, child):
        seen = b""
        while time.perf_counter() - began < 30 and child.poll() is None:
            seen += _read(master, 1.0)
            # Textual frames each repaint in synchronised output; the first one has the cells.
            painted = seen.partition(b"\x1b[?1049h")[2]
            if b"\x1b[?2026l" in painted or len(painted) > 1500:
                return time.perf_counter() - began
    raise RuntimeError("nothing was painted in 30 seconds")


def _heavy(env: dict[str, str]) -> list[str]:
    """Heavy modules that importing all the first paint needs has brought in."""
    code = (
        "import sys, tradeterm.cli, tradeterm.tui.app, tradeterm.tui.engine_thread; "
        f"print(' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return output.split()


def ui_cpu(directory: Path, seconds: float = 6.0) -> dict[str, Any]:
    """Share of a core of the whole console process at 120×40, its picture new 1,000×/s."""
    report = directory / "cpu.txt"
    with terminal(BUSY, str(seconds), str(report)) as (master, child):
        painted = _drain(master, child, seconds + 20)
    percent = 100 * float(report.read_text())
    return {
        "percent_of_a_core": percent,
        "target": 15,
        "ratio": percent / 15,
        "bytes_painted": painted,
    }


def halt_latency(directory: Path, samples: int = 20) -> dict[str, Any]:
    """Milliseconds from a halt to its durable row while the terminal is not read: by key, and sent
    to the process as another shell does.
    """
    env = {"HOME": str(directory), "XDG_STATE_HOME": str(directory / "halt-state")}
    db = directory / "halt.db"
    code = f"import sys; sys.argv[1:] = ['--db', {str(db)!r}]; {CONSOLE}"
    with terminal(code, env=env) as (master, _):
        _until(lambda: bool(_read(master, 0.05)) and socket_path(db).exists(), master, 30)
        time.sleep(1)  # from here on nobody reads: the terminal's buffer fills up
        sent = [_halted(db) for _ in range(samples)]
        keys = [_halted_by_key(db, master) for _ in range(samples)]
    return {
        "median_ms": median(keys),
        "worst_ms": max(keys),
        "sent_median_ms": median(sent),
        "sent_worst_ms": max(sent),
        "samples": samples,
        "target": 100,
        "ratio": max(*keys, *sent) / 100,
    }


def _until(done: Callable[[], bool], master: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        _read(master, 0.01)
        if time.monotonic() > until:
            raise RuntimeError("the console did not come up")


def _halted(db: Path) -> float:
    """One halt: the reply comes when the row is durable; the file is asked to make sure."""
    began = time.perf_counter()
    result = send(db, Halt(reason="bench", actor="bench"))
    taken = 1000 * (time.perf_counter() - began)
    if result is None or not result.accepted or not _states(db):
        raise RuntimeError(f"the halt was not carried out: {result}")
    send(db, Resume(actor="bench"))
    time.sleep(0.1)
    return taken


def _halted_by_key(db: Path, master: int) -> float:
    """One press of H; the file is asked every millisecond."""
    rows, began = _states(db), time.perf_counter()
    os.write(master, b"H")
    while _states(db) == rows:
        if time.perf_counter() - began > 5:
            raise RuntimeError("the key did not halt")
        time.sleep(0.001)
    taken = 1000 * (time.perf_counter() - began)
    send(db, Resume(actor="bench"))
    time.sleep(0.5)  # the same key at once is a key held down
    return taken


def _states(db: Path) -> int:
    """Rows of the book that tell a new state of the run."""
    with closing(connect(f"file:{db}?mode=ro", uri=True)) as file:
        (rows,) = file.execute("SELECT count(*) FROM journal WHERE kind = 'state'").fetchone()
    return int(rows)
