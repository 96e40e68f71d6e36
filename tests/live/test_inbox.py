"""Between two threads: order, stamps, promises, and what a crowd may be merged into."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tradeterm.adapters.feeds.live import inbox as inbox_module
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.market.book import OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, MarketEvent, Pulse, Trade


class Clock:
    """A receive clock that the test sets."""

    def __init__(self) -> None:
        self.time = 1_000

    def __call__(self) -> int:
        return self.time


def delta(symbol: str, price: float, size: float) -> Callable[[int], MarketEvent]:
    return lambda ts: BookDelta(ts, symbol, ((price, size),), ((price + 10.0, size),))


def trade(symbol: str, number: int) -> Callable[[int], MarketEvent]:
    return lambda ts: Trade(ts, symbol, 100.0, 1.0, "buy", str(number))


def test_stamps_grow_even_where_the_clock_stands() -> None:
    box = Inbox(Clock())
    for number in range(3):
        box.put(trade("A/B", number))
    stamps = [event.ts for event in box.take()]
    assert stamps == [1_000, 1_001, 1_002]
    assert box.take() == []


@given(st.lists(st.sampled_from(["put", "reach", "take", "tick"]), max_size=60))
def test_nothing_is_stamped_before_a_moment_that_was_promised(steps: list[str]) -> None:
    clock = Clock()
    box = Inbox(clock)
    seen: list[int] = []
    promised = 0
    for step in steps:
        if step == "put":
            box.put(Pulse)
        elif step == "tick":
            clock.time += 7
        elif step == "reach":
            moment = box.reach()
            assert moment > promised
            # What lies in the box already may be older; whatever comes now may not.
            seen += [event.ts for event in box.take()]
            assert all(ts < moment for ts in seen)
            promised = moment
        else:
            seen += [event.ts for event in box.take()]
    box.put(Pulse)
    assert box.take()[-1].ts > promised
    assert seen == sorted(set(seen))


def test_the_past_is_told_before_what_has_arrived_meanwhile() -> None:
    clock = Clock()
    box = Inbox(clock)
    box.freeze(500)
    box.put(trade("A/B", 3))  # even before the connection stands and asks to hold
    box.hold()
    assert box.take() == []
    assert box.reach() == 501  # time stands where the last session ended
    box.put_past(trade("A/B", 1), 600)
    box.put_past(trade("A/B", 2), 550)  # never back
    told = box.take()
    assert [(event.ts, event.id) for event in told if isinstance(event, Trade)] == [
        (600, "1"), (601, "2"),
    ]  # fmt: skip
    box.thaw()
    (late,) = box.take()
    assert isinstance(late, Trade)
    assert (late.ts, late.id) == (1_000, "3")


def test_whoever_waits_is_woken_once_per_crowd() -> None:
    box = Inbox(Clock())
    woken: list[int] = []
    box.on_arrival(partial(woken.append, 1))
    box.put(Pulse)
    box.put(Pulse)
    assert len(woken) == 1
    box.take()
    box.put(Pulse)
    assert len(woken) == 2


_EVENTS = st.lists(
    st.one_of(
        st.builds(
            delta, st.sampled_from("XY"), st.sampled_from([1.0, 2.0, 3.0]),
            st.sampled_from([0.0, 1.0, 5.0]),
        ),
        st.builds(trade, st.sampled_from("XY"), st.integers(1, 10_000)),
    ),
    min_size=1,
    max_size=80,
)  # fmt: skip


@given(_EVENTS, st.integers(1, 20))
def test_a_crowd_loses_no_trade_and_ends_in_the_same_books(
    events: list[Callable[[int], MarketEvent]], crowd: int
) -> None:
    every = [make(1_000 + n) for n, make in enumerate(events)]
    before, inbox_module.CROWD = inbox_module.CROWD, crowd
    try:
        box = Inbox(Clock())
        box._crowded = crowd
        for make in events:
            box.put(make)
        taken = box.take()
    finally:
        inbox_module.CROWD = before
    assert [e for e in taken if isinstance(e, Trade)] == [e for e in every if isinstance(e, Trade)]
    assert [e.ts for e in taken] == sorted(e.ts for e in taken)
    assert len(taken) + box.merged == len(every)
    for symbol in "XY":
        # At every trade of the symbol, and at the end, the book is what it would have been.
        assert _at_trades(symbol, taken) == _at_trades(symbol, every)


def _at_trades(symbol: str, events: list[MarketEvent]) -> list[object]:
    book, seen = OrderBook(symbol), []
    book.snapshot(BookSnapshot(0, symbol, (), ()))
    for event in events:
        if getattr(event, "symbol", "") != symbol:
            continue
        if isinstance(event, BookDelta):
            book.delta(event)
        elif isinstance(event, Trade):
            seen.append(_levels(book))
    return [*seen, _levels(book)]


def _levels(book: OrderBook) -> object:
    state = book.dump()
    return state.bids, state.asks


def test_a_box_that_nobody_empties_does_not_grow_with_the_market() -> None:
    box = Inbox(itertools.count(1_000).__next__)
    for number in range(4 * inbox_module.CROWD):
        box.put(delta("X", float(number % 50 + 1), 1.0))
    assert box.waiting <= 2 * inbox_module.CROWD
    box.put(trade("X", 1))
    assert isinstance(box.take()[-1], Trade)
