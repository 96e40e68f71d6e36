"""Choosing a theme at a key: seen on the whole screen at once, kept by enter, undone by esc."""

from __future__ import annotations

from tests.tui.conftest import Console, Open
from tradeterm.tui.ink import PALETTES


def ground(desk: Console, y: int = 1) -> str:
    """The ground of the deck, as it is painted under whatever is open."""
    strips = desk.app.screen._compositor.render_strips()
    segment = next(iter(strips[y]))
    assert segment.style is not None
    assert segment.style.bgcolor is not None
    return segment.style.bgcolor.name


async def test_a_theme_is_looked_at_and_kept(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("t")
        assert all(f"{each.name} " in text and each.about in text for each in PALETTES)
        assert "› dusk" in text
        assert "› paper" in await desk.press("j")
        assert ground(desk) == PALETTES[1].ground, "the deck behind the list shows it"
        text = await desk.press("enter")
        assert "› paper" not in text
        assert ground(desk) == PALETTES[1].ground


async def test_a_theme_only_looked_at_is_taken_back(console: Open) -> None:
    async with console() as desk:
        assert f"› {PALETTES[-1].name}" in await desk.press("t", "k")
        assert ground(desk) == PALETTES[-1].ground
        await desk.press("escape")
        assert ground(desk) == PALETTES[0].ground
        assert desk.app.ink.palette is PALETTES[0]
