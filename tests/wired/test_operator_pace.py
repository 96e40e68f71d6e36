"""The console gives the operator the time a card has: the market waits at 1× at any speed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.timing import SECOND
from tradeterm.sessions import RunRequest
from tradeterm.settings.loading import load_settings


@pytest.mark.parametrize("speed", [600.0, float("inf")])
async def test_the_market_waits_for_a_card_at_any_speed(tmp_path: Path, speed: float) -> None:
    settings = load_settings().settings
    pictures: list[ConsoleView] = []
    shown = asyncio.Event()

    def publish(view: ConsoleView) -> None:
        pictures.append(view)
        if view.status.waiting_for_operator:
            shown.set()

    request = RunRequest(
        settings,
        settings.effective(),
        seed=7,
        speed=speed,
        db=tmp_path / "book.db",
        headless=False,
    )
    desk = await Desk.open(request, publish)
    running = asyncio.create_task(desk.run())
    await asyncio.wait_for(shown.wait(), 60)
    (card,) = desk.engine.trading.pending_cards()
    seen, began = desk.engine.now, asyncio.get_running_loop().time()
    assert pictures[-1].cards[0].id == card.id
    assert seen - card.ts < 3 * SECOND
    await asyncio.sleep(0.5)
    waited = asyncio.get_running_loop().time() - began
    assert desk.engine.now - seen < (waited + 3) * SECOND  # 1×, and one event's distance
    assert [c.id for c in desk.engine.trading.pending_cards()] == [card.id]
    desk.driver.stop()
    await running
    await desk.close()
