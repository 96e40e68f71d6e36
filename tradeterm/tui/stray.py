"""Nothing writes to the terminal but the screen: what others send to their standard output or
standard error meanwhile (a library's own handler, C code) goes to the log, line by line.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("tradeterm.stray")

#: Longer lines are cut: a library in a loop must not fill the log.
_LONGEST = 500
_OUT, _ERR = 1, 2


@contextmanager
def terminal_to_the_screen() -> Iterator[None]:
    """Textual draws on ``sys.__stderr__`` and measures ``sys.__stdout__``: these stay the terminal,
    the descriptors everybody else writes to do not.
    """
    kept = sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr
    saved = os.dup(_OUT), os.dup(_ERR)
    screen = tuple(open(fd, "w", encoding="utf-8", errors="replace", closefd=False) for fd in saved)  # noqa: SIM115
    read, write = os.pipe()
    listener = threading.Thread(target=_listen, args=(read,), name="stray", daemon=True)
    listener.start()
    _point(write)
    os.close(write)
    own: tuple[Any, Any] = (screen[0], screen[1])
    # The last words of a screen that died go to sys.stderr once Textual no longer captures it.
    sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr = *own, *own  # type: ignore[misc]
    try:
        yield
    finally:
        for each in screen:
            each.flush()
        sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr = kept  # type: ignore[misc]
        os.dup2(saved[0], _OUT)
        os.dup2(saved[1], _ERR)  # the last ends of the pipe: the listener comes to its end
        listener.join(1.0)
        for fd in saved:
            os.close(fd)


def _point(write: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(write, _OUT)
    os.dup2(write, _ERR)


def _listen(read: int) -> None:
    with open(read, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if text := line.rstrip():
                log.warning("%s", text[:_LONGEST])
