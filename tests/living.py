"""A run in a process of its own: wait for it, end it."""

from __future__ import annotations

import signal
import subprocess
import time


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
