"""No window ever holds more than the venue allows; cancels leave at once; what must wait, waits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.world import BTC, START, D, World
from tests.execution.world import settings as execution_settings
from tradeterm.execution.budget import Errand, Touched, cost, open_budget
from tradeterm.execution.outbox import Outbox, OutboxState
from tradeterm.execution.paper import PaperExchange
from tradeterm.model.market import MarketEvent
from tradeterm.model.orders import ApprovedOrder, OrderEnded, OrderRequest, VenueReport
from tradeterm.model.reconciling import VenueSnapshot
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import (
    AccountBook,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Side,
)
from tradeterm.settings.execution import RateLimitSettings

LIMITS = execution_settings().rate_limit


@dataclass
class Wire:
    """A venue that only notes what arrives and when."""

    sent: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)

    def submit(self, order: ApprovedOrder, now: int) -> None:
        self.sent.append((now, "order", (order.request.id,)))

    def cancel(self, order_ids: Sequence[str], now: int) -> None:
        self.sent.append((now, "cancel", tuple(order_ids)))

    def amend(self, order: ApprovedOrder, now: int) -> None:
        self.sent.append((now, "amend", (order.request.id,)))

    def on_market(self, event: MarketEvent) -> list[VenueReport]:
        return []

    def advance(self, now: int) -> list[VenueReport]:
        return []

    def snapshot(self) -> VenueSnapshot:
        return VenueSnapshot((), {})

    def times(self, *kinds: str) -> list[int]:
        return [ts for ts, kind, _ in self.sent if kind in kinds]


def order(number: int, *, reducing: bool = False) -> ApprovedOrder:
    request = OrderRequest(
        id=f"PAPER-{number}", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=D("0.01"),
        purpose=Purpose.EXIT if reducing else Purpose.ENTRY, book=AccountBook.MARGIN,
        parent="verdict-1", limit=D(60000), reduce_only=reducing, position_id="pos-1",
    )  # fmt: skip
    return ApprovedOrder(request, "verdict-1", START)


def outbox(wire: Wire, limits: RateLimitSettings = LIMITS) -> Outbox:
    return Outbox(limits, wire, lambda _: Touched(BTC, START))


def run(box: Outbox, until: int) -> list[VenueReport]:
    reports: list[VenueReport] = []
    while box.next_due <= until:
        reports += box.advance(box.next_due)
    return reports


def most_in_a_window(times: list[int], span: int) -> int:
    """Both ends of a window included, every window that begins with a call."""
    return max((bisect_right(times, ts + span) - n for n, ts in enumerate(times)), default=0)


def test_a_thousand_orders_at_once_leave_as_fast_as_allowed_and_no_faster() -> None:
    wire = Wire()
    patient = LIMITS.model_copy(update={"max_wait": 86_400})
    box = outbox(wire, patient)
    for number in range(1000):
        box.submit(order(number), START)
    run(box, START + 60 * MINUTE)
    assert [ids for _, _, ids in wire.sent] == [(f"PAPER-{n}",) for n in range(1000)]
    assert most_in_a_window(wire.times("order"), MINUTE) == LIMITS.orders.count - 10
    # 20 leave at once, 20 more each minute: the last of 1,000 after 49 minutes
    assert wire.times("order")[-1] == START + 49 * (MINUTE + 1)


def test_cancels_leave_within_a_second_behind_a_thousand_waiting_orders() -> None:
    wire = Wire()
    box = outbox(wire)
    for number in range(1000):
        box.submit(order(number), START)
    now = START + SECOND
    ended = [report for number in range(1000) for report in box.cancel(f"PAPER-{number}", now)]
    run(box, now + SECOND)
    assert len(ended) == 980  # these had not left: nothing to ask the venue
    assert all(isinstance(each, OrderEnded) for each in ended)
    (batch,) = [ids for _, kind, ids in wire.sent if kind == "cancel"]
    assert batch == tuple(f"PAPER-{n}" for n in range(20))
    assert wire.times("cancel") == [now]
    assert box.headroom(now).waiting == 0
    assert [(room.name, room.left) for room in box.headroom(now).rooms] == [
        ("calls", 60 - 21), ("orders", 10),
    ]  # fmt: skip


def test_a_thousand_cancels_of_one_moment_are_twenty_calls() -> None:
    wire = Wire()
    box = outbox(wire)
    for number in range(1000):
        box.cancel(f"PAPER-{number}", START)
    run(box, START)
    assert [len(ids) for _, _, ids in wire.sent] == [50] * 20


def test_what_reduces_goes_first_and_uses_the_reserve() -> None:
    wire = Wire()
    box = outbox(wire)
    for number in range(40):
        box.submit(order(number), START)
    for number in range(100, 115):
        box.submit(order(number, reducing=True), START)
    assert wire.times("order") == [START] * 30
    assert wire.sent[20:] == [(START, "order", (f"PAPER-{n}",)) for n in range(100, 110)]
    run(box, START + MINUTE + 1)
    assert [ids[0] for ts, _, ids in wire.sent if ts > START][:5] == [
        f"PAPER-{n}" for n in range(110, 115)
    ]


def test_an_entry_that_waited_too_long_is_given_up_and_a_close_never_is() -> None:
    wire = Wire()
    box = outbox(wire)
    for number in range(21):
        box.submit(order(number), START)
    for number in range(100, 120):
        box.submit(order(number, reducing=True), START)
    (ended,) = run(box, START + 40 * SECOND)
    assert ended == OrderEnded(
        START + LIMITS.max_wait * SECOND, "PAPER-20", OrderStatus.REJECTED, "no rate budget"
    )
    assert box.headroom(START + 40 * SECOND).waiting == 10
    run(box, START + 2 * MINUTE)
    assert len(wire.times("order")) == 40


def test_an_order_amended_before_it_left_leaves_with_its_new_terms() -> None:
    wire = Wire()
    box = outbox(wire)
    for number in range(21):
        box.submit(order(number), START)
    waiting = order(20)
    terms = replace(waiting, request=replace(waiting.request, size=D("0.005"), revision=1))
    (report,) = box.amend(terms, START)
    assert (report.order_id, wire.times("amend")) == ("PAPER-20", [])


steps = st.lists(
    st.tuples(
        st.sampled_from(["order", "close", "cancel", "wait"]), st.integers(0, 20 * SECOND)
    ),
    min_size=30, max_size=300,
)  # fmt: skip


@pytest.mark.parametrize("model", ["window", "counter"])
@settings(max_examples=40, deadline=None)
@given(steps=steps, cut=st.integers(0, 300))
def test_no_window_is_ever_exceeded_and_a_restart_changes_nothing(
    model: str, steps: list[tuple[str, int]], cut: int
) -> None:
    limits = LIMITS.model_copy(update={"model": model})
    wires = [Wire(), Wire()]
    boxes = [outbox(wire, limits) for wire in wires]
    now = START
    for number, (what, wait) in enumerate(steps):
        if number == cut:
            raw = msgspec.msgpack.encode(boxes[1].dump())
            boxes[1] = outbox(wires[1], limits)
            boxes[1].load(msgspec.msgpack.decode(raw, type=OutboxState))
        if what == "wait":
            now += wait
        for box in boxes:
            run(box, now)
            if what in ("order", "close"):
                box.submit(order(number, reducing=what == "close"), now)
            elif what == "cancel":
                box.cancel(f"PAPER-{number - 3}", now)
    for box in boxes:
        run(box, now + MINUTE)
    assert wires[0].sent == wires[1].sent
    if model == "window":
        times = wires[0].times("order", "cancel", "amend")
        assert most_in_a_window(times, MINUTE) <= limits.calls.count
        assert most_in_a_window(wires[0].times("order"), MINUTE) <= limits.orders.count


@pytest.mark.parametrize(
    ("what", "age", "points"),
    [
        (Errand.ORDER, 0, 1), (Errand.AMEND, 4, 4), (Errand.AMEND, 5, 3), (Errand.AMEND, 14, 2),
        (Errand.AMEND, 15, 1), (Errand.CANCEL, 4, 8), (Errand.CANCEL, 9, 6),
        (Errand.CANCEL, 14, 5), (Errand.CANCEL, 44, 4), (Errand.CANCEL, 89, 2),
        (Errand.CANCEL, 299, 1), (Errand.CANCEL, 300, 0),
    ],
)  # fmt: skip
def test_krakens_table(what: Errand, age: int, points: int) -> None:
    assert cost(what, age * SECOND) == points


def test_krakens_counter_fills_decays_and_is_kept_per_symbol() -> None:
    budget = open_budget(LIMITS.model_copy(update={"model": "counter"}))
    here, there = [Touched(BTC, START)], [Touched("XRP/USDT", START)]
    for _ in range(60):  # 125 less the 65 reserved
        assert budget.free_at(Errand.ORDER, here, START, urgent=False) == START
        budget.spend(Errand.ORDER, here, START)
    later = budget.free_at(Errand.ORDER, here, START, urgent=False)
    assert START + 0.42 * SECOND < later < START + 0.43 * SECOND  # 1 ÷ 2.34
    assert budget.free_at(Errand.ORDER, here, later, urgent=False) == later
    assert budget.free_at(Errand.ORDER, there, START, urgent=False) == START
    assert budget.free_at(Errand.CANCEL, here * 8, START, urgent=True) == START
    assert [(room.name, room.left) for room in budget.rooms(START)] == [(BTC, 65)]


def test_of_many_fresh_orders_krakens_counter_lets_some_go_at_once_and_the_rest_in_turn() -> None:
    wire = Wire()
    box = outbox(wire, LIMITS.model_copy(update={"model": "counter"}))
    for number in range(20):
        box.cancel(f"PAPER-{number}", START)
    run(box, START)
    # 8 points each: 15 fit into 125; a batch is halved until it does (20, 10, then 5)
    assert [len(ids) for _, _, ids in wire.sent] == [10, 5]
    run(box, START + MINUTE)
    assert sum(len(ids) for _, _, ids in wire.sent) == 20


def test_through_execution_waiting_entries_are_pending_and_counted() -> None:
    world = World(deposit="100000000")
    world.book(BTC, ((64999.0, 1000.0),), ((65000.0, 1000.0),))
    for _ in range(25):
        world.enter(BTC, PositionSide.LONG, "0.01", "64000")
    assert world.execution.headroom(world.now).waiting == 5
    assert len(world.view().entries) == 25
    world.wait(5)
    assert len(world.execution.positions) == 20
    assert len(world.view().entries) == 5
    reborn = world.reborn(lambda: World(deposit="100000000"))
    for each in (world, reborn):
        each.wait(60)
        assert len(each.execution.positions) == 20
        (reason,) = {o.reason for o in each.execution.recent if o.status is OrderStatus.REJECTED}
        assert reason == "no rate budget"
    assert reborn.events == world.events


def test_cancelling_a_waiting_entry_ends_it_at_once_with_its_reason() -> None:
    world = World(deposit="100000000")
    world.book(BTC, ((64999.0, 1000.0),), ((65000.0, 1000.0),))
    requests = [world.enter(BTC, PositionSide.LONG, "0.01", "64000") for _ in range(25)]
    world.take(world.execution.cancel_entries(world.now, "halt"))
    order_ = world.last(requests[-1].id)
    assert (order_.status, order_.reason) == (OrderStatus.CANCELLED, "halt")
    assert world.execution.headroom(world.now).waiting == 0


def test_a_close_that_has_not_left_ends_with_its_position() -> None:
    spent = LIMITS.model_copy(
        update={"orders": LIMITS.orders.model_copy(update={"count": 1, "reserved": 0})}
    )
    world = World(rate_limit=spent)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "64000", "67000")
    world.wait(1)
    close = world.close(world.position)
    assert world.last(close.id).status is OrderStatus.PENDING
    world.book(BTC, ((63999.0, 1.0),), ((64001.0, 1.0),))
    world.trade(BTC, 63999.5)
    assert world.execution.positions == {}
    ended = world.last(close.id)
    assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, "position closed")
    assert not world.execution.unsent()


def test_the_paper_exchange_is_a_venue() -> None:
    box = Outbox(LIMITS, PaperExchange(execution_settings(), {}, {}, 7), lambda _: Touched(BTC, 0))
    assert box.next_due > START
