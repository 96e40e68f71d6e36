"""Every screen of the console and the keys that open it: for goldens, contrast, and NO_COLOR.

Pages about the whole run get their facts from pages.json instead of a book of record, so that
how they look is tested apart from what a run comes to.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tui.conftest import Console
from tests.tui.pictures import busy, with_status
from tradeterm.engine.view import ConsoleView, StatusView
from tradeterm.holding import Held
from tradeterm.settings.changing import way
from tradeterm.settings.loading import load_settings
from tradeterm.tui.engine_thread import died

PAGES = json.loads(Path(__file__).with_name("pages.json").read_text(encoding="utf-8"))

#: Name → keys, from the deck with the first position chosen.
SCREENS: dict[str, tuple[str, ...]] = {
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
    "themes": ("t",),
    "position": ("1", "enter"),
    "card": ("2", "enter"),
    "event": ("5", "enter"),
    "agent": ("6", "enter"),
    "order": ("7", "enter"),
    "book": ("3", "enter"),
    "risk": ("8", "enter"),
    "portfolio": ("9", "enter"),
    "said": ("2", "o"),
    "votes": ("A",),
    "what-if": ("w", *"long 0.1 stop 64000 target 70000 x3", "enter"),
    "flatten": ("F",),
    "quit": ("q",),
    "performance": ("0",),
    "scores": ("W",),
    "decisions": ("D",),
    "why": ("1", "v"),
    "journal": ("J",),
    "settings": ("ctrl+o",),
}
_NAMED = {" ": "space", ".": "full_stop"}


def states() -> dict[str, ConsoleView]:
    """The deck in every state worth a picture of its own."""
    view = busy()
    nothing = StatusView(known=True, mode="SIM", level="NORMAL", state="running", speed=60.0)
    return {
        "connecting": ConsoleView(),
        "empty": ConsoleView(version=1, status=nothing),
        "busy": view,
        "halted": with_status(view, state="halted", state_reason="operator"),
        "paused": with_status(view, state="paused", state_reason="operator"),
        "finished": with_status(view, state="finished", speed=0.0),
        "fault": died(view, "postings of fill-8 sum to 0.01 USDT"),
        "watching": with_status(view, watched=True),
        "live": with_status(view, mode="LIVE", speed=1.0),
    }


def numbers(value: Any) -> Any:
    """JSON with its decimal texts as Decimals."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?(E-?\d+)?", value):
        return Decimal(value)
    return value


class WrittenDown:
    """Stands for a reader of the book of record."""

    def __init__(self, store: Path) -> None:
        del store

    def __enter__(self) -> WrittenDown:
        return self

    def __exit__(self, *args: object) -> None:
        pass


def held() -> list[Held]:
    """The settings of pages.json; what is not the default came from the command line."""
    return [
        Held(key, value, default, "default" if value == default else "--set", way(key))
        for key, value, default in PAGES["settings"]
    ]


@pytest.fixture
def written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages about the run show what pages.json says."""
    from tradeterm.tui.screens import decisions, journal, performance, records, scores

    monkeypatch.setattr("tradeterm.adapters.store.reader.Reader", WrittenDown)
    for module, name in (
        (performance, "performance"),
        (scores, "scores"),
        (decisions, "decisions"),
    ):
        monkeypatch.setattr(module, "read", lambda _, name=name: numbers(PAGES[name]))
    rows = [SimpleNamespace(**{**row, "body": row["body"].encode()}) for row in PAGES["journal"]]
    monkeypatch.setattr(journal, "read", lambda _: rows)
    monkeypatch.setattr("tradeterm.lab.trade.trade_story", lambda *_: PAGES["trade"])
    monkeypatch.setattr("tradeterm.holding.in_force", lambda _: held())
    monkeypatch.setattr("tradeterm.holding.settings_in_force", lambda _: load_settings().settings)
    monkeypatch.setattr(records, "chain_of", lambda _: lambda _: PAGES["why"])
    monkeypatch.setattr("tradeterm.lab.trade.trade_story", lambda *_: PAGES["trade"])


def verdict() -> Future[dict[str, Any]]:
    """What risk says to the hypothetical order of the gallery."""
    answer: Future[dict[str, Any]] = Future()
    answer.set_result(
        {
            "status": "modified",
            "codes": ["position_size", "leverage_regime"],
            "size": "0.0312",
            "leverage": "2",
            "stop": "64000.0",
            "rules": [
                {"rule": "stop_distance", "value": "1.56", "limit": "0.5-5", "outcome": "pass"},
                {"rule": "leverage_regime", "value": "3", "limit": "2", "outcome": "reduced"},
                {"rule": "position_size", "value": "65", "limit": "20", "outcome": "reduced"},
                {"rule": "reward_risk", "value": "1.49", "limit": "1.5", "outcome": "fail"},
            ],
        }
    )
    return answer


async def open_screen(desk: Console, name: str) -> str:
    """Press the keys of a screen; what is shown once it has everything."""
    desk.session.store = Path("written-down")
    desk.session.answer = verdict()
    keys = [_NAMED.get(key, key) for key in SCREENS[name]]
    if keys[0] == "w":
        await desk.press("w")
        await desk.pilot.press(*keys[1:-1])
        await desk.press("enter")
    else:
        await desk.press(*keys)
    await desk.until(lambda: "reading the book" not in desk.text)
    if name == "palette":
        await desk.until(lambda: "Approve (a)" in desk.text)
    return await desk.look(after=0.0)  # the foot of the deck follows what was opened


async def close_screen(desk: Console) -> None:
    """Back to the deck as it was."""
    for _ in range(3):
        if len(desk.app.screen_stack) > 1:
            await desk.press("escape")
    await desk.press("1")
    await desk.look(after=10.0)  # a message is not left for the next picture
