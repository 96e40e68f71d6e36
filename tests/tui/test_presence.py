"""Nobody at the keys, or nobody looking: banners, a pause by policy, calls; changed settings at work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tui.conftest import Console, Open
from tests.tui.pictures import busy, card, with_cards, with_status
from tests.tui.test_key_to_journal import opened
from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.model.commands import Halt, Pause
from tradeterm.settings.loading import load_settings
from tradeterm.showing import console_options
from tradeterm.tui.attention import Attention
from tradeterm.tui.options import ConsoleOptions, preferred

HOUR = 3600.0


@asynccontextmanager
async def left_alone(
    console: Open, *views: ConsoleView, **options: float
) -> AsyncIterator[Console]:
    async with console(120, 40, *(views or (busy(),))) as desk:
        desk.app.options = replace(desk.app.options, **options)
        yield desk


def with_event(view: ConsoleView, severity: str, text: str) -> ConsoleView:
    last = view.events[-1]
    event = EventView(last.seq + 1, last.ts, "ERROR", severity, text)
    return replace(view, version=view.version + 1, events=(*view.events, event))


async def test_an_idle_console_says_so_and_the_first_key_only_ends_that(console: Open) -> None:
    async with left_alone(console, idle_after=15) as desk:
        assert "IDLE" not in await desk.look(after=14 * 60)
        text = await desk.look(after=60)
        assert "IDLE 15 min: no key · positions: 3 · cards that wait: 2 · any key ends this" in text
        await desk.press("R")  # would refuse every card
        assert desk.session.commands == []
        assert "IDLE" not in desk.text
        await desk.press("R")
        assert len(desk.session.commands) == 1


async def test_a_halt_is_a_halt_on_an_idle_console(console: Open) -> None:
    async with left_alone(console, idle_after=15) as desk:
        await desk.look(after=HOUR)
        await desk.press("H")
        assert desk.session.commands == [Halt()]


async def test_by_policy_trading_is_paused_once_nobody_was_there_for_hours(console: Open) -> None:
    async with left_alone(console, idle_pause=2) as desk:
        await desk.look(after=2 * HOUR - 10)
        assert desk.session.commands == []
        await desk.look(after=20)
        await desk.look(after=HOUR)
        assert desk.session.commands == [Pause(actor="console.idle_pause")]
        await desk.look(with_status(busy(2), state="paused", state_reason="console.idle_pause"))
        await desk.press("j")
        assert "RESUME" not in desk.text  # resuming stays explicit
        assert len(desk.session.commands) == 1
        await desk.look(with_status(busy(3), state="running"), after=2 * HOUR + 10)
        assert len(desk.session.commands) == 2


@pytest.mark.parametrize(
    ("mode", "watching", "also"),
    [
        ("SIM", False, ", and the market with it"),
        ("LIVE", False, ", and the engine with it: no stop was watched"),
        ("LIVE", True, ""),
    ],
)
async def test_a_process_that_was_stopped_says_for_how_long(
    console: Open, mode: str, watching: bool, also: str
) -> None:
    async with console(120, 40, with_status(busy(), mode=mode)) as desk:
        desk.session.watching = watching
        desk.app.suspension.goes_on()
        text = await desk.look(after=42)
        said = next(line for line in text.splitlines() if "suspended" in line)
        assert said.strip() == f"the screen was suspended 42 s{also}"


async def test_a_screen_that_was_only_late_was_not_suspended(console: Open) -> None:
    async with console(120, 40) as desk:
        assert "suspended" not in await desk.look(after=42)
        desk.app.suspension.goes_on()  # told to go on without ever having been stopped
        assert "suspended" not in await desk.look(after=0.1)
        assert "suspended" not in await desk.look(after=42)


async def test_whoever_watches_pauses_nothing(console: Open) -> None:
    async with left_alone(console, idle_pause=1) as desk:
        desk.session.watching = True
        await desk.look(after=3 * HOUR)
        assert desk.session.commands == []


async def test_the_worst_of_what_came_stays_on_the_line(console: Open) -> None:
    async with console() as desk:
        view = with_event(with_event(busy(2), "critical", "E-JOURNAL disk full"), "error", "other")
        text = await desk.look(view)
        assert "E-JOURNAL disk full  (+1 in 5 Events)" in text


async def test_a_terminal_nobody_looks_at_is_called_and_never_twice_at_once(
    console: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(120, 40, with_cards(busy(), [])) as desk:
        desk.app.options = replace(desk.app.options, desktop="osc777")
        sent: list[str] = []
        monkeypatch.setattr(desk.app, "_to_terminal", sent.append)
        desk.app._attention = Attention(lambda: sent.append("bell"), sent.append)
        await desk.look(with_cards(busy(2), [card(21, "XRP/BTC", "choppy vs BUY", 90)]))
        assert sent == []  # it has the focus
        desk.app.app_focus = False
        cards = [card(21, "XRP/BTC", "choppy vs BUY", 90), card(22, "XRP/BTC", "again", 90)]
        await desk.look(with_cards(busy(3), cards))
        assert sent == ["bell", "\x1b]777;notify;tradeterm;1 new card(s) wait for you\x07"]
        await desk.look(with_event(with_cards(busy(4), cards), "error", "F-STALE"), after=2)
        assert len(sent) == 2


async def test_a_critical_alarm_calls_until_a_key_is_pressed(console: Open) -> None:
    async with console() as desk:
        sent: list[str] = []
        desk.app._attention = Attention(lambda: sent.append("bell"), sent.append)
        await desk.look(with_event(busy(2), "critical", "E-JOURNAL disk full"))
        assert sent == []  # it has the focus
        assert "UNANSWERED" not in await desk.look(after=290)
        assert "UNANSWERED E-JOURNAL disk full" in await desk.look(after=20)
        await desk.look(after=290)
        await desk.look(after=20)
        assert sent == ["bell", "bell"]
        await desk.press("j")
        await desk.look(after=1000)
        assert sent == ["bell", "bell"]


def test_hostile_words_reach_no_terminal_as_control_sequences() -> None:
    sent: list[str] = []
    attention = Attention(lambda: None, sent.append)
    for at, hostile in enumerate(("4;1;50", "a\x07b\x1b]52;c;aGk=\x07", "\x9b31m;x" * 100)):
        attention.call(hostile, at * 20.0, bell=False, desktop=("osc9", "osc777")[at % 2])
    for each in sent:
        inner = each[1:-1]
        assert (each[0], each[-1]) == ("\x1b", "\x07")
        assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in inner)
        assert len(each) < 200
    assert sent[0] == "\x1b]9;tradeterm: 4,1,50\x07"


def test_what_was_missed_is_counted() -> None:
    sent: list[str] = []
    attention = Attention(lambda: sent.append("bell"), sent.append)
    for now in (0.0, 1.0, 2.0, 11.0):
        attention.call("alarm", now, bell=True, desktop="osc9")
    assert sent == [
        "bell", "\x1b]9;tradeterm: alarm\x07", "bell", "\x1b]9;tradeterm: alarm (and 2 more)\x07",
    ]  # fmt: skip


async def test_settings_changed_while_it_runs_hold_at_once(console: Open) -> None:
    async with console() as desk:
        changes = {"console.theme": "paper", "console.bell": "false", "risk.max_leverage": "2"}
        await desk.look(replace(busy(2), overrides=changes))
        assert (desk.app.theme, desk.app.options.bell) == ("paper", False)
        await desk.look(replace(busy(3), overrides={}))
        assert (desk.app.theme, desk.app.options.bell) == ("dusk", True)


def test_every_kind_of_preference_is_understood() -> None:
    changes = {
        "console.poll": "0.5", "console.refresh.book": "2", "console.refresh.chart": "3.0",
        "console.idle_after": "7", "console.desktop": "osc9",
    }  # fmt: skip
    found = preferred(ConsoleOptions(), changes)
    assert (found.poll, found.idle_after, found.desktop) == (0.5, 7.0, "osc9")
    assert found.refresh == {**ConsoleOptions().refresh, "book": 2.0, "chart": 3.0}


async def test_a_screen_that_lags_says_so(console: Open) -> None:
    async with console() as desk:
        desk.app.options = replace(desk.app.options, poll=0.1)
        text = await desk.look(after=0.6)
        assert "screen 0.5s late" in text.splitlines()[0]
        await desk.press("tilde", apart=0.0)
        text = await desk.look(after=0.1)
        assert "late" not in text.splitlines()[0]
        assert "screen late p99 500 ms" in text


async def test_the_pause_of_an_absent_operator_is_a_row_with_its_cause(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        desk.app.options = replace(desk.app.options, idle_pause=1)
        desk.clock.wait(HOUR + 1)
        await desk.waits(lambda: desk.app.view.status.state == "paused", "not paused")
        [row] = desk.commands()
        assert (row["command"], row["actor"]) == ("pause", "console.idle_pause")
        assert desk.app.view.status.state_reason == "console.idle_pause"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("desktop", "osc9", "osc9"),
        ("bell", "false", False),
        ("idle_after", "3", 3.0),
        ("idle_pause", "2.5", 2.5),
        ("on_signal", "halt", "halt"),
        ("stale_after", "5", 5.0),
        ("question_timeout", "7", 7.0),
    ],
)
def test_what_the_file_says_and_what_a_key_says_reach_the_console_alike(
    key: str, text: str, value: object
) -> None:
    settings = load_settings(None, (f"console.{key}={text}",)).settings
    assert getattr(console_options(settings.console), key) == value
    was = console_options(load_settings().settings.console)
    assert getattr(was, key) != value
    assert getattr(preferred(was, {f"console.{key}": text}), key) == value
