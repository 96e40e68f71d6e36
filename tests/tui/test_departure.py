"""A console that was told to end, or whose terminal went away, ends; its store can be continued."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.screen import child_environment
from tradeterm.adapters.store.lock import StoreLock
from tradeterm.adapters.store.paths import locate
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreError

pytestmark = pytest.mark.terminal

#: Seconds in which it must be gone, whatever happens.
GONE = 6.0
RUN = "import runpy; runpy.run_module('tradeterm', run_name='__main__', alter_sys=True)"
OWN = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "


class Window:
    """A terminal window; ``owned`` means that the console gets a SIGHUP when it closes."""

    def __init__(self, folder: Path, *, owned: bool) -> None:
        self.db = folder / "run.db"
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", (OWN if owned else "") + RUN, "--db", str(self.db),
             "--speed", "1800", "--seed", "7"],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=folder,
            env=child_environment(folder),
        )  # fmt: skip
        os.close(slave)

    def read_until_it_trades(self) -> None:
        give_up = time.monotonic() + 40
        while not self._rows():
            assert time.monotonic() < give_up
            if select.select([self.master], [], [], 0.05)[0]:
                os.read(self.master, 1 << 16)

    def _rows(self) -> int:
        try:
            with Reader(self.db) as reader:
                return sum(row.kind == "agent_output" for row in reader.journal(limit=-1))
        except StoreError:  # not created yet
            return 0

    def leave_unread(self) -> None:
        """Until the pipe to the screen is full and stays so."""
        level, since = -1, time.monotonic()
        while time.monotonic() - since < 0.5:
            waiting = fcntl.ioctl(self.master, termios.FIONREAD, b"\0" * 4)
            if struct.unpack("i", waiting)[0] != level:
                level, since = struct.unpack("i", waiting)[0], time.monotonic()
            time.sleep(0.05)
        assert level > 1024

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def assert_continuable(self) -> None:
        """Nobody holds it, nothing is missing in it."""
        StoreLock.acquire(locate(self.db)).release()
        assert verify(self.db).problems == []
        with Reader(self.db) as reader:
            assert [row.kind for row in reader.journal(limit=-1)][-1] == "run_finished"


@pytest.fixture
def window(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Window]:
    opened = Window(tmp_path, owned=request.param)
    yield opened
    opened.close()
    if opened.process.poll() is None:
        opened.process.kill()
    opened.process.wait()


@pytest.mark.parametrize("window", [True, False], indirect=True, ids=["hangup", "nobody-tells-it"])
def test_a_closed_window_leaves_no_process_behind(window: Window) -> None:
    window.read_until_it_trades()
    window.close()
    assert window.process.wait(GONE) == 129
    window.assert_continuable()


@pytest.mark.parametrize("window", [True], indirect=True)
def test_a_window_closed_while_it_starts_leaves_no_process_behind(window: Window) -> None:
    shown = b""
    while b"\x1b[?1049h" not in shown:
        shown += os.read(window.master, 1 << 16)
    window.close()
    assert window.process.wait(GONE) == 129


@pytest.mark.parametrize("window", [True], indirect=True)
def test_a_signal_ends_it_although_nobody_reads_the_terminal(window: Window) -> None:
    window.read_until_it_trades()
    window.leave_unread()
    window.process.send_signal(signal.SIGTERM)
    assert window.process.wait(GONE) == 143
    window.assert_continuable()
