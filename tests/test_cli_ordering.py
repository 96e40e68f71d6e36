"""Halt, resume and questions from another shell, while a run lives and while none does."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.living import Stopwatch, end, wait_for
from tests.shell import command
from tests.terminal.screen import child_environment
from tests.wired.test_bad_input_files import GOOD, tape
from tradeterm.adapters.store.reader import Reader
from tradeterm.control import socket_path


def test_questions_and_orders_to_a_live_run(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, child = live
    facts = shell("status", "--db", db, "--json").json
    assert facts["running"] is True
    assert facts["state"] == "running"
    wait_for(lambda: shell("orders", "--db", db, "--json").json["orders"])
    for name in ("positions", "conflicts", "journal"):
        assert shell(name, "--db", db, "--json").code == 0
    assert shell("verify", "--db", db).code == 0

    halted = shell("halt", "--db", db, "--reason", "lunch", "--json")
    assert halted.code == 0
    assert halted.json["accepted"] is True
    assert "HALTED" in halted.json["text"]
    facts = shell("status", "--db", db, "--json").json
    assert facts["state"] == "halted"
    assert "lunch" in facts["reason"]
    with Reader(db) as reader:
        state = reader.state()["state"]
    assert state["value"] == "halted"

    unsure = shell("resume", "--db", db)
    assert unsure.code == 2
    assert "--yes" in unsure.complaint
    assert shell("status", "--db", db, "--json").json["state"] == "halted"
    assert shell("resume", "--yes", "--db", db).code == 0
    assert shell("status", "--db", db, "--json").json["state"] == "running"

    code, out, err = end(child)
    assert code == 143
    assert len(out.splitlines()) == 1
    assert "Traceback" not in err
    assert not socket_path(db).exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_headless_run_with_its_summary(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]], number: int, code: int
) -> None:
    db, child = live
    found, out, _ = end(child, number)
    assert found == code
    assert out.startswith('{"run":')
    assert shell("verify", "--db", db).code == 0


def test_a_second_run_on_the_file_names_the_first_and_exits_3(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, child = live
    watch = Stopwatch()
    said = shell("run", "--headless", "--seed", "7", "--db", db)
    assert watch.seconds < 1
    assert said.code == 3
    assert f"already running: pid {child.pid} since" in said.complaint
    linked = db.with_name("other.db")
    linked.symlink_to(db)
    assert shell("run", "--headless", "--seed", "7", "--db", linked).code == 3
    assert child.poll() is None


def test_a_halt_given_while_the_run_starts_or_ends_is_not_lost(
    shell: Shell, tmp_path: Path
) -> None:
    db = tmp_path / "run.db"
    for _ in range(2):  # new, then continued
        child = subprocess.Popen(
            command("run", "--headless", "--seed", "7", "--speed", "60", "--db", db),
            cwd=tmp_path,
            env=child_environment(tmp_path),
            stdout=subprocess.DEVNULL,
        )
        wait_for(lambda: shell("status", "--db", db).code == 0)
        assert shell("halt", "--db", db).code == 0
        child.terminate()
        said = shell("halt", "--db", db)  # it may be gone, or about to
        assert said.code == 0, said.err
        assert "halted" in said.out
        child.wait(20)
        assert shell("status", "--db", db, "--json").json["state"] == "halted"


def test_a_dead_socket_is_no_obstacle(
    shell: Shell, live: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    db, child = live
    child.kill()
    child.communicate()
    assert socket_path(db).exists()
    assert shell("status", "--db", db, "--json").json["running"] is False
    assert shell("halt", "--db", db).code == 0
    assert shell("status", "--db", db, "--json").json["state"] == "halted"
    assert shell("verify", "--db", db).code == 0


def test_orders_to_a_run_at_rest(shell: Shell, six_hours: Path, tmp_path: Path) -> None:
    db = tmp_path / "rest.db"
    shutil.copy(six_hours, db)
    before = shell("status", "--db", db, "--json").json
    said = shell("halt", "--db", db, "--reason", "night")
    assert said.code == 0
    assert "HALTED" in said.out
    after = shell("status", "--db", db, "--json").json
    assert (after["state"], after["market_time"]) == ("halted", before["market_time"])
    assert after["positions"] == before["positions"]
    assert "already halted" in shell("halt", "--db", db).out
    halted = shell(
        "run",
        "--headless",
        "--seed",
        "7",
        "--until",
        "8h",
        "--approve",
        "all",
        "--json",
        "--db",
        db,
    ).json
    assert halted["state"] == "halted"
    with Reader(db) as reader:
        rows = reader.journal(limit=-1)
    at = next(row.seq for row in rows if row.kind == "state")
    assert not [
        row
        for row in rows
        if row.kind == "order"
        and row.seq > at
        and row.data["status"] == "pending"
        and row.data["request"]["purpose"] in {"entry", "rebalance", "dca", "hodl"}
    ]
    assert shell("resume", "--yes", "--db", db).code == 0
    assert shell("status", "--db", db, "--json").json["state"] == "running"
    assert shell("verify", "--db", db).code == 0


def test_a_file_named_halt_beside_the_store_halts_the_next_start(
    shell: Shell, six_hours: Path, tmp_path: Path
) -> None:
    db = tmp_path / "rest.db"
    shutil.copy(six_hours, db)
    (tmp_path / "HALT").touch()
    summary = shell(
        "run",
        "--headless",
        "--seed",
        "7",
        "--until",
        "7h",
        "--approve",
        "all",
        "--json",
        "--db",
        db,
    ).json
    assert summary["state"] == "halted"
    assert summary["market_time"]["to"].endswith("T07:00:00.000Z")


def test_a_socket_speaks_to_its_owner_only(live: tuple[Path, subprocess.Popen[bytes]]) -> None:
    db, _ = live
    assert socket_path(db).stat().st_mode & 0o777 == 0o600


def test_a_headless_run_prints_one_line_and_nothing_else(shell: Shell, tmp_path: Path) -> None:
    words = ("run", "--headless", "--seed", "7", "--until", "20m", "--db", tmp_path / "x.db")
    first = shell(*words, "--json")
    assert first.code == 0
    assert first.json["feed"] == "sim"
    again = shell(*words, "--json")
    assert again.code == 0
    assert again.json == first.json
    assert "finished" in again.err
    longer = shell(*words[:-3], "40m", *words[-2:], "--json")
    assert longer.json["run"] == first.json["run"]
    assert longer.json["market_time"]["to"] > first.json["market_time"]["to"]
    text = shell(*words[:-3], "40m", *words[-2:]).out
    assert longer.json["state_hash"] in text
    assert "run_resumed" in {
        row["kind"]
        for row in shell("journal", "--db", tmp_path / "x.db", "--limit", "-1", "--json").json[
            "rows"
        ]
    }


def test_orders_to_a_replay_at_rest(shell: Shell, tmp_path: Path) -> None:
    path, db = tape(tmp_path / "day.jsonl", *GOOD), tmp_path / "x.db"
    run = ("run", "--headless", "--feed", f"replay:{path}", "--db", db, "--json")
    assert shell(*run, "--until", "10s").code == 0
    assert shell("halt", "--db", db).code == 0
    assert shell("halt", "--db", db).code == 0
    whole = shell(*run)
    assert whole.code == 0
    assert whole.json["state"] == "halted"
    assert whole.json["inputs"]["trade"] == len(GOOD) - 1
    assert shell("verify", "--db", db).code == 0
