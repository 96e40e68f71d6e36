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
        await desk.driver.flush()
    record = Record(stage.folder / "run.db", {}).sound()
    assert [row["unknown"] for row in record.orders() if row["status"] == "open"] == ["again", ""]


def trades(*prices: float) -> list[GapEvent]:
    """Prints every five seconds from the minute on; nobody kept the book."""
    return [each for each in prints(*prices) if isinstance(each, Trade)]


def bars(*figures: tuple[float, float, float, float]) -> list[GapEvent]:
    """One-minute bars (open, high, low, close) from the minute on."""
    return [
        Candle(minute(AWAY + number), BTC, 60, *figure, 1.0)
        for number, figure in enumerate(figures, 1)
    ]


def exit_of(engine: Engine) -> tuple[str, Decimal]:
    """Why and at what price the position was closed, from the rows."""
    rows = [msgspec.json.decode(row.body) for row in engine.take_rows() if row.kind == "position"]
    closed = [body["position"] for body in rows if body["position"]["closed"]]
    return closed[-1]["exit_reason"], D(closed[-1]["exit"])


async def test_prints_without_a_book_fill_at_the_print_and_not_in_the_book_of_before(
    stage: Stage,
) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        settle(engine, trades(59_900.0, 59_000.0, 60_000.0))
        # Walking the old book would have given 60,009.9; 59,000 less 0.05 % is 58,970.5.
        assert exit_of(engine) == ("stop", D("58970.5"))


async def test_a_bar_that_gapped_through_the_stop_fills_at_its_open(stage: Stage) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        quiet = (60_010.0, 60_020.0, 60_000.0, 60_010.0)
        closes = engine.core.market.closes(BTC)
        settle(engine, bars(quiet, (58_000.0, 58_500.0, 57_000.0, 58_400.0), quiet))
        assert exit_of(engine) == ("stop", D("57971.0"))  # 58,000 less 0.05 %
        assert engine.core.market.closes(BTC) == closes + 3, "the candles go on without a hole"


async def test_what_happened_is_told_line_by_line(stage: Stage) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        settle(engine, trades(59_900.0, 59_000.0), over=minute(AWAY + 3))
        away = engine.gap.away
        assert away is not None
        assert (away.events, away.fills, away.until) == (2, 1, minute(AWAY + 3))
        (line,) = away.lines
        assert line.startswith("00:22:10 pos-1 BTC/USDT long closed by stop at 58970.5, P&L -")
        assert line in engine.core.events.lines[-1].text


async def test_nothing_new_is_entered_until_there_is_a_book_again(stage: Stage) -> None:
    async with held(stage) as desk:
        engine, market = desk.engine, desk.engine.core.market
        settle(engine, trades(60_000.0))
        assert market.silence(BTC, engine.now) == 0
        assert market.stale(BTC, engine.now), "fresh prints, but the book is still to come"
        book = BookSnapshot(engine.now, BTC, ((59_999.9, 1.0),), ((60_000.1, 1.0),))
        engine.run([book], 0, 1)
        assert not market.stale(BTC, engine.now)


async def test_killed_in_the_middle_of_a_gap_it_goes_on_as_if_it_had_not_been(
    stage: Stage,
) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        before = engine.dump()
        events = prints(60_020.0, 59_900.0, 59_000.0, 59_500.0, 60_100.0)
        settle(engine, events)
        unbroken = engine.dump()
        stream: list[MarketEvent] = [
            FeedNotice(minute(AWAY), "", GAP, "the program was away"),
            *events,
            FeedNotice(events[-1].ts, "", GAP_OVER, ""),
        ]
        for cut in range(len(stream) + 1):
            engine.load(before)
            stream[0] = FeedNotice(engine.now, "", GAP, "the program was away")
            engine.run(stream, 0, cut)
            engine.load(engine.dump())
            engine.run(stream, cut, len(stream))
            assert engine.dump() == unbroken, f"cut after {cut} events"


async def test_the_analysts_wait_and_what_was_due_runs_when_it_is_over(stage: Stage) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        runs = engine.core.counters.agents["trading_decision"].runs
        settle(engine, bars(*[(60_010.0, 60_020.0, 60_000.0, 60_010.0)] * 30))
        assert engine.core.counters.agents["trading_decision"].runs == runs
        assert engine.next_due <= engine.now
        engine.advance(engine.now)
        assert engine.next_due > engine.now
