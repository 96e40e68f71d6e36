"""Every screen at three sizes against its golden, readable in every theme, in words without colour."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator

import pytest
from rich.style import Style
from textual.geometry import Region
from textual.screen import Screen

import tradeterm.tui
from tests.tui.conftest import Console, Open
from tests.tui.eyes import SEEN_BY, contrast, lab
from tests.tui.gallery import SCREENS, close_screen, open_screen, states, written_down
from tradeterm.tui.actions import ACTIONS
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.ink import PALETTES, Ink, Palette
from tradeterm.tui.plan import ORDER

__all__ = ["written_down"]
pytestmark = pytest.mark.usefixtures("written_down")
Golden = Callable[[str, str], None]
SIZES = [(80, 24), (120, 40), (200, 60)]
#: WCAG 2.1, 1.4.3 (AA) and 1.4.6 (AAA).
READABLE, WELL_READABLE = 4.5, 7.0
#: Keys whose screens look like one that is in the gallery.
CONDITIONAL = {"P", "B", "l"}


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_every_screen_looks_as_agreed(
    console: Open, golden: Golden, width: int, height: int
) -> None:
    """And on the way: every word of it can be read, in each theme."""
    kinds: set[str] = set()
    pairs: dict[tuple[str, str], str] = {}
    async with console(width, height) as desk:
        for name in SCREENS:
            text = await open_screen(desk, name)
            kinds.add(type(desk.app.screen).__name__)
            if name != "palette":  # Textual's own widget: looked at below
                pairs |= painted(desk)
            golden(f"{name}-{width}x{height}", text)
            await close_screen(desk)
        pairs |= painted(desk)
        assert unreadable(pairs, desk.app.ink) == {}
    assert _screens() <= kinds, "a screen without keys in the gallery: add it to SCREENS"


def _screens() -> set[str]:
    """Names of the screens that can be opened."""
    for module in pkgutil.walk_packages(tradeterm.tui.__path__, "tradeterm.tui."):
        importlib.import_module(module.name)
    return {
        each.__name__ for each in _below(Screen)
        if each.__module__.startswith("tradeterm.") and not each.__subclasses__()
    }  # fmt: skip


def _below(kind: type) -> Iterator[type]:
    found: list[type] = kind.__subclasses__()
    for each in found:
        yield each
        yield from _below(each)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(states().keys() - {"busy", "empty"}))
async def test_the_deck_says_its_state(
    console: Open, golden: Golden, name: str, size: tuple[int, int]
) -> None:
    async with console(*size, states()[name]) as desk:
        await desk.look()  # a banner gets its place at the first look, its words at the second
        golden(f"{name}-{size[0]}x{size[1]}", desk.text)


def test_every_key_that_opens_a_screen_is_in_the_gallery() -> None:
    known = {keys[-1] for keys in SCREENS.values()} | {keys[0] for keys in SCREENS.values()}
    doors = ("open_page(", "open_report(", "push_screen(", "confirm_typed(")
    for action in ACTIONS:
        does = inspect.getsource(getattr(TradetermApp, f"action_{action.name}"))
        if any(door in does for door in doors):
            assert set(action.keys) & (known | CONDITIONAL), f"{action.name}: add it to SCREENS"


# -- contrast -----------------------------------------------------------------------------------


async def test_every_word_of_the_deck_can_be_read_in_each_theme(console: Open) -> None:
    pairs: dict[tuple[str, str], str] = {}
    async with console(120, 40) as desk:
        for view in states().values():
            await desk.look(view)
            pairs |= painted(desk)
        await desk.look(states()["busy"])
        for number in range(1, len(ORDER) + 1):
            await desk.press(str(number))
            pairs |= painted(desk)
        await desk.press("2", "a")
        pairs |= painted(desk)
        assert unreadable(pairs, desk.app.ink) == {}
    assert len(pairs) > 12, "hardly anything was painted"


@pytest.mark.parametrize("palette", PALETTES, ids=lambda each: each.name)
async def test_every_word_of_the_command_palette_can_be_read(
    console: Open, palette: Palette
) -> None:
    async with console(120, 40) as desk:
        desk.app.use_theme(palette.name)
        await open_screen(desk, "palette")
        pairs = painted(desk)
        assert len(pairs) > 1
        assert {pair: word for pair, word in pairs.items() if contrast(*pair) < READABLE} == {}


def unreadable(pairs: dict[tuple[str, str], str], ink: Ink) -> dict[tuple[str, str], str]:
    """(Theme, role) → a word, where what was painted has too little contrast in some theme."""
    roles = {colours(ink.style(role)): role for role in list(ink._styles)}
    assert pairs.keys() <= roles.keys(), "somebody paints in colours of his own"
    poor = {}
    for palette in PALETTES:
        wanted = WELL_READABLE if palette.name == "contrast" else READABLE
        for pair, word in pairs.items():
            if contrast(*colours(Ink(palette).style(roles[pair]))) < wanted:
                poor[palette.name, roles[pair]] = word
    return poor


def colours(style: Style) -> tuple[str, str]:
    """Colour and ground as they reach the eye."""
    assert style.color is not None
    assert style.bgcolor is not None
    one, two = (each.get_truecolor().hex for each in (style.color, style.bgcolor))
    return (two, one) if style.reverse else (one, two)


def painted(desk: Console) -> dict[tuple[str, str], str]:
    """(Colour, ground) → a word in it; what a page covers is not meant to be read."""
    region = None
    if len(desk.app.screen_stack) > 1:
        boxes = desk.app.screen.query("Pane, #--input, #--results").results()
        region = Region.from_union([box.region for box in boxes if box.region])
    found: dict[tuple[str, str], str] = {}
    for y, strip in enumerate(desk.app.screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            inside = region is None or (
                region.x <= x < region.right and region.y <= y < region.bottom
            )
            x += segment.cell_length
            if inside and segment.style and any(char.isalnum() for char in segment.text):
                found[colours(segment.style)] = segment.text
    return found


#: CIE76; 2.3 is just noticeable, this is another colour at a glance.
APART = 25.0


@pytest.mark.parametrize("palette", [each for each in PALETTES if each.safe], ids=lambda p: p.name)
@pytest.mark.parametrize("eyes", SEEN_BY)
@pytest.mark.parametrize("pair", [("up", "down"), ("bid", "ask"), ("up", "error")])
def test_colour_blind_eyes_tell_up_from_down(
    palette: Palette, eyes: str, pair: tuple[str, str]
) -> None:
    one, two = (lab(getattr(palette, name), eyes) for name in pair)
    apart = sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) ** 0.5
    assert apart >= (APART if "bid" not in pair else APART / 2)
