"""After downtime: the market of the gap acts on what rested, or what rested is marked unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from tests.wired.stage import BTC, RISE, STEP, Record, Stage, minute
from tradeterm.desk import Desk
from tradeterm.engine.engine import Engine
from tradeterm.engine.gap import GapEvent
from tradeterm.execution.paper import PaperExchange
from tradeterm.model.market import (
    GAP,
    GAP_LOST,
    GAP_OVER,
    BookSnapshot,
    Candle,
    FeedNotice,
    MarketEvent,
    Trade,
)
from tradeterm.model.reconciling import VenueSnapshot

D = Decimal
AWAY = 22
"""The minute the program went away; a long with a stop at 59,109.9 is open."""


def prints(*prices: float) -> list[GapEvent]:
    """A book and a print every five seconds from the minute on."""
    found: list[GapEvent] = []
    for number, price in enumerate(prices, 1):
        ts = minute(AWAY) + number * STEP * 10**9
        found.append(BookSnapshot(ts, BTC, ((price - 0.1, 50.0),), ((price + 0.1, 50.0),)))
        found.append(Trade(ts, BTC, price, 0.01, "sell", str(number)))
    return found


def settle(engine: Engine, events: list[GapEvent], over: int | None = None) -> None:
    """What a feed hands out after it was away."""
    end = over if over is not None else max(engine.now, *(event.ts for event in events))
    stream: list[MarketEvent] = [
        FeedNotice(engine.now, "", GAP, "the program was away"),
        *events,
        FeedNotice(end, "", GAP_OVER, ""),
    ]
    assert engine.run(stream, 0, len(stream)) == len(stream)


def lose(engine: Engine, reason: str) -> None:
    notice = FeedNotice(engine.now, "", GAP_LOST, reason)
    assert engine.run([notice], 0, 1) == 1


@asynccontextmanager
async def held(stage: Stage) -> AsyncIterator[Desk]:
    """A desk that stands at the minute the program goes away."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, AWAY * 60, 60_010.0)
    desk = await Desk.open(stage.request())
    try:
        await desk.run()
        assert list(desk.engine.books.execution.positions) == ["pos-1"]
        yield desk
    finally:
        await desk.close()


async def test_a_stop_that_was_hit_while_away_filled_then_and_there(stage: Stage) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        runs = {name: counts.runs for name, counts in engine.core.counters.agents.items()}
        settle(engine, prints(59_900.0, 59_000.0, 59_500.0))
        assert engine.books.execution.positions == {}
        assert engine.core.counters.exits["stop"] == 1
        assert engine.core.events.lines[-1].text.startswith("E-GAP away from 2025-06-02T00:2")
        assert "6 market events settled, 1 fills" in engine.core.events.lines[-1].text
        assert {name: counts.runs for name, counts in engine.core.counters.agents.items()} == runs
        rows = [(row.kind, msgspec.json.decode(row.body)) for row in engine.take_rows()]
        closed = [body["position"] for kind, body in rows if kind == "position"][-1]
        assert closed["exit_reason"] == "stop"
        assert D(closed["exit"]) == D("58999.9")  # the bid behind the second print, not today's
        assert closed["closed"] == minute(AWAY) + 2 * STEP * 10**9
        assert ("trading", "close") in {
            (leg["account"], body["kind"])
            for kind, body in rows
            if kind == "entry"
            for leg in body["postings"]
        }


async def test_a_gap_without_data_leaves_orders_unknown_until_the_venue_was_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with held(stage) as desk:
        engine, execution = desk.engine, desk.engine.books.execution
        lose(engine, "the exchange keeps trades for one hour, the gap is three")
        doubted = list(execution.working.values())
        assert len(doubted) == 2  # stop and target
        assert {order.unknown for order in doubted} == {
            "the exchange keeps trades for one hour, the gap is three"
        }
        assert engine.core.unreconciled(BTC) == doubted[0].id  # nothing new on a guess
        body = engine.dump()
        engine.load(body)
        assert engine.dump() == body
        assert engine.reconciliation.look("") == 0  # the venue has them as we have them
        assert {order.unknown for order in execution.working.values()} == {""}
        assert engine.core.unreconciled(BTC) == ""

        lose(engine, "again")
        honest = PaperExchange.snapshot

        def without_stop(venue: PaperExchange) -> VenueSnapshot:
            there = honest(venue)
            return replace(there, orders=there.orders[1:])

        monkeypatch.setattr(PaperExchange, "snapshot", without_stop)
        assert engine.reconciliation.look("") == 1
        (found,) = engine.reconciliation.open.values()
        assert found.kind == "order_missing"
        assert [order.unknown for order in execution.working.values()] == ["again", ""]
        await desk.driver.flush(snapshot=True)
    record = Record(stage.folder / "run.db", {}).sound()
    assert [row["unknown"] for row in record.orders() if row["status"] == "open"] == ["again", ""]
