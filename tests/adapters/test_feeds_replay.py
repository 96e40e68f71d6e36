"""Files as feeds: tapes, CSV, feather; one, or a folder; good, and bad in every known way."""

from __future__ import annotations

import gzip
import itertools
import random
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, parquet

from tests.market.samples import START, market_settings, recorded, walk
from tradeterm.adapters.feeds.bars import finest
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.feeds.rows import OnBad
from tradeterm.adapters.feeds.tapes import decimals
from tradeterm.errors import DataError
from tradeterm.market.market import Market
from tradeterm.model.market import (
    BookDelta,
    BookSnapshot,
    Candle,
    Feed,
    FeedMark,
    FeedNotice,
    MarketEvent,
    Trade,
)
from tradeterm.model.timing import HOUR, MINUTE, SECOND

SETTINGS = market_settings()
S = START // SECOND


def line(kind: str, **fields: object) -> str:
    return msgspec.json.encode(
        {"ts": START + SECOND, "s": "BTC/USDT", "t": kind, **fields}
    ).decode()


SNAP = line("snap", ts=START, b=[["99.5", "1"], ["99.9", "2.25"]], a=[["100.1", "1"]])


def trade(ts: int = START + SECOND, **fields: object) -> str:
    return line("trade", **({"ts": ts, "p": "100", "q": "0.5", "side": "buy"} | fields))


def tape(folder: Path, *lines: str, name: str = "tape.jsonl") -> Path:
    path = folder / name
    raw = "".join(f"{each}\n" for each in lines).encode()
    if name.endswith(".gz"):
        raw = gzip.compress(raw, mtime=0)
    elif name.endswith(".zst"):
        raw = zstandard.compress(raw)
    path.write_bytes(raw)
    return path


