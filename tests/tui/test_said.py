"""What keys answer: a question before much ends at once, and never silence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy
from tradeterm.model.commands import Flatten
from tradeterm.tui.screens.text import PagePane


async def test_keys_that_end_several_things_say_how_much_and_wait_for_y(console: Open) -> None:
    """Both lie one slip away from a harmless key: ``l`` and ``k``."""
    async with console() as desk:
        assert "close 2 positions that would lose, realising -15.19 USDT" in await desk.press("L")
        assert "nothing was sent" in await desk.press("enter")
        assert "end plan-2 for good, 655.68 of 1,311.34 USDT stay undone" in await desk.press("K")
        await desk.press("k")
        await desk.press("L")
        await desk.look(after=60.0)  # silence is No
        assert desk.session.commands == []
        winners = [replace(each, if_closed=Decimal(1)) for each in busy().positions]
        await desk.look(replace(busy(2), positions=tuple(winners)))
        assert "no position would lose money now" in await desk.press("L")


@pytest.mark.parametrize(
    ("pane", "key", "said"),
    [
        ("3", "j", "j: not possible now: this pane has no rows to walk"),
        ("4", "k", "k: not possible now: this pane has no rows to walk"),
        ("3", "G", "G: not possible now: this pane has no rows to walk"),
        ("7", "e", "events: warnings and errors only"),
        ("3", "f", "events: they stand still"),
        ("1", "right_square_bracket", "chart: bars of 5m"),
        ("1", "left_square_bracket", "chart: bars of 1m, there is no finer one"),
    ],
)
async def test_no_key_is_mute(console: Open, pane: str, key: str, said: str) -> None:
    async with console() as desk:
        assert said not in await desk.press(pane)
        assert said in await desk.press(key)


async def test_what_refused_a_key_does_not_seem_to_answer_the_next(console: Open) -> None:
    async with console() as desk:
        assert "Y: not possible now" in await desk.press("3", "Y")
        assert "not possible now" not in await desk.press("1")


async def test_the_enter_behind_a_typed_word_opens_nothing(console: Open) -> None:
    async with console() as desk:
        await desk.press("F", *"FLATTEN")
        assert desk.session.commands == [Flatten()]
        await desk.press("enter", apart=0.1)
        assert len(desk.app.screen_stack) == 1
        await desk.press("enter")
        assert len(desk.app.screen_stack) == 2


async def test_a_filter_leaves_the_frame_of_a_page_where_it_is(console: Open) -> None:
    async with console(120, 40) as desk:
        await desk.press("question_mark")
        pane = desk.app.screen.query_one(PagePane)
        before = pane.outer_size
        await desk.press("slash", *"halt", "enter")
        await desk.look(busy(2))  # a newer picture fits the page anew
        assert pane.filter == "halt"
        assert pane.outer_size == before
