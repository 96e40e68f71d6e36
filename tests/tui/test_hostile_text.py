"""Text nobody here wrote: it may look like anything, it may not do anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from tests.tui.conftest import Open
from tests.tui.pictures import busy
from tradeterm.engine.riskview import BreakerView, CooldownView, RiskView, VerdictView
from tradeterm.engine.view import ConsoleView
from tradeterm.tui.ink import cells, clip, fit, wrap
from tradeterm.tui.printable import ControlFilter, printable

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;aGFjaw==\x07",
    "\x9b31m",
    "[/]",
    "[@click=app.quit]x[/]",
    "[link=file:///etc/passwd]x",
    "a\r\nb\tc",
    "\u202egnp.exe",
    "z\u200bw\u200dj",
    "e" + "\u0301" * 40,
    "界" * 30,
    "\ud83d",
    "\U0001f468\u200d\U0001f469",
    "\x00\x07\x08\x7f",
    "{x!r}%s$(id)",
)


def poisoned(text: str) -> ConsoleView:
    """Every free text of a busy picture replaced."""
    view = busy()
    return replace(
        view,
        status=replace(view.status, level_cause=text, state_reason=text, advisor=text),
        cards=tuple(
            replace(
                each,
                headline=text,
                action=text,
                evidence=(text, text),
                reasoning=text,
                resolution=text,
                by="llm",
                model=text,
                misquoted=(text, text),
                reason=text,
                types=(text,),
                rules=tuple(
                    replace(rule, rule=text, value=text, limit=text, outcome=text)
                    for rule in each.rules
                ),
            )
            for each in view.cards
        ),
        events=tuple(replace(each, text=text, kind=text) for each in view.events),
        agents=tuple(
            replace(
                each,
                state=text,
                by=text,
                votes={"BTC/USDT": text},
                reasoning={"BTC/USDT": text, text: text},
            )
            for each in view.agents
        ),
        orders=tuple(replace(each, reason=text, type=text, purpose=text) for each in view.orders),
        positions=tuple(replace(each, agent=text, side=text) for each in view.positions),
        risk=RiskView(
            limits=tuple(replace(each, name=text, unit=text) for each in view.risk.limits),
            breakers=(BreakerView(text, 1.0, 5.0, text, text, None),),
            cooldowns=(CooldownView(text, text, 1),),
            blocked=((text, text),),
            verdicts=(VerdictView(text, 1, text, text, text, (text,)),),
        ),
        fault=f"JOURNAL CANNOT BE WRITTEN: {text}",
    )


def assert_harmless(shown: str, width: int) -> None:
    assert "panel failed" not in shown
    assert all(char == "\n" or char.isprintable() for char in shown)
    assert all(cell_len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize("size", [(200, 60), (80, 24)])
async def test_hostile_text_in_every_pane_neither_crashes_nor_escapes(
    console: Open, size: tuple[int, int]
) -> None:
    async with console(*size) as desk:
        for version, text in enumerate(HOSTILE, 2):
            view = replace(poisoned(text), version=version)
            assert_harmless(await desk.look(view), size[0])


async def test_hostile_text_in_pages_and_questions_neither_crashes_nor_escapes(
    console: Open,
) -> None:
    async with console(120, 40, poisoned("".join(HOSTILE))) as desk:
        for pane in "12567":
            assert_harmless(await desk.press(pane, "enter"), 120)
            await desk.press("escape")
        for key in ("a", "F"):
            assert_harmless(await desk.press(key), 120)
            await desk.press("escape")


@given(st.text(max_size=80))
def test_printable_text_is_printable(text: str) -> None:
    cleaned = printable(text)
    assert all(char.isprintable() or char in "\xa0" or char.isspace() for char in cleaned)
    assert not set("\x1b\x9b\u202e\u200b\n\r\t") & set(cleaned)
    assert printable(cleaned) == cleaned


@given(st.text(max_size=60), st.integers(1, 40))
def test_cells_are_exact_whatever_the_text(text: str, width: int) -> None:
    assert cells([(fit(text, width), "")]) == width
    assert cells([(clip(text, width), "")]) <= width
    assert all(cells([(line, "")]) <= max(2, width) for line in wrap(text, width))


@given(st.lists(st.text(max_size=30), max_size=5))
def test_the_last_line_lets_no_control_character_through(texts: list[str]) -> None:
    segments = [Segment(text) for text in texts]
    for segment in ControlFilter().apply(segments, Color(0, 0, 0)):
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in segment.text)


def test_control_segments_are_dropped() -> None:
    from rich.control import Control

    segments = [Control.clear().segment, Segment("kept")]
    assert [each.text for each in ControlFilter().apply(segments, Color(0, 0, 0))] == ["kept"]
