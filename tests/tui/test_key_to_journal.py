"""From the key to the book of record, with the real engine: who looks leaves no row, who orders one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.tui.conftest import Console
from tests.tui.pictures import FakeClock
from tests.tui.stories import STORIES
from tests.wired.stage import EVERY, RISE, Stage
from tradeterm.adapters.store.reader import Reader
from tradeterm.tui.action import Tier
from tradeterm.tui.actions import ACTIONS
from tradeterm.tui.app import TradetermApp
from tradeterm.tui.engine_thread import EngineThread
from tradeterm.tui.options import ConsoleOptions

#: What paces the market or ends the console has stories of its own.
KEYS = {" ": "space", "%": "percent_sign", ",": "comma"}
ELSEWHERE = {"quit", "take_screenshot", "command_palette"}


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.01)  # the engine works on a thread of its own
    raise AssertionError(what)


class Driven(Console):
    """A console with an engine behind it."""

    async def waits(self, true: Callable[[], bool], what: str) -> None:
        def looked() -> bool:
            self.app.poll()
            return true()

        await until(looked, what)
        self.clock.wait(1.0)
        self.app.poll()
        await self.settle()

    def commands(self) -> list[dict[str, Any]]:
        """What the journal says was ordered."""
        with Reader(self._db) as reader:
            return [row.data for row in reader.journal(limit=-1) if row.kind == "command"]

    def rows(self) -> int:
        with Reader(self._db) as reader:
            return len(reader.journal(limit=-1))

    @property
    def _db(self) -> Path:
        assert self.session.store is not None
        return self.session.store


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Driven]:
    """At the first card of a market that then stands still."""
    stage = Stage(folder)
    stage.tape.rise()
    stage.tape.hold(RISE * 60, (RISE + 4) * 60, 60_010.0)
    request = stage.request(EVERY, headless=False, speed=float("inf"))
    options, clock = ConsoleOptions(poll=3600.0), FakeClock()
    session = EngineThread(lambda: request, lambda _: options)
    app = TradetermApp(session, options, clock)
    async with app.run_test(size=(120, 40)) as pilot:
        desk = Driven(app, pilot, session, clock)  # type: ignore[arg-type]
        try:
            await desk.waits(lambda: bool(session.view.cards), "no card came")
            session.set_paused(True)
            await desk.waits(lambda: session.view.status.speed == 0, "the market goes on")
            yield desk
        finally:
            session.stop(5.0)


async def test_risk_is_asked_when_the_question_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        rows = desk.rows()
        await desk.press("a")
        question = desk.app.question
        assert question is not None
        assert question.risk is not None
        await desk.waits(question.risk.done, "risk did not answer")
        assert question.refusal == ""
        assert desk.rows() == rows
        await desk.press("n")
        await desk.press("P")
        await desk.waits(lambda: desk.session.view.status.state == "paused", "still trading")
        await desk.press("a")
        await desk.waits(
            lambda: desk.app.question is not None and bool(desk.app.question.refusal), "no refusal"
        )
        desk.app.poll()
        assert "risk would refuse it now: paused" in desk.text


async def test_who_only_looks_leaves_no_row_in_the_journal(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        rows = desk.rows()
        pressed = 0
        for action in ACTIONS:
            if action.tier is not Tier.VIEW or action.group == "Market" or action.name in ELSEWHERE:
                continue
            await desk.press(action.keys[0])
            await desk.press("escape")
            pressed += 1
        assert pressed > 40
        assert desk.rows() == rows
        assert desk.commands() == []


async def test_an_approval_is_a_row_only_after_the_y(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        card = desk.app.view.cards[0]
        for answer in ("enter", "a", "escape", "n"):
            await desk.press("a", answer)
            await desk.press("escape")
        assert desk.commands() == []
        await desk.press("a", "y")
        await desk.waits(lambda: desk.app.view.cards[0].state == "approved", "not approved")
        [row] = desk.commands()
        assert row["command"] == "approve"
        assert row["card_id"] == card.id
        desk.session.set_paused(False)
        await desk.waits(lambda: bool(desk.app.view.positions), "no position opened")


async def test_what_is_ordered_while_the_market_stands_waits_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await desk.press("a", "y")
        await desk.waits(lambda: desk.app.view.cards[0].state == "approved", "not approved")
        desk.app.poll()
        await desk.settle()
        assert "; space lets it fill" in desk.text.splitlines()[-2]
        await desk.press("P")
        await desk.waits(lambda: desk.app.view.status.state == "paused", "still trading")
        desk.app.poll()
        await desk.settle()
        assert "lets it fill" not in desk.text


async def test_what_is_global_is_a_row_only_after_its_word(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:
        await desk.press("H")
        await desk.waits(lambda: desk.app.view.status.state == "halted", "not halted")
        await desk.press("P", "enter")
        await desk.press("P", *"RESUM", "escape", apart=1.2)
        assert [row["command"] for row in desk.commands()] == ["halt"]
        await desk.press("P", *"RESUME", apart=1.2)
        await desk.waits(lambda: desk.app.view.status.state == "running", "not resumed")
        assert [row["command"] for row in desk.commands()] == ["halt", "resume"]


async def test_every_order_of_the_table_is_one_row_whatever_becomes_of_it(tmp_path: Path) -> None:
    orders = [each.sends for each in STORIES.values() if each.sends is not None]
    async with opened(tmp_path) as desk:
        for order in orders:
            desk.session.submit(order)
        await desk.waits(lambda: len(desk.commands()) == len(orders), "not every order is a row")
        told = {row["command"] for row in desk.commands()}
        assert told == {msgspec.to_builtins(order)["command"] for order in orders}


async def test_ten_thousand_pasted_letters_order_nothing(tmp_path: Path) -> None:
    """T12, both kinds of terminals: a paste that is marked as one, and one that comes as keys."""
    async with opened(tmp_path) as desk:
        from textual import events

        desk.app.post_message(events.Paste("ay" * 5000))
        await desk.settle()
        assert desk.app.question is None
        for key in "buy btc at market ay CxLR 100 % now, cancel all, close exits " * 2:
            desk.clock.wait(0.001)
            await desk.pilot.press(KEYS.get(key, key))
            await desk.pilot.press("escape")
        assert desk.commands() == []
        for key in "jjjjjjjjr":
            desk.clock.wait(0.001)
            await desk.pilot.press(key)
        await desk.settle()
        assert "faster than anybody types" in desk.text
        assert desk.commands() == []
        await desk.press("H")
        await desk.waits(lambda: len(desk.commands()) == 1, "a paste must not hinder the halt")
