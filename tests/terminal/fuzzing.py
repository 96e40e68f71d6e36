"""Texts nobody would write, without end, and programs that show them on the terminal they are on.

``python -m tests.terminal.fuzzing console SEED`` plays them through every pane, page, toast, filter
and question of a real console until it is told to stop; ``… commands SEED`` through everything the
commands print and write. Each text carries a mark of its own, so that who reads the terminal can
count what arrived.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from textual.strip import Strip

from tests.tui.gallery import PAGES, WrittenDown, numbers
from tests.tui.pictures import FakeSession, busy
from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.tui.app import TradetermApp

#: A parameter that no program sends: a sequence with it was carried in by a text.
ALIEN = "7077"
#: What stands around the number of a text; letters no word of ours has.
MARK = "qzj"
_PIECES = (
    f"\x1b[{ALIEN}m", f"\x1b[{ALIEN};1H", f"\x1b[?{ALIEN}h", f"\x1b]{ALIEN};x\x07",
    f"\x1b]52;c;{ALIEN}\x07", f"\x1b]8;;file:///{ALIEN}\x1b\\", f"\x1bP{ALIEN}\x1b\\",
    f"\x9b{ALIEN}m", f"\x9d{ALIEN}\x9c", "\x1b", "\x1bc", "\x07", "\x08", "\x00", "\x7f", "\r", "\n",
    "\x0b\x0c", "\x0e\x0f", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\u200f", "\ufeff",
    "\U000e0041", "\ufe0f", "\ue000", "\ud83d", "\udfff", "e" + "\u0301" * 9, "界", "\U0001f468\u200d",
    "\u3164", "[/]", "[@click=app.quit]", "[@click=app.halt()]go[/]", "[link=file:///x]", "[bold red",
    "[[", "]", "\\[", "{x!r}", "%s%n", "$(id)", "`id`", "=cmd|' /C calc'!A1", "+1", "@SUM(1)", "-2",
    "<|im_end|>", "</facts>", "a", "BTC", " ", "\t", "'", '"', ",", ";", "|",
)  # fmt: skip


def texts(seed: int) -> Iterator[str]:
    """One after the other, each with a mark of its own where it is seen first."""
    chance = random.Random(seed)
    for number in count():
        pieces = [chance.choice(_PIECES) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.2:
            pieces.append(chr(chance.randrange(0x110000)))
        if chance.random() < 0.01:
            pieces.append("x" * 400)
        yield f"{MARK}{number:x}{MARK}" + "".join(pieces)


class Hoard:
    """Takes texts several at a time."""

    def __init__(self, seed: int) -> None:
        self._texts = texts(seed)

    def __call__(self, many: int = 1) -> str:
        return " ".join(next(self._texts) for _ in range(many))


def filled(value: Any, text: Hoard, many: int) -> Any:
    """A page's facts with every word replaced; numbers stay what they are."""
    if isinstance(value, dict):
        return {key: filled(inner, text, many) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, text, many) for inner in value]
    worded = isinstance(value, str) and not any(char.isdigit() for char in value[:2])
    return text(many) if worded and len(value) > 12 else value


def poisoned(view: ConsoleView, text: Hoard) -> ConsoleView:
    """Every free text of a picture replaced by other ones."""
    events = tuple(
        EventView(n + 1, view.status.market_time, text()[:6], "info", text(6)) for n in range(60)
    )
    return replace(
        view,
        status=replace(view.status, level_cause=text(2), state_reason=text(2), advisor=text()),
        events=events,
        cards=tuple(
            replace(
                card, headline=text(3), action=text(2), evidence=(text(4), text(4)), model=text(),
                reasoning=text(12), resolution=text(), misquoted=(text(2),), reason=text(2),
            )
            for card in view.cards
        ),
        agents=tuple(
            replace(
                each, state=text(), by=text(), votes={"BTC/USDT": text()}, why=text(2),
                reasoning={"BTC/USDT": text(9)}, model=text(),
            )
            for each in view.agents
        ),
        orders=tuple(
            replace(each, reason=text(5), type=text(), purpose=text(), unknown=text(3))
            for each in view.orders
        ),
        positions=tuple(replace(each, agent=text(), side=text()) for each in view.positions),
    )  # fmt: skip


class Rows(WrittenDown):
    """A book of record in which everything that can be words is hostile."""

    text: Hoard

    def last_words(self, agent: str, symbol: str) -> str:
        del agent, symbol
        return "out-1"

    def journal(self, **asked: Any) -> list[Any]:
        from types import SimpleNamespace

        del asked
        return [
            SimpleNamespace(seq=n, ts=10**18, kind=self.text(), id=self.text(), parent=self.text(),
                            body=self.text(9).encode("utf-8", "surrogatepass"),
                            data={self.text(): self.text(9)})
            for n in range(100)
        ]  # fmt: skip


