"""A symbol whose data lies, or whose instrument changes: no new exposure, exits go on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from tests.wired.stage import BTC, Record, Stage, minute
from tests.wired.test_gap import AWAY, held
from tradeterm.engine.engine import Engine
from tradeterm.engine.whatif import Hypothesis, what_if
from tradeterm.model.market import BookSnapshot, FeedNotice, Listing, MarketEvent, Trade
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import PositionSide

D = Decimal


def take(engine: Engine, *events: MarketEvent) -> None:
    assert engine.run(list(events), 0, len(events)) == len(events)


def bad(engine: Engine, seconds: Sequence[float], symbol: str = BTC) -> None:
    begin = engine.now
    take(engine, *(
        FeedNotice(begin + int(at * SECOND), symbol, "rejected", "trade 7: buy 1 at -5")
        for at in seconds
    ))  # fmt: skip


def codes(engine: Engine) -> set[str]:
    wish = Hypothesis(
        BTC, PositionSide.SHORT, D("0.01"), D("60010"), D("61000"), D("57000"), D(1), D("0.9")
    )
    return set(what_if(engine, wish)["codes"])


def rows(engine: Engine, kind: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row.body) for row in engine.take_rows() if row.kind == kind]


def said(engine: Engine, text: str) -> bool:
    return any(text in line.text for line in engine.core.events.lines)


async def test_three_bad_ticks_within_a_minute_close_the_symbol_until_it_is_clean(
    stage: Stage,
) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        bad(engine, (0, 1))
        assert "reduce_only" not in codes(engine)
        bad(engine, (61, 62))
        assert "reduce_only" not in codes(engine), "the first two are older than a minute"
        bad(engine, (1,))
        assert "reduce_only" in codes(engine)
        (row,) = rows(engine, "restriction")
        assert (row["symbol"], row["cause"]) == (BTC, "bad data")
        assert said(engine, "R-REDUCING BTC/USDT")
        body = engine.dump()
        engine.load(body)
        assert engine.dump() == body
        last = engine.now
        while engine.advance(last + 119 * SECOND):
            pass
        assert "reduce_only" in codes(engine)
        while engine.advance(last + 121 * SECOND):
            pass
        assert "reduce_only" not in codes(engine)
        (row,) = rows(engine, "restriction")
        assert row["ends"] == ""


async def test_what_is_held_on_a_closed_symbol_still_leaves_by_its_stop(stage: Stage) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        bad(engine, (0, 0.1, 0.2))
        ts = minute(AWAY) + 30 * SECOND
        book = BookSnapshot(ts, BTC, ((58_999.9, 50.0),), ((59_000.1, 50.0),))
        take(engine, book, Trade(ts, BTC, 59_000.0, 0.01, "sell", "9"))
        assert engine.books.execution.positions == {}


async def test_other_steps_count_at_once_and_name_the_orders_that_do_not_fit(
    stage: Stage,
) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        before = engine.core.instruments[BTC]
        after = replace(before, tick=D("0.5"), lot=D("0.001"), min_size=D("0.001"))
        take(engine, Listing(engine.now, BTC, after))
        assert engine.core.instruments[BTC] is after
        (row,) = rows(engine, "instrument")
        assert row["version"] == 2
        assert "tick 0.1 → 0.5" in row["changed"]
        stop, _ = engine.books.execution.protective("pos-1")
        assert stop is not None
        assert stop.id in row["affected"], "59,109.9 is no multiple of 0.5"
        assert said(engine, stop.id)
        wish = Hypothesis(
            BTC, PositionSide.LONG, None, None, D("59000"), D("63000"), D(1), D("0.9")
        )
        assert D(what_if(engine, wish)["size"]) % D("0.001") == 0
        body = engine.dump()
        engine.load(body)
        assert engine.core.instruments[BTC] == after
        assert engine.dump() == body
        take(engine, Listing(engine.now, BTC, after))
        assert rows(engine, "instrument") == [], "the same again is no change"
        ts = minute(AWAY) + 30 * SECOND
        book = BookSnapshot(ts, BTC, ((58_999.5, 50.0),), ((59_000.5, 50.0),))
        take(engine, book, Trade(ts, BTC, 59_000.0, 0.01, "sell", "9"))
        assert engine.books.execution.positions == {}, (
            "what is held stays protected, odd lot or not"
        )


async def test_a_symbol_traded_no_longer_lets_nothing_in_and_everything_out(
    stage: Stage,
) -> None:
    async with held(stage) as desk:
        engine = desk.engine
        instrument = engine.core.instruments[BTC]
        take(engine, Listing(engine.now, BTC, None))
        assert "reduce_only" in codes(engine)
        (row,) = rows(engine, "restriction")
        assert row["cause"] == "delisted"
        body = engine.dump()
        engine.load(body)
        assert "reduce_only" in codes(engine)
        ts = minute(AWAY) + 30 * SECOND
        take(engine, Trade(ts, BTC, 59_000.0, 0.01, "sell", "9"))
        ts += 5 * SECOND
        take(engine, BookSnapshot(ts, BTC, ((58_999.9, 50.0),), ((59_000.1, 50.0),)))
        while engine.advance(ts + 5 * SECOND):
            pass
        assert engine.books.execution.positions == {}
        take(engine, Listing(engine.now, BTC, instrument))
        assert "reduce_only" not in codes(engine)
        await desk.driver.flush()
    Record(stage.folder / "run.db", {}).sound()
