"""Keys become commands, each with the care its tier asks for."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy, card, with_cards, with_status
from tradeterm.engine.view import ConsoleView, DifferenceView, PortfolioView
from tradeterm.model.commands import (
    ApproveCard,
    BreakEven,
    CancelEntries,
    CancelOrder,
    CancelPlan,
    CloseLosers,
    ClosePosition,
    Command,
    Flatten,
    Halt,
    MoveTarget,
    Pause,
    Reconcile,
    RejectAll,
    RejectCard,
    Resume,
    SetTrailing,
)
from tradeterm.tui.actions import ACTIONS


async def test_approval_takes_a_and_then_y(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        assert desk.session.commands == []
        await desk.press("y")
        assert desk.session.commands == [ApproveCard(card_id="card-17", content_hash="hash17")]


async def test_any_other_answer_is_no(console: Open) -> None:
    async with console() as desk:
        for key in ("enter", "n", "escape", "space", "tab", "q", "r", "j"):
            await desk.press("a")
            assert desk.app.question is not None
            await desk.press(key)
            assert desk.app.question is None, key
            assert desk.app.return_code is None
            await desk.press("y")
            assert desk.session.commands == [], key


async def test_what_is_ordered_while_the_market_stands_says_when_it_fills(console: Open) -> None:
    async with console(120, 40) as desk:
        await desk.press("space")
        text = await desk.press("1", "x")
        assert "closing BTC/USDT long at market; space lets it fill" in text
        text = await desk.press("L", "y")
        assert "now; space lets it fill" in text
        assert "lets it fill" not in await desk.press("P")
        await desk.press("space")
        assert "lets it fill" not in await desk.press("F", *"FLATTEN", "enter")


async def test_holding_the_trigger_is_no_answer(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        await desk.press(*"aaaa", apart=0.03)
        assert desk.app.question is not None
        assert desk.session.commands == []


async def test_a_y_typed_before_the_question_was_readable_does_nothing(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        await desk.press("y", apart=0.1)
        assert desk.session.commands == []
        await desk.press("y", apart=0.3)
        assert len(desk.session.commands) == 1


async def test_an_unanswered_question_becomes_no(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        text = await desk.look(after=10.1)
        assert "no answer, so No" in text
        await desk.press("y")
        assert desk.session.commands == []


async def test_a_card_that_changed_since_it_was_shown_cannot_be_approved(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        desk.session.show(
            with_cards(
                busy(2),
                [
                    card(
                        17,
                        "BTC/USDT",
                        "TA long .62 vs sentiment short .55",
                        41,
                        content_hash="other",
                    ),
                ],
            )
        )
        desk.clock.wait(1)
        await desk.pilot.press("y")  # before the next poll
        await desk.settle()
        assert desk.session.commands == []
        assert "changed since it was shown" in desk.text


async def test_a_question_is_withdrawn_when_its_card_is_decided_elsewhere(console: Open) -> None:
    async with console() as desk:
        await desk.press("a")
        text = await desk.look(
            with_cards(
                busy(2), [card(17, "BTC/USDT", "TA long .62 vs sentiment short .55", 41, "drifted")]
            )
        )
        assert desk.app.question is None
        assert "#17 is drifted" in text


async def test_a_card_ignores_keys_until_it_was_readable(console: Open) -> None:
    async with console(120, 40, with_cards(busy(), [])) as desk:
        await desk.look(with_cards(busy(2), [card(21, "XRP/BTC", "choppy vs BUY", 90)]))
        await desk.press("a", apart=0.2)
        assert desk.app.question is None
        await desk.press("r", apart=0.05)
        assert desk.session.commands == []
        await desk.press("a", apart=0.5)
        assert desk.app.question is not None


async def test_stale_data_cannot_be_approved_on(console: Open) -> None:
    async with console() as desk:
        await desk.look(with_status(busy(2), data_age=30.0))
        text = await desk.press("a")
        assert "market data is 30s old" in text
        assert desk.app.question is None


async def test_reject_close_and_cancel_act_at_once_and_say_so(console: Open) -> None:
    async with console() as desk:
        assert "refusing #17" in await desk.press("r")
        assert "closing XRP/USDT short" in await desk.press("1", "j", "x")
        await desk.press("7", "j", "j", "c", "C", "R")
        assert desk.session.commands == [
            RejectCard(card_id="card-17"),
            ClosePosition(position_id="pos-2"),
            CancelOrder(order_id="ord-6"),
            CancelEntries(),
            RejectAll(),
        ]


async def test_targets_break_even_trailing_and_losers_have_their_keys(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "M", *"67000", "enter")
        await desk.press("M", *"none", "enter")
        await desk.press("b", "T", "j", "T", "L", "y", "V", "9", "K", "y")
        assert desk.session.commands == [
            MoveTarget(position_id="pos-1", price=Decimal(67000)),
            MoveTarget(position_id="pos-1", price=None),
            BreakEven(position_id="pos-1"),
            SetTrailing(position_id="pos-1", on=False),
            SetTrailing(position_id="pos-2", on=True),
            CloseLosers(),
            Reconcile(),
            CancelPlan(plan_id="plan-2"),
        ]


async def test_a_difference_stands_above_everything_in_the_portfolio(console: Open) -> None:
    view = busy(2)
    differing = DifferenceView("diff-1", 0, "position pos-1 is 2 here, 1 at the venue", "BTC/USDT")
    async with console(80, 24) as desk:
        await desk.look(replace(view, portfolio=replace(view.portfolio, differences=(differing,))))
        text = await desk.press("9")
        assert "DIFFERS diff-1: position pos-1 is 2 here, 1 at the venue" in text
        assert "buy XRP/USDT 271.36 of 542.73" in " ".join((await desk.press("enter")).split())


async def test_a_protective_order_cannot_be_cancelled(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("7", "g", "c")
        assert "not possible now" in text
        assert desk.session.commands == []


async def test_a_key_held_down_acts_once(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "x")
        await desk.press("x", "x", "x", apart=0.05)
        assert desk.session.commands == [ClosePosition(position_id="pos-1")]


async def test_halt_works_from_everywhere(console: Open) -> None:
    async with console() as desk:
        for before in (
            (),
            ("question_mark",),
            ("F",),
            ("a",),
            ("slash",),
            ("escape",),
            ("2", "enter"),
            ("q",),
            ("ctrl+p",),
        ):
            desk.session.commands.clear()
            await desk.press(*before)
            await desk.press("H")
            assert desk.session.commands == [Halt()], before


@pytest.mark.parametrize(
    ("key", "word", "state", "command"),
    [
        ("F", "FLATTEN", "running", Flatten()),
        ("P", "RESUME", "halted", Resume()),
        ("P", "RESUME", "paused", Resume()),
    ],
)
async def test_global_actions_take_a_typed_word(
    console: Open, key: str, word: str, state: str, command: Command
) -> None:
    async with console() as desk:
        await desk.look(with_status(busy(2), state=state))
        await desk.press(key, "enter")
        assert desk.session.commands == []
        await desk.press(key)
        await desk.press(*word[:-1], apart=1.1)
        assert desk.session.commands == []
        await desk.press(word[-1])
        assert desk.session.commands == [command]


async def test_a_small_stop_price_is_whole_and_its_kind_named(console: Open) -> None:
    view = busy()
    trailed = replace(
        view.positions[-1], stop=Decimal("0.00000831"), stop_kind="trailing", trailing=True
    )
    picture = replace(view, positions=(*view.positions[:-1], trailed))
    async with console(80, 24, picture) as desk:
        assert "0.00000831 trail" in desk.text


async def test_pause_acts_at_once(console: Open) -> None:
    async with console() as desk:
        await desk.press("P")
        assert desk.session.commands == [Pause()]


async def test_space_and_speed_keys_pace_the_market_only(console: Open) -> None:
    async with console() as desk:
        await desk.press("space")
        await desk.look(with_status(busy(2), speed=0.0), after=3)
        await desk.press("space", "plus", "plus", "minus")
        assert desk.session.pauses == [True, False]
        assert desk.session.speeds == [120.0, 300.0, 120.0]
        await desk.press(*["plus"] * 8)
        assert desk.session.speeds[-1] == math.inf
        assert desk.session.commands == []


async def test_a_live_market_cannot_be_paced(console: Open) -> None:
    async with console() as desk:
        await desk.look(with_status(busy(2), mode="LIVE"))
        await desk.press("space", "plus")
        assert desk.session.pauses == []
        assert desk.session.speeds == []


async def test_space_freezes_a_live_picture_and_nothing_else(console: Open) -> None:
    async with console() as desk:
        live = with_status(busy(2), mode="LIVE", equity=Decimal(10_001))
        assert "10,001" in await desk.look(live)
        await desk.press("space")
        text = await desk.look(with_status(live, equity=Decimal(10_002)))
        assert "10,001" in text
        assert "PICTURE FROZEN" in text
        text = await desk.press("space")
        assert "10,002" in text
        assert "FROZEN" not in text
        # What nobody may miss shows the present again.
        await desk.press("space")
        text = await desk.look(with_status(live, equity=Decimal(10_003), state="halted"))
        assert "10,003" in text
        assert "FROZEN" not in text


async def test_the_cursor_stays_on_its_row_when_others_come(console: Open) -> None:
    async with console() as desk:
        await desk.press("1", "j")
        view = busy(2)
        new = replace(view.positions[0], id="pos-9", symbol="XRP/BTC")
        await desk.look(replace(view, positions=(new, *view.positions)))
        current = desk.app.deck.positions.current()
        assert current is not None
        assert current.id == "pos-2"
        assert desk.app.choice.symbol == "XRP/USDT"


async def test_symbol_and_timeframe_follow_their_keys(console: Open) -> None:
    async with console() as desk:
        assert "Chart BTC/USDT 1m" in desk.text
        assert "Chart XRP/USDT 1m" in await desk.press("greater_than_sign")
        assert "Book BTC/USDT" in await desk.press("less_than_sign")
        text = await desk.press(
            "right_square_bracket", "right_square_bracket", "right_square_bracket"
        )
        assert "Chart BTC/USDT 1h" in text
        assert "Chart BTC/USDT 5m" in await desk.press("left_square_bracket")


async def test_filter_errors_only_and_following(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("5", "slash", *"xrp")
        assert "filter: xrp" in text
        await desk.press("enter")
        assert len(desk.app.deck.events.ids()) == 3
        await desk.press("escape")
        assert len(desk.app.deck.events.ids()) == 10
        await desk.press("e")
        assert len(desk.app.deck.events.ids()) == 3
        assert "reading · f follows" in await desk.press("e", "k")
        assert "following" in await desk.press("G")


async def test_enter_opens_details_and_executes_nothing(console: Open) -> None:
    async with console() as desk:
        for pane, words in (
            ("1", "Position BTC/USDT"),
            ("2", "Card #17"),
            ("5", "Event"),
            ("6", "Agent TA"),
            ("7", "Order ord-4"),
        ):
            assert words in await desk.press(pane, "enter")
            await desk.press("escape")
        assert desk.session.commands == []


async def test_help_lists_every_key_those_of_the_pane_first(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("4", "question_mark")
        assert "In this pane: Chart" in text
        assert text.index("Chart: candles, or a line of closes") < text.index("Decide")
        await desk.press("y")
        for action in ACTIONS:
            assert action.shown in desk.app.clipboard, action.name


async def test_results_of_commands_are_shown(console: Open) -> None:
    async with console() as desk:
        view = busy(2)
        event = replace(
            view.events[-1],
            seq=11,
            kind="CMD",
            text="approve #17: refused, drifted",
            severity="warning",
        )
        text = await desk.look(replace(view, events=(*view.events, event)))
        assert "approve #17: refused, drifted" in text.splitlines()[-2]


async def test_what_a_restart_brings_back_is_no_news_but_its_alarms_are(console: Open) -> None:
    view = busy(2)
    told = replace(view.events[-1], seq=11, kind="CMD", text="closing everything, halted")
    alarm = replace(told, seq=12, kind="RISK", severity="critical", text="the venue differs")
    events = (*view.events, told)
    async with console(120, 40, ConsoleView(), ready=False) as desk:
        await desk.look()
        assert "halted" not in (await desk.look(replace(view, events=events))).splitlines()[-2]
    raised = replace(view, events=(*events, alarm), status=replace(view.status, alarms=1))
    async with console(120, 40, ConsoleView(), ready=False) as desk:
        await desk.look()
        assert "the venue differs" in (await desk.look(raised)).splitlines()[-2]


async def test_quitting_asks_only_when_something_is_open(console: Open) -> None:
    async with console() as desk:
        await desk.press("q", "enter")
        assert desk.app.return_code is None
        quiet = replace(busy(2), positions=(), orders=(), cards=(), portfolio=PortfolioView())
        await desk.look(quiet)
        await desk.press("ctrl+q")
        await desk.settle()
        assert desk.app.return_code == 0
        assert desk.session.stopped == [5.0]


async def test_a_screenshot_is_kept_beside_the_log(
    console: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADETERM_LOG_DIR", str(tmp_path))
    async with console() as desk:
        text = await desk.press("S")
        kept = tmp_path / "tradeterm-2025-06-02T140207.svg"
        assert "BTC/USDT" in kept.read_text(encoding="utf-8")
        assert "screenshot in" in text
        monkeypatch.setenv("TRADETERM_LOG_DIR", str(kept))
        assert "no screenshot" in await desk.press("S")


async def test_a_key_without_a_meaning_says_so(console: Open) -> None:
    async with console() as desk:
        assert "Z does nothing here · ? shows every key" in await desk.press("Z")
        assert desk.session.commands == []


async def test_ctrl_c_only_says_how_to_quit(console: Open) -> None:
    async with console() as desk:
        assert "q or ctrl+q quits" in await desk.press("ctrl+c")
        assert desk.app.return_code is None


async def test_impossible_keys_leave_the_footer(console: Open) -> None:
    async with console(120, 40) as desk:
        assert "a Approve" in desk.text.splitlines()[-1]
        text = await desk.look(with_cards(busy(2), []))
        assert "Approve" not in text.splitlines()[-1]


async def test_themes_change_and_the_text_stays(console: Open) -> None:
    async with console() as desk:
        before = desk.text.splitlines()[1:-2]
        for _ in range(3):
            await desk.press("t", "j", "enter")
            assert desk.text.splitlines()[1:-2] == before
