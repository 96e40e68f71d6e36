"""Programs for state machines: bytes that hypothesis draws, shrinks and replays, read as steps.

One draw gives a whole program, so a step costs what the machine does in it and not the drawing of
it; that is what makes hundreds of thousands of steps affordable. Byte 0 is the mildest choice
everywhere, which is where shrinking goes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")
#: Steps of all state machines together; ``TRADETERM_STEPS=2000000`` runs ten times as many.
STEPS = int(os.environ.get("TRADETERM_STEPS", "200000"))
#: A failure is shown as it came up; with ``TRADETERM_SHRINK=1`` as small as it gets, in minutes.
SHRINK = bool(os.environ.get("TRADETERM_SHRINK"))
#: Part of the programs whose coverage is measured: the others go down the same lines, at full speed.
MEASURED = 0.1
#: Bytes of one program, and the steps they come to (a step takes four or five).
LENGTH, LEAST = 1_000, 205


class Program:
    """Reads bytes as choices until there are none left."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._next = 0
        self.steps = 0
        self.said: list[str] = []

    @property
    def over(self) -> bool:
        return self._next >= len(self._code)

    def number(self, below: int) -> int:
        """0 … below − 1 (at most 256)."""
        if self._next >= len(self._code):
            return 0
        byte = self._code[self._next]
        self._next += 1
        return byte % below

    def choice(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def chance(self, one_in: int) -> bool:
        """Never on a byte of 0."""
        return self.number(one_in) == one_in - 1

    def __repr__(self) -> str:
        return f"<{len(self._code)} bytes>"

    def story(self) -> str:
        """What was done, the last of it."""
        return "\n  ".join([f"after {self.steps} steps, the last ones:", *self.said[-60:]])

    def say(self, text: str) -> None:
        """Remember what was done, for whoever reads the failure."""
        self.said.append(text)


@st.composite
def written(draw: st.DrawFn) -> Program:
    return Program(draw(st.binary(min_size=LENGTH, max_size=LENGTH)))


class StateMachine(Protocol):
    """What a program drives."""

    def step(self, program: Program) -> None:
        """Do one thing, then check what must hold."""
        ...


def drive(
    begin: Callable[[int], StateMachine], share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run programs until ``share`` of the steps are done; says how many there were."""
    done = 0
    began = time.perf_counter()
    wanted, meter = STEPS * share, Coverage.current()

    @settings(
        max_examples=max(1, round(wanted / LEAST)), deadline=None, database=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=True,
        phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
    )  # fmt: skip
    @given(seed=st.integers(0, 10_000), program=written())
    def programs(seed: int, program: Program) -> None:
        nonlocal done
        machine = begin(seed)
        try:
            while not program.over:
                machine.step(program)
                program.steps += 1
        except BaseException as failure:
            failure.add_note(program.story())
            raise
        before = done
        done += program.steps
        if meter is not None and before < wanted * MEASURED <= done:
            meter.stop()

    try:
        programs()
    finally:
        if meter is not None:
            meter.start()
    seconds = time.perf_counter() - began
    with capsys.disabled():
        rate = done / seconds
        print(f"\n{begin.__name__}: {done:,} steps in {seconds:.1f} s ({rate:,.0f}/s)")  # noqa: T201
    assert done >= wanted * 0.98
