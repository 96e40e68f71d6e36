"""What the store answers: tables, the journal, a restart's beginning, the story of an id."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.adapters.store_story import START, filler, run_started, trade
from tradeterm.adapters.store.explain import explain
from tradeterm.adapters.store.journal import Store
from tradeterm.adapters.store.reader import Reader
from tradeterm.adapters.store.rows import Slice, Snapshot
from tradeterm.adapters.store.verify import verify
from tradeterm.errors import StoreDamaged, UsageError
from tradeterm.model.messages import Row


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


async def write(file: Path, *slices: Slice) -> None:
    async with await Store.open(file) as store:
        for piece in slices:
            await store.append(piece)


async def test_tables_say_what_the_trade_left(file: Path) -> None:
    await write(file, Slice(trade(closed=False)))
    with Reader(file) as reader:
        (position,) = reader.positions()
        assert (position["id"], position["size"], position["stop"]) == ("pos-1", "0.5", "99000.0")
        (stop,) = reader.orders()
        assert (stop["id"], stop["purpose"], stop["status"]) == ("PAPER-2", "stop", "open")
        assert [x["status"] for x in reader.orders(everything=True)] == ["open", "filled"]
        assert [x["size"] for x in reader.fills("PAPER-1")] == ["0.3", "0.2"]
        assert reader.balances()["trading"] == {"USDT": Decimal("74998.00")}
        (conflict,) = reader.conflicts()
        assert conflict["types"] == ["ta_sentiment"]
        assert conflict["resolution"]["action"] == "proceed"
        assert conflict["card"]["state"] == "approved"
        (card,) = reader.cards("approved")
        assert card["intent"]["size"] == "0.5"
        assert reader.cards("pending") == []
        found = reader.state()
        assert (found["state"]["value"], found["level"]["value"]) == ("running", "NORMAL")
        assert reader.equity()[-1] == (START + 3 * 10**9, Decimal(99999))
        assert reader.counts("orders", "status") == {"filled": 1, "open": 1}
        assert [x["codes"] for x in reader.verdicts()] == [[]]
        assert [x["bias"] for x in reader.agent_outputs()] == ["BUY", "long"]


async def test_closed_position_leaves_the_open_ones(file: Path) -> None:
    await write(file, Slice(trade()))
    with Reader(file) as reader:
        assert (reader.positions(), reader.orders()) == ([], [])
        assert reader.positions(everything=True)[0]["exit_reason"] == "stop"
        assert reader.balances()["pnl"] == {"USDT": Decimal("500.00")}
        assert "margin:pos-1" not in reader.balances()


async def test_journal_is_filtered_by_kind_id_and_time(file: Path) -> None:
    await write(file, Slice(trade()))
    with Reader(file) as reader:
        assert [row.id for row in reader.journal(kind="fill")] == ["fill-1", "fill-2", "fill-3"]
        assert [row.id for row in reader.journal(kind="fill", limit=1)] == ["fill-3"]
        assert {row.kind for row in reader.journal(row_id="pos-1")} == {
            "position",
            "order",
            "settled",
        }
        last = reader.journal(limit=1)[0]
        assert [row.kind for row in reader.journal(since=last.ts)] == ["settled"]
        assert last.data["pnl"] == "-502.00"


async def test_reader_does_not_disturb_a_running_writer(file: Path) -> None:
    async with await Store.open(file) as store:
        await store.append(Slice(filler(5000)))
        with Reader(file) as reader:
            stream = reader.rows_after(0)
            next(stream)
            assert await store.append(Slice(filler(1))) == 5001
            checked = sqlite3.connect(file)
            with contextlib.closing(checked):
                assert checked.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            assert sum(1 for _ in stream) == 4999
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._db.execute("DELETE FROM journal")


# -- recovery --------------------------------------------------------------------------------


async def test_recovery_gives_the_snapshot_and_what_followed(file: Path) -> None:
    resumed = Row(START, "run_resumed", "run-1", "", 9, b'{"run":"run-1","settings":{"x":2}}')
    await write(
        file,
        Slice(trade()),
        Slice(filler(3), Snapshot(42, b"state", b"mark")),
        Slice([resumed, *filler(4)]),
    )
    async with await Store.open(file) as store:
        found = store.recover()
        assert found is not None
        assert found.snapshot == Snapshot(42, b"state", b"mark")
        assert found.snapshot_seq == len(trade()) + 3
        assert [row.kind for row in found.rows()] == ["run_resumed"] + ["system"] * 4
        assert found.started["settings"] == {"risk": {"max_leverage": 5}}
        assert found.session["settings"] == {"x": 2}
        assert (found.run, found.finished) == (1, False)


async def test_new_store_has_nothing_to_recover(file: Path) -> None:
    async with await Store.open(file) as store:
        assert store.recover() is None


async def test_fresh_run_goes_on_in_the_same_journal_and_hides_the_old_one(file: Path) -> None:
    ended = Row(START, "run_finished", "run-1", "", 9, b'{"why":"end"}')
    await write(
        file,
        Slice([*trade(closed=False), ended], Snapshot(1, b"old")),
        Slice([run_started("run-2"), *filler(2)]),
    )
    async with await Store.open(file) as store:
        assert store.run == 2
        found = store.recover()
        assert found is not None
        assert found.snapshot is None
        assert [row.kind for row in found.rows()] == ["run_started", "system", "system"]
    with Reader(file) as now, Reader(file, run=1) as then:
        assert (now.positions(), now.balances(), now.snapshot()) == ([], {}, None)
        assert now.rows_of("fill-1") == []
        assert len(then.positions()) == 1
        assert then.run_info()["finished"] == {"why": "end"}
        assert then.snapshot() is not None
    assert verify(file).ok


async def test_recovery_stops_at_a_damaged_row(file: Path) -> None:
    await write(file, Slice([run_started(), *filler(1000)]))
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE journal SET body = '{}' WHERE seq = 300")
        db.commit()
    async with await Store.open(file) as store:
        found = store.recover()
        assert found is not None
        with pytest.raises(StoreDamaged, match="journal row 300"):
            list(found.rows())


# -- explain ---------------------------------------------------------------------------------

STORY = [
    "out-1",
    "out-2",
    "prop-1",
    "conf-1",
    "ask-1",
    "res-1",
    "ver-1",
    "card-1",
    "cmd-1",
    "PAPER-1",
    "fill-1",
    "fill-2",
    "pos-1",
    "entry-2",
    "entry-3",
    "PAPER-2",
    "fill-3",
    "entry-4",
    "settled-1",
]


@pytest.mark.parametrize(
    "row_id", ["PAPER-1", "PAPER-2", "fill-3", "pos-1", "conf-1", "card-1", "ver-1", "prop-1"]
)
async def test_whole_story_is_told_from_any_of_its_ids(file: Path, row_id: str) -> None:
    await write(file, Slice(trade()))
    with Reader(file) as reader:
        links = explain(reader, row_id)
    assert [link.id for link in links] == STORY
    card = next(link for link in links if link.kind == "card")
    assert card.data["state"] == "approved"
    assert card.parents == ("res-1", "cmd-1")
    assert set(links[0].as_dict()) >= {"kind", "id", "ts", "data"}


async def test_unknown_id_is_a_usage_error(file: Path) -> None:
    await write(file, Slice(trade()))
    with Reader(file) as reader, pytest.raises(UsageError, match="'fill-99'"):
        explain(reader, "fill-99")


def _text(file: Path) -> None:
    file.write_text("dear diary " * 100)


def _foreign(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (name)")


@pytest.mark.parametrize("fill", [_text, _foreign])
def test_somebody_elses_file_is_not_to_be_moved_away(
    tmp_path: Path, fill: Callable[[Path], None]
) -> None:
    file = tmp_path / "diary"
    fill(file)
    with pytest.raises(StoreDamaged, match="use --db with another file") as told:
        Reader(file)
    assert "mv " not in str(told.value)
