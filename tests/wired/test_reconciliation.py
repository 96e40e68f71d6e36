"""What the venue sees otherwise: found, told, kept, and adjusted only when an operator says so.

The paper exchange never differs by itself, so a fault is put between it and the engine: a test says
what its snapshot answers instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.wired.stage import RISE, Record, Stage, minute
from tradeterm.desk import Desk
from tradeterm.execution.paper import PaperExchange
from tradeterm.model.commands import (
    AdoptDifference,
    ClosePosition,
    CommandResult,
    Reconcile,
)
from tradeterm.model.reconciling import VenueOrder, VenueSnapshot
from tradeterm.model.vocabulary import OrderStatus

D = Decimal
Lie = Callable[[VenueSnapshot], VenueSnapshot]
OPEN = RISE * 60 + 30
"""The long of the rise is open and protected by now."""


@pytest.fixture
def venue_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lie | None], None]:
    """From here on the venue's books are what this makes of them (None: what they are)."""
    honest = PaperExchange.snapshot
    lie: list[Lie | None] = [None]

    def answer(venue: PaperExchange) -> VenueSnapshot:
        there = honest(venue)
        return there if lie[0] is None else lie[0](there)

    monkeypatch.setattr(PaperExchange, "snapshot", answer)

    def says(what: Lie | None) -> None:
        lie[0] = what

    return says


