"""What may happen around a console: suspended, orphaned, shouted over, a part of it failing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from tests.living import wait_for
from tests.terminal.conftest import Start
from tests.terminal.screen import LEFT_ALTERNATE, Terminal, child_environment
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreError

pytestmark = [pytest.mark.terminal, pytest.mark.slow]

FAST = ("--speed", "1800", "--seed", "7")
#: A secret in every form a run can come across it: in the environment, and in what fails.
CANARY = "sk-canary-5f3ab1c09d77e24680"


def state_of(pid: int) -> str:
    """As the kernel has it: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def at_start(home: Path, code: str) -> dict[str, str]:
    """Environment in which every Python runs some code of ours first."""
    folder = home / "before"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    path = child_environment(home)["PYTHONPATH"]
    return {"PYTHONPATH": f"{folder}{os.pathsep}{path}"}


def finished(db: Path) -> bool:
    try:
        with Reader(db) as reader:
            return reader.run_info()["finished"] is not None
    except StoreError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_a_suspended_console_goes_on_where_it_was(start: Start, number: int) -> None:
    terminal = start(*FAST)
    terminal.until(lambda: terminal.rows("position"))
    terminal.signal(number)
    terminal.watch(2.0)
    terminal.signal(signal.SIGCONT)
    wait_for(lambda: state_of(terminal.pid) != "T", 5)
    told = terminal.until(lambda: re.search(r"the screen was suspended (\d+) s", terminal.text))
    assert 2 <= int(told[1]) < 10
    terminal.press("H")
    terminal.until(lambda: terminal.state()[0] == "halted")
    terminal.until("HALTED")
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()
    assert verify(terminal.db).problems == []


def test_when_the_shell_is_killed_the_engine_winds_down(tmp_path: Path, home: Path) -> None:
    db = tmp_path / "run.db"
    words = f"{sys.executable} -m tradeterm --db {db} --speed 1800 --seed 7"
    shell = pexpect.spawn(
        "/bin/sh", ["-c", f"{words}; true"], dimensions=(40, 120), env=child_environment(home),
        cwd=str(home),
    )  # fmt: skip
    try:
        give_up = time.monotonic() + 60
        while b"RUNNING" not in (shell.before or b""):
            assert time.monotonic() < give_up
            shell.expect([b"RUNNING", pexpect.TIMEOUT], timeout=1)
            if isinstance(shell.after, bytes):
                break
        (child,) = subprocess.check_output(["pgrep", "-P", str(shell.pid)], text=True).split()
        os.kill(shell.pid, signal.SIGKILL)
        wait_for(lambda: finished(db), 15)
        wait_for(lambda: not Path(f"/proc/{child}").exists() or state_of(int(child)) == "Z", 10)
    finally:
        shell.close(force=True)
    assert verify(db).problems == []


def test_what_a_library_writes_never_reaches_the_terminal(start: Start, home: Path) -> None:
    noise = (
        "import os, sys, threading, time, logging\n"
        "own = logging.StreamHandler(sys.stderr)\n"
        "def shout():\n"
        "    while True:\n"
        "        time.sleep(0.05)\n"
        "        os.write(2, b'LIBRARY to 2 \\x1b[31m\\n')\n"
        "        os.write(1, b'LIBRARY to 1\\n')\n"
        "        own.emit(logging.makeLogRecord({'msg': 'LIBRARY by its own handler'}))\n"
        "if 'tradeterm' in ' '.join(sys.orig_argv):\n"
        "    late = threading.Timer(2.0, shout)\n"
        "    late.daemon = True\n"
        "    late.start()\n"
    )
    terminal = start(*FAST, env=at_start(home, noise))
    terminal.until(lambda: terminal.rows("position"))
    terminal.until(lambda: b"LIBRARY to 2" in log_of(home))
    terminal.watch(1.0)
    assert "LIBRARY" not in terminal.text
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()
    during = bytes(terminal.raw).rpartition(b"\x1b[?1049h")[2].partition(b"\x1b[?1049l")[0]
    assert b"LIBRARY" not in during
    kept = log_of(home)
    for line in (b"LIBRARY to 1", b"LIBRARY by its own handler"):
        assert line in kept
    assert b"\x1b" not in kept


def log_of(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("tradeterm.log"))


