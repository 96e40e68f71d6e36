"""The order book: any sequence of events gives what a plain dictionary would give."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market.samples import recorded
from tradeterm.adapters.feeds.tapes import TapeSource
from tradeterm.market.book import BookState, OrderBook
from tradeterm.model.market import BookDelta, BookSnapshot, Levels, Trade
from tradeterm.model.vocabulary import Side

SYMBOL = "BTC/USDT"
level = st.tuples(st.integers(90, 110).map(lambda n: n / 10), st.sampled_from([0.0, 0.5, 1.0, 2.5]))
levels = st.lists(level, max_size=5, unique_by=lambda pair: pair[0]).map(tuple)
deltas = st.lists(st.tuples(levels, levels), max_size=40)


def book(bids: Levels = ((9.9, 1.0), (9.8, 2.0)), asks: Levels = ((10.1, 1.0),)) -> OrderBook:
    made = OrderBook(SYMBOL)
    made.snapshot(BookSnapshot(1, SYMBOL, bids, asks))
    return made


def through_bytes(source: OrderBook) -> OrderBook:
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(source.dump()), type=BookState)
    copy = OrderBook(SYMBOL)
    copy.load(state)
    return copy


@given(deltas)
def test_a_book_is_the_sum_of_its_events(changes: list[tuple[Levels, Levels]]) -> None:
    live, bids, asks = book(), {9.9: 1.0, 9.8: 2.0}, {10.1: 1.0}
    for ts, (changed_bids, changed_asks) in enumerate(changes, 2):
        live.delta(BookDelta(ts, SYMBOL, changed_bids, changed_asks))
        bids.update(changed_bids)
        asks.update(changed_asks)
        bids = {price: size for price, size in bids.items() if size}
        asks = {price: size for price, size in asks.items() if size}
        best_bid, best_ask = max(bids, default=None), min(asks, default=None)
        assert (live.best_bid, live.best_ask) == (best_bid, best_ask)
        crossed = best_bid is not None and best_ask is not None and best_bid >= best_ask
        assert live.crossed is crossed
        assert live.levels(Side.BUY, 99) == sorted(bids.items(), reverse=True)
        assert live.levels(Side.SELL, 99) == sorted(asks.items())
        assert list(live.walk(Side.SELL)) == ([] if crossed else sorted(asks.items()))
        assert (live.mid() is None) == (crossed or best_bid is None or best_ask is None)


@settings(max_examples=50)
@given(deltas, st.integers(0, 40))
def test_a_dumped_book_goes_on_alike(changes: list[tuple[Levels, Levels]], cut: int) -> None:
    live = book()
    live.watch(Side.BUY, 9.9)
    copy = None
    for ts, (bids, asks) in enumerate(changes, 2):
        if ts - 2 == cut:
            copy = through_bytes(live)
        live.delta(BookDelta(ts, SYMBOL, bids, asks))
        if copy is not None:
            copy.delta(BookDelta(ts, SYMBOL, bids, asks))
    assert copy is None or copy.dump() == live.dump()
    assert through_bytes(live).dump() == live.dump()


def test_deltas_before_the_snapshot_wait_and_only_newer_ones_count() -> None:
    early = OrderBook(SYMBOL)
    early.delta(BookDelta(5, SYMBOL, ((9.95, 3.0),), ()))
    early.delta(BookDelta(12, SYMBOL, ((9.96, 4.0),), ()))
    assert early.best_bid is None
    assert not early.usable
    early = through_bytes(early)
    early.snapshot(BookSnapshot(10, SYMBOL, ((9.9, 1.0),), ((10.1, 1.0),)))
    assert early.levels(Side.BUY, 5) == [(9.96, 4.0), (9.9, 1.0)]


def test_a_crossed_book_is_unusable_until_repaired_and_counted_once() -> None:
    crossed = book()
    crossed.delta(BookDelta(2, SYMBOL, ((10.1, 1.0),), ()))  # locked
    crossed.delta(BookDelta(3, SYMBOL, ((10.2, 1.0),), ()))
    assert crossed.crossed
    assert crossed.mid() is None
    assert list(crossed.walk(Side.BUY)) == []
    assert crossed.levels(Side.BUY, 1) == [(10.2, 1.0)]
    crossed.delta(BookDelta(4, SYMBOL, ((10.1, 0.0), (10.2, 0.0)), ()))
    assert crossed.usable
    assert crossed.crossings == 1
    crossed.snapshot(BookSnapshot(5, SYMBOL, ((11.0, 1.0),), ((10.0, 1.0),)))
    assert crossed.crossings == 2


def test_a_watched_level_tells_when_the_market_stated_it_again() -> None:
    live = book()
    seen = live.watch(Side.SELL, 10.1)
    live.delta(BookDelta(2, SYMBOL, ((9.9, 5.0),), ((10.2, 1.0),)))
    assert live.refreshed(Side.SELL, 10.1) == seen
    live.delta(BookDelta(3, SYMBOL, (), ((10.1, 0.7),)))
    assert live.refreshed(Side.SELL, 10.1) == seen + 1
    live.snapshot(BookSnapshot(4, SYMBOL, (), ((10.1, 0.7),)))
    assert live.refreshed(Side.SELL, 10.1) == seen + 2
    live.unwatch(Side.SELL, 10.1)
    assert live.refreshed(Side.SELL, 10.1) == 0
    assert live.size_at(Side.SELL, 10.1) == 0.7
    assert live.levels(Side.SELL, 0) == []


def test_the_recorded_tape_never_crosses_and_prints_lie_near_the_touch() -> None:
    source = TapeSource(recorded("books/binance_spot_BTC_ETH_2024-08-08.jsonl.gz"), "refuse")
    books = {symbol: OrderBook(symbol) for symbol in source.steps}
    near = prints = 0
    while events := source.chunk():
        for event in events:
            if isinstance(event, BookSnapshot):
                books[event.symbol].snapshot(event)
            elif isinstance(event, BookDelta):
                books[event.symbol].delta(event)
            elif isinstance(event, Trade):
                mid = books[event.symbol].mid()
                prints += mid is not None
                near += mid is not None and abs(event.price / mid - 1) < 0.001
    assert all(each.usable and each.crossings == 0 for each in books.values())
    assert prints > 30_000
    assert near / prints > 0.99
