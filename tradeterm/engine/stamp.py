"""The engine's clock: the stamp of the input it is working on, and how many it has taken."""

from __future__ import annotations


class Stamp:
    """Market time and input count; written by the engine, read by everything below it."""

    __slots__ = ("input", "now")

    def __init__(self) -> None:
        """Before the first input."""
        self.now = 0
        self.input = 0
