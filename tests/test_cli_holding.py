"""From another shell: a halt that always holds, tasks, and words that cannot harm a terminal."""

from __future__ import annotations

import errno
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.living import end, wait_for
from tests.wired.test_bad_input_files import GOOD, tape
from tradeterm.adapters.store.reader import Reader
from tradeterm.control import send
from tradeterm.model.commands import Resume

# -- the HALT file -----------------------------------------------------------------------------


def replayed(shell: Shell, tmp_path: Path) -> tuple[Path, Path]:
    """A tape, and the store of its first ten seconds."""
    path, db = tape(tmp_path / "day.jsonl", *GOOD), tmp_path / "x.db"
    run = ("run", "--headless", "--feed", f"replay:{path}", "--db", db, "--until", "10s")
    assert shell(*run).code == 0
    return path, db


def test_a_halt_holds_although_the_market_data_is_gone(shell: Shell, tmp_path: Path) -> None:
    path, db = replayed(shell, tmp_path)
    away = path.rename(tmp_path / "away.jsonl")
    said = shell("halt", "--db", db, "--reason", "fire", "--json")
    assert said.code == 0
    assert said.json["accepted"] is True
    assert str(tmp_path / "HALT") in said.json["text"]
    assert "no such file" in said.json["text"]
    assert (tmp_path / "HALT").read_text() == "shell: fire\n"
    assert said.err == ""
    away.rename(path)
    whole = shell("run", "--headless", "--feed", f"replay:{path}", "--db", db, "--json").json
    assert whole["state"] == "halted"


