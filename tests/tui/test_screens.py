"""What the console shows at three sizes, when empty, when too small, and when things go wrong."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.geometry import Size

from tests.tui.conftest import Open
from tests.tui.pictures import busy, card, with_cards, with_status
from tradeterm.engine.view import ConsoleView, EarningsView, FeedLine, StatusView
from tradeterm.errors import ConfigError
from tradeterm.model.commands import Halt
from tradeterm.tui import figures
from tradeterm.tui.engine_thread import died
from tradeterm.tui.panes.bars import market_words
from tradeterm.tui.plan import LOWEST, ORDER, Box, Wish, plan

Golden = Callable[[str, str], None]
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("question_mark", "esc closes · j/k scroll · / filter"),
        ("enter", "esc closes · j/k scroll"),
        ("t", "j/k look · enter keeps"),
        ("F", "the question above waits · esc leaves it"),
        ("ctrl+p", "enter does it · esc closes · H halts"),
    ],
)
async def test_the_foot_shows_the_keys_of_what_lies_over_the_deck(
    console: Open, key: str, keys: str
) -> None:
    async with console() as desk:
        deck = desk.text.splitlines()[-1]
        assert "x Close" in deck
        await desk.press(key)
        strips = desk.app.screen_stack[0]._compositor.render_strips()
        assert strips[-1].text.strip().startswith(keys)
        await desk.press("escape")
        assert desk.text.splitlines()[-1] == deck


@pytest.mark.parametrize("page", ["question_mark", "enter", "t"])
async def test_a_key_of_the_deck_says_on_a_page_why_it_does_nothing(
    console: Open, page: str
) -> None:
    async with console() as desk:
        assert "not here" not in await desk.press(page)
        assert "x not here: esc closes the page first" in await desk.press("x")
        assert "Z does nothing here" in await desk.press("Z")
        assert "does nothing here" not in await desk.press("j")
        assert desk.session.commands == []


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_a_busy_desk_looks_as_agreed(
    console: Open, golden: Golden, width: int, height: int
) -> None:
    async with console(width, height) as desk:
        golden(f"busy-{width}x{height}", desk.text)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_a_desk_without_anything_says_what_will_come(
    console: Open, golden: Golden, width: int, height: int
) -> None:
    running = ConsoleView(
        version=1,
        status=StatusView(known=True, mode="SIM", level="NORMAL", state="running", speed=60.0),
    )
    async with console(width, height, running) as desk:
        golden(f"empty-{width}x{height}", desk.text)
        assert "nothing to decide" in desk.text
        assert "no open positions" in desk.text


@pytest.mark.parametrize("size", SIZES)
async def test_an_approval_is_asked_on_the_card(
    console: Open, golden: Golden, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        text = await desk.press("a")
        golden(f"question-{size[0]}x{size[1]}", text)
        for fact in ("size 0.0500", "notional 3,250.70", "risk at stop 71.72", "any other key: No"):
            assert fact in text


async def test_every_pane_has_the_screen_to_itself_when_narrow(
    console: Open, golden: Golden
) -> None:
    async with console(80, 24) as desk:
        for key, name in zip(
            "123456789",
            ORDER,
            strict=True,
        ):
            golden(f"narrow-{name}", await desk.press(key))


@pytest.mark.parametrize("width", range(80, 220, 7))
@pytest.mark.parametrize("height", [20, 24, 29, 30, 40, 61])
def test_status_conflicts_and_footer_have_a_place_at_every_size(width: int, height: int) -> None:
    for chosen in ("positions", "conflicts", "book", "chart", "events", "agents", "orders"):
        for zoomed in (False, True):
            for asking in (False, True):
                wish = Wish(chosen, zoomed, asking, banner=True)
                boxes = plan(width, height, wish)
                assert {"status", "banner", "conflicts", "footer", chosen} <= boxes.keys()
                _cover_without_overlap(boxes, width, height)


@given(
    width=st.integers(80, 220),
    height=st.integers(20, 70),
    chosen=st.sampled_from(ORDER),
    asking=st.booleans(),
    sizes=st.dictionaries(st.sampled_from(ORDER), st.integers(-200, 200)),
)
def test_no_wish_for_sizes_hides_a_pane_or_leaves_a_gap(
    width: int, height: int, chosen: str, asking: bool, sizes: dict[str, int]
) -> None:
    planned = plan(width, height, Wish(chosen, asking=asking))
    wished = plan(width, height, Wish(chosen, asking=asking, sizes=tuple(sorted(sizes.items()))))
    assert wished.keys() == planned.keys()
    _cover_without_overlap(wished, width, height)
    for name, box in wished.items():
        assert box.height >= min(LOWEST, planned[name].height)
    assert not asking or wished == planned, "a question keeps its room"


@pytest.mark.parametrize(
    "size", [(120, 40), (159, 50), (160, 30), (160, 50), (175, 45), (189, 60), (200, 60)]
)
async def test_a_wider_terminal_never_hides_what_120_cells_show_of_a_position(
    console: Open, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        head = next(line for line in desk.text.splitlines() if "SYMBOL" in line)
        names = "ID SYMBOL SIDE SIZE ENTRY MARK NET STOP"
        assert [name for name in names.split() if name not in head] == []


def _cover_without_overlap(boxes: dict[str, Box], width: int, height: int) -> None:
    cells = [0] * (width * height)
    for box in boxes.values():
        assert box.width > 0
        assert box.height > 0
        for y in range(box.y, box.y + box.height):
            for x in range(box.x, box.x + box.width):
                cells[y * width + x] += 1
    assert set(cells) == {1}


async def test_a_terminal_too_small_still_halts_and_quits(console: Open, golden: Golden) -> None:
    async with console(60, 15) as desk:
        golden("too-small", desk.text)
        await desk.press("a")
        assert desk.session.commands == []
        await desk.press("H")
        assert desk.session.commands == [Halt()]
        text = await desk.press("q")
        assert "Quit?" in text
        await desk.press("y")
        await desk.pilot.pause()
        assert desk.app.return_code == 0


async def test_a_terminal_of_one_cell_does_not_crash(console: Open) -> None:
    async with console(1, 1) as desk:
        for width, height in ((3, 2), (300, 100), (80, 20), (79, 24), (100, 29), (160, 30)):
            await desk.pilot.resize_terminal(width, height)
            await desk.look(
                with_status(desk.session.view, market_time=desk.app.view.status.market_time)
            )
        assert "PAPER" in desk.text


@pytest.mark.parametrize("key", ["ctrl+r", ""])
async def test_a_layout_left_by_a_storm_of_sizes_does_not_last(console: Open, key: str) -> None:
    """Textual keeps what it arranged by size; in a storm one was made for another size."""
    async with console(120, 40) as desk:
        deck, screen = desk.app.deck, desk.app.screen
        of_120 = screen.arrange(screen.size)
        narrow: Any = Size(100, 30)
        key_of_narrow: Any = (narrow, screen._nodes._updates, screen.maximized)
        screen._arrangement_cache[key_of_narrow] = of_120
        await desk.pilot.resize_terminal(*narrow)
        if key:
            await desk.press(key)
        await desk.until(lambda: deck.size == narrow)


async def test_mode_paper_and_level_are_words(console: Open) -> None:
    async with console(80, 24) as desk:
        line = desk.text.splitlines()[0]
        for word in ("PAPER", "SIM", "REDUCED", "eq 10,041", "dd 0.4/20%", "exp 44%", "60×"):
            assert word in line


async def test_a_halted_desk_says_so_and_how_to_resume(console: Open) -> None:
    async with console(80, 24) as desk:
        text = await desk.look(with_status(busy(), state="halted", state_reason="operator"))
        assert "HALTED" in text.splitlines()[0]
        assert "P Resume" in text.splitlines()[-1]


async def test_a_running_desk_names_no_reason_for_a_stop_that_is_over(console: Open) -> None:
    async with console(80, 24, with_status(busy(), state_reason="operator")) as desk:
        text = await desk.press("8")
        assert "trading RUNNING" in text
        assert "RUNNING operator" not in text


async def test_an_engine_fault_is_a_banner_until_the_operator_quits(console: Open) -> None:
    async with console(80, 24) as desk:
        await desk.look(died(busy(2), "postings do not sum to zero"))
        text = await desk.look()  # the banner takes a line from the panes first
        assert "ENGINE DIED" in text.splitlines()[1]
        assert "DEAD" in text.splitlines()[0]
        for key in ("H", "x", "a"):
            assert "the engine died: nothing is traded" in await desk.press(key), key
        await desk.press("q")
        await desk.settle()
        assert desk.session.stopped == [5.0]


async def test_a_pane_that_fails_says_so_and_the_rest_lives(
    console: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tradeterm.tui.panes.book import BookPane

    def broken(self: BookPane, width: int, height: int) -> list[object]:
        raise ValueError("no such [/] level \x1b[31m")

    async with console() as desk:
        monkeypatch.setattr(BookPane, "inside", broken)
        text = await desk.look(with_status(busy(2), data_age=0.7, equity=Decimal("12345.67")))
        desk.app.deck.book.repaint()
        text = await desk.look()
        assert "panel failed: ValueError" in text
        assert "12,345.67" in text
        monkeypatch.undo()
        text = await desk.look(with_status(busy(9), data_age=0.3))
        assert "panel failed" not in text


async def test_only_lines_that_changed_are_painted(console: Open) -> None:
    async with console() as desk:
        pane = desk.app.deck.positions
        before = dict(enumerate(pane._shown))
        view = busy(2)
        first = replace(view.positions[0], unrealised=Decimal("86.11"))
        await desk.look(replace(view, positions=(first, *view.positions[1:])))
        changed = [y for y, line in enumerate(pane._shown) if line != before[y]]
        assert changed == [2]


async def test_the_countdown_runs_in_market_time(console: Open) -> None:
    async with console() as desk:
        assert "0:41" in desk.text
        view = busy(2)
        text = await desk.look(with_status(view, market_time=view.status.market_time + 30 * 10**9))
        assert "0:11" in text


async def test_a_boot_that_fails_ends_the_app_with_its_code(console: Open) -> None:
    async with console() as desk:
        desk.session.failure = ConfigError("config/risk.yaml:3: max_leverage: 30 is above 5")
        desk.app.poll()
        await desk.settle()
        assert desk.app.return_code == 2


async def test_the_engine_starts_only_after_the_first_paint(console: Open) -> None:
    async with console(ready=False) as desk:
        assert desk.session.started == 1


async def test_the_oldest_card_stays_visible_while_zoomed(console: Open) -> None:
    async with console(80, 24) as desk:
        text = await desk.press("4", "z")
        assert "#17" in text
        assert "Chart BTC/USDT 1m" in text
        assert "Events" not in text.splitlines()[10]
        assert "5 Events" in await desk.press("escape")


async def test_what_is_said_of_the_whole_portfolio_is_shown_on_every_symbol(console: Open) -> None:
    view = busy()
    whole = replace(
        view.agents[-1],
        state="ok",
        votes={"*": "rebalance"},
        confidences={},
        reasoning={"*": "BTC is 6 points above its weight"},
    )
    async with console(200, 60, replace(view, agents=(whole,))) as desk:
        assert "portfolio ok      rebalance        –" in desk.text
        page = await desk.press("6", "enter")
        assert "portfolio rebalance" in page
        assert "1.00 sure" not in page
        assert "BTC is 6 points above its weight" in page


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        ("openai/gpt-4o as gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/a as b, openai/c", "2 LLM"),
        ("RULES", "RULES"),
    ],
)
async def test_who_speaks_is_named_short_in_the_pane_and_whole_on_the_page(
    console: Open, by: str, shown: str
) -> None:
    view = busy()
    one = replace(view.agents[0], by=by, model=by)
    async with console(200, 60, replace(view, agents=(one,))) as desk:
        (row,) = [line for line in desk.text.splitlines() if "│ TA " in line]
        assert f" {shown} " in row
        assert " as " not in row
        assert by in await desk.press("6", "enter")


async def test_a_bar_only_feed_says_there_is_no_depth(console: Open) -> None:
    view = busy()
    books = {name: replace(each, bids=(), asks=()) for name, each in view.books.items()}
    async with console(120, 40, replace(view, books=books)) as desk:
        assert "only bars" in desk.text


async def test_a_live_book_that_is_being_fetched_is_not_a_feed_of_bars(console: Open) -> None:
    view = busy()
    books = {name: replace(each, bids=(), asks=()) for name, each in view.books.items()}
    status = replace(view.status, feed=(FeedLine("BTC/USDT", "down", 3.0),))
    async with console(120, 40, replace(view, books=books, status=status)) as desk:
        assert "no book now: it is being fetched" in desk.text
        assert "only bars" not in desk.text


async def test_a_new_card_takes_the_cursor_when_the_old_one_is_decided(console: Open) -> None:
    async with console() as desk:
        await desk.look(
            with_cards(
                busy(2),
                [
                    card(18, "XRP/BTC", "choppy regime vs BUY", 125),
                    card(17, "BTC/USDT", "TA long .62 vs sentiment short .55", 41, "approved"),
                ],
            )
        )
        current = desk.app.deck.conflicts.current()
        assert current is not None
        assert current.id == "card-18"


async def test_the_focused_pane_has_the_heavy_frame(console: Open) -> None:
    async with console() as desk:
        assert "┏━ 1 Positions" in desk.text
        text = await desk.press("5")
        assert "┏━ 5 Events" in text
        assert "╭─ 1 Positions" in text


@pytest.mark.parametrize("reason", ["", "operator", "breaker drawdown: " + "20.4 % of 20 % " * 9])
async def test_what_a_halt_means_and_how_it_ends_is_never_cut(console: Open, reason: str) -> None:
    halted = with_status(busy(), state="halted", state_reason=reason)
    for width in (80, 100, 120):
        words = market_words(halted, width - 1)
        assert len(words) < width
        assert words.startswith("HALTED")
        assert words.endswith("stops stay · P resumes")
    async with console(120, 40) as desk:
        assert market_words(halted, 119) in await desk.look(halted)


async def test_keys_that_decide_are_offered_only_when_something_waits(console: Open) -> None:
    async with console(120, 40) as desk:
        assert "a approve · r reject" in await desk.press("2")
        decided = tuple(card for card in busy().cards if card.state != "pending")
        text = await desk.look(replace(busy(), version=busy().version + 1, cards=decided))
        assert "a approve · r reject" not in text
        assert "enter evidence" in text


def test_what_is_shown_of_profit_and_loss_adds_up() -> None:
    third = Decimal("0.335")  # each part alone is rounded up by half a cent
    earned = EarningsView(third, -third, -third, -third)
    parts = (earned.price, -earned.fees, -earned.carry, -earned.llm)
    shown = [Decimal(figures.signed(part)) for part in parts]
    assert Decimal(figures.signed(earned.net)) == sum(shown)
    held = replace(busy().positions[0], realised=third, unrealised=third, fees=third, carry=-third)
    assert Decimal(figures.signed(held.net)) == Decimal(figures.signed(held.price)) - held.costs
    assert held.price == 2 * Decimal(figures.signed(third))


async def test_at_the_end_of_a_run_only_looking_is_left(console: Open) -> None:
    async with console(120, 40, with_status(busy(), state="finished", speed=0.0)) as desk:
        assert "x Close" not in desk.text
        assert "the run is finished" in desk.text.splitlines()[-2]
        for key in ("x", "a", "space", "P", "F", "c", "w"):
            assert "the run is finished, nothing is traded any more" in await desk.press(key)
        assert "open and protected" in await desk.press("enter")
        assert desk.session.commands == []
        await desk.press("escape", "q")
        await desk.settle()
        assert desk.app.return_code == 0, "there is nothing left to ask"
