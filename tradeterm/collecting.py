"""The garbage collector beside a run: most of what a run makes is freed without it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: New objects before the young are looked through, and how often before the older ones are. With
#: CPython's 700 and 10 a year of bars spends a twentieth of its time looking (tests/bench).
YOUNG: Final = 10_000
OFTEN: Final = 20


class _Rarely:
    """The collector is the process's, runs may overlap: the first slows it, the last lets it go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._before = gc.get_threshold()

    def begin(self) -> None:
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                self._before = gc.get_threshold()
                gc.freeze()
                gc.set_threshold(YOUNG, OFTEN, self._before[-1])

    def end(self) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs == 0:
                gc.set_threshold(*self._before)
                gc.unfreeze()


_RARELY: Final = _Rarely()


@contextmanager
def rarely() -> Iterator[None]:
    """What is loaded by now stays: no collection has to walk through it; and few are made."""
    _RARELY.begin()
    try:
        yield
    finally:
        _RARELY.end()
