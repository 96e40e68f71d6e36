"""The way out: a process that was told to end does end, whatever its screen is doing.

A terminal that went away or does not read blocks the screen's loop in a write, for good: no
handler of that loop would ever run. So a thread of its own hears signals and hang-ups, stops the
engine, and ends the process by force when the screen does not manage to by itself.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import stat
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

log = logging.getLogger("tradeterm.tui")

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
#: Exit code of a shell for a process ended by a hang-up.
HANGUP = 128 + signal.SIGHUP
#: Seconds the engine may take to stop.
STOP_SECONDS = 3.0
#: Seconds the screen gets, once the engine has stopped, to put the terminal back.
RESTORE_SECONDS = 2.0
#: Milliseconds between two looks at whether the terminal is still there.
_LOOK = 500
_RESTORE = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[?25h"


class Departure:
    """Ends the process for certain. The first reason to leave decides the exit code."""

    def __init__(self, leave: Callable[[int], None], stop: Callable[[float], bool]) -> None:
        """``leave`` asks the screen to end (any thread); ``stop`` winds the engine down."""
        self._leave = leave
        self._stop = stop
        self._patience = STOP_SECONDS
        self._begun = False
        self._hear, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        self._terminal = sys.__stdin__.fileno() if sys.__stdin__ else -1
        self._modes = _modes(self._terminal)
        self._can_go = self._modes is not None or _is_pipe(self._terminal)
        """Whether who is at the other end may go away: a terminal, or textual-serve's pipe."""

    def watch(self) -> None:
        """Hear signals and hang-ups from now on (main thread only)."""
        for each in SIGNALS:
            signal.signal(each, self._signalled)
        threading.Thread(target=self._wait, name="departure", daemon=True).start()

    def begin(self, code: int, patience: float = STOP_SECONDS) -> None:
        """The process has to end with this code; safe in a signal handler and from any thread.

        ``patience`` is how many seconds the engine may take to stop. What comes later is ignored.
        """
        if self._begun:
            return
        self._begun, self._patience = True, patience
        with suppress(BlockingIOError):  # full of reasons: the first one counts
            os.write(self._tell, bytes([code]))

    def restore_modes(self) -> None:
        """As before the screen: continued after a SIGSTOP, Textual takes its own raw modes for
        those it found.
        """
        if self._modes is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._modes)

    def _signalled(self, signum: int, _frame: FrameType | None) -> None:
        self.begin(128 + signum)

    def _wait(self) -> None:
        code = self._reason()
        log.info("leaving with code %d", code)
        self._leave(code)
        patience = self._patience
        if not self._stop(patience):
            log.error("the engine did not stop within %s s", patience)
        if self._gone():
            log.info("ending without a terminal to restore; the next start goes on from here")
        else:
            time.sleep(RESTORE_SECONDS)
            log.error("the screen did not end: ending the process; the store can be continued")
        self._restore()
        os._exit(code or 1)

    def _reason(self) -> int:
        """Wait for a code, or for the terminal to go away."""
        poll = select.poll()
        poll.register(self._hear, select.POLLIN)
        if self._can_go:
            poll.register(self._terminal, 0)
        while True:
            for fd, event in poll.poll(_LOOK):
                if fd == self._hear:
                    return os.read(self._hear, 1)[0]
                if event & (select.POLLHUP | select.POLLERR):
                    log.warning("the terminal is gone")
                    self._begun = True
                    return HANGUP
                poll.unregister(fd)

    def _gone(self) -> bool:
        if not self._can_go:
            return False
        poll = select.poll()
        poll.register(self._terminal, 0)
        return bool(poll.poll(0))

    def _restore(self) -> None:
        """What can be done for a terminal that does not read, without waiting for it."""
        if self._modes is None:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # must not stop us now
        with suppress(termios.error, OSError):
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._modes)
            own = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            os.write(own, _RESTORE)


def _modes(terminal: int) -> list[Any] | None:
    """How the terminal was before the screen changed it; None when there is none."""
    try:
        return termios.tcgetattr(terminal)
    except (termios.error, ValueError):
        return None


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False
