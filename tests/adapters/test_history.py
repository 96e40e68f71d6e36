"""History: files in, by line what is wrong with them, and out again as a market."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.taping import record, trades
from tests.wired.stage import play, request
from tradeterm.adapters.history.catalogue import LIST, Catalogue, Shelf, stored_candles
from tradeterm.adapters.history.inspecting import inspect
from tradeterm.adapters.history.series import Series
from tradeterm.adapters.store.paths import replace_file
from tradeterm.adapters.tape.blocks import tape_files, walk
from tradeterm.errors import DataError, StoreLocked, UsageError
from tradeterm.gathering import data
from tradeterm.model.market import Candle
from tradeterm.model.timing import MINUTE, SECOND

BTC = "BTC/USDT"
JUNE = 1_748_736_000  # 2025-06-01T00:00:00Z
DATA = Path(os.environ.get("TRADETERM_DATA", Path(__file__).parents[3] / "shared" / "data"))


def bar(minute: int, price: float = 100.0, *, symbol: str = BTC, tf: int = 60) -> Candle:
    """The bar that opens so many bars after June began."""
    close = (JUNE + (minute + 1) * tf) * SECOND
    return Candle(close, symbol, tf, price, price + 1, price - 1, price + 0.5, 2.0)


def call(*arguments: str | Path) -> Result:
    """``tradeterm data …`` in this process; its exit code is what the command returns."""
    return CliRunner().invoke(data, list(map(str, arguments)), standalone_mode=False)


def said(*arguments: str | Path) -> Any:
    return json.loads(call(*arguments, "--json").output)


def findings(report: Any) -> list[tuple[int, str]]:
    (file,) = report["files"]
    return [(one["line"], one["fault"]) for one in file["findings"]]


def csv(folder: Path, rows: list[str], name: str = "BTC_USDT-1m.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(["time,open,high,low,close,volume", *rows, ""]))
    return file


def row(minute: int, figures: str = "100,101,99,100.5,2") -> str:
    return f"{JUNE + 60 * minute},{figures}"


# -- layouts ---------------------------------------------------------------------------------


def write(folder: Path, layout: str) -> Path:
    """The same three bars in every layout."""
    bars = [[JUNE + 60 * n, 100.0, 101.0, 99.0, 100.5, 2.0] for n in range(3)]
    if layout == "json":
        file = folder / "BTC_USDT-1m.json"
        file.write_text(json.dumps([[ts * 1000, *rest] for ts, *rest in bars]))
    elif layout == "json.gz":
        file = folder / "BTC_USDT-1m.json.gz"
        file.write_bytes(gzip.compress(json.dumps([[t * 1000, *r] for t, *r in bars]).encode()))
    elif layout == "kraken":
        file = folder / "XBTUSDT_1.csv"
        file.write_text("".join(",".join(map(str, [*one, 7])) + "\n" for one in bars))
    elif layout == "csv":
        file = csv(folder, [",".join(map(str, one)) for one in bars])
    else:
        import pyarrow as pa
        from pyarrow import feather, parquet

        columns = list(zip(*bars, strict=True))
        dates = pa.array([ts * 1000 for ts in columns[0]], pa.timestamp("ms", tz="UTC"))
        names = ["date", "open", "high", "low", "close", "volume"]
        table = pa.table([dates, *map(pa.array, columns[1:])], names=names)
        file = folder / f"BTC_USDT-1m.{layout}"
        (feather.write_feather if layout == "feather" else parquet.write_table)(table, file)
    return file


@pytest.mark.parametrize("layout", ["csv", "kraken", "json", "json.gz", "feather", "parquet"])
def test_the_same_bars_in_every_layout(tmp_path: Path, layout: str) -> None:
    done = said("import", write(tmp_path, layout), "--data", tmp_path / "h", "--exchange", "kraken")
    assert done["ok"] is True
    assert done["files"][0]["into"] == "kraken BTC/USDT 1m"
    shelf = Catalogue(tmp_path / "h").shelf("kraken", BTC, 60)
    found = Catalogue(tmp_path / "h").read(shelf, 0, 2**62).candles(BTC, 60)
    assert found == [bar(n) for n in range(3)]


def test_krakens_trades_become_minutes(tmp_path: Path) -> None:
    """By hand: two prints in the first minute, none in the second, one in the third.

    The fourth, with which the file ends, may go on.
    """
    file = tmp_path / "XBTUSD.csv"
    lines = [(0.1, 30_306.1, 0.1), (30, 30_305.7, 0.2), (120.5, 30_306, 0.3), (181, 30_300, 2)]
    file.write_text("".join(f"{JUNE + at},{price},{size}\n" for at, price, size in lines))
    done = said("import", file, "--data", tmp_path / "h")
    assert (done["files"][0]["rows"], done["files"][0]["into"]) == (2, "files BTC/USD 1m")
    shelf = Catalogue(tmp_path / "h").shelf("files", "BTC/USD", 60)
    first, third = Catalogue(tmp_path / "h").read(shelf, 0, 2**62).candles("BTC/USD", 60)
    assert (first.open, first.high, first.low, first.close) == (30306.1, 30306.1, 30305.7, 30305.7)
    assert first.volume == pytest.approx(0.3)
    assert first.ts == (JUNE + 60) * SECOND
    assert (third.ts, third.close, third.volume) == ((JUNE + 180) * SECOND, 30306.0, 0.3)


def test_damaged_prints_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "XBTUSD.csv"
    file.write_text(
        f"{JUNE},100,1\n{JUNE + 70},101,1\nbad\n{JUNE + 60},102,1\n{JUNE + 80},-5,1\n"
        f"{JUNE + 300},103,1\n"
    )
    report = said("check", file)
    assert findings(report) == [(3, "bad row"), (4, "bad row"), (5, "bad row")]
    assert "out of order" in report["files"][0]["findings"][1]["what"]


# -- what is wrong, by line ------------------------------------------------------------------


def test_everything_that_is_wrong_has_its_line(tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        [row(0), row(1), row(1), row(2, "100,x,99,100,1"), row(3, "100,101,99,100,-1"),
         row(4, "100,100.2,99,100.5,1"), "nonsense", row(9), row(8), row(10)],
    )  # fmt: skip
    result = call("check", file)
    assert result.return_value == 1
    assert findings(said("check", file)) == [
        (4, "duplicate"), (5, "bad row"), (6, "bad row"), (7, "bad row"), (8, "bad row"),
        (9, "gap"), (10, "disorder"),
    ]  # fmt: skip
    assert "BTC_USDT-1m.csv:9: gap: 7 bars of 1m are missing before it, from 2025-06-01T00:02:00Z on" \
        in result.output  # fmt: skip


def test_a_sound_file_is_sound(tmp_path: Path) -> None:
    result = call("check", csv(tmp_path, [row(n) for n in range(50)]))
    assert result.return_value == 0
    assert "50 candles, sound" in result.output


def test_a_tape_is_read_line_by_line(tmp_path: Path) -> None:
    line = {"ts": JUNE * 10**9, "s": "BTC/USDT", "t": "trade", "p": "100", "q": "1", "side": "buy"}
    tape = tmp_path / "book.jsonl"
    lines = [json.dumps(line), json.dumps({**line, "ts": 1}), "{broken", json.dumps(line)]
    tape.write_text("\n".join(lines) + "\n")
    result = call("check", tmp_path)
    assert result.return_value == 1
    assert "book.jsonl:2: bad row: time goes back" in result.output
    assert "book.jsonl: 2 events, 2 × bad row" in result.output
    assert findings(said("check", tape)) == [(2, "bad row"), (3, "bad row")]
    tape.write_text(json.dumps(line) + "\n")
    assert "book.jsonl: 1 events, sound" in call("check", tape).output


async def test_a_recorded_run_is_read_block_by_block(tmp_path: Path) -> None:
    await record(tmp_path / "tape" / "run", trades(9), [3, 6])
    assert "run: 9 events, sound" in call("check", tmp_path / "tape").output
    file = tape_files(tmp_path / "tape" / "run")[0]
    whole = bytearray(file.read_bytes())
    file.write_bytes(whole[:-5])
    cut = call("check", tmp_path / "tape" / "run")
    assert (cut.return_value, findings(said("check", tmp_path / "tape"))) == (0, [(0, "cut off")])
    assert "run: 6 events, 1 × cut off" in cut.output
    whole[list(walk(file))[1].following - 6] ^= 0xFF
    file.write_bytes(whole)
    rotten = call("check", tmp_path / "tape")
    assert rotten.return_value == 1
    assert f"damaged: {file.name}" in rotten.output


def test_an_outlier_comes_back_and_a_market_that_moves_does_not(tmp_path: Path) -> None:
    calm = [f"{100 + n % 3},{104 + n % 3},98,{101 + n % 3},1" for n in range(40)]
    moved = [*calm[:20], *(f"{150 + n % 3},{154 + n % 3},148,{151 + n % 3},1" for n in range(20))]
    assert findings(said("check", csv(tmp_path, [row(n, f) for n, f in enumerate(moved)]))) == []
    calm[25] = "101,1001,98,1000,1"
    file = csv(tmp_path, [row(n, figures) for n, figures in enumerate(calm)])
    assert findings(said("check", file)) == [(27, "outlier")]
    assert call("check", file).return_value == 0  # it may be the truth


def test_bars_off_their_grid_are_a_gap(tmp_path: Path) -> None:
    file = csv(tmp_path, [row(0), row(1), f"{JUNE + 150},100,101,99,100.5,2"])
    assert findings(said("check", file)) == [(4, "gap")]


def test_a_file_of_no_known_symbol_wants_one(tmp_path: Path) -> None:
    file = csv(tmp_path, [row(0), row(1)], "prices.csv")
    assert "give --symbol" in said("check", file)["files"][0]["findings"][0]["what"]
    assert inspect(file, "XBT-USD", 60).symbol == "BTC/USD"
    with pytest.raises(UsageError, match="is no symbol"):
        inspect(file, "no symbol")


def test_a_refused_file_leaves_nothing(tmp_path: Path) -> None:
    bad = csv(tmp_path, [row(0), row(0)])
    result = call("import", bad, "--data", tmp_path / "h", "--on-bad", "refuse")
    assert result.return_value == 1
    assert "refused for its bad rows" in result.output
    assert "no history" in call("list", "--data", tmp_path / "h").output
    assert call("import", bad, "--data", tmp_path / "h").return_value == 0
    with pytest.raises(DataError, match="there is no such file"):
        _raise(call("import", tmp_path / "absent.csv", "--data", tmp_path / "h"))


def _raise(result: Result) -> None:
    assert result.exception is not None
    raise result.exception


@pytest.mark.recorded
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded market data at {DATA}")
def test_the_recorded_candles(tmp_path: Path) -> None:
    folder = tmp_path / "h"
    done = said("import", *(DATA / "candles").glob("*.feather"), "--data", folder)
    assert [one["rows"] for one in done["files"]] == [one["new"] for one in done["files"]]
    (btc, *_) = [s for s in said("list", "--data", folder)["history"] if s["symbol"] == BTC]
    assert (btc["candles"], btc["missing"], btc["files"]) == (43_199, 0, 2)
    assert said("check", "--data", folder)["ok"] is True


# -- the catalogue ---------------------------------------------------------------------------


def shelf_in(folder: Path, candles: list[Candle]) -> tuple[Catalogue, Shelf]:
    catalogue = Catalogue(folder)
    with catalogue.writing():
        shelf = catalogue.shelf("kraken", BTC, candles[0].timeframe)
        catalogue.add(shelf, Series.of(candles))
    return Catalogue(folder), shelf


@given(
    st.lists(st.integers(0, 90_000), unique=True, min_size=1, max_size=30),
    st.lists(st.integers(0, 90_000), unique=True, max_size=30),
)
def test_merging_is_a_union_in_which_the_newer_wins(old: list[int], new: list[int]) -> None:
    first = Series.of([bar(n) for n in sorted(old)])
    second = Series.of([bar(n, 200.0) for n in sorted(new)])
    merged, added, replaced = first.merged(second)
    expected = {n: bar(n) for n in old} | {n: bar(n, 200.0) for n in new}
    assert merged.candles(BTC, 60) == [expected[n] for n in sorted(expected)]
    assert added == len({*new} - {*old})
    assert replaced == len({*new} & {*old})
    months = list(merged.months(60))
    assert sum(len(part) for _, part in months) == len(merged)
    assert [name for name, _ in months] == sorted({name for name, _ in months})


def test_what_is_stored_is_exact_and_by_month(tmp_path: Path) -> None:
    told = [bar(n, 100 + n / 7, tf=3600) for n in range(24 * 40)]
    catalogue, shelf = shelf_in(tmp_path, told)
    found = catalogue.shelf("kraken", BTC, 3600)
    assert sorted(found.months) == ["2025-06", "2025-07"]
    assert catalogue.read(found, 0, 2**62).candles(BTC, 3600) == told
    part = catalogue.read(found, told[4].ts, told[9].ts).candles(BTC, 3600)
    assert part == told[5:10]
    names = [file.name for file, _ in catalogue.files(shelf)]
    assert names == ["BTC_USDT-1h-2025-06.parquet", "BTC_USDT-1h-2025-07.parquet"]


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    file = csv(tmp_path, [row(n) for n in range(9)])
    assert said("import", file, "--data", tmp_path / "h")["files"][0]["new"] == 9
    again = said("import", file, "--data", tmp_path / "h")["files"][0]
    assert (again["new"], again["replaced"]) == (0, 0)
    csv(tmp_path, [row(0), row(1, "100,105,99,100.5,2"), row(9)])
    changed = said("import", file, "--data", tmp_path / "h")["files"][0]
    assert (changed["new"], changed["replaced"]) == (1, 1)


def test_a_file_that_somebody_changed_is_noticed(tmp_path: Path) -> None:
    catalogue, shelf = shelf_in(tmp_path / "h", [bar(n) for n in range(5)])
    ((file, _),) = catalogue.files(shelf)
    file.write_bytes(Series.of([bar(n) for n in range(4)]).packed(60))
    result = call("check", "--data", tmp_path / "h")
    assert result.return_value == 1
    assert "is not what was stored" in result.output
    file.unlink()
    assert "there is no such file" in call("check", "--data", tmp_path / "h").output


def test_a_gap_between_two_months_is_told(tmp_path: Path) -> None:
    days = [bar(n, tf=86_400) for n in (*range(28), *range(32, 40))]
    shelf_in(tmp_path / "h", days)
    result = call("check", "--data", tmp_path / "h")
    assert result.return_value == 1
    assert "BTC_USDT-1d-2025-07.parquet:1: gap: 4 bars of 1d are missing before it" in result.output


def test_a_crash_while_storing_leaves_the_last_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month is written, the list is not: what is listed is there, and storing again heals it."""
    shelf_in(tmp_path, [bar(n) for n in range(5)])
    real = replace_file

    def dies(path: Path, content: bytes) -> None:
        if path.name == LIST:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr("tradeterm.adapters.history.catalogue.replace_file", dies)
    with pytest.raises(Exception, match="No space left"):
        shelf_in(tmp_path, [bar(n) for n in range(3, 9)])
    monkeypatch.undo()
    shelf_in(tmp_path, [bar(n) for n in range(3, 9)])
    catalogue = Catalogue(tmp_path)
    found = catalogue.read(catalogue.shelf("kraken", BTC, 60), 0, 2**62)
    assert found.candles(BTC, 60) == [bar(n) for n in range(9)]
    assert call("check", "--data", tmp_path).return_value == 0


