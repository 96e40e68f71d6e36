"""``risk check``, ``assess`` and ``reset-breaker`` from another shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.living import wait_for
from tradeterm.adapters.store.reader import Reader
from tradeterm.risk.rules import RULES

ASKED = ("--symbol", "BTC/USDT", "--side", "long", "--size", "100", "--json")


@pytest.fixture
def copy(six_hours: Path, tmp_path: Path) -> Path:
    for path in six_hours.parent.glob("run.db*"):
        if path.suffix not in {".lock", ".sock"}:
            shutil.copy(path, tmp_path)
    return tmp_path / "run.db"


def rows(db: Path) -> int:
    with Reader(db) as reader:
        return int(reader.run_info()["last_seq"])


def touch(shell: Shell, db: Path) -> float:
    """About what BTC costs in the run."""
    return float(shell("status", "--db", db, "--json").json["marks"]["BTC/USDT"])


def test_a_what_if_shows_every_rule_and_changes_nothing(shell: Shell, six_hours: Path) -> None:
    before, price = rows(six_hours), touch(shell, six_hours)
    levels = ("--stop", f"{price * 0.98:.1f}", "--target", f"{price * 1.1:.1f}")
    said = shell("risk", "check", "--db", six_hours, *ASKED, *levels)
    verdict = said.json
    assert [rule["rule"] for rule in verdict["rules"]] == [name for name, _, _ in RULES]
    assert set(verdict) >= {"status", "codes", "size", "leverage", "rules", "market_time"}
    by_name = {rule["rule"]: rule for rule in verdict["rules"]}
    assert by_name["position_size"]["outcome"] in {"reduced", "fail"}
    assert (said.code == 0) is (verdict["size"] is not None)
    assert verdict["running"] is False
    assert rows(six_hours) == before
    text = shell("risk", "check", "--db", six_hours, *ASKED[:-1], *levels).out
    assert "position_size" in text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (("--symbol", "DOGE/USDT"), "unknown_symbol"), (("--size", "nan"), "bad_number"),
        (("--leverage", "-3"), "bad_number"), (("--confidence", "7"), "bad_number"),
        (("--entry", "0"), "bad_number"), (("--entry", "1", "--stop", "1"), "price_collar"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_a_code(
    shell: Shell, six_hours: Path, changes: tuple[str, ...], code: str
) -> None:
    said = shell("risk", "check", "--db", six_hours, *ASKED, *changes)
    assert said.code == 1
    assert code in said.json["codes"]
    assert said.json["size"] is None


def test_what_is_no_question_is_bad_usage(shell: Shell, six_hours: Path, tmp_path: Path) -> None:
    assert shell("risk", "check", "--db", six_hours, "--symbol", "BTC/USDT").code == 2
    assert shell("risk", "check", "--db", six_hours, *ASKED, "--stop", "low").code == 2
    assert shell("risk", "check", "--db", tmp_path / "none.db", *ASKED).code == 2


def test_a_live_run_answers_with_its_state_of_now(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, _ = live
    verdict = shell("risk", "check", "--db", db, *ASKED).json
    assert verdict["running"] is True
    shell("halt", "--db", db)
    wait_for(lambda: "halted" in shell("risk", "check", "--db", db, *ASKED).json["codes"])


def test_the_drills_pass_on_a_copy_and_leave_the_run_alone(shell: Shell, copy: Path) -> None:
    before = rows(copy)
    said = shell("assess", "--db", copy, "--json")
    assert said.json["ok"] is True, said.json
    assert [d["drill"] for d in said.json["drills"]] == [
        "limit", "collar", "throttle", "halt", "restore",
    ]  # fmt: skip
    report = Path(said.json["report"])
    assert report.parent == copy.parent
    assert json.loads(report.read_text())["drills"] == said.json["drills"]
    assert report.stat().st_mode & 0o777 == 0o600
    assert rows(copy) == before
    assert shell("status", "--db", copy, "--json").json["state"] == "running"


def test_a_damaged_copy_fails_its_drill(shell: Shell, copy: Path) -> None:
    import sqlite3

    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE fills SET price = '1' WHERE id = 'fill-1'")
    connection.close()
    said = shell("assess", "--db", copy, "--json")
    assert said.code == 1
    (failed,) = [drill for drill in said.json["drills"] if not drill["passed"]]
    assert failed["drill"] == "restore"


def test_a_breaker_that_is_not_tripped_cannot_be_reset(shell: Shell, copy: Path) -> None:
    said = shell("reset-breaker", "drawdown", "--db", copy, "--reason", "looked", "--json")
    assert said.code == 1
    assert said.json == {"accepted": False, "text": "breaker drawdown is not tripped"}
    assert shell("reset-breaker", "weather", "--db", copy, "--reason", "x").code == 2
    assert shell("reset-breaker", "daily", "--db", copy).code == 2