def story(stage: Stage, minutes: float = 60) -> None:
    """One long, then a market that stands still."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, minutes * 60, 60_010.0)


@asynccontextmanager
async def desk_at(stage: Stage, seconds: float, **changes: Any) -> AsyncIterator[Desk]:
    """The desk, run up to a second of the story."""
    desk = await Desk.open(stage.request(until=f"{seconds}s", **changes))
    try:
        await desk.run()
        yield desk
    finally:
        await desk.close()


def record_of(stage: Stage) -> Record:
    return Record(stage.folder / "run.db", {})


def half_gone(there: VenueSnapshot) -> VenueSnapshot:
    """Half of every position was closed by somebody else."""
    return replace(there, positions={name: size / 2 for name, size in there.positions.items()})


async def ordered(desk: Desk, command: Any) -> CommandResult:
    return await desk.apply(command)


async def test_a_paper_venue_agrees_and_looking_leaves_no_trace(stage: Stage) -> None:
    story(stage)
    record = (await stage.play()).sound()
    assert record.positions()
    assert record.rows("difference") == []


async def test_a_difference_is_found_on_the_timer_told_and_kept(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    async with desk_at(stage, OPEN):
        pass
    venue_says(half_gone)
    async with desk_at(stage, 31 * 60) as desk:  # looks at the start, too
        (found,) = desk.engine.reconciliation.open.values()
        assert (found.kind, found.subject, found.symbol) == ("position_size", "pos-1", "BTC/USDT")
        assert found.venue == found.ours / 2
        assert any("R-DIFFERENCE" in line.text for line in desk.engine.core.events.lines)
    async with desk_at(stage, 50 * 60) as desk:  # later looks and starts find the same one
        assert list(desk.engine.reconciliation.open) == ["diff-1"]
    record = record_of(stage).sound()
    assert len(record.rows("difference")) == 1
    venue_says(None)
    async with desk_at(stage, 55 * 60) as desk:
        assert desk.engine.reconciliation.open == {}
    (row,) = record_of(stage).reader().differences(everything=True)
    assert (row["state"], row["reason"]) == ("gone", "a later look found no difference")


async def test_the_timer_alone_finds_it(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    desk = await Desk.open(stage.request(until="29m"))
    venue_says(lambda there: half_gone(there) if there.positions else there)
    await desk.run()  # looks at 00:15 (nothing held) and 00:30: not yet
    assert desk.engine.reconciliation.open == {}
    await desk.close()
    venue_says(None)
    desk = await Desk.open(stage.request(until="31m"))
    venue_says(half_gone)
    await desk.run()
    (found,) = desk.engine.reconciliation.open.values()
    assert found.ts == minute(30)
    await desk.close()


async def test_nothing_new_on_its_symbol_but_closes_go_on(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    async with desk_at(stage, 22 * 60) as desk:
        (position,) = desk.engine.books.execution.positions.values()
        venue_says(half_gone)
        assert "1 difference(s)" in (await ordered(desk, Reconcile())).text
        assert desk.engine.core.unreconciled("BTC/USDT") == "diff-1"
        assert desk.engine.core.unreconciled("XRP/USDT") == ""
        assert (await ordered(desk, ClosePosition(position_id=position.id))).accepted
        orders = desk.engine.books.execution.working.values()
        assert "exit" in {order.request.purpose for order in orders}


async def test_an_entry_is_refused_while_the_venue_differs(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage, 25)
    stranger = VenueOrder("THEIRS-1", "BTC/USDT", D(1), D(0))
    venue_says(lambda there: replace(there, orders=(*there.orders, stranger)))
    async with desk_at(stage, 60):
        pass
    async with desk_at(stage, 25 * 60):
        pass
    record = record_of(stage).sound()
    assert record.codes() == {"unreconciled"}
    assert record.positions() == []


async def test_adopting_a_size_moves_collateral_and_protection_but_not_equity(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    async with desk_at(stage, OPEN) as desk:
        books = desk.engine.books
        before, (was,) = books.account(), books.execution.positions.values()
        half = was.size / 2
        venue_says(lambda there: replace(there, positions={"pos-1": half}))
        await ordered(desk, Reconcile())
        nameless = await ordered(desk, AdoptDifference(difference_id="diff-1", reason=" "))
        assert not nameless.accepted
        assert (await ordered(desk, AdoptDifference(difference_id="diff-2", reason="?"))).text == (
            "no open difference diff-2; open: diff-1"
        )
        said = await ordered(desk, AdoptDifference(difference_id="diff-1", reason="margin desk"))
        assert said.accepted, said.text
        (position,) = books.execution.positions.values()
        stop, target = books.execution.protective("pos-1")
        assert position.size == half
        assert position.entry == was.entry
        assert stop is not None
        assert target is not None
        assert stop.remaining == target.remaining == half
        after = books.account()
        freed = was.collateral - position.collateral
        assert after.cash == before.cash + freed
        assert after.margin_used == before.margin_used - freed
        assert desk.engine.core.unreconciled("BTC/USDT") == ""
    record = record_of(stage).sound()
    assert [body["kind"] for body in record.bodies("entry")].count("adjustment") == 1
    told = record.explain("diff-1")
    assert {"command", "difference", "entry", "position"} <= {link.kind for link in told}
    (row,) = record.reader().differences(everything=True)
    assert (row["state"], row["decided_by"], row["reason"]) == (
        "adopted", "operator", "margin desk",
    )  # fmt: skip


async def test_a_stop_the_venue_lost_is_placed_anew_when_that_is_adopted(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    async with desk_at(stage, OPEN) as desk:
        execution = desk.engine.books.execution
        lost, _ = execution.protective("pos-1")
        assert lost is not None
        venue_says(
            lambda there: replace(
                there, orders=tuple(order for order in there.orders if order.id != lost.id)
            )
        )
        await ordered(desk, Reconcile())
        (found,) = desk.engine.reconciliation.open.values()
        assert (found.kind, found.subject) == ("order_missing", lost.id)
        said = await ordered(desk, AdoptDifference(difference_id=found.id, reason="seen there"))
        assert said.accepted, said.text
        stop, _ = execution.protective("pos-1")
        ended = execution.order(lost.id)
        assert stop is not None
        assert ended is not None
        assert stop.id != lost.id
        assert ended.status is OrderStatus.ERROR
        assert found.id in ended.reason
        assert stop.remaining == execution.positions["pos-1"].size
    record_of(stage).sound()


@pytest.mark.parametrize(("gap", "shifted"), [("250", "250"), ("-40", "0")])
async def test_a_balance_is_adjusted_against_external_and_a_loss_counts_as_one(
    stage: Stage, venue_says: Callable[[Lie | None], None], gap: str, shifted: str
) -> None:
    story(stage)
    async with desk_at(stage, OPEN) as desk:
        books = desk.engine.books
        cash, day_start = books.account().cash, books.account().day_start_equity
        venue_says(lambda there: replace(there, balances={"USDT": cash + D(gap)}))
        await ordered(desk, Reconcile())
        assert desk.engine.core.unreconciled("BTC/USDT") == ""
        said = await ordered(desk, AdoptDifference(difference_id="diff-1", reason="statement"))
        assert said.accepted, said.text
        account = books.account()
        assert account.cash == cash + D(gap)
        assert account.day_start_equity == day_start + D(shifted)
    record = record_of(stage).sound()
    adjusted = record.bodies("entry")[-1]
    assert adjusted["kind"] == "adjustment"
    assert {leg["account"]: leg["amount"] for leg in adjusted["postings"]}["trading"] in {
        gap, f"{D(gap):.8f}",
    }  # fmt: skip
    assert record.reader().balances()["external"]["USDT"] == -10_000 - D(gap)


async def test_a_position_nobody_here_knows_blocks_every_symbol_and_cannot_be_adopted(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    async with desk_at(stage, OPEN) as desk:
        venue_says(lambda there: replace(there, positions={**there.positions, "x": D(1)}))
        await ordered(desk, Reconcile())
        assert desk.engine.core.unreconciled("XRP/BTC") == "diff-1"
        said = await ordered(desk, AdoptDifference(difference_id="diff-1", reason="why not"))
        assert not said.accepted
        assert "close it at the venue" in said.text
        assert list(desk.engine.reconciliation.open) == ["diff-1"]
    record_of(stage).sound()


@pytest.mark.parametrize(("patience", "found"), [(60, 0), (0, 1)])
async def test_an_order_on_its_way_is_missing_only_once_patience_is_over(
    stage: Stage, venue_says: Callable[[Lie | None], None], patience: int, found: int
) -> None:
    story(stage)
    stage.overrides += [
        "execution.latency={least: 30, most: 30}",
        f"execution.reconcile={{every: 900, patience: {patience}}}",
    ]
    async with desk_at(stage, RISE * 60 + 10) as desk:
        assert len(desk.engine.books.execution.working) == 1
        venue_says(lambda there: replace(there, orders=()))
        await ordered(desk, Reconcile())
        assert len(desk.engine.reconciliation.open) == found
    venue_says(None)


async def test_what_the_venue_filled_unseen_is_booked_at_the_price_that_fits_its_average(
    stage: Stage, venue_says: Callable[[Lie | None], None]
) -> None:
    story(stage)
    stage.overrides.append("execution.latency={least: 30, most: 30}")
    async with desk_at(stage, RISE * 60 + 10) as desk:
        (order,) = desk.engine.books.execution.working.values()
        part = D("0.01")
        seen = VenueOrder(order.id, "BTC/USDT", order.request.size, part, D("60011.5"))
        venue_says(lambda there: replace(there, orders=(seen,)))
        await ordered(desk, Reconcile())
        said = await ordered(desk, AdoptDifference(difference_id="diff-1", reason="trade list"))
        assert said.accepted, said.text
        (position,) = desk.engine.books.execution.positions.values()
        assert (position.size, position.entry) == (part, D("60011.5"))
        # The paper exchange behind the lie knows no such position and ends every stop for it: that
        # is told, the step ends all the same, and the bare position is closed, as far as it goes.
        assert any("protection_refused" in line.text for line in desk.engine.core.events.lines)
        assert [body["request"]["exit_reason"] for body in record_of(stage).bodies("order")
                if body["request"]["purpose"] == "exit"][-1] == "stop"  # fmt: skip
        (fill,) = record_of(stage).fills()
        assert (fill["evidence"], D(fill["price"])) == ("venue_report", D("60011.5"))