def csv(folder: Path, *rows: str, name: str = "BTC_USDT-1m.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def opened(path: Path, on_bad: OnBad = "skip", symbols: tuple[str, ...] | None = None) -> Feed:
    return open_feed(f"replay:{path}", SETTINGS, symbols=symbols, on_bad=on_bad)


def read(feed: Feed) -> list[MarketEvent]:
    found: list[MarketEvent] = []
    while batch := feed.take():
        found += batch
    assert feed.take() == []
    return found


def notices(found: list[MarketEvent]) -> list[str]:
    return [event.text for event in found if isinstance(event, FeedNotice)]


# -- tapes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson"])
def test_a_tape_is_read_however_it_is_packed(tmp_path: Path, name: str) -> None:
    delta = line("delta", b=[["99.9", "0"]], a=[])
    bar = line("candle", ts=START + MINUTE, tf=60, o="1", h="3", l="0.5", c="2", v="10")
    feed = opened(tape(tmp_path, SNAP, delta, trade(id="x1"), "", bar, name=name), "refuse")
    assert (feed.mode, feed.symbols, feed.start) == ("REPLAY", ("BTC/USDT",), START)
    assert read(feed) == [
        BookSnapshot(START, "BTC/USDT", ((99.9, 2.25), (99.5, 1.0)), ((100.1, 1.0),)),
        BookDelta(START + SECOND, "BTC/USDT", ((99.9, 0.0),), ()),
        Trade(START + SECOND, "BTC/USDT", 100.0, 0.5, "buy", "x1"),
        Candle(START + MINUTE, "BTC/USDT", 60, 1.0, 3.0, 0.5, 2.0, 10.0),
    ]


BAD_LINES = {
    "not JSON": '{"ts": 1, "s": "BTC/USD',
    "no object": "[1, 2]",
    "binary": "\x00\x01\x02",
    "unknown kind": line("quote", p="1"),
    "field absent": line("trade", p="1"),
    "not a number": trade(p="abc"),
    "NaN": trade(p="NaN"),
    "infinite": trade(p="1e400"),
    "zero": trade(p="0"),
    "negative": trade(p="-5"),
    "no size": trade(q="0"),
    "side": trade(side="up"),
    "back in time": trade(ts=START - 1),
    "time zero": trade(ts=0),
    "crossed": line("snap", b=[["101", "1"]], a=[["100", "1"]]),
    "negative level": line("delta", b=[["99", "-1"]], a=[]),
    "NaN level": line("delta", b=[["nan", "1"]], a=[]),
    "candle high below low": line("candle", tf=60, o="5", h="4", l="6", c="5", v="1"),
    "candle NaN": line("candle", tf=60, o="nan", h="4", l="6", c="5", v="1"),
    "candle timeframe": line("candle", tf=0, o="1", h="1", l="1", c="1", v="1"),
    "unknown symbol": trade(s="btc-usdt"),
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_named_by_number_and_skipped_or_refused(tmp_path: Path, bad: str) -> None:
    path = tape(tmp_path, SNAP, bad, trade())
    found = read(opened(path))
    assert [type(event) for event in found] == [BookSnapshot, FeedNotice, Trade]
    assert notices(found)[0].startswith("tape.jsonl:2: ")
    with pytest.raises(DataError, match=r"tape\.jsonl:2: "):
        read(opened(path, "refuse"))


def test_candles_on_a_tape_must_come_in_order_and_once(tmp_path: Path) -> None:
    bar = line("candle", ts=START + MINUTE, tf=60, o="1", h="1", l="1", c="1", v="1")
    assert "out of order or twice" in notices(read(opened(tape(tmp_path, bar, bar))))[0]


def test_after_twenty_bad_lines_the_rest_is_only_counted(tmp_path: Path) -> None:
    found = notices(read(opened(tape(tmp_path, SNAP, *["junk"] * 50, trade()))))
    assert len(found) == 20
    assert "counted only" in found[-1]


def test_a_packed_tape_that_is_cut_off_says_so(tmp_path: Path) -> None:
    lines = [SNAP, *(trade(ts=START + n, id=str(n)) for n in range(9_000))]
    path = tape(tmp_path, *lines, name="tape.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-2_000])
    found = read(opened(path))
    assert len(found) > 2_000
    assert "cut off" in notices(found)[-1]
    with pytest.raises(DataError, match="cut off"):
        read(opened(path, "refuse"))


def test_hostile_text_in_a_line_does_not_come_through(tmp_path: Path) -> None:
    found = read(opened(tape(tmp_path, SNAP, trade(side="\x1b]52;c;x\x07\u202e"))))
    assert all(text.isprintable() for text in notices(found))


def test_steps_of_unknown_symbols_are_the_finest_seen(tmp_path: Path) -> None:
    lines = [SNAP.replace("BTC", "ABC"), trade(s="ABC/USDT", p="100.125", q="0.50")]
    feed = opened(tape(tmp_path, *lines))
    (instrument,) = feed.derived()
    assert instrument.symbol == "ABC/USDT"
    assert (instrument.tick, instrument.lot) == (Decimal("0.001"), Decimal("0.01"))
    assert instrument.derived
    assert opened(tape(tmp_path, SNAP, name="known.jsonl")).derived() == ()


# -- bars ------------------------------------------------------------------------------------

HEADER = "date,open,high,low,close,volume"
ROWS = [f"{S + n * 60},1.5,2,1,{1 + n / 10},7" for n in range(5)]


def test_csv_bars_are_stamped_with_their_close(tmp_path: Path) -> None:
    feed = opened(csv(tmp_path, HEADER, *ROWS))
    found = read(feed)
    assert found[0] == Candle(START + MINUTE, "BTC/USDT", 60, 1.5, 2.0, 1.0, 1.0, 7.0)
    assert len(found) == 5
    assert feed.start == START
    assert feed.history("BTC/USDT", 60, 10) == []


@pytest.mark.parametrize(
    "stamp",
    [
        "2025-06-02T00:00:00Z", "2025-06-02 00:00:00", "2025-06-02 00:00:00+00:00",
        "2025-06-02T02:00:00+02:00", str(S), f"{S}.0", str(S * 1000), str(S * 10**6), str(START),
    ],
)  # fmt: skip
def test_times_are_understood_in_every_usual_form(tmp_path: Path, stamp: str) -> None:
    assert START == S * SECOND
    found = read(opened(csv(tmp_path, HEADER, f"{stamp},1,2,1,2,7")))
    assert found[0].ts == START + MINUTE


def test_a_close_time_column_is_taken_as_such(tmp_path: Path) -> None:
    path = csv(tmp_path, "close_time,open,high,low,close,volume", ROWS[0])
    assert read(opened(path))[0].ts == START


def test_krakens_headerless_layout_and_names(tmp_path: Path) -> None:
    rows = [f"{S + n * 3600},1,2,1,1.5,7,3" for n in (0, 1, 3)]
    feed = opened(csv(tmp_path, *rows, name="XBTUSD_60.csv"))
    found = read(feed)
    assert feed.symbols == ("BTC/USD",)
    assert [event.ts for event in found if isinstance(event, Candle)] == [
        START + n * HOUR for n in (1, 2, 4)
    ]
    assert "1 gaps" in notices(found)[0]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (f"{S + 30},nan,2,1,1,7", "positive number"),
        (f"{S + 30},0,2,1,1,7", "positive number"),
        (f"{S + 30},1,inf,1,1,7", "positive number"),
        (f"{S + 30},1,2,-1,1,7", "positive number"),
        (f"{S + 30},1,2,1,1,-7", "volume"),
        (f"{S + 30},1,1,2,1,7", "enclose"),
        (f"{S},1,2,1,1,7", "same time"),
        (f"{S - 60},1,2,1,1,7", "out of order"),
        (f"{S + 30},1,2", "columns"),
        (f"{S + 30},1,2,1,what,7", "what"),
        ("yesterday,1,2,1,1,7", "yesterday"),
    ],
)
def test_a_bad_row_is_named_by_line_and_skipped_or_refused(
    tmp_path: Path, bad: str, why: str
) -> None:
    path = csv(tmp_path, HEADER, ROWS[0], bad, *ROWS[1:])
    found = read(opened(path))
    assert [type(event) for event in found[:3]] == [Candle, FeedNotice, Candle]
    assert len(found) == 6
    assert notices(found)[0].startswith("BTC_USDT-1m.csv:3: ")
    assert why in notices(found)[0]
    assert all(a.ts <= b.ts for a, b in itertools.pairwise(found))
    with pytest.raises(DataError, match=r"BTC_USDT-1m\.csv:3: "):
        opened(path, "refuse")


def test_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {
        tmp_path / "absent.csv": "no such file",
        tmp_path / "empty": "holds no market data",
        csv(tmp_path, "hello", name="notes.txt"): "unknown kind of file",
        csv(tmp_path, "a,b,c", "1,2,3"): "no column date, open",
        csv(tmp_path, "1,2,3", name="X_USDT-1m.csv"): "unknown layout",
        csv(tmp_path, HEADER, ROWS[0], name="prices.csv"): "which symbol",
        csv(tmp_path, HEADER, ROWS[0], name="BTC_USDT.csv"): "timeframe is unknown",
        csv(tmp_path, HEADER, name="ETH_USDT-1m.csv"): "not one usable bar",
        csv(tmp_path, "hello", name="chat.jsonl"): "is a market event",
        csv(tmp_path, "x", name="BTC_USDT-1m.feather"): "not a readable feather",
        csv(tmp_path, "x", name="BTC_USDT-1m.csv.gz"): "damaged or cut off",
    }
    (tmp_path / "latin-1m.csv").write_bytes(b"date,\xff\xfe")
    cases[tmp_path / "latin-1m.csv"] = "not text"
    (tmp_path / "BTC_EUR-1m.csv").write_bytes(b"")
    cases[tmp_path / "BTC_EUR-1m.csv"] = "empty"
    for path, why in cases.items():
        with pytest.raises(DataError, match=why):
            opened(path)
    with pytest.raises(DataError, match=r"no data for XRP/USDT; it has BTC/USDT"):
        opened(tape(tmp_path, SNAP), symbols=("XRP/USDT",))


@pytest.mark.parametrize("ending", ["feather", "parquet"])
def test_freqtrade_files(tmp_path: Path, ending: str) -> None:
    bars = walk(100)
    table = pa.table(
        {
            "date": pa.array([bar.ts - MINUTE for bar in bars], pa.timestamp("ns", "UTC")),
            **{name: [getattr(bar, name) for bar in bars]
               for name in ("open", "high", "low", "close", "volume")},
        }
    )  # fmt: skip
    path = tmp_path / f"XRP_USDT_USDT-1m-futures.{ending}"
    if ending == "feather":
        feather.write_feather(table, str(path))
    else:
        parquet.write_table(table, path)
    feed = opened(path, "refuse")
    assert feed.symbols == ("XRP/USDT",)
    assert [event.ts for event in read(feed)] == [bar.ts for bar in bars]


# -- folders, marks, identity ------------------------------------------------------------------


def folder(path: Path) -> Path:
    """Three kinds of file that overlap in time."""
    path.mkdir(exist_ok=True)
    ticks = [trade(ts=START + n * 7 * SECOND, id=str(n)) for n in range(5_000)]
    tape(path, SNAP, *ticks[:2_000], "junk", *ticks[2_000:], name="a.jsonl.gz")
    rows = [f"{S + n * 60},1,2,1,1.5,7" for n in range(600) if n % 50]
    csv(path, HEADER, *rows, name="XRP_USDT-1m.csv")
    csv(path, HEADER, *rows[:300], "x,y", *rows[300:], name="ETH_USDT-1m.csv")
    csv(path, "ignored", name="README.md")
    return path


def test_a_folder_is_merged_in_time_order(tmp_path: Path) -> None:
    feed = opened(folder(tmp_path))
    assert feed.symbols == ("BTC/USDT", "XRP/USDT", "ETH/USDT")
    found = read(feed)
    assert all(a.ts <= b.ts for a, b in itertools.pairwise(found))
    assert len(found) == 1 + 5_000 + 2 * 588 + 2 + 2
    only = read(opened(tmp_path, symbols=("XRP/USDT",)))
    assert {type(event) for event in only} == {Candle, FeedNotice}
    assert {event.symbol for event in only if isinstance(event, Candle)} == {"XRP/USDT"}


@pytest.mark.parametrize("seed", range(4))
def test_going_back_to_any_mark_gives_the_same_events_again(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = folder(tmp_path)
    whole = read(opened(path))
    feed, position = opened(path), 0
    while batch := feed.take():
        cut = position + rng.randint(0, len(batch))
        mark = msgspec.msgpack.decode(msgspec.msgpack.encode(feed.mark(cut)), type=FeedMark)
        again = opened(path)
        again.seek(mark)
        assert read(again) == whole[cut:]
        position += len(batch)
    feed.seek(FeedMark(0))
    assert read(feed) == whole


def test_the_finer_bars_of_a_symbol_win(tmp_path: Path) -> None:
    csv(tmp_path, HEADER, *ROWS, name="BTC_USDT-1m.csv")
    csv(tmp_path, HEADER, *ROWS[:1], name="BTC_USDT-5m.csv")
    found = read(opened(tmp_path))
    assert {event.timeframe for event in found if isinstance(event, Candle)} == {60}


def test_identity_is_the_content_not_the_place(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    assert opened(folder(first)).identity() == opened(folder(second)).identity()
    csv(second, HEADER, ROWS[0], name="XRP_USDT-1m.csv")
    assert opened(first).identity() != opened(second).identity()


# -- recordings --------------------------------------------------------------------------------


def run(feed: Feed) -> Market:
    market = Market(SETTINGS, feed.symbols)
    for event in read(feed):
        while market.next_close <= event.ts:
            market.close_due(market.next_close)
        if isinstance(event, Trade):
            market.on_trade(event)
        elif isinstance(event, BookDelta):
            market.on_delta(event)
        elif isinstance(event, BookSnapshot):
            market.on_snapshot(event)
        elif isinstance(event, Candle):
            market.on_candle(event)
    return market


def test_the_recorded_candles_run_without_a_complaint() -> None:
    feed = opened(recorded("candles/BTC_USDT_USDT-1m-futures.feather"), "refuse")
    market = run(feed)
    assert market.closes("BTC/USDT") == 43_199
    assert market.rejected == {}
    figures = market.indicators("BTC/USDT", 3_600)
    assert figures is not None
    assert figures.ema_200 is not None


def test_krakens_decade_of_hours_runs_with_its_gaps() -> None:
    feed = opened(recorded("candles/kraken_XBTUSD_60.csv.gz"), "refuse")
    market = run(feed)
    assert market.closes("BTC/USD") == 70_253
    assert feed.derived()[0].symbol == "BTC/USD"


def test_the_recorded_book_runs_through_the_market() -> None:
    market = run(opened(recorded("books"), "refuse"))
    assert all(book.crossings == 0 for book in market.books.values())
    assert market.rejected == {}
    assert market.closes("BTC/USDT") == 11  # 23:55 to 00:05, both included


@given(
    st.lists(
        st.tuples(st.floats(1e-9, 1e9), st.integers(0, 10)).map(lambda pair: round(*pair)),
        min_size=1,
        max_size=8,
    )
)
def test_the_finest_step_of_a_column_is_that_of_its_finest_number(values: list[float]) -> None:
    assert finest(np.array(values)) == max(map(decimals, values))
