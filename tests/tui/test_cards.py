"""What a card says: while it waits, while it is asked about, and once it is decided."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Open
from tests.tui.pictures import busy, card, turning_card, with_cards, with_status
from tradeterm.engine.cardview import CardView
from tradeterm.engine.view import (
    ConsoleView,
    StatusView,
)
from tradeterm.tui.ink import Line
from tradeterm.tui.panes.bars import status_groups, status_line
from tradeterm.tui.panes.cardlines import card_lines

SIZES = [(80, 24), (120, 40), (200, 60)]


def said(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def shown(one: CardView, width: int = 70) -> str:
    return said(card_lines(one, busy(), width))


def test_a_waiting_card_says_what_it_would_do_now() -> None:
    text = shown(card(17, "BTC/USDT", "TA long .62 vs sentiment short .55", 41))
    for fact in (
        "size 0.0500",
        "notional 3,250.70 USDT",
        "risk at stop 71.72 USDT",
        "exposure after 44.2 %",
        "now 65,014.0 (+0.02 %)",
    ):
        assert fact in text


@pytest.mark.parametrize("state", ["approved", "rejected", "expired", "drifted", "void"])
def test_a_decided_card_keeps_its_facts_and_says_nothing_of_today(state: str) -> None:
    text = shown(card(17, "BTC/USDT", "TA long .62 vs sentiment short .55", 41, state))
    for fact in (
        "size 0.0500",
        "notional 3,250.70 USDT",
        "risk at stop 71.72 USDT",
        "entry 65,014.0",
        "price then 65,001.5",
    ):
        assert fact in text
    assert "exposure after" not in text
    assert "now" not in text


def test_a_closing_card_says_what_it_closes_and_what_follows() -> None:
    text = shown(turning_card(19, "BTC/USDT", 41))
    assert "closes 0.4200   notional 27,306.01 USDT   exposure after 16.9 %" in text
    assert "→ then a SHORT on BTC/USDT is proposed anew, with a card of its own" in text
    assert "approves: sends: close pos-1 at market" in text
    for strange in (
        "reward/risk",
        "risk at stop",
        "leverage",
        "entry",
        "stop –",
        "target",
        "risk has checked",
    ):
        assert strange not in text


@pytest.mark.parametrize("size", SIZES)
async def test_the_question_on_a_closing_card_says_what_follows(
    console: Open, size: tuple[int, int]
) -> None:
    view = with_cards(busy(), [turning_card(19, "BTC/USDT", 41)])
    async with console(*size, view) as desk:
        await desk.press("a")
        box = desk.app.deck.conflicts
        lines = list(box.inside(box.size.width - 4, box.size.height - 2))
        words = " ".join(said(lines).split())
        assert "Approve #19? close pos-1 at market; then a SHORT on BTC/USDT is proposed" in words
        assert "closes 0.4200 notional 27,306.01 USDT exposure after 16.9 %" in words
        assert "any other key: No" in words


# -- before anything is known ----------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 15), *SIZES])
async def test_before_the_first_picture_no_figure_is_invented(
    console: Open, size: tuple[int, int]
) -> None:
    async with console(*size, ConsoleView()) as desk:
        text = desk.text
        assert "PAPER" in text
        assert "STARTING" in text
        assert "eq –" in text
        assert "NORMAL" not in text.splitlines()[0]
        for invented in ("SIM", "›NORMAL‹", "0.00", "(0", "nothing to decide", "no open positions"):
            assert invented not in text, invented
        assert "connecting to the engine" in text or size == (60, 15)
        known = await desk.look(busy(2))
        assert "eq 10,041" in known
        assert "eq –" not in known


# -- the status line -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 99, 100, 120, 200])
@pytest.mark.parametrize("state", ["running", "paused", "halted", "finished"])
@pytest.mark.parametrize("level", ["NORMAL", "EMERGENCY"])
@pytest.mark.parametrize("age", [None, 0.2, 754.0])
def test_state_level_and_money_are_always_in_the_status_line(
    width: int, state: str, level: str, age: float | None
) -> None:
    view = with_status(
        busy(),
        state=state,
        level=level,
        speed=1800.0,
        data_age=age,
        equity=busy().status.equity * 10,
    )
    line = said([status_line(view.status, width)])
    for word in ("PAPER", "SIM", state.upper(), level, "eq 100,41", "dd 0.4/20%", "exp 44"):
        assert word in line
    assert len(line) <= width


def test_the_state_stands_beside_the_market() -> None:
    groups = status_groups(StatusView(known=True, mode="SIM", state="running"), 80)
    assert [said([group]) for group in groups[:2]] == ["PAPER SIM 1× –", "RUNNING"]


@pytest.mark.parametrize("size", [(80, 20), *SIZES])
async def test_an_empty_queue_ends_with_a_whole_sentence(
    console: Open, size: tuple[int, int]
) -> None:
    async with console(*size, with_cards(busy(), [])) as desk:
        for keys in ((), ("4", "z")):
            await desk.press(*keys)
            box = desk.app.deck.conflicts
            lines = said(list(box.inside(box.size.width - 4, box.size.height - 2))).splitlines()
            assert lines[0] == "nothing to decide"
            assert len(lines) <= box.size.height - 2
            assert lines[-1].endswith(("decide", "."))


def test_a_model_is_named_and_what_it_made_up_is_marked() -> None:
    written = replace(
        card(17, "BTC/USDT", "TA long .62", 41), by="llm", model="deepseek/deepseek-chat",
        reasoning="Support at 64,000 holds.", misquoted=("64,000",), cost=Decimal("0.0012"),
        latency=2.5,
    )  # fmt: skip
    text = shown(written)
    assert (
        "deepseek/deepseek-chat wrote, 0.61 sure, in 2.5 s for $0.0012:\n▏ Support at 64,000 holds."
        in text
    )
    assert "! not among the facts it was told: 64,000" in text
