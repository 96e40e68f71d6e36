"""The guided start: six lines that fit, go on by n or by doing, and change nothing."""

from __future__ import annotations

from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy
from tradeterm.engine.view import ConsoleView
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.tour import STEPS


def standing(state: str, version: int) -> ConsoleView:
    view = busy(version)
    return replace(view, status=replace(view.status, state=state))


def decided(version: int) -> ConsoleView:
    """The operator has just refused a card."""
    view = busy(version)
    cards = (replace(view.cards[0], state="rejected"), *view.cards[1:])
    return replace(view, cards=cards)


async def test_a_first_run_is_guided_from_market_to_resume(console: Open) -> None:
    undecided = replace(busy(), cards=tuple(
        replace(card, state="expired") if card.state in {"approved", "rejected"} else card
        for card in busy().cards
    ))  # fmt: skip
    async with console(80, 24, undecided, ready=False) as desk:
        desk.session.options = ConsoleOptions(tour=True)
        desk.app._options_given = False
        assert "1/6 simulated market, paper money" in await desk.look()
        assert "2/6 positions open by themselves" in await desk.press("n")
        assert "3/6 analysts disagree: a card" in await desk.press("n")
        assert "3/6" in await desk.look(replace(undecided, version=50))
        assert "4/6 H halts at once" in await desk.look(decided(51))
        assert "5/6 nothing new opens" in await desk.look(standing("halted", 52), after=10.0)
        assert "6/6 q quits" in await desk.look(standing("running", 53), after=10.0)
        text = await desk.press("n")
        assert "6/6" not in text
        assert "1 Pos" in text, "the line belongs to the panes again"
        assert desk.session.commands == []


async def test_every_line_fits_the_narrowest_screen(console: Open) -> None:
    async with console(80, 24) as desk:
        text = await desk.press("ctrl+t")
        for number, step in enumerate(STEPS, 1):
            line = next(line for line in text.splitlines() if f"{number}/6 " in line)
            assert step.text in line
            assert line.endswith(("· n next", "· n ends")), "cut off"
            text = await desk.press("n")


async def test_the_tour_is_left_and_begun_again_at_a_key(console: Open) -> None:
    async with console() as desk:
        assert "n: not possible now" in await desk.press("n")
        assert "1/6" in await desk.press("ctrl+t")
        assert "1/6" not in await desk.press("N")
        assert "1/6" in await desk.press("ctrl+t")


async def test_a_message_comes_before_the_tour(console: Open) -> None:
    async with console() as desk:
        await desk.press("ctrl+t")
        assert "1/6" not in await desk.press("s")
        assert "1/6" in await desk.look(after=10.0)


async def test_a_halt_is_not_covered_by_the_tour(console: Open) -> None:
    async with console() as desk:
        await desk.press("ctrl+t")
        text = await desk.look(standing("halted", 60), after=10.0)
        assert "1/6" not in text
        assert "HALTED" in text.splitlines()[-2]
        assert "1/6" in await desk.look(standing("running", 61), after=10.0)
