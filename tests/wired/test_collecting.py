"""The garbage collector beside a run: rare while it goes on, as it was before and after it."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.wired.stage import play, request
from tradeterm.collecting import YOUNG, rarely
from tradeterm.driver import Driver


async def test_a_run_collects_rarely_and_leaves_the_collector_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    run = Driver.run

    async def watched(self: Driver) -> None:
        seen.append((gc.get_threshold()[0], gc.get_freeze_count()))
        await run(self)

    monkeypatch.setattr(Driver, "run", watched)
    before = gc.get_threshold()
    await play(request("sim", tmp_path / "run.db", until="1m"))
    ((young, frozen),) = seen
    assert young == YOUNG > before[0]
    assert frozen > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_of_runs_that_overlap_the_last_to_end_leaves_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    with ExitStack() as one, ExitStack() as other:
        one.enter_context(rarely())
        other.enter_context(rarely())
        one.close()
        assert gc.get_threshold()[0] == YOUNG > before[0]
        other.close()
        assert gc.get_threshold() == before
        assert gc.get_freeze_count() == 0
