"""A live market does not wait for a disk: nothing is entered, exits are kept, and all is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchanges.kraken import KrakenServer
from tests.live.session import ALONE, Session, session
from tests.wired.stage import BTC, Record
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.rows import Slice
from tradeterm.errors import StoreUnwritable

D = Decimal


class Disk:
    """The store's writes, which can be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        honest = Store._write

        async def write(store: Store, piece: Slice) -> None:
            if self.full:
                raise StoreUnwritable("cannot write run.db: the disk is full, 0.0 MiB free")
            await honest(store, piece)

        monkeypatch.setattr(Store, "_write", write)


async def bought(live: Session) -> None:
    await live.until(lambda: live.verdict() == [])
    live.propose()
    await live.until(lambda: live.views[-1].positions)


async def stopped_out(live: Session, disk: Disk) -> None:
    """The disk fills; the price falls through the stop of what was bought."""
    engine = live.desk.engine
    disk.full = True
    live.server.trade(BTC, "63000.0", "0.1")
    await live.until(lambda: not engine.books.execution.positions)
    await live.until(lambda: live.said("E-JOURNAL"))
    assert "journal" in live.verdict()


async def test_an_exit_is_carried_out_kept_and_absorbed_when_the_journal_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, db = Disk(monkeypatch), tmp_path / "run.db"
    kept = tmp_path / "emergency.jsonl"
    with KrakenServer() as server:
        async with session(server, db, *ALONE, symbols=(BTC,)) as live:
            await bought(live)
            await stopped_out(live, disk)
            await live.until(kept.exists)
            await live.until(lambda: live.views[-1].positions == ())
            assert "JOURNAL CANNOT BE WRITTEN" in live.views[-1].fault
            assert "emergency.jsonl" in live.views[-1].fault
            disk.full = False
            await live.until(lambda: not live.views[-1].fault)
            await live.until(lambda: not kept.exists())
            await live.until(lambda: "journal" not in live.verdict())
    record = Record(db, {}).sound()
    (position,) = record.positions()
    assert position["exit_reason"] == "stop"
    assert [row["purpose"] for row in record.orders() if row["status"] == "filled"] == [
        "entry", "stop",
    ]  # fmt: skip
    assert not (tmp_path / "run.db.reserve").exists()


async def test_an_exit_of_a_process_that_never_got_the_journal_back_is_booked_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, db, ended = Disk(monkeypatch), tmp_path / "run.db", ""
    early = False
    kept = tmp_path / "emergency.jsonl"
    with KrakenServer() as server:
        async with session(server, db, *ALONE, symbols=(BTC,)) as live:
            await bought(live)
        try:
            async with session(server, db, *ALONE, symbols=(BTC,)) as live:
                await live.until(lambda: live.said("E-GAP away") and live.verdict() == [])
                await stopped_out(live, disk)
                await live.until(kept.exists)
        except StoreUnwritable as error:
            ended, early = str(error), isinstance(error.__context__, TimeoutError)
        assert not early, "what was waited for did not come"
        assert "disk is full" in ended or "earlier slice" in ended
        disk.full = False
        assert [each["closed"] for each in Record(db, {}).positions()] == [None]
        async with session(server, db, *ALONE, symbols=(BTC,)) as live:
            assert live.desk.engine.books.execution.positions == {}
            assert live.said("E-EMERGENCY")
            assert not kept.exists()
    (position,) = Record(db, {}).sound().positions()
    assert position["exit_reason"] == "stop"
    assert D(position["exit"]) > D("62000")
