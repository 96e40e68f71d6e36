"""The settings page with the real engine: what may change is checked, shown as a difference, ordered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.test_key_to_journal import Driven, opened
from tradeterm.tui.engine_thread import EngineThread


async def at(desk: Driven, key: str) -> str:
    """The page, with the cursor on a key."""
    desk.app.close_pages()
    await desk.settle()
    await desk.press("ctrl+o")
    await desk.waits(lambda: "reading the book" not in desk.text, "the page was not read")
    return await desk.press("slash", *key, "enter")


def rows(desk: Driven) -> list[tuple[str, str, bool]]:
    return [(row["key"], row["value"], row["confirmed"]) for row in desk.commands()]


async def test_a_tighter_limit_is_in_force_at_once_and_shown_with_its_origin(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as desk:
        assert "* risk.max_leverage = 5" in await at(desk, "risk.max_leverage")
        assert "now 5 (default)" in await desk.press("enter")
        text = await desk.press("3", "enter")
        assert "risk.max_leverage: 5 → 3" in text
        await desk.waits(lambda: "risk.max_leverage = 3   default 5" in desk.text, desk.text)
        assert "operator at 2025-06-02T00:21" in desk.text
        assert rows(desk) == [("risk.max_leverage", "3", False)]


async def test_what_is_looser_is_ordered_only_after_its_word(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await at(desk, "risk.max_positions =")
        text = await desk.press("enter", "9", "enter")
        assert "Loosen risk.max_positions?" in text
        assert "5 → 9 (was default)" in text
        await desk.press("enter", apart=1.2)
        assert rows(desk) == []
        await desk.press("enter", "9", "enter")
        await desk.press(*"LOOSEN", apart=1.2)
        await desk.waits(lambda: "risk.max_positions = 9" in desk.text, desk.text)
        assert rows(desk) == [("risk.max_positions", "9", True)]


async def test_what_no_file_may_say_is_refused_with_its_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await at(desk, "risk.max_leverage")
        text = await desk.press("enter", "7", "7", "enter")
        assert "risk.max_leverage '77': input should be less than or equal to 5" in text
        assert "risk.max_leverage is 5 already" in await desk.press("enter", "5", "enter")
        assert "nothing was changed" in await desk.press("enter", "2", "escape")
        assert rows(desk) == []


async def test_what_is_fixed_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await at(desk, "llm.daily_cap")
        text = await desk.press("enter")
        assert "is fixed while a run goes on: requests that are out were made under it" in text
        assert "restart with" in text
        await desk.press("enter")
        assert rows(desk) == []


async def test_how_the_console_looks_changes_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await at(desk, "console.theme")
        await desk.press("enter", *"paper", "enter")
        await desk.waits(lambda: desk.app.theme == "paper", "still the old theme")
        assert rows(desk) == [("console.theme", "paper", False)]


async def test_who_watches_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as desk:
        await at(desk, "risk.max_leverage")
        monkeypatch.setattr(EngineThread, "watching", property(lambda _: True))
        await desk.press("enter", "3", "enter")
        assert rows(desk) == []
        assert "only watching" in desk.text, desk.text
