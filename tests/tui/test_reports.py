"""Pages read from the book of record while the engine runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.shell import tradeterm
from tests.tui.conftest import Console, Open


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of record of two simulated days with every card approved."""
    home = tmp_path_factory.mktemp("traded")
    db = home / "run.db"
    words = ("run", "--headless", "--seed", "7", "--until", "2d", "--approve", "all")
    assert tradeterm(*words, "--db", db, home=home).code == 0
    return db


async def read(desk: Console) -> str:
    """The page once its thread has read the file."""
    for _ in range(200):
        await desk.settle()
        if "reading the book" not in desk.text:
            return desk.text
        await asyncio.sleep(0.01)  # the reader is a thread of its own
    raise AssertionError(desk.text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_performance_is_figures_curves_and_groups(
    console: Open, traded: Path, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        desk.session.store = traded
        await desk.press("0")
        text = await read(desk)
        assert "2 whole days" in text
        assert "not enough data below 30 whole days" in text
        assert "equity" in text
        seen = [text, await desk.press("ctrl+d"), await desk.press("G")]
        assert any("percent below the peak" in each for each in seen)
        assert "exit " in seen[-1], "trades by exit end the page"
        assert "Performance" not in await desk.press("escape")


async def test_a_report_before_the_store_is_open_says_so(console: Open) -> None:
    async with console() as desk:
        assert "still starting" in await desk.press("0")


async def test_a_store_that_cannot_be_read_is_said_on_the_page(
    console: Open, tmp_path: Path
) -> None:
    async with console() as desk:
        desk.session.store = tmp_path / "gone.db"
        await desk.press("0")
        assert "no store at" in await read(desk)