def test_only_one_writes_at_a_time(tmp_path: Path) -> None:
    with Catalogue(tmp_path).writing(), pytest.raises(StoreLocked), Catalogue(tmp_path).writing():
        raise AssertionError


def test_a_damaged_list_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text("{")
    with pytest.raises(DataError, match="move it away and import again"):
        Catalogue(tmp_path)


def test_stretches_that_were_asked_for_are_not_asked_again() -> None:
    shelf = Shelf("kraken", BTC, 60)
    assert shelf.unasked(0, 100) == [(0, 100)]
    shelf.note_asked(20, 40)
    shelf.note_asked(60, 80)
    assert shelf.unasked(0, 100) == [(0, 20), (40, 60), (80, 100)]
    shelf.note_asked(30, 70)
    assert shelf.asked == [(20, 80)]
    assert shelf.unasked(30, 75) == []
    assert shelf.unasked(10, 30) == [(10, 20)]


# -- out again -------------------------------------------------------------------------------


def test_warm_up_gives_the_newest_unbroken_stretch(tmp_path: Path) -> None:
    shelf_in(tmp_path, [bar(n) for n in (0, 1, 2, 5, 6, 7, 8)])
    now = (JUNE + 9 * 60) * SECOND + 30 * SECOND
    found = stored_candles("kraken", BTC, 60, 600, now, tmp_path)
    assert found == [bar(n) for n in (5, 6, 7, 8)]
    assert stored_candles("kraken", BTC, 60, 2, now, tmp_path) == [bar(7), bar(8)]
    assert stored_candles("kraken", BTC, 60, 600, now - 3 * MINUTE, tmp_path) == [bar(5)]
    assert stored_candles("binance", BTC, 60, 600, now, tmp_path) == []


