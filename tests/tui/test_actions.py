"""The action table: no two meanings of a key at once, a story for every action, care by tier."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy, with_cards
from tests.tui.stories import STORIES, without_store
from tradeterm.engine.view import ConsoleView
from tradeterm.tui.action import Action, Tier
from tradeterm.tui.actions import ACTIONS, BY_NAME, bindings
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.choice import Focus
from tradeterm.tui.plan import ORDER

#: SIGSTOP, what plain terminals send for backspace, tab, newline and enter, and laptops' F-keys.
UNBOUND = {"ctrl+z", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", *(f"f{n}" for n in range(2, 25))}


def test_every_action_has_a_handler_a_help_text_and_keys_that_reach_us() -> None:
    keys = {key for action in ACTIONS for key in action.keys}
    assert not UNBOUND & keys
    assert len(bindings()) == len(ACTIONS) == len(BY_NAME)
    for action in ACTIONS:
        assert callable(getattr(TradetermApp, f"action_{action.name}")), action.name
        assert action.help
        assert "enter" not in action.keys or action.tier is Tier.VIEW, "enter never executes"


def test_a_key_has_one_meaning_at_a_time() -> None:
    pairs = [
        (one, other) for one, other in combinations(ACTIONS, 2) if set(one.keys) & set(other.keys)
    ]
    assert {frozenset((one.name, other.name)) for one, other in pairs} == {
        frozenset({"level", "right"}),
        frozenset({"cancel_order", "candles"}),
        frozenset({"next_hit", "tour_next"}),
        frozenset({"previous_hit", "tour_end"}),
    }
    view = busy()
    for pane in ORDER:
        for touring in (False, True):
            focus = Focus(
                pane, view.positions[0], view.cards[0], view.orders[2], "x",
                search="x", touring=touring,
            )  # fmt: skip
            for one, other in pairs:
                both = one.possible(view, focus) and other.possible(view, focus)
                assert not both, (one.name, other.name, pane, touring)


@pytest.mark.parametrize(
    "action", [each for each in ACTIONS if each.when.reason], ids=lambda each: each.name
)
def test_what_is_not_possible_now_says_why(action: Action) -> None:
    for view in (ConsoleView(), busy(), with_cards(busy(), [])):
        for pane in ORDER:
            focus = Focus(pane)
            if not action.possible(view, focus):
                why = action.why_not(view, focus)
                assert len(why) > len("not possible now: ") or why.startswith("only in pane"), why


def test_every_action_has_its_story() -> None:
    assert set(STORIES) == set(BY_NAME), "tell it in tests/tui/stories.py"


@pytest.mark.parametrize("name", STORIES)
async def test_an_action_does_what_its_story_says(
    console: Open, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADETERM_LOG_DIR", str(tmp_path))
    story, action = STORIES[name], BY_NAME[name]
    async with console(120, 40, story.view or busy()) as desk:
        without_store(desk, tmp_path)
        before = await desk.press(*story.before)
        assert action.possible(desk.app.view, desk.app.focus_now()), "not where it means something"
        text = await desk.press(action.keys[0], apart=1.2)
        sent = desk.session.commands
        if action.tier in {Tier.ASKS, Tier.GLOBAL} or story.after:
            assert sent == [], "asks first"
        if action.tier in {Tier.ASKS, Tier.GLOBAL}:
            await desk.press("enter", apart=1.2)
            assert sent == [], "enter is No"
            await desk.press(action.keys[0], apart=1.2)
        if story.after:
            text = await desk.press(*story.after, apart=1.2)
        assert sent == ([story.sends] if story.sends else [])
        assert action.tier is not Tier.VIEW or not sent, "who only looks leaves no row"
        assert story.shows in text
        assert not story.shows or story.shows not in before
        assert story.check(desk)


async def test_each_way_of_writing_a_key_does_the_same(console: Open) -> None:
    async with console() as desk:
        for keys in (("down", "j"), ("home", "g"), ("end", "G"), ("pageup", "ctrl+u")):
            places = []
            for key in keys:
                await desk.press("1", "j", key)
                places.append(desk.app.deck.positions.selected)
                await desk.press("g")
            assert len(set(places)) == 1, keys


async def test_who_watches_is_shown_no_key_it_has_not(console: Open) -> None:
    view = replace(busy(), status=replace(busy().status, watched=True))
    async with console(120, 40, view) as desk:
        desk.session.watching = True
        for pane in "123456789":
            await desk.press(pane)
            hint = desk.app.deck.panes[desk.app.pane].hint()
            for word in ("close", "approve", "cancel", "pause", "level", "stop", "trail"):
                assert word not in hint, (pane, hint)
        assert "approves:" not in await desk.press("2")
        await desk.look(after=10.0)
        assert "space" not in desk.text.splitlines()[-2]
        assert "a asks" not in await desk.look(with_cards(view, []))
        assert "only watching" in await desk.press("1", "x")
