"""The console gives the operator the time a card has: the market waits at 1× at any speed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tradeterm.desk import Desk, RunRequest
from tradeterm.engine.view import ConsoleView
from tradeterm.model.timing import SECOND
from tradeterm.settings.loading import load_settings


@pytest.mark.parametrize("speed", [600.0, float("inf")])
async def test_the_market_waits_for_a_card_at_any_speed(tmp_path: Path, speed: float) -> None:
    settings = load_settings().settings
    pictures: list[ConsoleView] = []
    request = RunRequest(
        settings, settings.effective(), seed=7, speed=speed, db=tmp_path / "book.db",
        headless=False,
    )
    desk = await Desk.open(request, pictures.append)
    running = asyncio.create_task(desk.run())
    async with asyncio.timeout(60):
        while not desk.engine.awaits_operator:
            await asyncio.sleep(0.01)
        (card,) = desk.engine.trading.pending_cards()
        began, seen = asyncio.get_running_loop().time(), desk.engine.now
        while not (pictures and pictures[-1].cards and pictures[-1].status.waiting_for_operator):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        waited = asyncio.get_running_loop().time() - began
    assert seen - card.ts < 3 * SECOND
    assert desk.engine.now - seen < (waited + 3) * SECOND  # 1×, and one event's distance
    assert [c.id for c in desk.engine.trading.pending_cards()] == [card.id]
    assert pictures[-1].cards[0].id == card.id
    desk.driver.stop()
    await running
    await desk.close()
