"""Steps and jumps on the screen; leaving while something is open: asked, ordered, then gone."""

from __future__ import annotations

from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy, with_cards, with_status
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import CancelEntries, ClosePosition, Flatten, Halt
from tradeterm.model.walking import Goal


def empty_handed() -> ConsoleView:
    view = replace(with_cards(busy(3), []), positions=(), orders=())
    return replace(view, portfolio=replace(view.portfolio, plans=()))


def without_entries() -> ConsoleView:
    view = busy(3)
    return replace(view, orders=tuple(o for o in view.orders if o.purpose != "entry"))


async def test_keeping_everything_is_one_key_and_overrules_the_policy_for_signals(
    console: Open,
) -> None:
    async with console(80, 24) as desk:
        text = await desk.press("q")
        assert "Open positions: 3." in text
        assert "market is held while the program is off" in text
        assert "keeps everything as it is (console.on_signal)" in text
        await desk.press("y")
        assert (desk.session.commands, desk.session.left_as_is) == ([], True)
        assert desk.app.return_code == 0


async def test_a_live_market_says_that_it_goes_on(console: Open) -> None:
    async with console(120, 40, with_status(busy(), mode="LIVE")) as desk:
        text = await desk.press("q")
        assert "The market goes on without you" in text
        assert "nothing is triggered in between" not in text


async def test_a_journal_that_cannot_be_written_is_named_before_leaving(console: Open) -> None:
    unwritten = "JOURNAL CANNOT BE WRITTEN, market held: disk full"
    async with console(80, 24) as desk:
        await desk.look(replace(empty_handed(), fault=unwritten))
        assert unwritten in (await desk.look()).splitlines()[1]  # first it takes a line from a pane
        text = await desk.press("q")
        assert "what was ordered since then is lost" in text
        assert "FLATTEN" not in text
        await desk.press("f")
        assert desk.app.return_code is None
        await desk.press("q", "y")
        assert desk.app.return_code == 0


async def test_a_plan_under_way_alone_makes_leaving_ask(console: Open) -> None:
    planned = replace(empty_handed(), portfolio=busy().portfolio)
    assert [plan.status for plan in planned.portfolio.plans][:1] == ["open"]
    async with console(80, 24, planned) as desk:
        text = await desk.press("q")
        assert "A rebalance is under way: 3 of 6 batches of plan-2 taken." in text
        assert desk.app.return_code is None
        await desk.press("y")
        assert desk.app.return_code == 0


async def test_keys_say_that_they_wait_for_a_journal_that_cannot_be_written(console: Open) -> None:
    unwritten = replace(busy(), fault="JOURNAL CANNOT BE WRITTEN, market held: disk full")
    async with console(120, 40, unwritten) as desk:
        text = await desk.press("1", "x")
        assert "waits until the journal can be written: closing BTC/USDT long at market" in text
        text = await desk.press("H")
        assert "HALT waits until the journal can be written; nothing trades before" in text
        assert desk.session.commands == [ClosePosition(position_id="pos-1"), Halt()]


async def test_entries_are_cancelled_before_leaving(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("q", "c")
        assert desk.session.commands == [CancelEntries()]
        assert desk.session.walks[-1][0] is Goal.SETTLED
        assert "then leaving; esc stays" in text
        assert desk.app.return_code is None
        await desk.look(without_entries())
        assert desk.app.return_code == 0


async def test_flattening_before_leaving_asks_for_the_word(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("q", "f")
        assert "Flatten everything and quit?" in text
        assert "Spot holdings stay: BTC 2,231.40, XRP 2,456.51 USDT." in text
        assert "plan-2 pauses, goes on after RESUME: 655.68 USDT undone." in text
        assert desk.session.commands == []
        await desk.press(*"FLATTEN", apart=1.2)
        assert desk.session.commands == [Flatten()]
        text = await desk.look(without_entries())
        assert "3 positions to close" in text
        assert desk.app.return_code is None
        await desk.look(empty_handed())
        assert desk.app.return_code == 0


async def test_enter_escape_and_any_other_key_stay(console: Open) -> None:
    async with console() as desk:
        for key in ("enter", "escape", "n", "space"):
            text = await desk.press("q", key)
            assert "still running" in text
        assert (desk.session.commands, desk.app.return_code) == ([], None)


async def test_escape_stays_although_the_orders_are_out(console: Open) -> None:
    async with console() as desk:
        await desk.press("q", "c", "escape")
        await desk.look(without_entries())
        assert desk.app.return_code is None
        assert desk.session.pauses == [True]


async def test_who_waits_too_long_for_the_market_stays(console: Open) -> None:
    async with console() as desk:
        await desk.press("q", "c")
        text = await desk.look(after=21)
        assert "still running; q asks again" in text
        await desk.look(without_entries())
        assert desk.app.return_code is None


async def test_a_jump_says_where_it_goes_and_why_it_ended(console: Open) -> None:
    async with console(80, 24, with_cards(busy(), [])) as desk:
        going = with_status(with_cards(busy(2), []), walking="the next fill", speed=float("inf"))
        assert "SIM goes on to the next fill at full speed · esc stops it" in await desk.look(going)
        assert "esc stops it" in await desk.press("dollar_sign")
        assert desk.session.walks == []
        there = with_status(with_cards(busy(3), []), arrived="FILL BTC/USDT buy 1", speed=0.0)
        assert "stopped: FILL BTC/USDT buy 1" in await desk.look(there)


async def test_escape_ends_a_jump(console: Open) -> None:
    async with console(120, 40, with_cards(busy(), [])) as desk:
        await desk.look(with_status(with_cards(busy(2), []), walking="the next fill"))
        await desk.press("escape")
        assert desk.session.pauses == [True]


async def test_nobody_jumps_over_a_waiting_card(console: Open) -> None:
    async with console() as desk:
        assert "a card waits: decide it" in await desk.press("dollar_sign")
        assert desk.session.walks == []
