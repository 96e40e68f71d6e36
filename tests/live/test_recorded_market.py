"""A live run, recorded, killed, gone on with, lived again: the same to the last row."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from tests.exchanges.kraken import KrakenServer
from tests.living import end, wait_for
from tests.shell import command
from tests.terminal.screen import child_environment
from tests.wired.stage import Record, play, request
from tests.wired.test_recording import live_again
from tradeterm.adapters.tape.lines import encode
from tradeterm.adapters.tape.recorded import RecordedFeed, recordings
from tradeterm.errors import DataError
from tradeterm.model.market import GAP, GAP_OVER, BookDelta, FeedNotice, MarketEvent, Past


def taped(db: Path) -> list[MarketEvent]:
    """What is on the tape of the run in ``db`` by now."""
    folders = recordings(db.with_name(db.name + ".tape"))
    if not folders:
        return []
    feed, found = RecordedFeed(folders[0]), list[MarketEvent]()
    while batch := feed.take():
        found += batch
    return found


def started(server: KrakenServer, db: Path, home: Path) -> subprocess.Popen[bytes]:
    lines = (*server.settings, "market.timeframes=[60]")  # one request for each symbol's warm-up
    sets = [part for line in lines for part in ("--set", line)]
    return subprocess.Popen(
        command("run", "--headless", "--feed", "live", "--exchange", "kraken", *sets,
                "--symbols", "BTC/USDT,XRP/USDT", "--approve", "all", "--db", db, "--json"),
        env=child_environment(home), cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def move_until(
    server: KrakenServer, child: subprocess.Popen[bytes], db: Path, changes: int
) -> None:
    """The market moves until so many changes of books, and the warm-up, are on the tape."""

    def enough() -> bool:
        assert child.poll() is None, child.stderr and child.stderr.read()
        server.wander(100, 0.2, seed=len(server.asked))
        kinds = [type(event) for event in taped(db)]
        return Past in kinds and kinds.count(BookDelta) > changes

    wait_for(enough)


def test_a_live_run_killed_and_resumed_replays_to_the_same_hash(tmp_path: Path) -> None:
    db = tmp_path / "live.db"
    with KrakenServer() as server:
        child = started(server, db, tmp_path)
        move_until(server, child, db, 30)
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        before = taped(db)
        _, rows = asyncio.run(live_again(db, tmp_path / "cut.db"))
        assert not rows.different

        child = started(server, db, tmp_path)
        move_until(server, child, db, sum(isinstance(e, BookDelta) for e in before) + 20)
        code, out, err = end(child)
        assert code == 143, err
    after = taped(db)
    assert encode(after[: len(before)]) == encode(before)
    codes = [event.code for event in after if isinstance(event, FeedNotice)]
    assert GAP in codes
    assert GAP_OVER in codes
    assert [event.ts for event in after] == sorted(event.ts for event in after)

    record = Record(db, {}).sound()
    assert len(record.bodies("run_resumed")) == 1
    summary, rows = asyncio.run(live_again(db, tmp_path / "again.db"))
    assert not rows.different
    assert f'"state_hash":"{summary["state_hash"]}"' in out
    # Without the exchange, and as a market of its own.
    market = asyncio.run(play(request(f"replay:{db}.tape", tmp_path / "market.db")))
    counts = market.summary["inputs"]
    assert sum(counts.values()) - counts["answer"] - counts["command"] == len(after)
    (folder,) = recordings(db.with_name("live.db.tape"))
    folder.rename(tmp_path / "away")
    with pytest.raises(DataError, match="a live market cannot be asked again"):
        asyncio.run(live_again(db, tmp_path / "gone.db"))
