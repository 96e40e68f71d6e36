"""Who comes back to a live market is told first what it did to what was left open."""

from __future__ import annotations

import time

from msgspec.structs import replace

from tests.tui.conftest import Console, Open
from tests.tui.pictures import NOW, busy
from tradeterm.model.away import Away
from tradeterm.model.timing import HOUR

AWAY = Away(
    NOW - 3 * HOUR, NOW, 412, 2,
    ("11:40:02 pos-3 BTC/USDT long closed by stop at 63890.1, P&L -38.60",
     "12:05:00 pos-4 XRP/USDT long opened 1200 at 0.52"),
)  # fmt: skip


async def came_back(desk: Console, away: Away, version: int = 60) -> str:
    """The program began while the market of ``away`` was being settled."""
    desk.app._began = max(away.since + 1, away.until - 1)
    return await desk.look(replace(busy(version), away=away))


async def test_it_is_told_once_on_a_page_of_its_own(console: Open) -> None:
    async with console(80, 24) as desk:
        text = await came_back(desk, AWAY)
        assert "While you were away" in text
        assert "2025-06-02 11:02:07Z" in text
        assert "412 market events" in text
        assert "closed by stop at 63890.1" in text
        assert "opened 1200 at 0.52" in text
        assert "While you were away" not in await desk.press("escape")
        assert "While you were away" not in await desk.look(replace(busy(61), away=AWAY))


async def test_a_market_that_touched_nothing_opens_no_page(console: Open) -> None:
    async with console() as desk:
        quiet = replace(AWAY, fills=0, lines=())
        assert "While you were away" not in await came_back(desk, quiet)


async def test_a_market_nobody_can_tell_of_is_not_called_quiet(console: Open) -> None:
    lost = replace(AWAY, events=0, fills=0, lines=("3 working orders are unknown: no bars",))
    async with console() as desk:
        text = await came_back(desk, lost)
        assert "could not be fetched: nothing is assumed" in text
        assert "3 working orders are unknown" in text


async def test_gaps_of_earlier_sessions_and_of_this_one_open_no_page(console: Open) -> None:
    async with console() as desk:
        assert AWAY.until < time.time_ns(), "it ended before this program began"
        text = await desk.look(replace(busy(60), away=AWAY))
        assert "While you were away" not in text
        desk.app._began = AWAY.since - 1
        text = await desk.look(replace(busy(61), away=AWAY))
        assert "While you were away" not in text


async def test_nobody_is_interrupted_in_a_question_or_while_looking_on(console: Open) -> None:
    async with console() as desk:
        await desk.press("2", "a")
        assert "While you were away" not in await came_back(desk, AWAY)
    async with console() as desk:
        desk.session.watching = True
        assert "While you were away" not in await came_back(desk, AWAY)


async def test_halt_works_from_the_page(console: Open) -> None:
    async with console() as desk:
        await came_back(desk, AWAY)
        await desk.press("H")
        assert [type(each).__name__ for each in desk.session.commands] == ["Halt"]
