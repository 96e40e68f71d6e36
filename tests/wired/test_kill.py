"""kill -9 at any moment: nothing lost, nothing doubled, nothing loosened.

The whole thing, thirty days and fifty kills: ``TRADETERM_LONG=1 pytest -m long -s``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.wired.stage import Record
from tradeterm.model.vocabulary import PlanStatus

REPO = Path(__file__).parents[2]


@dataclass(frozen=True)
class Story:
    """A run long enough for everything that must survive, and how often it is killed."""

    until: str
    kills: int
    seconds: float
    """A life may take this long (a slow machine included)."""


SHORT = Story("3d", 10, 120)
LONG = Story("30d", 50, 1200)
#: A rebalance, spread over a day in batches, nearly every day.
PLANS = ("--set", "portfolio.rebalance_threshold=1", "--set", "portfolio.dca.least=60")


def command(db: Path, until: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "tradeterm.cli", "run", "--headless", "--feed", "sim", "--seed", "7",
        "--until", until, "--approve", "all", "--json", "--db", str(db),
        "--set", "orchestration.schedule.trading_decision.interval=900", *PLANS, *more,
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """A home of its own; compiled modules are kept, or each of the lives starts slowly."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "SYSTEMROOT")}
    cache = folder / "cache"
    return {
        **kept, "HOME": str(folder), "PYTHONPATH": str(REPO), "PYTHONPYCACHEPREFIX": str(cache),
        "TRADETERM_LOG_DIR": str(folder),
    }  # fmt: skip


def finish(db: Path, story: Story, folder: Path) -> dict[str, Any]:
    """Let one life come to its end; its summary."""
    done = subprocess.run(
        command(db, story.until), cwd=REPO, env=environment(folder), capture_output=True,
        text=True, timeout=story.seconds, check=False,
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


def live_and_die(db: Path, story: Story, folder: Path, rows: int, wait: float) -> bool:
    """Run until ``rows`` more are in the file and a moment longer, then kill -9.

    False when the process came to its end before that.
    """
    before = rows_in(db)
    child = subprocess.Popen(
        command(db, story.until), cwd=REPO, env=environment(folder),
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


def kill_and_compare(story: Story, folder: Path) -> dict[str, Any]:
    """One run in peace, one killed again and again; both must have lived the same."""
    smooth = finish(folder / "smooth.db", story, folder)
    expected = Record(folder / "smooth.db", smooth).sound()
    total = len(expected.rows())

    draw, db, kills, planned, lives = random.Random(20), folder / "killed.db", 0, 0, 0
    while kills < story.kills:
        # Some die before they write a row (while they catch up), most in the middle of a slice;
        # the rest of the rows is spread over the kills that are left.
        step = max(2 * total // story.kills, 2)
        rows = draw.choice([0, 1, draw.randrange(step), draw.randrange(step), draw.randrange(step)])
        kills += live_and_die(db, story, folder, rows, draw.uniform(0, 0.03))
        lives += 1
        planned += plan_in_flight(db)
        assert lives < 2 * story.kills, "too few of the lives were long enough to be killed"
    summary = finish(db, story, folder)
    killed = Record(db, summary).sound()

    assert summary["state_hash"] == smooth["state_hash"]
    assert killed.trading() == expected.trading()
    keys = set(smooth) - {"run", "seconds"}
    assert {key: summary[key] for key in keys} == {key: smooth[key] for key in keys}
    sessions = [row.kind for row in killed.rows("run_started", "run_resumed", "run_finished")]
    assert sessions[0] == "run_started"
    assert sessions.count("run_resumed") >= story.kills // 2
    assert sessions.count("run_finished") == 1
    return summary | {"rows": total, "kills": kills, "killed_in_plan": planned}


def plan_in_flight(db: Path) -> bool:
    """Whether the dead process left a DCA plan in the middle."""
    if not rows_in(db):
        return False
    plans = Record(db, {}).rows("plan")
    return bool(plans) and not PlanStatus(plans[-1].data["plan"]["status"]).is_terminal


def everything_happened(summary: dict[str, Any], record: Record) -> None:
    """Rebalances, plans, trailing stops, hodl transfers, cards: all of it was at stake."""
    assert summary["rebalances"] > 0
    assert summary["plans"]["created"] > 0
    assert summary["killed_in_plan"] >= summary["kills"] // 4
    assert summary["fills"] > 50
    assert summary["approvals"]["approved"] > 0
    moves = [row.data["what"] for row in record.rows("position")]
    assert moves.count("protected") > 20, "no stop ever followed the price"
    entries = [row.data["kind"] for row in record.rows("entry")]
    assert entries.count("hodl") > 0
    assert entries.count("rollover") > 0


@pytest.mark.slow
def test_killed_again_and_again_it_ends_like_the_one_that_was_not(tmp_path: Path) -> None:
    summary = kill_and_compare(SHORT, tmp_path)
    everything_happened(summary, Record(tmp_path / "smooth.db", summary))


@pytest.mark.long
@pytest.mark.skipif(
    "TRADETERM_LONG" not in os.environ, reason="takes minutes: TRADETERM_LONG=1 pytest -m long -s"
)
def test_thirty_days_and_fifty_kills(tmp_path: Path) -> None:
    began = time.monotonic()
    summary = kill_and_compare(LONG, tmp_path)
    everything_happened(summary, Record(tmp_path / "smooth.db", summary))
    told = ("rows", "kills", "killed_in_plan", "fills", "plans", "rebalances", "exits", "equity")
    print({key: summary[key] for key in told} | {"seconds": round(time.monotonic() - began)})  # noqa: T201


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
