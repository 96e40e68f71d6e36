"""Pages read from the book of record while the engine runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.shell import tradeterm
from tests.tui.conftest import Console, Open
from tests.tui.pictures import busy
from tradeterm.adapters.store.reader import Reader
from tradeterm.model.commands import Halt


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of record of two simulated days with every card approved."""
    home = tmp_path_factory.mktemp("traded")
    db = home / "run.db"
    words = ("run", "--headless", "--seed", "7", "--until", "2d", "--approve", "all")
    assert tradeterm(*words, "--db", db, home=home).code == 0
    return db


async def read(desk: Console) -> str:
    """The page once its thread has read the file."""
    for _ in range(2000):
        await desk.settle()
        if "reading the book" not in desk.text:
            return desk.text
        await asyncio.sleep(0.01)  # the reader is a thread of its own
    raise AssertionError(desk.text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_performance_is_figures_curves_and_groups(
    console: Open, traded: Path, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        desk.session.store = traded
        await desk.press("0")
        text = await read(desk)
        assert "2 whole days" in text
        assert "not enough data below 30 whole days" in text
        assert "equity" in text
        seen = [text, await desk.press("ctrl+d"), await desk.press("G")]
        assert any("percent below the peak" in each for each in seen)
        assert "exit " in seen[-1], "trades by exit end the page"
        assert "Performance" not in await desk.press("escape")


async def test_a_report_before_the_store_is_open_says_so(console: Open) -> None:
    async with console() as desk:
        assert "still starting" in await desk.press("0")


async def test_a_store_that_cannot_be_read_is_said_on_the_page(
    console: Open, tmp_path: Path
) -> None:
    async with console() as desk:
        desk.session.store = tmp_path / "gone.db"
        await desk.press("0")
        assert "no store at" in await read(desk)


async def test_a_page_that_fails_leaves_the_console_alive(
    console: Open, traded: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(reader: Reader) -> None:
        raise LookupError("nobody foresaw this")

    monkeypatch.setattr("tradeterm.tui.screens.scores.read", broken)
    async with console() as desk:
        desk.session.store = traded
        await desk.press("W")
        assert "this page failed (LookupError)" in await read(desk)
        assert "Who was right" not in await desk.press("escape")
    assert "nobody foresaw this" in caplog.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_who_was_right_is_a_page_of_short_tables(
    console: Open, traded: Path, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        desk.session.store = traded
        await desk.press("W")
        text = await read(desk)
        assert "What every proposed entry would have come to" in text
        assert "sent" in text
        assert "stop-target-time/1" in await desk.press("G")
        assert "Who was right" not in await desk.press("escape")


async def test_why_walks_from_the_row_to_its_cause(console: Open, traded: Path) -> None:
    with Reader(traded) as reader:
        position = reader.positions(everything=True)[0]
    held = replace(busy().positions[0], id=position["id"])
    async with console(120, 40, replace(busy(), positions=(held,))) as desk:
        desk.session.store = traded
        await desk.press("v")
        text = await read(desk)
        assert f"Why {position['id']}" in text
        assert "agent_output" in text, "the chain begins with what an analyst said"


async def test_an_event_an_agent_and_a_plan_are_explained_too(console: Open, traded: Path) -> None:
    with Reader(traded) as reader:
        fill = reader.journal(kind="fill", limit=1)[0]
        plan = reader.journal(kind="plan", limit=1)[0]
    shown = busy()
    told = replace(shown.events[-1], subject=fill.id)
    bought = replace(shown.portfolio.plans[0], id=plan.id)
    held = replace(shown.portfolio, plans=(bought,), differences=())
    view = replace(shown, events=(*shown.events[:-1], told), portfolio=held)
    async with console(120, 40, view) as desk:
        desk.session.store = traded
        await desk.press("5", "v")
        text = await read(desk)
        assert f"Why {fill.id}" in text
        assert "proposal" in text
        await desk.press("escape", "9", "v")
        text = await read(desk)
        assert f"Why {plan.id}" in text
        assert f"plan {plan.id}" in text
        await desk.press("escape", "6", "v")
        text = await read(desk)
        assert "Why TA on BTC/USDT" in text
        assert "agent=technical_analysis" in text


async def test_v_says_why_there_is_nothing_to_explain(console: Open, traded: Path) -> None:
    shown = busy()
    view = replace(shown, portfolio=replace(shown.portfolio, plans=(), differences=()))
    async with console(120, 40, view) as desk:
        desk.session.store = traded
        assert "v: not possible now: there is no row under" in await desk.press("5", "v")
        assert "there was no plan yet" in await desk.press("9", "v")
        assert "choose a row of positions, cards, orders" in await desk.press("3", "v")


async def test_an_agent_that_said_nothing_is_said_to_have(console: Open, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    words = ("run", "--headless", "--until", "1s", "--db", str(db))
    assert tradeterm(*words, home=tmp_path).code == 0
    async with console(120, 40) as desk:
        desk.session.store = db
        await desk.press("6", "j", "j", "v")  # news are read every half hour
        assert "has said nothing about BTC/USDT in this run" in await read(desk)


async def test_the_journal_is_narrowed_by_typing(console: Open, traded: Path) -> None:
    async with console(120, 40) as desk:
        desk.session.store = traded
        await desk.press("J")
        assert "Journal" in await read(desk)
        text = await desk.press("slash", *"agent_output")
        assert "/agent_output_" in text
        rows = re.findall(r"┃ +\d+ 2025.*", text)
        assert rows, desk.text
        assert all("agent_output" in row for row in rows), rows
        assert "enter whole row" in await desk.press("enter"), "the filter stays, keys act again"
        assert "Journal /agent_output" in desk.text
        await desk.press("slash", "escape", "slash", *"!agent_output")
        rows = re.findall(r"┃ +\d+ 2025.*", desk.text)
        assert rows, desk.text
        assert not any("agent_output" in row for row in rows), rows
        await desk.press("H")
        assert any(isinstance(each, Halt) for each in desk.session.commands), "H while typing"


async def test_a_row_of_the_journal_is_opened_whole_and_explained(
    console: Open, traded: Path
) -> None:
    with Reader(traded) as reader:
        newest = reader.journal(limit=3)[::-1]
    row = newest[2]
    async with console(120, 40) as desk:
        desk.session.store = traded
        await desk.press("J")
        await read(desk)
        text = await desk.press("j", "j", "enter")
        assert f"Row {row.seq}: {row.kind} {row.id}" in text
        whole = desk.app.screen.pane.text()  # type: ignore[attr-defined]
        assert str(row.data) != "{}"
        assert all(f'"{name}"' in whole for name in row.data), "every fact of it"
        text = await desk.press("enter")
        assert "Row " not in text
        assert "enter whole row" in text, "back in the journal, where the cursor stayed"
        await desk.press("v")
        assert f"Why {row.id}" in await read(desk)
        await desk.press("escape")
        await desk.press("enter", "H")
        assert any(isinstance(each, Halt) for each in desk.session.commands)
        await desk.settle()
        assert len(desk.app.screen_stack) == 1, "a halt closes every page"


async def test_the_cursor_of_the_journal_keeps_to_what_the_filter_leaves(
    console: Open, traded: Path
) -> None:
    with Reader(traded) as reader:
        fill = reader.journal(kind="fill", limit=1)[0]
    async with console(120, 40) as desk:
        desk.session.store = traded
        await desk.press("J")
        await read(desk)
        await desk.press("slash", *"fill", *["space"] * 9, *fill.id, "space", "enter")
        assert f"Row {fill.seq}: fill {fill.id}" in await desk.press("enter")
        await desk.press("escape", "escape", "slash", *"nothing like it", "enter")
        assert "there is no row here" in await desk.press("enter")


async def test_settings_that_are_not_the_default_stand_out(console: Open, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    words = ("run", "--headless", "--until", "1s", "--set", "risk.max_leverage=3")
    assert tradeterm(*words, "--db", db, home=tmp_path).code == 0
    async with console(160, 50) as desk:
        desk.session.store = db
        await desk.press("ctrl+o")
        await read(desk)
        text = await desk.press("slash", *"leverage")
        assert "risk.max_leverage = 3   default 5 · --set" in text
