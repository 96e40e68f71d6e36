"""The embedded market: repeatable, consistent, and blind to its own future."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from math import log, sqrt

import msgspec
import pytest

from tests.market.samples import market_settings
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.feeds.simulated import SimulatedFeed
from tradeterm.errors import ConfigError, EngineFault, UsageError
from tradeterm.market.book import OrderBook
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    FeedMark,
    MarketEvent,
    News,
    Trade,
)
from tradeterm.model.timing import DAY, HOUR, MINUTE, SECOND
from tradeterm.model.vocabulary import Side

SETTINGS = market_settings()
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")


def feed(seed: int = 7) -> SimulatedFeed:
    return SimulatedFeed(SETTINGS, seed=seed, symbols=SYMBOLS)


def events(source: SimulatedFeed, blocks: int) -> list[MarketEvent]:
    return [event for _ in range(blocks) for event in source.take()]


DAY_OF_EVENTS = events(feed(), 144)


def test_one_seed_is_one_market_and_another_is_another() -> None:
    assert events(feed(), 6) == DAY_OF_EVENTS[: len(events(feed(), 6))]
    assert events(feed(8), 1) != events(feed(), 1)
    assert feed().identity() == feed().identity()
    assert feed().identity() != feed(8).identity()


def test_it_begins_with_a_book_of_each_symbol_and_goes_forward_in_time() -> None:
    assert [type(event) for event in DAY_OF_EVENTS[:3]] == [BookSnapshot] * 3
    assert {event.symbol for event in DAY_OF_EVENTS[:3] if isinstance(event, BookSnapshot)} == set(
        SYMBOLS
    )
    assert all(a.ts <= b.ts for a, b in itertools.pairwise(DAY_OF_EVENTS))
    assert DAY_OF_EVENTS[0].ts == feed().start
    assert feed().start + DAY - MINUTE < DAY_OF_EVENTS[-1].ts < feed().start + DAY
    kinds = Counter(type(event).__name__ for event in DAY_OF_EVENTS)
    assert 100_000 < kinds.total() < 220_000
    assert 80 < kinds["News"] < 220


def test_books_are_deep_never_crossed_and_prints_take_the_touch() -> None:
    books = {symbol: OrderBook(symbol) for symbol in SYMBOLS}
    for event in DAY_OF_EVENTS:
        if isinstance(event, BookSnapshot):
            books[event.symbol].snapshot(event)
        elif isinstance(event, BookDelta):
            book = books[event.symbol]
            book.delta(event)
            assert not book.crossed
            assert book.depth(Side.BUY) == book.depth(Side.SELL) == SETTINGS.simulation.levels
        elif isinstance(event, Trade):
            side = Side.SELL if event.side == "buy" else Side.BUY
            near = dict(books[event.symbol].levels(side, 3))
            assert event.size <= near[event.price]
    touch = books["BTC/USDT"]
    assert touch.best_bid is not None
    assert touch.best_bid == pytest.approx(round(touch.best_bid, 1))


def test_crosses_are_consistent_with_their_legs() -> None:
    books = {symbol: OrderBook(symbol) for symbol in SYMBOLS}
    errors = []
    for index, event in enumerate(DAY_OF_EVENTS):
        if isinstance(event, BookSnapshot):
            books[event.symbol].snapshot(event)
        elif isinstance(event, BookDelta):
            books[event.symbol].delta(event)
        if index > 3 and index % 500 == 0:
            btc, xrp, cross = (books[symbol].mid() or 0.0 for symbol in SYMBOLS)
            spread = (books["XRP/BTC"].best_ask or 0.0) - (books["XRP/BTC"].best_bid or 0.0)
            errors.append(abs(cross - xrp / btc) / max(spread, 1e-8))
    assert max(errors) < 2.0
    assert sum(errors) / len(errors) < 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_volatility_is_that_of_a_market_people_trade(seed: int) -> None:
    source = SimulatedFeed(SETTINGS, seed=seed, symbols=("BTC/USDT",))
    prices = []
    for _ in range(144 * 3):
        last = next(event for event in reversed(source.take()) if isinstance(event, Trade))
        prices.append(last.price)
    moves = [log(b / a) for a, b in itertools.pairwise(prices)]
    daily = sqrt(sum(move * move for move in moves) / 3)
    assert 0.015 < daily < 0.08


def test_going_back_to_any_mark_gives_the_same_events_again() -> None:
    rng = random.Random(5)
    whole = DAY_OF_EVENTS[:12_000]
    source, position = feed(), 0
    batch: list[MarketEvent] = []
    while position < 9_000:
        batch = source.take()
        cut = position + rng.randint(0, len(batch))
        raw = msgspec.msgpack.encode(source.mark(cut))
        again = feed()
        again.seek(msgspec.msgpack.decode(raw, type=FeedMark))
        rest = [*again.take(), *again.take()]
        assert rest == whole[cut : cut + len(rest)]
        assert again.mark(cut + 1).position == cut + 1
        position += len(batch)
    before = position - len(batch) - 1
    assert source.mark(before).position == before
    with pytest.raises(EngineFault):
        source.mark(1)


def test_the_first_mark_is_the_beginning() -> None:
    source = feed()
    source.take()
    source.seek(FeedMark(0))
    assert source.take() == DAY_OF_EVENTS[: len(feed().take())]
    assert feed().mark(0) == FeedMark(0)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("timeframe", [60, 300, 3_600])
def test_the_past_ends_at_the_start_and_joins_the_first_price(symbol: str, timeframe: int) -> None:
    source = feed()
    bars = source.history(symbol, timeframe, 600)
    assert len(bars) == 600
    assert bars[-1].ts == source.start
    assert {b.ts - a.ts for a, b in itertools.pairwise(bars)} == {timeframe * SECOND}
    assert all(bar.low <= min(bar.open, bar.close) for bar in bars)
    assert all(bar.high >= max(bar.open, bar.close) for bar in bars)
    assert all(a.close == b.open for a, b in itertools.pairwise(bars))
    first = next(e for e in DAY_OF_EVENTS if isinstance(e, BookSnapshot) and e.symbol == symbol)
    mid = (first.bids[0][0] + first.asks[0][0]) / 2
    assert bars[-1].close == pytest.approx(mid, rel=0.002)


def test_the_past_of_every_timeframe_is_the_same_past() -> None:
    source = feed()
    minutes = source.history("XRP/USDT", 60, 600)
    hours = source.history("XRP/USDT", 3_600, 10)
    for index, hour in enumerate(hours):
        part = minutes[index * 60 : index * 60 + 60]
        assert hour.high == max(bar.high for bar in part)
        assert hour.close == part[-1].close
        assert hour.volume == pytest.approx(sum(bar.volume for bar in part))
    assert source.history("XRP/USDT", 30, 10) == []


def test_a_start_within_an_hour_ends_the_hourly_past_at_the_full_hour() -> None:
    settings = market_settings(simulation={"start": "2025-06-02T10:25:00Z"})
    source = SimulatedFeed(settings, seed=1, symbols=("BTC/USDT",))
    assert source.history("BTC/USDT", 60, 5)[-1].ts == source.start
    assert source.history("BTC/USDT", 3_600, 5)[-1].ts == source.start - source.start % HOUR


def test_headlines_only_know_prices_older_than_their_block() -> None:
    """Another future after block 6 leaves every headline up to and including it as it was."""
    source, other = feed(), feed()
    shown = [event for event in events(source, 7) if isinstance(event, News)]
    changed = []
    for block in range(7):
        if block == 6:
            for asset in other._state.assets:
                asset.drift *= -50
        changed += [event for event in other.take() if isinstance(event, News)]
    assert changed == shown


def test_headlines_name_assets_of_the_run_or_none_and_vary() -> None:
    news = [event for event in DAY_OF_EVENTS if isinstance(event, News)]
    assert {event.assets for event in news} == {("BTC",), ("XRP",), ()}
    assert len({event.text for event in news}) > 15
    assert all(event.text.isprintable() for event in news)


def test_a_symbol_without_a_first_price_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"DOGE/USDT.*simulation\.prices"):
        SimulatedFeed(SETTINGS, seed=1, symbols=("DOGE/USDT",))
    with pytest.raises(ConfigError, match="not a symbol"):
        SimulatedFeed(SETTINGS, seed=1, symbols=("BTC",))


def test_a_symbol_config_does_not_know_gets_an_instrument() -> None:
    settings = market_settings(
        simulation={"prices": {"BTC/USDT": 65_000.0, "SOL/USDT": 150.0}},
    )
    source = SimulatedFeed(settings, seed=1, symbols=("SOL/USDT", "SOL/BTC"))
    assert [each.symbol for each in source.derived()] == ["SOL/USDT", "SOL/BTC"]
    assert all(each.derived and each.tick > 0 for each in source.derived())
    assert source.take()


def test_the_feed_text_names_what_there_is() -> None:
    assert open_feed("sim", SETTINGS).symbols == SETTINGS.symbols
    assert open_feed("sim", SETTINGS, seed=3, symbols=("BTC/USDT",)).identity()["seed"] == "3"
    for wrong in ("", "simulated", "replay:", "sim:x", "live"):
        with pytest.raises(UsageError, match="--feed"):
            open_feed(wrong, SETTINGS)
    with pytest.raises(UsageError, match="--on-bad"):
        open_feed("sim", SETTINGS, on_bad="ignore")
