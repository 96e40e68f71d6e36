"""A run in a process of its own: wait for it, end it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path


def wait_for(condition: object, timeout: float = 60.0) -> object:
    """Until a callable gives something true."""
    give_up = time.monotonic() + timeout
    assert callable(condition)
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)
    return found


def end(child: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    return child.returncode, out.decode(), err.decode()


class Stopwatch:
    """Starts when it is made. What threads wanted a processor and had none for is taken off, so that
    a limit means the same on a busy machine (where the kernel tells).
    """

    def __init__(self, *pids: int) -> None:
        """``pids``: processes besides this one in which the work is done."""
        self._processes = ["self", *map(str, pids)]
        self._waits = self._starved()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        passed = time.monotonic() - self._began
        waits = self._starved()
        return passed - sum(ns - self._waits.get(task, 0) for task, ns in waits.items()) / 1e9

    def _starved(self) -> dict[Path, int]:
        """Nanoseconds each thread has waited for a processor in its life."""
        found = {}
        for process in self._processes:
            for file in Path("/proc", process, "task").glob("*/schedstat"):
                with contextlib.suppress(OSError):  # a thread that has just ended
                    found[file] = int(file.read_text().split()[1])
        return found
