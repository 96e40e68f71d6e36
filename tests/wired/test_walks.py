"""Steps and jumps: the market stands at the very moment, and trades as it would have anyway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.living import wait_for
from tests.wired.stage import RISE, START, Record, Stage, minute
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import CancelEntries, Command, DeferCard, Flatten, Halt
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.walking import Goal
from tradeterm.tui.engine_thread import EngineThread
from tradeterm.tui.options import ConsoleOptions

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
        (pending,) = here.desk.engine.trading.pending_cards()
        assert here.desk.engine.now == pending.ts >= minute(RISE)
        await here.order(DeferCard(card_id=card.id))
        async with asyncio.timeout(30):  # nothing waits for the operator any more
            here.desk.driver.walk(Goal.FILL, MINUTE)
            while not here.desk.driver.finished:
                await here.shown.get()
    record = Record(stage.folder / "run.db", {}).sound()
    assert (record.card_states()[0][0], record.fills()) == ("expired", [])


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


async def test_a_flatten_is_carried_out_before_leaving(stage: Stage) -> None:
    rising(stage)
    async with attended(stage) as here:
        assert len((await here.walk(Goal.FILL)).positions) == 1
        await here.order(Flatten())
        view = await here.walk(Goal.SETTLED)
        assert (view.status.arrived, view.positions) == ("settled", ())
        assert view.status.state == "halted"
    record = Record(stage.folder / "run.db", {}).sound()
    assert [position["exit_reason"] for position in record.positions()] == ["operator"]


async def test_entries_are_gone_before_leaving_whichever_was_faster(stage: Stage) -> None:
    rising(stage)
    async with attended(stage) as here:
        for _ in range(RISE - 1):
            await here.walk(Goal.BAR)
        view = await here.walk(Goal.BAR)
        working = [o for o in view.orders if o.purpose == "entry" and o.status == "pending"]
        assert len(working) == 1, "sent with the close of the bar, and on its way"
        await here.order(CancelEntries())
        view = await here.walk(Goal.SETTLED)
        assert view.status.arrived == "settled"
        assert view.status.market_time < minute(RISE) + 2 * SECOND
        (entry,) = [order for order in view.orders if order.purpose == "entry"]
        assert entry.status in {"cancelled", "filled"}
    Record(stage.folder / "run.db", {}).sound()


@pytest.mark.parametrize(
    ("policy", "asked", "ordered"),
    [
        ("keep", False, []),
        ("cancel_entries", False, ["cancel_entries"]),
        ("halt", False, ["halt"]),
        ("halt", True, []),
    ],
)
def test_what_is_open_is_left_as_configured_when_nobody_can_be_asked(
    stage: Stage, policy: str, asked: bool, ordered: list[str]
) -> None:
    rising(stage)
    request = stage.request(f"console.on_signal={policy}", speed=1.0, headless=False)
    session = EngineThread(lambda: request, lambda _: ConsoleOptions())
    session.start()
    wait_for(lambda: session.view.status.known)
    if asked:
        session.leave_as_is()
    assert session.stop(10.0)
    record = Record(stage.folder / "run.db", {}).sound()
    assert [body["command"] for body in record.bodies("command")] == ordered
    assert record.rows()[-1].kind == "run_finished"
