"""kill -9 at twenty different moments: nothing lost, nothing doubled, nothing loosened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.wired.stage import Record

REPO = Path(__file__).parents[2]
KILLS = 20
MOST_LIVES = 40


def command(db: Path, until: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "tradeterm.cli", "run", "--headless", "--feed", "sim", "--seed", "7",
        "--until", until, "--approve", "all", "--json", "--db", str(db),
        "--set", "orchestration.schedule.trading_decision.interval=900", *more,
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """A home of its own; compiled modules are kept, or each of the lives starts slowly."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "SYSTEMROOT")}
    cache = folder / "cache"
    return {
        **kept, "HOME": str(folder), "PYTHONPATH": str(REPO), "PYTHONPYCACHEPREFIX": str(cache),
        "TRADETERM_LOG_DIR": str(folder),
    }  # fmt: skip


def finish(db: Path, until: str, folder: Path) -> dict[str, Any]:
    """Let one life come to its end; its summary."""
    done = subprocess.run(
        command(db, until), cwd=REPO, env=environment(folder), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def rows_in(db: Path) -> int:
    """How far a running process has come."""
    if not db.exists():
        return 0
    try:
        with Record(db, {}).reader() as reader:
            return reader.last_seq()
    except Exception:  # noqa: BLE001 - the file is just being made
        return 0


def live_and_die(db: Path, until: str, folder: Path, rows: int, wait: float) -> bool:
    """Run until ``rows`` more are in the file and a moment longer, then kill -9.

    False when the process came to its end before that.
    """
    before = rows_in(db)
    child = subprocess.Popen(
        command(db, until), cwd=REPO, env=environment(folder),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while child.poll() is None and rows_in(db) < before + rows:
            time.sleep(0.002)
        time.sleep(wait)
    finally:
        alive = child.poll() is None
        child.kill()
        child.wait()
    return alive and child.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_twenty_times_it_ends_like_the_one_that_was_not(tmp_path: Path) -> None:
    until = "6h"
    smooth = finish(tmp_path / "smooth.db", until, tmp_path)
    expected = Record(tmp_path / "smooth.db", smooth).sound()
    total = len(expected.rows())

    draw, db, kills = random.Random(20), tmp_path / "killed.db", 0
    for _ in range(MOST_LIVES):
        # Some die before they write a row (while they catch up), most in the middle of a slice.
        rows = draw.choice([0, 1, 1, total // 40, total // 25])
        kills += live_and_die(db, until, tmp_path, rows, draw.uniform(0, 0.03))
        if kills == KILLS:
            break
    assert kills == KILLS
    summary = finish(db, until, tmp_path)
    killed = Record(db, summary).sound()

    assert summary["state_hash"] == smooth["state_hash"]
    assert killed.trading() == expected.trading()
    keys = set(smooth) - {"run", "seconds"}
    assert {key: summary[key] for key in keys} == {key: smooth[key] for key in keys}
    assert smooth["fills"] > 5
    assert smooth["approvals"]["approved"] > 0
    sessions = [row.kind for row in killed.rows("run_started", "run_resumed", "run_finished")]
    assert sessions[0] == "run_started"
    assert sessions.count("run_resumed") >= KILLS // 2
    assert sessions.count("run_finished") == 1


def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    db = tmp_path / "one.db"
    child = subprocess.Popen(
        command(db, "7d", "--speed", "10"), cwd=REPO, env=environment(tmp_path),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while rows_in(db) == 0 and child.poll() is None:
            time.sleep(0.01)
        second = subprocess.run(
            command(db, "7d"), cwd=REPO, env=environment(tmp_path), capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
    finally:
        child.send_signal(signal.SIGTERM)
        code = child.wait(timeout=20)
    assert second.returncode == 3
    assert str(child.pid) in second.stderr
    assert code == 143
    Record(db, {}).sound()
