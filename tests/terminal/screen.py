"""A real terminal around a real tradeterm: what it shows, what it was sent, how it was left."""

from __future__ import annotations

import os
import resource
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte

from tradeterm.adapters.store.explain import explain
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.errors import StoreError

ROOT = Path(__file__).parents[2]
#: Sequences that undo what a full-screen program does to a terminal.
LEFT_ALTERNATE, CURSOR_SHOWN = b"\x1b[?1049l", b"\x1b[?25h"
MOUSE_OFF = (b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1006l")

#: What a worker of pytest has set, and a program believes before it asks its terminal.
_SIZE = ("COLUMNS", "LINES")


def child_environment(home: Path, **more: str) -> dict[str, str]:
    """An empty home, a capable terminal; compiled modules are kept, so that starts are quick."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONDONTWRITEBYTECODE", "NO_COLOR", "TRADETERM_LOG_DIR", *_SIZE}
        and not name.startswith(("XDG_", "TRADETERM__"))
    }
    env |= {"HOME": str(home), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    return env | more


@contextmanager
def no_room(pid: int) -> Iterator[None]:
    """A full disk for one process: nothing of the size of a store can be written."""
    room = 4096
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class Terminal:
    """One console under a pseudo-terminal; reads only while it waits for something."""

    def __init__(
        self,
        arguments: list[str],
        db: Path,
        home: Path,
        *,
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.db, self.home = db, home
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            sys.executable,
            ["-m", "tradeterm", "--db", str(db), *arguments],
            dimensions=(rows, columns),
            env=child_environment(home, **(env or {})),
            cwd=str(home),
        )
        self.child.delaybeforesend = None
        self.modes = termios.tcgetattr(self.child.child_fd)

    @property
    def pid(self) -> int:
        return int(self.child.pid)

    @property
    def text(self) -> str:
        """What is on the screen now."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, seconds: float = 0.02) -> bool:
        """Take what was written to the terminal; False at its end."""
        try:
            data = self.child.read_nonblocking(1 << 16, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def until(self, condition: Callable[[], Any] | str, timeout: float = 60.0) -> Any:
        """Read until a text is on the screen or a condition gives something true; returns it."""

        def shown() -> bool:
            return isinstance(condition, str) and condition in self.text

        check: Callable[[], Any] = shown if isinstance(condition, str) else condition
        give_up = time.monotonic() + timeout
        alive = True
        while not (found := check()):
            if not alive or time.monotonic() > give_up:
                raise AssertionError(
                    f"{'ended' if not alive else 'waited'} without {condition}:\n{self.text}"
                )
            alive = self.read()
        return found

    def watch(self, seconds: float) -> None:
        """Read for a while (only where the point is that nothing happens)."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and self.read():
            pass

    def press(self, *keys: str) -> None:
        for key in keys:
            self.child.send(key)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def exit_code(self, timeout: float = 60.0) -> int:
        """Read to the end; the exit code (a signal's number below zero)."""
        give_up = time.monotonic() + timeout
        while self.read(0.1):
            assert time.monotonic() < give_up, f"does not end:\n{self.text}"
        self.left_modes = termios.tcgetattr(self.child.child_fd)
        self.child.close()
        return -self.child.signalstatus if self.child.signalstatus else self.child.exitstatus or 0

    def kill(self) -> None:
        """No mercy."""
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self.child.close(force=True)

    def assert_sane(self) -> None:
        """The shell gets its terminal back as it was."""
        for restored in (LEFT_ALTERNATE, CURSOR_SHOWN, *MOUSE_OFF):
            assert restored in self.raw, restored
        assert self.raw.rindex(LEFT_ALTERNATE) > self.raw.rindex(b"\x1b[?1049h")
        assert self.left_modes[3] & termios.ICANON
        assert self.left_modes[3] & termios.ECHO
        assert self.left_modes[:4] == self.modes[:4]

    # -- the book of record, while it runs -------------------------------------------------

    def rows(self, *kinds: str) -> list[StoredRow]:
        """Rows of some kinds, oldest first; none before there is a run."""
        try:
            with Reader(self.db) as reader:
                return [row for row in reader.journal(limit=-1) if row.kind in kinds]
        except StoreError:  # not created yet
            return []

    def state(self) -> tuple[str, int]:
        """The state of the run and the number of the row that brought it (0: the first)."""
        states = self.rows("state")
        return (str(states[-1].data["state"]), states[-1].seq) if states else ("running", 0)

    def entries_after(self, seq: int) -> list[StoredRow]:
        """Orders with a purpose that adds exposure, begun after a row."""
        return [
            row
            for row in self.rows("order")
            if row.seq > seq
            and row.data["request"]["purpose"] in {"entry", "rebalance", "dca", "hodl"}
            and row.data["status"] == "pending"
        ]

    def what_followed(self, row_id: str) -> set[str]:
        """Kinds of what its story tells after it."""
        with Reader(self.db) as reader:
            links = explain(reader, row_id)
        begun = next(link.seq for link in links if link.id == row_id)
        return {link.kind for link in links if link.seq > begun}

    def size_by_position(self) -> dict[str, tuple[str, str]]:
        """Open positions: id → (side, size)."""
        with Reader(self.db) as reader:
            return {row["id"]: (row["side"], row["size"]) for row in reader.positions()}