async def test_stored_history_is_a_market_that_is_warm_at_once(tmp_path: Path) -> None:
    wave = np.sin(np.arange(24 * 40) / 9) * 500 + 60_000
    shelf_in(tmp_path / "h", [bar(n, float(p), tf=3600) for n, p in enumerate(wave)])
    spec = f"history:{tmp_path / 'h' / 'kraken'}:1h:2025-06-30..2025-07-02"
    record = (await play(request(spec, tmp_path / "run.db", approve="all"))).sound()
    assert record.summary["inputs"]["candle"] == 48
    assert record.summary["market_time"]["from"] == "2025-06-30T00:00:00.000Z"
    assert record.summary["agents"]["technical_analysis"]["warming"] == 0
    cold = (
        await play(request(f"replay:{tmp_path / 'h/kraken/BTC_USDT/1h'}", tmp_path / "cold.db"))
    ).sound()
    assert cold.summary["inputs"]["candle"] == 24 * 40
    assert cold.summary["agents"]["technical_analysis"]["warming"] > 0


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("kraken", DataError, r"no history of BTC/USDT from kraken .*there is nothing"),
        ("kraken:soon", UsageError, r"--timeframe|timeframe 'soon'"),
        ("kraken:1h:x..", UsageError, r"'x' is not a time"),
        (":1h", UsageError, "names no exchange"),
    ],
)
async def test_history_that_is_not_there(
    tmp_path: Path, spec: str, error: type[Exception], words: str
) -> None:
    place = "" if spec.startswith(":") else f"{tmp_path}/"
    with pytest.raises(error, match=words):
        await play(request(f"history:{place}{spec}", tmp_path / "run.db"))
