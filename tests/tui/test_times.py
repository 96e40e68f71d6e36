"""Times are UTC; where one is read alone the operator's own clock stands beside it."""

from __future__ import annotations

import time

import pytest

from tests.tui.conftest import Open
from tradeterm.model.timing import parse_instant
from tradeterm.tui import figures


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch, at_greenwich: None) -> None:
    """Five and a half hours ahead; put back with everything else of the clock."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
async def test_details_name_the_local_time_too(console: Open) -> None:
    async with console(120, 40) as desk:
        assert "opened 2025-06-02 13:45:07Z (19:15 local)" in await desk.press("1", "enter")
        assert "created 13:58:07Z (19:28 local)" in await desk.press("escape", "7", "enter")
        assert "at 14:02:48Z (19:32 local)" in await desk.press("escape", "2", "enter")
        assert "next run 14:02:59Z (19:32 local)" in await desk.press("escape", "A")
        assert "2025-06-02 14:01:47Z (19:31 local)  FILL" in await desk.press(
            "escape", "5", "enter"
        )


@pytest.mark.usefixtures("in_kolkata")
def test_another_day_over_there_is_named() -> None:
    late = parse_instant("2025-06-02T20:00:00Z")
    assert figures.moment(late) == "2025-06-02 20:00:00Z (3 Jun 01:30 local)"


def test_utc_stands_alone_where_it_is_local_time() -> None:
    assert figures.moment(parse_instant("2025-06-02T20:00:00Z")) == "2025-06-02 20:00:00Z"
    assert figures.when(None) == "–"
