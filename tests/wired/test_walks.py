"""Steps and jumps: the market stands at the very moment, and trades as it would have anyway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.wired.stage import RISE, START, Record, Stage, minute
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import Command, DeferCard, Halt
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.walking import Goal

UNTIL = "25m"


@dataclass
class Attended:
    """A desk on whose pictures somebody looks."""

    desk: Desk
    shown: asyncio.Queue[ConsoleView] = field(default_factory=asyncio.Queue)

    async def until_it_stands(self) -> ConsoleView:
        """The picture in which a walk has ended."""
        async with asyncio.timeout(30):
            while not (view := await self.shown.get()).status.arrived:
                pass
        return view

    async def walk(self, goal: Goal) -> ConsoleView:
        self.desk.driver.walk(goal, MINUTE)
        return await self.until_it_stands()

    async def order(self, command: Command) -> None:
        async with asyncio.timeout(30):
            assert (await self.desk.submit(command)).accepted


@asynccontextmanager
async def attended(stage: Stage, *overrides: str) -> AsyncIterator[Attended]:
    """The market stands at its beginning."""
    shown: asyncio.Queue[ConsoleView] = asyncio.Queue()
    asked = stage.request(*overrides, speed=1.0, until=UNTIL, headless=False)
    desk = await Desk.open(asked, shown.put_nowait)
    running = asyncio.ensure_future(desk.run())
    desk.driver.set_stopped(True)
    try:
        yield Attended(desk, shown)
    finally:
        desk.driver.stop()
        await running
        await desk.close()


def rising(stage: Stage) -> None:
    """A BUY at 00:21, filled a moment later."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 26 * 60, 60_010.0)


async def test_steps_go_exactly_so_far(stage: Stage) -> None:
    rising(stage)
    async with attended(stage) as here:
        engine = here.desk.engine
        before = engine.market_inputs
        view = await here.walk(Goal.EVENT)
        assert engine.market_inputs == before + 1
        assert (view.status.speed, view.status.arrived) == (0.0, "one event on")
        view = await here.walk(Goal.SECOND)
        since = view.status.market_time
        view = await here.walk(Goal.SECOND)
        assert view.status.market_time == since + SECOND
        view = await here.walk(Goal.BAR)
        assert view.status.market_time == minute(1)
        assert [bar[0] for bar in view.charts["BTC/USDT", 60].candles][-1:] == [minute(1)]


async def test_a_jump_to_a_fill_stands_at_its_moment(stage: Stage) -> None:
    rising(stage)
    async with attended(stage) as here:
        view = await here.walk(Goal.FILL)
        assert view.status.arrived.startswith("FILL BTC/USDT buy")
        assert view.status.speed == 0
        (fill,) = Record(stage.folder / "run.db", {}).fills()
        assert here.desk.engine.now == fill["ts"]
        assert len(view.positions) == 1


async def test_a_jump_stops_at_a_card_and_trades_nothing_else(stage: Stage) -> None:
    rising(stage)
    async with attended(stage, "orchestration.approval.mode=all") as here:
        view = await here.walk(Goal.FILL)
        assert view.status.arrived == "a card waits for you"
        (card,) = view.cards
        assert card.state == "pending"
        assert here.desk.engine.now == minute(RISE)
        await here.order(DeferCard(card_id=card.id))
        view = await here.walk(Goal.WARNING)  # it runs out of time, and the market with it
        assert here.desk.engine.now >= minute(RISE + 2) or view.cards[0].state != "pending"


async def test_a_halt_on_the_way_ends_a_jump(stage: Stage) -> None:
    rising(stage)
    async with attended(stage) as here:
        here.desk.driver.walk(Goal.CONFLICT, MINUTE)
        await here.order(Halt())
        view = await here.until_it_stands()
        assert view.status.arrived.startswith("STATE halted")
        assert view.status.market_time < START + 25 * MINUTE


async def test_steps_and_jumps_are_no_input_of_the_engine(stage: Stage) -> None:
    rising(stage)
    plain = await stage.play(until=UNTIL, db=stage.folder / "plain.db")
    async with attended(stage) as here:
        await here.walk(Goal.SECOND)
        await here.walk(Goal.EVENT)
        await here.walk(Goal.FILL)
        await here.walk(Goal.BAR)
        here.desk.driver.set_speed(float("inf"))
        here.desk.driver.set_stopped(False)
        async with asyncio.timeout(30):
            while not here.desk.driver.finished:
                await here.shown.get()
        stepped = here.desk.summary()
    assert len(plain.fills()) == 1
    assert stepped["state_hash"] == plain.summary["state_hash"]
    assert Record(stage.folder / "run.db", stepped).sound().trading() == plain.trading()
