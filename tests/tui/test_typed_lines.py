"""Lines typed at the foot of the screen, amounts and prices, and words typed in full over it."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace
from textual import events

from tests.tui.conftest import Open
from tests.tui.pictures import busy
from tradeterm.model.commands import ClosePosition, Flatten, Halt, MoveStop


async def test_a_paste_goes_into_the_line_and_never_ends_it(console: Open) -> None:
    async with console() as desk:
        desk.app.post_message(events.Paste("ay\n" * 3000))
        await desk.settle()
        assert desk.app.question is None
        await desk.press("7", "slash")
        desk.app.post_message(events.Paste("  ord-6\x1b[2J\nq\n"))
        await desk.settle()
        assert "filter: ord-6[2J" in desk.text
        await desk.press("escape", "1", "m")
        desk.app.post_message(events.Paste("64,000\n"))
        await desk.settle()
        assert desk.text.splitlines()[-2].rstrip("▏ ").endswith("64,000")
        assert desk.session.commands == []
        await desk.press("enter")
        assert desk.session.commands == [MoveStop(position_id="pos-1", price=Decimal(64000))]
        await desk.press("m", *"62000", "enter")
        desk.app.post_message(events.Paste("y"))
        await desk.settle()
        assert len(desk.session.commands) == 1, "farther away asks for a y that is typed"


async def test_part_of_a_position_is_closed_by_size_or_share(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("1", "X")
        assert "close how much of 0.4200 BTC/USDT" in text
        assert "0.1▏" in await desk.press(*"0.1")
        assert desk.session.commands == []
        await desk.press("enter")
        await desk.press("X", *"50%", "enter")
        assert desk.session.commands == [
            ClosePosition(position_id="pos-1", size=Decimal("0.1")),
            ClosePosition(position_id="pos-1", size=Decimal("0.21")),
        ]
        for nonsense in ("0", "0.43", "-1", "1e9", "nan", "101%", "all"):
            assert "nothing was sent" in await desk.press("X", *nonsense, "enter"), nonsense
        assert "nothing was sent" in await desk.press("X", "1", "escape")
        assert len(desk.session.commands) == 2


async def test_a_share_of_a_position_is_a_whole_number_of_lots(console: Open) -> None:
    view = busy()
    odd = replace(view.positions[0], size=Decimal("4102.57672587"))
    async with console(120, 40, replace(view, positions=(odd,))) as desk:
        await desk.press("1", "X", *"50%", "enter")
        size = Decimal("2051.28836293")  # 2051.288362935 rounded down
        assert desk.session.commands == [ClosePosition(position_id=odd.id, size=size)]


async def test_a_tighter_stop_goes_at_once_and_a_looser_one_asks(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "m", *"64000", "enter")
        assert desk.session.commands == [MoveStop(position_id="pos-1", price=Decimal(64000))]
        text = await desk.press("m", *"63,000", "enter")
        assert "63,000.0 is farther away than 63,900.0: " in text
        await desk.press("y", apart=0.05)  # typed before it was readable
        assert len(desk.session.commands) == 1
        await desk.press("enter")  # no is the default
        assert len(desk.session.commands) == 1
        await desk.press("m", *"63000", "enter")
        assert "no answer, so No" in await desk.look(after=10.1)
        await desk.press("m", *"63000", "enter", "y")
        assert desk.session.commands[1:] == [MoveStop(position_id="pos-1", price=Decimal(63000))]
        short = ("j", "m", *"0.5600", "enter")  # a short's stop is looser higher up
        assert "farther away" in await desk.press(*short)


async def test_a_stop_is_compared_with_where_it_is_when_enter_is_pressed(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "m", *"64000")
        view = busy(2)
        trailed = replace(view.positions[0], stop=Decimal(64500))
        await desk.look(replace(view, positions=(trailed, *view.positions[1:])))
        assert "64,000.0 is farther away than 64,500.0: " in await desk.press("enter")
        assert desk.session.commands == []


async def test_what_is_typed_and_what_ends_it_are_read_at_80_columns(console: Open) -> None:
    async with console(80, 24) as desk:
        typed = "long 0.123456789 stop 64000 target 70000"
        await desk.press("w")
        text = await desk.press(*("space" if key == " " else key for key in typed))
        line, footer = text.splitlines()[-2:]
        assert line.endswith(f"{typed}▏")
        assert "enter asks risk, sends nothing · esc leaves it · H still halts" in footer
        assert "a Approve" in (await desk.press("escape")).splitlines()[-1]


async def test_halt_works_while_an_amount_is_typed(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "X", "1", "H")
        assert desk.session.commands == [Halt()]
        await desk.press("enter")
        assert desk.session.commands == [Halt()]


async def test_keys_held_into_a_typed_question_do_nothing(console: Open) -> None:
    async with console() as desk:
        await desk.press("F")
        await desk.press(*"FLATTEN", apart=0.1)
        assert desk.session.commands == []
        assert "typed too early, not counted: again" in desk.text
        await desk.press("F", apart=1.1)
        assert "typed too early" not in desk.text
        assert "esc and enter: Cancel" in desk.text
        assert "anything else" not in desk.text  # a wrong letter ends nothing


async def test_enter_behind_a_word_typed_too_early_asks_for_it_again(console: Open) -> None:
    async with console() as desk:
        await desk.press("F")
        await desk.press(*"FLATTEN", apart=0.1)
        text = await desk.press("enter", apart=1.1)
        assert "typed too early, not counted: again" in text
        await desk.press(*"FLATTEN", apart=0.1)
        assert desk.session.commands == [Flatten()]
        await desk.press("F", "enter", apart=1.1)
        assert "flatten cancelled: nothing changed" in desk.text
