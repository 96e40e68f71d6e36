"""Lists, chart and book under the keys and the mouse: hits, columns, copies, times, steps."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual import events

from tests.tui.conftest import Console, Open
from tests.tui.pictures import busy, position
from tradeterm.engine.view import ConsoleView
from tradeterm.tui.panes.book import grouped
from tradeterm.tui.panes.columns import Column, hidden, row
from tradeterm.tui.panes.overlays import ema


def line_with(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


async def test_a_filter_is_left_with_esc_and_its_hits_are_found_again(console: Open) -> None:
    async with console() as desk:
        await desk.press("5", "slash", *"btc", "enter")
        assert desk.app.deck.events.ids() == ["3", "4", "5", "8"]
        text = await desk.press("escape")
        assert "n and N go to those with the text" in text
        assert len(desk.app.deck.events.ids()) == 10
        places = []
        for key in ("N", "N", "N", "N", "n", "N", "N"):
            said = (await desk.press(key)).splitlines()[-2]
            places.append((desk.app.deck.events.selected, said.split()[0]))
        assert [row for row, _ in places] == ["8", "5", "4", "3", "4", "3", "8"], "round and round"
        assert [place for _, place in places] == ["4", "3", "2", "1", "2", "1", "4"]
        await desk.press("escape")
        assert "nothing was searched for" in await desk.press("n")


async def test_hits_that_are_gone_are_said_to_be_gone(console: Open) -> None:
    async with console() as desk:
        await desk.press("7", "slash", *"ord-6", "enter", "escape")
        await desk.look(replace(busy(5), orders=busy().orders[:2]))
        assert "no row contains “ord-6” any more" in await desk.press("n")


async def test_while_the_tour_shows_n_is_its_key(console: Open) -> None:
    async with console() as desk:
        await desk.press("7", "slash", *"BTC", "enter", "escape", "g", "ctrl+t")
        assert "2/6" in await desk.press("n")
        assert desk.app.deck.orders.selected == "ord-4"
        await desk.press("N")
        await desk.press("n")
        assert desk.app.deck.orders.selected == "ord-5"


async def test_pages_filter_seek_and_copy_too(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("question_mark", "slash", *"halt at once", "enter")
        assert "Help /halt at once" in text
        assert "HALT at once, from anywhere" in text
        assert "Approve" not in line_with(text, "━ Help")
        text = await desk.press("escape")
        assert "HALT at once" not in text, "every line again, from the top"
        text = await desk.press("n")
        assert "1 of 1 hits" in text
        assert "HALT at once, from anywhere" in text
        text = await desk.press("y")
        assert "copied" in text
        assert desk.app.clipboard.startswith("PAPER: no order leaves this program.")
        assert "8 Safety" in await desk.press("escape")


async def test_what_is_copied_reaches_the_terminal_cleaned(console: Open) -> None:
    view = busy()
    hostile = replace(view.events[-1], seq=99, text="evil \x1b]52;c;eA==\x07 \u202e tail")
    async with console(120, 40, replace(view, events=(*view.events, hostile))) as desk:
        written: list[str] = []
        assert desk.app._driver is not None
        desk.app._driver.write = written.append  # type: ignore[method-assign, assignment]
        await desk.press("5", "y")
        [sent] = [each for each in written if each.startswith("\x1b]52;c;")]
        text = base64.b64decode(sent[7:-1]).decode()
        assert text == desk.app.clipboard == "evil ]52;c;eA==  tail"
        assert "copied: evil" in await desk.look()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
async def test_the_symbol_stays_while_columns_scroll_to_the_last(
    console: Open, width: int, height: int
) -> None:
    async with console(width, height) as desk:
        text = await desk.press(*"l" * 20)
        assert "HELD" in line_with(text, "SYMBOL")
        assert any("BTC/USDT" in line and "17m" in line for line in text.splitlines())
        scrolled = desk.app.deck.positions.sideways
        await desk.press("h")
        assert desk.app.deck.positions.sideways == max(0, scrolled - 1), "no dead keys at the end"
        text = await desk.press(*"h" * 20)
        assert "SIDE" in line_with(text, "SYMBOL")


def many(count: int) -> ConsoleView:
    """So many positions were opened before that their numbers are long; small prices trail."""
    small = ("XRP/BTC", "long", "4000", "0.00000832", "0.00000831", "-2.6", "0.00000853", None)
    held = (
        position(count, "BTC/USDT", "short", "0.42", "104812.0", "105014.3", "-8.0", "109900.5", None),
        replace(position(count + 1, *small), stop_kind="trailing", trailing=True),
    )  # fmt: skip
    return replace(busy(), positions=held)


async def test_long_numbers_and_small_trailing_stops_are_whole(console: Open) -> None:
    async with console(120, 40, many(998)) as desk:
        row = line_with(desk.text, "pos-998 ")
        assert "104,812.0" in row
        assert "109,900.5" in row
        assert "0.00000853 t" in line_with(desk.text, "XRP/BTC")
        assert "…" not in row
    async with console(80, 24, many(998)) as desk:
        assert "0.00000853 trail" in line_with(desk.text, "XRP/BTC")


@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=9),
    width=st.integers(26, 80),
    sideways=st.integers(0, 12),
)
def test_scrolled_columns_always_fit_and_keep_the_pinned_one(
    widths: list[int], width: int, sideways: int
) -> None:
    columns = tuple(Column(str(n), w, "<", n, pinned=n == 0) for n, w in enumerate(widths))
    line = row(columns, [(str(n), "text") for n in range(len(widths))], width, sideways)
    text = "".join(part for part, _ in line)
    assert len(text) <= width
    assert text.startswith("0")
    last = row(columns, [(str(n), "text") for n in range(len(widths))], width,
               hidden(columns, width))  # fmt: skip
    assert str(len(widths) - 1) in "".join(part for part, _ in last)


async def test_a_click_focuses_and_selects_and_the_wheel_scrolls(console: Open) -> None:
    async with console() as desk:
        assert desk.app.deck.events.following
        events_at = desk.app.deck.events.region
        await desk.pilot.click(offset=(events_at.x + 10, events_at.y + 2))
        await desk.settle()
        assert desk.app.pane == "events"
        chosen = desk.app.deck.events.selected
        assert chosen != "10", "the row that was clicked, not the newest"
        assert not desk.app.deck.events.following
        await wheel(desk, desk.app.deck.events, up=True)
        assert int(desk.app.deck.events.selected) == int(chosen) - 1
        chart = desk.app.deck.chart
        await wheel(desk, chart, up=True)
        assert "8 bars back" in await desk.look()
        await wheel(desk, chart, up=False)
        assert "bars back" not in await desk.look()


async def test_a_click_on_a_tab_shows_its_pane(console: Open) -> None:
    async with console(80, 24) as desk:
        tabs = desk.text.splitlines()[-2]
        await desk.pilot.click(offset=(tabs.index("4 Chart") + 3, 22))
        await desk.settle()
        assert desk.app.pane == "chart"
        assert "[4 Chart]" in await desk.look()
        assert "4 Chart BTC/USDT" in desk.text


async def wheel(desk: Console, pane: object, up: bool) -> None:
    from textual.widget import Widget

    assert isinstance(pane, Widget)
    kind = events.MouseScrollUp if up else events.MouseScrollDown
    pane.post_message(kind(pane, 3, 3, 0, 0, 0, False, False, False))
    await desk.settle()


async def test_the_chart_goes_back_in_time_and_stays_there(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("4", "h", "h")
        assert "16 bars back" in text
        axis = line_with(text, "└ ")
        moved = busy(9)
        key = ("BTC/USDT", 60)
        bars = moved.charts[key].candles
        newer = (bars[-1][0] + 60 * 10**9, *bars[-1][1:])
        grown = replace(moved.charts[key], candles=(*bars[1:], newer))
        text = await desk.look(replace(moved, charts={**moved.charts, key: grown}))
        assert "17 bars back" in text, "what is read stands still while the market goes on"
        assert line_with(text, "└ ") == axis
        text = await desk.press("g")
        assert "bars back" in text
        oldest = line_with(text, "└ ")
        assert line_with(await desk.press("h"), "└ ") == oldest
        assert "bars back" not in await desk.press("G")


async def test_levels_and_averages_stand_on_the_chart_until_i(console: Open) -> None:
    async with console(200, 60) as desk:
        assert "long from 64,812.0 ╌" in desk.text
        assert "stop 63,900.0 ╌" in desk.text
        assert "▲" in "".join(line[88:155] for line in desk.text.splitlines()[2:20]), "own fill"
        text = await desk.press("i")
        assert "long from" not in text
        assert "▲" not in "".join(line[88:155] for line in text.splitlines()[2:20])
        assert "averages and levels off" in text


def test_an_average_begins_with_the_mean_and_follows() -> None:
    assert ema([1.0, 2.0, 3.0, 7.0], 3) == [None, None, 2.0, 2.0 + (7.0 - 2.0) * 2 / 4]
    assert ema([1.0], 3) == [None]


def test_levels_are_added_up_away_from_the_spread() -> None:
    tick = Decimal("0.5")
    bids = ((100.5, 1.0), (100.0, 2.0), (99.5, 4.0), (98.0, 8.0))
    asks = ((101.0, 1.0), (101.5, 2.0), (102.0, 4.0), (103.5, 8.0))
    assert grouped(bids, tick, 2, up=False) == ((100.0, 3.0), (99.0, 4.0))
    assert grouped(asks, tick, 2, up=True) == ((101.0, 1.0), (102.0, 6.0))
    assert grouped(bids, tick, 1, up=False) is bids
    assert grouped(((100.0, 2.0),), tick, 1000, up=False) == ((0.0, 2.0),), "the only one stays"


async def test_book_and_chart_stay_when_told_and_follow_again(console: Open) -> None:
    async with console() as desk:
        await desk.press("s", "j")
        assert desk.app.deck.positions.selected == "pos-2"
        assert "Book BTC/USDT stays" in desk.text
        assert "Book XRP/USDT ─" in await desk.press("s")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
async def test_a_letter_jumps_and_anything_else_stays(
    console: Open, width: int, height: int
) -> None:
    async with console(width, height) as desk:
        text = await desk.press("ctrl+g")
        assert "f·port" in text.splitlines()[-2]
        assert "[p] 1 Positions" in text
        text = await desk.press("a")
        assert desk.app.pane == "agents"
        assert "[p]" not in text
        assert desk.app.question is None, "the letter is no order"
        await desk.press("ctrl+g", "x")
        assert desk.app.pane == "agents"
        await desk.press("ctrl+g", "7")
        assert desk.app.pane == "orders"
        assert desk.session.commands == []
        await desk.press("ctrl+g", "H")
        assert "[p]" not in desk.text, "a halt ends the mode, too"


async def test_a_redraw_paints_every_line_again(console: Open) -> None:
    async with console() as desk:
        before = desk.text
        await desk.press("question_mark")
        help_text = desk.text
        assert await desk.press("ctrl+r") == help_text, "pages stay open"
        await desk.press("escape")
        assert desk.text == before
