"""The garbage collector beside a run: most of what a run makes is freed without it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: New objects before the young are looked through, and how often before the older ones are. With
#: CPython's 700 and 10 a year of bars spends a twentieth of its time looking (tests/bench).
YOUNG: Final = 10_000
OFTEN: Final = 20


@contextmanager
def rarely() -> Iterator[None]:
    """What is loaded by now stays: no collection has to walk through it; and few are made."""
    young, *older = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, OFTEN, older[-1])
    try:
        yield
    finally:
        gc.set_threshold(young, *older)
        gc.unfreeze()