#: Fails in a place of its own as soon as there is a position.
PANE = (
    "import tradeterm.tui.panes.chart as chart\n"
    "def broken(*_):\n"
    "    key = {secret!r}\n"
    "    raise RuntimeError('drawing failed with api_key=' + key)\n"
    "chart.draw = broken\n"
)


def test_a_pane_that_fails_stays_alone(start: Start, home: Path) -> None:
    """And neither its words nor its traceback give a secret away."""
    env = at_start(home, late(PANE.format(secret=CANARY), "tradeterm.tui.app"))
    terminal = start(*FAST, env={**env, "TEST_API_KEY": CANARY})
    terminal.until("panel failed: RuntimeError")
    terminal.until(lambda: terminal.rows("position"))
    terminal.press("H")
    terminal.until(lambda: terminal.state()[0] == "halted")
    terminal.press("S")
    terminal.until(lambda: list(home.rglob("*.svg")))  # what is said of it yields to the alarm
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_sane()
    assert b"drawing failed" in log_of(home)
    assert_nowhere(CANARY, terminal, home)


def test_when_the_screen_dies_the_engine_winds_down(start: Start, home: Path) -> None:
    broken = (
        "from tradeterm.tui.app import TradetermApp\n"
        "first = TradetermApp.poll\n"
        "def poll(self):\n"
        "    first(self)\n"
        f"    if self.view.positions: raise RuntimeError('token=' + {CANARY!r})\n"
        "TradetermApp.poll = poll\n"
    )
    terminal = start(*FAST, env=at_start(home, late(broken, "tradeterm.tui.app")))
    assert terminal.exit_code() == 1
    terminal.assert_sane()
    assert terminal.rows("run_finished")
    after = bytes(terminal.raw).rpartition(LEFT_ALTERNATE)[2]
    assert b"the console died (RuntimeError)" in after
    assert b"Traceback" not in after
    assert CANARY.encode() not in terminal.raw + log_of(home)
    assert b"in poll" in log_of(home), "the log says where"
    assert verify(terminal.db).problems == []


def test_when_the_engine_dies_the_screen_says_so_and_nothing_trades(
    start: Start, home: Path
) -> None:
    broken = (
        "from tradeterm.engine.engine import Engine\n"
        "first, calls = Engine.advance, []\n"
        "def advance(self, now):\n"
        "    calls.append(now)\n"
        f"    if len(calls) > 100: raise RuntimeError('secret=' + {CANARY!r})\n"
        "    return first(self, now)\n"
        "Engine.advance = advance\n"
    )
    terminal = start(*FAST, env=at_start(home, late(broken, "tradeterm.engine.engine")))
    terminal.until("ENGINE DIED", 30)
    rows = len(terminal.rows("order", "fill"))
    terminal.watch(1.0)
    assert len(terminal.rows("order", "fill")) == rows
    terminal.press("q")
    terminal.watch(0.5)
    terminal.press("y")
    assert terminal.exit_code() == 1
    terminal.assert_sane()
    after = bytes(terminal.raw).rpartition(LEFT_ALTERNATE)[2]
    assert b"tradeterm: ENGINE DIED" in after, "also for who looks at the shell only"
    assert CANARY.encode() not in terminal.raw + log_of(home)


def late(code: str, module: str) -> str:
    """Code that runs when some module has been imported."""
    return (
        "import importlib.abc, importlib.machinery, sys\n"
        f"CODE = {code!r}\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name != {module!r}: return None\n"
        "        sys.meta_path.remove(self)\n"
        "        spec = importlib.machinery.PathFinder.find_spec(name, path)\n"
        "        run = spec.loader.exec_module\n"
        "        def both(made):\n"
        "            run(made); exec(CODE, {})\n"
        "        spec.loader.exec_module = both\n"
        "        return spec\n"
        "sys.meta_path.insert(0, Finder())\n"
    )


def assert_nowhere(secret: str, terminal: Terminal, home: Path) -> None:
    """Not on the screen, in no file of the run: log, journal, lock, layout, screenshot."""
    assert secret.encode() not in terminal.raw
    files = [path for root in (home, terminal.db.parent) for path in root.rglob("*")]
    own = [path for path in files if path.is_file() and path.name != "sitecustomize.py"]
    assert any(path.suffix == ".svg" for path in own)
    guilty = [
        path for path in own
        if path.suffix != ".pyc" and secret.encode() in path.read_bytes()
    ]  # fmt: skip
    assert guilty == []
