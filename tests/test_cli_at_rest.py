"""What the commands say of a run that was killed: what a restart would find, or how old it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.bench.replay_bars import write_bars
from tests.conftest import Shell

CROSS = ("--set", "agents.trading_decision.rule=ema_cross")


def kill_behind_its_first_snapshot(db: Path) -> None:
    """As kill -9 leaves it before the second one is due, which takes five seconds."""
    with closing(sqlite3.connect(db)) as store, store:
        store.execute("DELETE FROM snapshots WHERE seq > (SELECT min(seq) FROM snapshots)")


@pytest.fixture
def killed(shell: Shell, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A run on bars without its later snapshots, and what ``status`` said before."""
    db, bars = tmp_path / "run.db", tmp_path / "BTC_USDT-5m.csv"
    write_bars(bars, 3_000)
    feed = ("--feed", f"replay:{bars}", "--db", db, "--approve", "all", *CROSS)
    assert shell("run", "--headless", *feed, "--json").code == 0
    before = shell("status", "--db", db, "--json").json
    assert before["rows_behind"] == 0
    assert before["equity"] != "10000"
    kill_behind_its_first_snapshot(db)
    return db, before


def test_a_killed_run_says_what_a_restart_would_find(
    shell: Shell, killed: tuple[Path, dict[str, Any]]
) -> None:
    db, before = killed
    assert shell("status", "--db", db, "--json").json == before
    portfolio = shell("portfolio", "--db", db, "--json").json
    assert (portfolio["equity"], portfolio["rows_behind"]) == (before["equity"], 0)
    verdict = shell(
        "risk", "check", "--db", db, "--symbol", "BTC/USDT", "--side", "long", "--size", "0.001",
        "--entry", before["marks"]["BTC/USDT"], "--stop", "1", "--json",
    ).json  # fmt: skip
    assert verdict["market_time"] == before["market_time"]


def test_where_its_data_is_gone_the_figures_say_how_old_they_are(
    shell: Shell, killed: tuple[Path, dict[str, Any]]
) -> None:
    db, _ = killed
    (db.parent / "BTC_USDT-5m.csv").unlink()
    facts = shell("status", "--db", db, "--json").json
    assert facts["rows_behind"] > 100
    assert "BTC_USDT-5m.csv" in facts["behind_because"]
    for command in ("status", "portfolio"):
        first = shell(command, "--db", db).out.splitlines()[0]
        assert first.startswith(f"OLD: as of {facts['market_time']}; {facts['rows_behind']} rows")