def test_a_halt_holds_although_the_run_cannot_be_re_executed(shell: Shell, tmp_path: Path) -> None:
    path, db = replayed(shell, tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"100.1"', '"107.1"'))
    assert text != path.read_text()
    said = shell("halt", "--db", db)
    assert said.code == 0
    assert "HALTED by file" in said.out
    assert (tmp_path / "HALT").exists()


def test_a_halt_that_cannot_even_leave_its_file_says_so(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, db = replayed(shell, tmp_path)
    path.unlink()

    def refused(_: Path, flags: int = 0) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tradeterm.haltfile.create_private", refused)
    said = shell("halt", "--db", db)
    assert said.code != 0
    assert "NOT halted" in said.complaint
    assert "no such file" in said.complaint


def test_a_halt_without_any_store_has_nothing_to_halt(shell: Shell, tmp_path: Path) -> None:
    said = shell("halt", "--db", tmp_path / "none.db")
    assert said.code == 2
    assert "no store" in said.complaint
    assert not (tmp_path / "HALT").exists()


def test_a_run_at_rest_is_not_resumed_while_the_halt_file_is_there(
    shell: Shell, tmp_path: Path
) -> None:
    _, db = replayed(shell, tmp_path)
    assert shell("halt", "--db", db).code == 0
    assert shell("status", "--db", db, "--json").json["halt_file"] is False
    (tmp_path / "HALT").touch()
    assert shell("status", "--db", db, "--json").json["halt_file"] is True
    assert f"rm {tmp_path / 'HALT'}" in shell("status", "--db", db).out
    said = shell("resume", "--yes", "--db", db)
    assert said.code == 1
    assert f"rm {tmp_path / 'HALT'}" in said.out
    assert shell("status", "--db", db, "--json").json["state"] == "halted"
    (tmp_path / "HALT").unlink()
    assert shell("resume", "--yes", "--db", db).code == 0
    assert shell("status", "--db", db, "--json").json["state"] == "running"


def test_a_live_run_is_not_resumed_while_the_halt_file_is_there(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, _ = live
    db.with_name("HALT").touch()

    def halted() -> bool:
        return bool(shell("status", "--db", db, "--json").json["state"] == "halted")

    wait_for(halted)
    assert shell("status", "--db", db, "--json").json["halt_file"] is True
    refused = send(db, Resume())  # past the command line, which looks, too
    assert refused is not None
    assert not refused.accepted
    assert "remove it first" in refused.text
    assert shell("resume", "--yes", "--db", db).code == 1
    assert halted()
    db.with_name("HALT").unlink()
    assert shell("resume", "--yes", "--db", db).code == 0
    assert not halted()


# -- tasks -------------------------------------------------------------------------------------


def test_tasks_of_a_live_run_are_run_and_switched(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, child = live
    said = shell("task", "run", "regime_detection", "--db", db, "--json")
    assert said.code == 0
    assert said.json == {"accepted": True, "text": "regime_detection ran"}
    assert shell("task", "disable", "regime_detection", "--db", db).out == "regime_detection off\n"
    assert shell("task", "enable", "regime_detection", "--db", db).out == "regime_detection on\n"
    end(child)
    assert [row["command"] for row in orders_in(db)] == [
        "force_run", "enable_task", "enable_task",
    ]  # fmt: skip
    assert {row["actor"] for row in orders_in(db)} == {"shell"}
    assert shell("verify", "--db", db).code == 0


def test_tasks_of_a_run_at_rest_are_run_and_switched(shell: Shell, tmp_path: Path) -> None:
    path, db = replayed(shell, tmp_path)
    assert shell("task", "disable", "portfolio_rebalance", "--db", db).code == 0
    assert shell("task", "run", "sentiment_analysis", "--db", db).code == 0
    whole = shell("run", "--headless", "--feed", f"replay:{path}", "--db", db, "--json").json
    assert whole["agents"]["sentiment_analysis"]["runs"] >= 1
    assert [row["command"] for row in orders_in(db)] == ["enable_task", "force_run"]


def test_an_unknown_task_is_refused_with_the_names(shell: Shell, tmp_path: Path) -> None:
    said = shell("task", "run", "lunch", "--db", tmp_path / "x.db")
    assert said.code == 2
    assert "regime_detection" in said.complaint


def orders_in(db: Path) -> list[dict[str, object]]:
    with Reader(db) as reader:
        return [row.data for row in reader.journal(kind="command", limit=-1)]


# -- text that is more than text ---------------------------------------------------------------


def test_no_escape_sequence_of_a_reason_reaches_the_terminal(shell: Shell, tmp_path: Path) -> None:
    _, db = replayed(shell, tmp_path)
    hostile = "\x1b]0;X\a\x1b[2J\x9b31m"
    assert shell("halt", "--db", db, "--reason", hostile).code == 0
    for words in ("status", "status --json", "journal", "journal --json", "explain cmd-1"):
        said = shell(*words.split(), "--db", db)
        assert said.code == 0
        assert not {*said.out} & {"\x1b", "\a", "\x9b"}, words
    assert "X·[2J" in shell("status", "--db", db).out


def test_no_escape_sequence_of_an_error_reaches_the_terminal(shell: Shell, tmp_path: Path) -> None:
    for words in (
        ("status", "--db", str(tmp_path / "\x1b[2J.db")),
        ("\x1b[2J",),
        ("status", "--\x1b[2J"),
        ("run", "--headless", "--feed", "replay:\x1b[2J"),
    ):
        said = shell(*words)
        assert said.code == 2
        assert "\x1b" not in said.err
        assert "[2J" in said.err


# -- where it ends -----------------------------------------------------------------------------


def test_an_end_before_the_beginning_is_refused(shell: Shell, tmp_path: Path) -> None:
    path = tape(tmp_path / "day.jsonl", *GOOD)
    run = ("run", "--headless", "--feed", f"replay:{path}", "--db", tmp_path / "x.db")
    said = shell(*run, "--until", "2020-01-01T00:00:00Z")
    assert said.code == 2
    assert "before the market begins" in said.complaint
    assert not (tmp_path / "x.db").exists()


def test_a_halt_holds_although_the_process_that_runs_it_does_not_answer(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, child = live
    child.send_signal(signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr("tradeterm.control.REPLY_SECONDS", 0.2)
        said = shell("halt", "--db", db)
    child.send_signal(signal.SIGCONT)
    assert said.code == 0
    assert "HALTED by file" in said.out
    wait_for(lambda: shell("status", "--db", db, "--json").json["state"] == "halted")
