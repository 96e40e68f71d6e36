"""A run in a process of its own: wait for it, end it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path

#: What the kernel counts for each thread: nanoseconds on a processor, nanoseconds waiting for one.
TASKS = Path("/proc/self/task")


def wait_for(condition: object, timeout: float = 20.0) -> object:
    """Until a callable gives something true."""
    give_up = time.monotonic() + timeout
    assert callable(condition)
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)
    return found


def end(child: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    return child.returncode, out.decode(), err.decode()


def waited() -> float:
    """Seconds that threads of this process wanted a processor and had none.

    What a busy machine adds to a wall clock; 0 where the kernel does not tell.
    """
    found = 0
    for file in TASKS.glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += int(file.read_text().split()[1])
    return found / 1e9
