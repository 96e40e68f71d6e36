"""The tape: what goes on it comes back, byte for byte, and a crash costs its last block at most."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.taping import BTC, LIMITS, XRP, Scripted, everything, record, trades
from tradeterm.adapters.feeds.plain import open_plain
from tradeterm.adapters.tape.blocks import tape_files, walk
from tradeterm.adapters.tape.lines import decode, encode
from tradeterm.adapters.tape.live_recording import SHORTENED, LiveRecording
from tradeterm.adapters.tape.opening import open_recorded
from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.adapters.tape.writer import TapeWriter
from tradeterm.errors import DataError, StoreUnwritable
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    FeedMark,
    FeedNotice,
    MarketEvent,
    News,
    Past,
    Pulse,
    Trade,
)
from tradeterm.model.timing import HOUR
from tradeterm.settings.loading import load_settings

MARKET = load_settings().settings.market

prices = st.floats(min_value=5e-324, max_value=1e300, allow_nan=False, allow_infinity=False)
sizes = st.one_of(st.just(0.0), prices)
stamps = st.integers(1, 2**62)
symbols = st.sampled_from([BTC, XRP])
words = st.text(st.characters(codec="utf-8"), max_size=30)
levels = st.lists(st.tuples(prices, sizes), max_size=4).map(tuple)
candles = st.builds(
    Candle, stamps, symbols, st.integers(1, 86_400), prices, prices, prices, prices, sizes
)


def pasts(ts: int, symbol: str, bars: list[Candle]) -> Past:
    return Past(ts, symbol, tuple(Candle(c.ts, symbol, *_figures(c)) for c in bars))


def _figures(c: Candle) -> tuple[int, float, float, float, float, float]:
    return c.timeframe, c.open, c.high, c.low, c.close, c.volume


events = st.one_of(
    st.builds(Trade, stamps, symbols, prices, prices, st.sampled_from(["buy", "sell"]), words),
    st.builds(BookDelta, stamps, symbols, levels, levels),
    st.builds(BookSnapshot, stamps, symbols, levels, levels),
    candles,
    st.builds(News, stamps, words, words, st.lists(words, max_size=2).map(tuple), words),
    st.builds(FeedNotice, stamps, st.sampled_from(["", BTC]), words, words),
    st.builds(Pulse, stamps, st.sampled_from(["", BTC])),
    st.builds(pasts, stamps, symbols, st.lists(candles, max_size=3)),
)


# -- exactness -------------------------------------------------------------------------------


@given(st.lists(events, max_size=20))
def test_every_event_comes_back_to_the_last_bit(told: list[MarketEvent]) -> None:
    lines = encode(told)
    assert decode(lines) == told
    assert encode(decode(lines)) == lines
    assert lines.count(b"\n") == len(told)


def test_a_line_is_what_the_design_says() -> None:
    assert encode([BookDelta(5, BTC, ((30_000.1, 0.0),), ())]) == (
        b'{"ts":5,"s":"BTC/USDT","t":"delta","b":[["30000.1","0.0"]],"a":[]}\n'
    )
    assert encode([Trade(6, XRP, 1e-08, 3.0, "sell", "T-1")]) == (
        b'{"ts":6,"s":"XRP/BTC","t":"trade","p":"1e-8","q":"3.0","side":"sell","id":"T-1"}\n'
    )
    negative_zero = decode(encode([Trade(6, XRP, 1.0, -0.0, "sell")]))[0]
    assert isinstance(negative_zero, Trade)
    assert math.copysign(1, negative_zero.size) == -1


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.lists(events, min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=6),
    position=st.integers(0, 30),
)
def test_a_recorded_run_is_told_again_from_any_position(
    tmp_path_factory: pytest.TempPathFactory,
    told: list[MarketEvent],
    cuts: list[int],
    position: int,
) -> None:
    """Whatever blocks it went down in; with and without the state of a mark."""
    folder = tmp_path_factory.mktemp("tape") / "run-1"
    asyncio.run(record(folder, told, [cut for cut in cuts if cut <= len(told)]))
    feed = RecordedFeed(folder)
    assert everything(feed) == told
    at = min(position, len(told))
    feed.seek(FeedMark(at))
    assert everything(feed) == told[at:]
    feed.seek(FeedMark(0))
    feed.take()
    mark = feed.mark(min(at, len(told)))
    again = RecordedFeed(folder)
    again.seek(mark)
    assert everything(again) == told[at:]


async def test_only_what_the_engine_took_is_on_the_tape(tmp_path: Path) -> None:
    told = trades(9)
    feed = RecordingFeed.begin(Scripted(told, size=9), tmp_path / "run", LIMITS)
    feed.take()
    await feed.secure(4)
    assert everything(RecordedFeed(tmp_path / "run")) == told[:4]
    assert [block.events for block in walk(tape_files(tmp_path / "run")[0])] == [4]


async def test_start_symbols_and_warm_up_are_kept(tmp_path: Path) -> None:
    await record(tmp_path / "abc", trades(3), [])
    found = RecordedFeed(tmp_path / "abc")
    assert (found.mode, found.start, found.symbols) == ("SIM", 1_000, (BTC, XRP))
    assert found.history(BTC, 60, 600) == [Candle(900, BTC, 60, 1.0, 2.0, 0.5, 1.5, 0.1)]
    assert found.history(XRP, 60, 600) == []
    replay = open_recorded(str(tmp_path), MARKET, None)
    assert replay is not None
    assert replay.mode == "REPLAY"
    assert replay.identity()["files"].startswith("run abc ")


async def test_symbols_may_be_chosen_and_news_belongs_to_all(tmp_path: Path) -> None:
    told: list[MarketEvent] = [
        Trade(1, BTC, 1.0, 1.0, "buy"), Trade(2, XRP, 1.0, 1.0, "buy"), News(3, "x", "y"),
        FeedNotice(4, XRP, "gap", "z"), FeedNotice(5, "", "gap", "z"), Pulse(6),
    ]  # fmt: skip
    await record(tmp_path / "run", told, [2, 4])
    feed = RecordedFeed(tmp_path / "run", symbols=(BTC,))
    assert [event.ts for event in everything(feed)] == [1, 3, 5, 6]
    mark = feed.mark(2)
    feed.seek(mark)
    assert [event.ts for event in everything(feed)] == [5, 6]
    with pytest.raises(DataError, match="has no data for ETH/USDT"):
        RecordedFeed(tmp_path / "run", symbols=("ETH/USDT",))


async def test_two_recordings_in_a_folder_want_a_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        await record(tmp_path / name, trades(2), [])
    with pytest.raises(DataError, match="2 recorded runs; name one of them: one, two"):
        open_recorded(str(tmp_path), MARKET, None)
    assert open_recorded(f"{tmp_path}/two", MARKET, None) is not None
    assert open_recorded(str(Path(__file__).parent), MARKET, None) is None


# -- restarts --------------------------------------------------------------------------------


async def test_a_repeatable_market_is_asked_again_and_written_once(tmp_path: Path) -> None:
    """The process died after the tape was written and before the journal was."""
    told = trades(12)
    await record(tmp_path / "run", told[:8], [5])
    feed = RecordingFeed.resume(Scripted(told), tmp_path / "run", LIMITS)
    feed.seek(FeedMark(4))
    handed = 4
    while batch := feed.take():
        handed += len(batch)
    assert handed == 12
    await feed.secure(12)
    assert everything(RecordedFeed(tmp_path / "run")) == told


async def test_a_live_market_goes_on_from_its_tape(tmp_path: Path) -> None:
    told = trades(10)
    first = LiveRecording.begin(Scripted(told[:7], mode="LIVE"), tmp_path / "run", LIMITS)
    first.listen(1_000)
    for _ in range(3):
        first.take()
    await first.secure(6)

    market = Scripted(told[7:], mode="LIVE")
    market.start = 5_000
    feed = LiveRecording.resume(market, tmp_path / "run", LIMITS)
    assert feed.start == 1_000
    feed.seek(FeedMark(2))
    feed.listen(1_010)
    assert feed.reach() == 1_010  # while the tape is told, time goes no further than the engine
    assert list(feed.take()) == told[2:6]
    assert market.resumed is None
    assert feed.waiting()
    live = list(feed.take())
    assert market.resumed == (told[5].ts, 1_010)
    assert live == told[7:]
    assert (feed.reach(), feed.now(), feed.clock_skew()) == (7_777, 8_888, 0.25)
    await feed.secure(9)
    assert everything(RecordedFeed(tmp_path / "run")) == [*told[:6], *told[7:]]


# -- size ------------------------------------------------------------------------------------


async def test_a_new_file_begins_when_one_is_full_or_old(tmp_path: Path) -> None:
    small = LIMITS.model_copy(update={"file_size": 0.0002})  # 210 bytes: a block or two
    told = trades(12)
    await record(tmp_path / "size", told, range(0, 12, 2), small)
    assert len(tape_files(tmp_path / "size")) > 2
    assert everything(RecordedFeed(tmp_path / "size")) == told

    old = LIMITS.model_copy(update={"file_hours": 1})
    hourly = trades(6, gap=HOUR // 2)
    await record(tmp_path / "age", hourly, range(6), old)
    names = [file.name for file in tape_files(tmp_path / "age")]
    assert names == [f"{first:012d}.jsonl.zst" for first in (0, 2, 4)]
    assert everything(RecordedFeed(tmp_path / "age")) == hourly


async def test_other_programs_read_the_files_as_plain_lines(tmp_path: Path) -> None:
    told = trades(9)
    await record(tmp_path / "run", told, [2, 5])
    with open_plain(tape_files(tmp_path / "run")[0]) as stream:
        assert stream.read() == encode(told)


async def test_the_oldest_files_go_but_none_that_a_restart_needs(tmp_path: Path) -> None:
    tight = LIMITS.model_copy(update={"file_size": 0.0001, "total_size": 0.0005})
    told = trades(40)
    feed = LiveRecording.begin(Scripted(told, size=2, mode="LIVE"), tmp_path / "t" / "run", tight)
    feed.listen(1_000)
    said: list[FeedNotice] = []
    taken = 0
    for step in range(14):
        batch = feed.take()
        said += [event for event in batch if isinstance(event, FeedNotice)]
        taken += len(batch)
        if step >= 6:
            feed.mark(20)  # snapshots at event 20: everything behind it is needed
        await feed.secure(taken)
    found = RecordedFeed(tmp_path / "t" / "run")
    assert 0 < found.begins <= 20
    assert said
    assert said[0].code == SHORTENED
    assert "recording.total_size" in said[0].text
    found.seek(FeedMark(20))
    assert len(everything(found)) == taken - 20
    with pytest.raises(DataError, match="given up to keep it within"):
        found.seek(FeedMark(0))


async def test_tapes_of_earlier_runs_go_first(tmp_path: Path) -> None:
    await record(tmp_path / "t" / "old", trades(20), range(0, 20, 4))
    tight = LIMITS.model_copy(update={"total_size": 0.0001})
    tape = TapeWriter.begin(tmp_path / "t" / "new", tight)
    tape.append(trades(5))
    gone = tape.give_up(5)
    assert gone is not None
    assert tape_files(tmp_path / "t" / "old") == []
    assert len(tape_files(tmp_path / "t" / "new")) == 1


async def test_blocks_are_due_by_time_when_nothing_else_asks(tmp_path: Path) -> None:
    feed = RecordingFeed.begin(Scripted(trades(9)), tmp_path / "run", LIMITS)
    assert not feed.due(100.0)
    feed.take()
    assert feed.due(100.0)
    assert not feed.due(100.9)
    assert feed.due(101.0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_folder_nobody_may_write_stops_nothing_silently(tmp_path: Path) -> None:
    feed = RecordingFeed.begin(Scripted(trades(9)), tmp_path / "run", LIMITS)
    feed.take()
    (tmp_path / "run").chmod(0o500)
    with pytest.raises(StoreUnwritable, match=r"the tape .* cannot be written"):
        await feed.secure(3)
    (tmp_path / "run").chmod(0o700)
    await feed.secure(3)
    assert len(everything(RecordedFeed(tmp_path / "run"))) == 3


async def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up in the middle of a block; later there is room again."""
    told = trades(9)
    feed = RecordingFeed.begin(Scripted(told), tmp_path / "run", LIMITS)
    feed.take()
    await feed.secure(3)
    feed.take()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        write(descriptor, bytes(data)[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnwritable, match="No space left on device"):
        await feed.secure(6)
    monkeypatch.undo()
    assert everything(RecordedFeed(tmp_path / "run")) == told[:3]
    await feed.secure(6)
    assert everything(RecordedFeed(tmp_path / "run")) == told[:6]