#: From the deck to a page: the keys, and whether it has facts of the book of record.
PAGES_OF = (
    ("5", "enter"), ("2", "enter"), ("2", "o"), ("6", "enter"), ("7", "enter"), ("1", "enter"),
    ("8", "enter"), ("A",), ("J",), ("J", "enter"), ("J", "v"), ("1", "v"),
    ("6", "v"), ("9", "v"), ("D",), ("W",), ("ctrl+o",), ("question_mark",),
)  # fmt: skip


class Fuzzed(TradetermApp):
    """Shows other texts for as long as it lives; a fault of it ends it with another exit code."""

    def __init__(self, seed: int) -> None:
        self._text = Hoard(seed)
        session = FakeSession(busy())
        session.store = Path("written-down")
        self._fake = session
        super().__init__(session)

    def on_mount(self) -> None:
        self._playing = asyncio.get_running_loop().create_task(self.show_all())
        self._playing.add_done_callback(self.fuzz_ended)

    def fuzz_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._handle_exception(task.exception())  # type: ignore[arg-type]

    async def show_all(self) -> None:
        for turn in count():
            view = replace(poisoned(busy(), self._text), version=turn + 2)
            self._fake._views = [view]
            self.poll()
            self.say(self._text(6), ("info", "warning", "error")[turn % 3])
            self.harmless(self.deck.screen._compositor.render_strips())
            await self.painted()
            await self.visit(PAGES_OF[turn % len(PAGES_OF)])
            if turn % 4 == 0:
                await self.type_hostile()

    async def visit(self, keys: tuple[str, ...]) -> None:
        await self.keys(*keys)
        await self.painted()
        self.harmless(self.screen._compositor.render_strips())
        for _ in range(3):
            await self.keys("ctrl+d")
            await self.painted(0.01)
        await self.keys("escape", "escape")

    async def type_hostile(self) -> None:
        """A filter, a question and a level's reason with whatever a terminal can paste."""
        for opening in ("slash", "w"):
            await self.keys(opening)
            for char in self._text()[:24]:
                if char.isprintable():
                    self.post_message(_key(char))
            await self.painted()
            await self.keys("escape", "escape")

    async def keys(self, *keys: str) -> None:
        for key in keys:
            self.post_message(_key(key))
            await self.painted(0.01)

    async def painted(self, seconds: float = 0.03) -> None:
        await asyncio.sleep(seconds)

    @staticmethod
    def harmless(strips: list[Strip]) -> None:
        """No text became a button."""
        for strip in strips:
            for segment in strip:
                if segment.style is not None and "@click" in segment.style.meta:
                    raise AssertionError(f"a text acts: {segment!r}")


def _key(key: str) -> Any:
    from textual.events import Key

    return Key(key, key if len(key) == 1 else None)


def console(seed: int) -> int:
    """The console itself; what it reads from the book of record is replaced."""
    from tradeterm.adapters.store import reader
    from tradeterm.lab import trade
    from tradeterm.tui.screens import decisions, performance, records, scores

    app = Fuzzed(seed)
    Rows.text = text = app._text
    reader.Reader = Rows  # type: ignore[assignment,misc]

    def told(name: str, many: int = 3) -> Callable[..., Any]:
        return lambda *_: numbers(filled(PAGES[name], text, many))

    trade.trade_story = told("trade", 6)
    records.chain_of = lambda row_id: told("why", 6)
    for module, name in (
        (performance, "performance"),
        (scores, "scores"),
        (decisions, "decisions"),
    ):
        module.read = told(name)  # type: ignore[attr-defined]
    return app.run()


def commands(seed: int) -> int:
    """Tables, stories, refusals, CSV and log lines, without end."""
    import logging
    import os

    from tradeterm.cli import _complain
    from tradeterm.lab.story import story
    from tradeterm.listing import write_csv
    from tradeterm.logs import RedactingFormatter, Redactor
    from tradeterm.printing import say, table

    text, form = Hoard(seed), RedactingFormatter(Redactor(os.environ))
    while True:
        rows = [{"id": text(), "status": text(), "reason": text(3)} for _ in range(40)]
        say(False, rows, table(("id", "status", "reason"), rows, "none"))
        say(True, rows, ())
        write_csv("-", ("id", "status", "reason"), rows, Path("run.db"))
        links = [
            {
                "ts": "2025",
                "kind": text(),
                "id": text(),
                "parents": [text()],
                "data": {"a": text(4)},
            }
        ]
        say(False, links, story(links))
        _complain(text(3))
        print(form.format(logging.makeLogRecord({"msg": text(3), "levelname": "INFO"})))  # noqa: T201


if __name__ == "__main__":
    sys.exit({"console": console, "commands": commands}[sys.argv[1]](int(sys.argv[2])))
