"""NO_COLOR: every state is a word or a sign, and what colours said of candles their shape says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Console, Open
from tests.tui.gallery import SCREENS, close_screen, open_screen, written_down
from tests.tui.pictures import busy, card, order, with_cards, with_status
from tradeterm.engine.riskview import LimitView
from tradeterm.engine.view import ConsoleView

__all__ = ["written_down"]
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture(autouse=True)
def without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def _colours(desk: Console) -> list[Any]:
    return [
        each
        for strip in desk.app.screen._compositor.render_strips()
        for segment in strip
        if segment.style
        for each in (segment.style.color, segment.style.bgcolor)
        if each is not None
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_the_deck_without_colours(
    console: Open, golden: Callable[[str, str], None], size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        assert _colours(desk) == []
        golden(f"no-colour-{size[0]}x{size[1]}", desk.text)


@pytest.mark.usefixtures("written_down")
async def test_no_screen_has_a_colour_or_loses_a_word(
    console: Open, golden: Callable[[str, str], None]
) -> None:
    async with console(80, 24) as desk:
        for name in SCREENS:
            shown = await open_screen(desk, name)
            if name != "palette":  # Textual tints what lies below it
                assert _colours(desk) == []
            golden(f"{name}-80x24", shown)
            await close_screen(desk)


def gauge(used: float) -> ConsoleView:
    view = busy(5)
    return replace(view, risk=replace(view.risk, limits=(LimitView("drawdown", used, 20, "%"),)))


STATES: dict[str, tuple[ConsoleView, str, str]] = {
    "halted": (with_status(busy(), state="halted"), "1", "│ HALTED │"),
    "paused": (with_status(busy(), state="paused"), "1", "│ PAUSED │"),
    "level": (with_status(busy(), level="EMERGENCY"), "8", "›EMERGENCY‹"),
    "stale": (with_status(busy(), data_age=7.0), "1", "stale 7.0s"),
    "stopped": (with_status(busy(), speed=0.0), "1", "SIM stopped"),
    "long": (busy(), "1", "▲ long"),
    "short": (busy(), "1", "▼ short"),
    "gain": (busy(), "1", "+79.45"),
    "loss": (busy(), "1", "-6.81"),
    "closing": (
        replace(busy(), positions=(replace(busy().positions[0], closing=True),)), "1", "closing",
    ),
    "trailing stop": (busy(), "1", "63,900.0 t"),
    "near a limit": (gauge(17.0), "8", "near"),
    "over a limit": (gauge(21.0), "8", "OVER"),
    "error": (busy(), "5", "ERROR sentiment_analysis"),
    "last trade": (busy(), "3", "65,014.0 last▲"),
    "approved": (with_cards(busy(), [card(9, "XRP/BTC", "x", 9, "approved")]), "2", "approved"),
    "expired": (with_cards(busy(), [card(9, "XRP/BTC", "x", 9, "expired")]), "2", "expired"),
    "rejected order": (
        replace(busy(), orders=(order(9, "XRP/BTC", "buy", "limit", "entry", "rejected", "1"),)),
        "7", "rejected",
    ),
    "failed agent": (busy(), "6", "failed"),
    "alarms": (with_status(busy(), alarms=3), "1", "3 alarms"),
    "losing day": (with_status(busy(), day_pnl=-1.2), "1", "-1.20%"),
    "equity": (with_status(busy(), equity=Decimal(-3)), "1", "eq -3.00"),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
async def test_every_state_is_said(console: Open, state: str) -> None:
    view, pane, words = STATES[state]
    async with console(200, 40, view) as desk:
        assert words in await desk.press(pane)


async def test_a_candle_that_fell_is_hatched(console: Open) -> None:
    async with console() as desk:
        chart = desk.app.deck.chart
        hatched = {
            char for strip in chart._strips.values() for segment in strip for char in segment.text
        }
        assert {"█", "▒"} <= hatched


async def test_the_row_under_the_cursor_is_reversed(console: Open) -> None:
    async with console() as desk:
        (row,) = [
            strip for strip in desk.app.screen._compositor.render_strips() if "pos-1" in strip.text
        ]
        reversed_text = "".join(s.text for s in row if s.style and s.style.reverse)
        assert "BTC/USDT" in reversed_text
