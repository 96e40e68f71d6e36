"""Bad market data and bad stores, through the command line: a clear message, and nothing lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shell
from tradeterm import __version__
from tradeterm.settings.settings import Settings

START = 1_748_822_400_000_000_000  # 2025-06-02T00:00:00Z
SECOND = 1_000_000_000


def snap(seconds: float, bid: float = 100.0, ask: float = 100.1) -> dict[str, Any]:
    levels = range(25)
    return {
        "ts": START + int(seconds * SECOND),
        "s": "BTC/USDT",
        "t": "snap",
        "b": [[f"{bid - n * 0.1:.1f}", "5"] for n in levels],
        "a": [[f"{ask + n * 0.1:.1f}", "5"] for n in levels],
    }


def trade(seconds: float, price: object = "100.0") -> dict[str, Any]:
    return {
        "ts": START + int(seconds * SECOND),
        "s": "BTC/USDT",
        "t": "trade",
        "p": price,
        "q": "0.1",
        "side": "buy",
    }


def candle(seconds: float, close: object = "100.0") -> dict[str, Any]:
    return {
        "ts": START + int(seconds * SECOND),
        "s": "BTC/USDT",
        "t": "candle",
        "tf": 60,
        "o": "100.0",
        "h": "100.0",
        "l": "100.0",
        "c": close,
        "v": "1",
    }


def tape(path: Path, *lines: object) -> Path:
    path.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines),
        encoding="utf-8",
    )
    return path


GOOD = [snap(0), *(trade(n, f"{100 + n % 3 * 0.1:.1f}") for n in range(1, 20))]
#: What is wrong with the fourth line → the line, and words of the complaint.
BAD_LINES = {
    "cut off": ('{"ts": 17488', "day.jsonl:4:"),
    "not JSON": ("garbage", "day.jsonl:4:"),
    "no time": ({"s": "BTC/USDT", "t": "trade", "p": "1", "q": "1", "side": "buy"}, "ts"),
    "NaN price": (trade(2.5, "NaN"), "day.jsonl:4:"),
    "infinite price": (trade(2.5, "1e400"), "day.jsonl:4:"),
    "negative price": (trade(2.5, "-5"), "day.jsonl:4:"),
    "no price": (trade(2.5, None), "day.jsonl:4:"),
    "backwards": (trade(0.5), "day.jsonl:4:"),
    "crossed book": (snap(2.5, bid=101, ask=100), "day.jsonl:4:"),
    "unknown kind": ({"ts": START + 3 * SECOND, "s": "BTC/USDT", "t": "whisper"}, "whisper"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_damaged_line_is_skipped_and_reported_or_refused(
    shell: Shell, tmp_path: Path, case: str
) -> None:
    line, words = BAD_LINES[case]
    path = tape(tmp_path / "day.jsonl", *GOOD[:3], line, *GOOD[3:])
    run = ("run", "--headless", "--feed", f"replay:{path}", "--json", "--db")
    skipped = shell(*run, tmp_path / "skip.db")
    assert skipped.code == 0, skipped.err
    inputs = skipped.json["inputs"]
    assert inputs["trade"] == len(GOOD) - 1
    assert inputs["notice"] >= 1
    rows = shell("journal", "--db", tmp_path / "skip.db", "--limit", "-1").out
    assert "day.jsonl" in rows
    assert words in rows
    assert shell("verify", "--db", tmp_path / "skip.db").code == 0
    refused = shell(*run, tmp_path / "refuse.db", "--on-bad", "refuse")
    assert refused.code == 2, refused
    assert refused.out == ""
    assert "day.jsonl" in refused.err
    assert words in refused.err


def test_a_candle_out_of_order_is_reported(shell: Shell, tmp_path: Path) -> None:
    path = tape(tmp_path / "bars.jsonl", candle(60), candle(180), candle(120), candle(240))
    run = ("run", "--headless", "--feed", f"replay:{path}", "--json", "--db")
    said = shell(*run, tmp_path / "x.db")
    assert said.code == 0
    assert said.json["inputs"]["candle"] == 3
    assert "bars.jsonl:3:" in shell("journal", "--db", tmp_path / "x.db", "--limit", "-1").out
    refused = shell(*run, tmp_path / "y.db", "--on-bad", "refuse")
    assert refused.code == 2
    assert "bars.jsonl:3:" in refused.err


def test_a_table_with_bad_rows(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT-1m.csv"
    rows = [f"{START // SECOND + 60 * n},100,101,99,100,5" for n in range(1, 30)]
    rows[4] = rows[4].replace(",100,101", ",NaN,101")
    rows[9] = rows[9].replace(",101,99,", ",99,101,")
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]), encoding="utf-8")
    run = ("run", "--headless", "--feed", f"replay:{path}", "--json", "--db")
    said = shell(*run, tmp_path / "x.db")
    assert said.code == 0, said.err
    assert said.json["inputs"]["candle"] == 27
    told = shell("journal", "--db", tmp_path / "x.db", "--limit", "-1").out
    assert "BTC_USDT-1m.csv:6:" in told
    assert "BTC_USDT-1m.csv:11:" in told
    refused = shell(*run, tmp_path / "y.db", "--on-bad", "refuse")
    assert refused.code == 2
    assert "BTC_USDT-1m.csv" in refused.err
    assert "BTC_USDT-1m.csv:6:" in refused.err


def test_data_that_is_not_there(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.jsonl").touch()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    for path, words in [
        ("absent.jsonl", "there is no such file"),
        ("empty", "no market data"),
        ("none.jsonl", "none.jsonl"),
        ("picture.png", "unknown kind of file"),
    ]:
        said = shell(
            "run", "--headless", "--feed", f"replay:{tmp_path / path}", "--db", tmp_path / "x.db"
        )
        assert said.code == 2, path
        assert words in said.complaint
        assert path in said.complaint
    assert not (tmp_path / "x.db").exists()


# -- the book of record ------------------------------------------------------------------------


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(data.index(b"run_finished"), len(data)):
        data[at] ^= 0x5A
    path.write_bytes(data)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "INSERT INTO migrations SELECT 99, 'from the future', applied FROM migrations LIMIT 1"
        )
        db.commit()


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (x)")
        db.commit()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "corrupt": corrupt,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("dear diary\n" * 100),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:60_000]),
    "foreign": foreign,
    "newer": newer,
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_store_that_is_not_what_was_written_is_refused_and_kept(
    shell: Shell, six_hours: Path, tmp_path: Path, case: str
) -> None:
    db = tmp_path / "run.db"
    shutil.copy(six_hours, db)
    DAMAGE[case](db)
    before = db.read_bytes()
    said = shell(
        "run", "--headless", "--seed", "7", "--until", "7h", "--approve", "all", "--db", db
    )
    assert said.code in {1, 2}
    assert str(db) in said.complaint
    assert "To go on" in said.complaint or "use --db" in said.complaint
    for words in ("status", "positions", "journal --limit -1", "halt", "verify"):
        asked = shell(*words.split(), "--db", db)
        assert "Traceback" not in asked.err
        if case != "corrupt":  # a reader may not meet the damaged pages; verify does
            assert not db.with_name("HALT").exists(), "what is no run is not said to be halted"
            assert asked.code in {1, 2}, words
    assert shell("verify", "--db", db).code in {1, 2}
    assert db.read_bytes() == before


def test_a_run_with_settings_of_another_version_says_which(
    shell: Shell, six_hours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(data: object) -> Settings:
        return Settings.model_validate({})

    monkeypatch.setattr(Settings, "from_effective", other)
    db = tmp_path / "run.db"
    shutil.copy(six_hours, db)
    for words in ("status", "resume --yes", "run --headless --seed 7 --until 7h"):
        said = shell(*words.split(), "--db", db)
        assert said.code == 2
        assert f"recorded by another build of tradeterm {__version__}" in said.complaint
        assert "market" in said.complaint
        assert "--fresh" in said.complaint
    halted = shell("halt", "--db", db)
    assert halted.code == 0
    assert "HALTED by file" in halted.out
    assert "recorded by another build" in halted.out
    assert shell("verify", "--db", db).code == 0
    with closing(sqlite3.connect(db)) as file, file:
        body = "json_set(CAST(body AS TEXT), '$.version', '0.0.9')"
        file.execute(f"UPDATE journal SET body = {body} WHERE kind = 'run_started'")
    assert "recorded by tradeterm 0.0.9, which had" in shell("status", "--db", db).complaint


def test_a_store_of_another_market_is_refused_with_the_reason(
    shell: Shell, six_hours: Path, tmp_path: Path
) -> None:
    db = tmp_path / "run.db"
    shutil.copy(six_hours, db)
    said = shell("run", "--headless", "--seed", "8", "--until", "7h", "--db", db)
    assert said.code == 2
    assert "seed 7 there, 8 asked" in said.complaint
    assert "--fresh" in said.complaint
    assert db.read_bytes() == six_hours.read_bytes()


def test_a_headless_run_says_what_it_left_out(shell: Shell, tmp_path: Path) -> None:
    path = tape(tmp_path / "day.jsonl", *GOOD[:3], "garbage", *GOOD[3:8], "more", *GOOD[8:])
    said = shell(
        "run", "--headless", "--feed", f"replay:{path}", "--json", "--db", tmp_path / "x.db"
    )
    assert said.code == 0
    assert said.json["inputs"]["notice"] == 2
    (line,) = [line for line in said.err.splitlines() if "bad_row" in line]
    assert line.startswith("tradeterm: bad_row: 2 times for day.jsonl, first: day.jsonl:4: ")
    many = tape(tmp_path / "bad.jsonl", *GOOD, *["garbage"] * 100)
    said = shell("run", "--headless", "--feed", f"replay:{many}", "--db", tmp_path / "y.db")
    (line,) = [line for line in said.err.splitlines() if "bad_row" in line]
    assert line.startswith("tradeterm: bad_row: 20 times or more for bad.jsonl, first: ")


def test_a_crossed_book_is_journaled_when_it_begins_and_when_it_ends(
    shell: Shell, tmp_path: Path
) -> None:
    start, end = (
        {"ts": START + n * SECOND, "s": "BTC/USDT", "t": "delta", "b": [["105", size]], "a": []}
        for n, size in ((25, "1"), (27, "0"))
    )
    path = tape(tmp_path / "day.jsonl", *GOOD, start, trade(26), end, trade(28))
    said = shell(
        "run", "--headless", "--feed", f"replay:{path}", "--json", "--db", tmp_path / "x.db"
    )
    assert said.code == 0, said.err
    rows = shell(
        "journal", "--kind", "system", "--db", tmp_path / "x.db", "--limit", "-1", "--json"
    ).json["rows"]
    told = [row for row in rows if row["data"]["code"] == "F-crossed_book"]
    assert [row["ts"][-6:-1] for row in told] == ["5.000", "7.000"]
    assert "crossed_book: 2 times for BTC/USDT, first: " in said.err


def test_agents_that_never_spoke_are_named(shell: Shell, tmp_path: Path) -> None:
    path = tape(tmp_path / "bars.jsonl", *(candle(60 * n) for n in range(1, 57)))
    said = shell(
        "run", "--headless", "--feed", f"replay:{path}", "--json", "--db", tmp_path / "x.db"
    )
    agents = said.json["agents"]
    technical, regime = agents["technical_analysis"], agents["regime_detection"]
    assert technical["warming"] == technical["runs"] - technical["rule"] > 0
    assert technical["rule"] > 0
    assert regime["warming"] == regime["runs"] > 0
    assert said.err.splitlines() == [
        "tradeterm: regime_detection is still warming up for BTC/USDT: needs 64 bars, has 56"
    ]


def test_a_rule_of_averages_that_never_warmed_up_is_named(shell: Shell, tmp_path: Path) -> None:
    path = tape(tmp_path / "bars.jsonl", *(candle(60 * n) for n in range(1, 16)))
    said = shell(
        "run", "--headless", "--feed", f"replay:{path}", "--json", "--db", tmp_path / "x.db",
        "--set", "agents.trading_decision={rule: ema_cross, fast: 5, slow: 20}",
    )  # fmt: skip
    assert said.code == 0, said.err
    trading = said.json["agents"]["trading_decision"]
    assert (trading["runs"], trading["warming"]) == (15, 15)
    assert "trading_decision is still warming up for BTC/USDT: needs 20 bars, has 15" in said.err
