"""Keys that decide, and keys that change how careful the system is: key → command."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy, card, with_cards, with_status
from tradeterm.engine.cardview import SideView
from tradeterm.engine.levelview import CauseView, DrillView, LevelView, PermitView
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import (
    ApproveCard,
    Command,
    DeferCard,
    EditCard,
    EnableTask,
    RejectAll,
    RunDrill,
    SetLevel,
    UndoReject,
)
from tradeterm.model.drills import Drill
from tradeterm.model.vocabulary import Level

D = Decimal
CARD = "card-17"


def lowered(view: ConsoleView, **changes: object) -> ConsoleView:
    """REDUCED by failures, with a drill under way and a refusal that can be taken back."""
    level = LevelView(
        causes=(CauseView("arbiter (3 failures)", "REDUCED", "one level after 3 valid answers"),),
        permits=(PermitView("sentiment", False), PermitView("new exposure", True)),
        drills=(DrillView("llm-outage", view.status.market_time + 90 * 10**9),),
        undoable=True,
    )
    return replace(with_status(view, level="REDUCED", **changes), level=level)


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("0.02", EditCard(card_id=CARD, content_hash="hash17", size=D("0.02"))),
        ("50%", EditCard(card_id=CARD, content_hash="hash17", size=D("0.025"))),
        ("x2 stop 64500", EditCard(
            card_id=CARD, content_hash="hash17", leverage=D(2), stop=D(64500))),
        ("size 0.01 stop 64,500", EditCard(
            card_id=CARD, content_hash="hash17", size=D("0.01"), stop=D(64500))),
    ],
)  # fmt: skip
async def test_edit_sends_what_was_typed_and_approves_nothing(
    console: Open, typed: str, command: Command
) -> None:
    async with console() as desk:
        keys = {" ": "space", "%": "percent_sign", ".": "full_stop", ",": "comma"}
        await desk.press("E", *(keys.get(key, key) for key in typed), "enter")
        assert desk.session.commands == [command]


async def test_the_question_says_what_risk_would_refuse_at_the_price_of_now(console: Open) -> None:
    async with console() as desk:
        text = await desk.press("a")
        assert '"card": "card-17"' in desk.session.questions[0]
        assert "y sends exactly this order" in text
        why = "risk: reward_risk_too_low (1.40 x, needs >= 1.5 x)"
        desk.session.answer.set_result({"refusal": why})
        text = " ".join((await desk.look(after=0.5)).split())
        assert "risk would refuse it now: reward_risk_too_low (1.40 x, needs >= 1.5 x)" in text
        assert "y sends exactly this order" not in text
        await desk.press("n")
        assert desk.session.commands == []


async def test_an_edited_card_is_approved_as_it_reads_then(console: Open) -> None:
    """Edit, see the new order come back, ask, say yes: the key is bound to the new hash."""
    async with console() as desk:
        await desk.press("E", "5", "0", "percent_sign", "enter")
        (edit,) = desk.session.commands
        cards = [
            replace(one, content_hash="half", size=D("0.025")) if one.id == CARD else one
            for one in busy().cards
        ]
        await desk.look(with_cards(busy(2), cards))
        assert "size 0.025" in await desk.press("a")
        await desk.press("y")
        assert desk.session.commands == [
            edit, ApproveCard(card_id=CARD, content_hash="half"),
        ]  # fmt: skip


@pytest.mark.parametrize("typed", ["nonsense", "stop", "x", "150%"])
async def test_an_edit_that_says_nothing_sends_nothing(console: Open, typed: str) -> None:
    async with console() as desk:
        text = await desk.press("E", *(typed.replace("%", "")), "enter")
        if typed != "150%":
            assert "nothing was changed" in text
            assert desk.session.commands == []


async def test_defer_undo_and_refusing_all(console: Open) -> None:
    async with console() as desk:
        await desk.press("u")
        assert desk.session.commands == []  # nothing was refused yet
        text = await desk.press("d")
        assert "#17 is left to its deadline; 0:41 left at 60×" in text
        await desk.press("R")
        await desk.look(lowered(busy(2)))
        await desk.press("u")
        assert desk.session.commands == [DeferCard(card_id=CARD), RejectAll(), UndoReject()]


async def test_no_key_decides_a_card_nobody_could_have_read(console: Open) -> None:
    async with console(120, 40, with_cards(busy(), [])) as desk:
        await desk.look(with_cards(busy(2), [card(21, "XRP/BTC", "choppy vs BUY", 90)]))
        for key in ("d", "E", "R", "r", "a"):
            await desk.press(key, apart=0.01)
        assert desk.session.commands == []
        assert desk.app.question is None
        assert desk.app.typing is None


async def test_an_agent_is_paused_at_once_and_resumed_after_a_y(console: Open) -> None:
    async with console() as desk:
        await desk.press("6", "p")
        assert desk.session.commands == [EnableTask(task="technical_analysis", enabled=False)]
        view = busy(2)
        off = (replace(view.agents[0], enabled=False, state="off"), *view.agents[1:])
        await desk.look(replace(view, agents=off))
        await desk.press("p", "n", apart=0.5)
        assert len(desk.session.commands) == 1
        await desk.press("p", "y", apart=0.5)
        assert desk.session.commands[1:] == [EnableTask(task="technical_analysis", enabled=True)]


async def test_a_stricter_level_acts_at_once_and_a_looser_one_takes_a_word(console: Open) -> None:
    async with console() as desk:
        await desk.look(lowered(busy(2)))
        await desk.press("8", "l", *"limited", "enter")
        assert desk.session.commands == [SetLevel(level=Level.LIMITED)]
        await desk.press("l", *"normal", "enter", apart=0.5)
        await desk.press(*"LOOSE", apart=1.1)
        assert len(desk.session.commands) == 1
        await desk.press("N")
        assert desk.session.commands[1:] == [SetLevel(level=Level.NORMAL)]


async def test_drills_begin_in_a_simulated_market_only(console: Open) -> None:
    async with console() as desk:
        await desk.press("exclamation_mark", *"stale", "space", *"5m", "enter")
        await desk.press("exclamation_mark", *"budget", "enter", apart=0.5)
        assert desk.session.commands == [
            RunDrill(drill=Drill.STALE_DATA, seconds=300),
            RunDrill(drill=Drill.BUDGET, seconds=600),
        ]
        await desk.look(with_status(busy(2), mode="LIVE"))
        assert "not possible now" in await desk.press("exclamation_mark")


async def test_the_safety_pane_says_why_until_when_and_what_is_forbidden(console: Open) -> None:
    async with console(120, 40, lowered(busy())) as desk:
        for words in (
            "llm-outage, 1:30 left", "arbiter (3 failures)", "one level after 3",
            "forbids sentiment", "new exposure",
        ):  # fmt: skip
            assert words in desk.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_card_names_both_sides_and_how_old_they_are(
    console: Open, size: tuple[int, int]
) -> None:
    sides = (
        SideView("technical_analysis", "long", True, 0.62, 40.0, "RULES"),
        SideView("sentiment_analysis", "short", False, 0.55, 1320.0, "deepseek/deepseek-chat"),
    )
    one = replace(card(17, "BTC/USDT", "TA vs SENT", 41), sides=sides, verdict="modified: R-SIZE")
    async with console(*size, with_cards(busy(), [one])) as desk:
        text = await desk.press("2", "enter")
        assert "TA long 0.62, 40s old" in text
        assert "sentiment short 0.55, 22m00 old (deepseek/deepseek-chat)" in text
        assert "risk modified: R-SIZE" in text


async def test_full_texts_open_for_a_card_and_for_every_agent(console: Open) -> None:
    async with console(120, 40) as desk:
        assert "What was said, #17" in await desk.press("2", "o")
        await desk.press("escape")
        assert "Agent TA" in await desk.press("6", "o")
        await desk.press("escape")
        text = await desk.press("A")
        assert "answers by" in text
        assert desk.session.commands == []


async def test_wide_tables_scroll_sideways(console: Open) -> None:
    async with console() as desk:
        assert "ENTRY" in await desk.press("1")
        text = await desk.press("l", "l", "l", "l")
        assert "ENTRY" not in text
        assert "BTC/USDT" in text
        assert "ENTRY" in await desk.press("h", "h", "h", "h")
