"""A journal that cannot be written: exits are kept beside it, and taken in first thing after."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.wired.stage import BTC, RISE, Record, Stage, minute
from tradeterm.adapters.store.emergency import EmergencyFile
from tradeterm.adapters.store.paths import locate
from tradeterm.desk import Desk
from tradeterm.errors import StoreDamaged
from tradeterm.model.health import EmergencyExit
from tradeterm.model.vocabulary import ExitReason

D = Decimal
AWAY = 22


async def position_left_open(stage: Stage) -> tuple[Path, EmergencyExit]:
    """A run that ended with a long; and the exit it would have made next."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, AWAY * 60, 60_010.0)
    desk = await Desk.open(stage.request())
    try:
        await desk.run()
        execution = desk.engine.books.execution
        (position,) = execution.positions.values()
        stop, _ = execution.protective(position.id)
        assert stop is not None
        exit_ = EmergencyExit(
            minute(AWAY) + 7, position.id, stop.id, BTC, D("59000.5"), position.size,
            ExitReason.STOP, "fill-2",
        )  # fmt: skip
    finally:
        await desk.close()
    return stage.folder / "run.db", exit_


async def reopened(stage: Stage) -> tuple[Record, list[str]]:
    desk = await Desk.open(stage.request())
    try:
        open_ones = list(desk.engine.books.execution.positions)
    finally:
        await desk.close()
    return Record(stage.folder / "run.db", {}), open_ones


async def test_an_exit_of_a_process_that_died_is_booked_at_the_next_start(stage: Stage) -> None:
    db, kept = await position_left_open(stage)
    file = EmergencyFile(locate(db))
    file.keep([kept])
    record, open_ones = await reopened(stage)
    assert open_ones == []
    assert not file.path.exists()
    (position,) = record.sound().positions()
    assert (position["exit_reason"], D(position["exit"])) == ("stop", kept.price)
    assert position["closed"] == kept.ts
    fill = record.fills()[-1]
    assert (fill["order_id"], fill["evidence"]) == (kept.order_id, "venue_report")
    assert D(fill["size"]) == kept.size
    assert {order["status"] for order in record.orders("target")} == {"cancelled"}
    (command,) = [row for row in record.rows("command") if b"absorb_exit" in row.body]
    assert command.data["exit"]["fill_id"] == "fill-2"
    again, _ = await reopened(stage)
    assert len(again.sound().fills()) == len(record.fills()), "once, however often it starts"


async def test_an_exit_by_an_order_the_journal_never_saw_closes_the_position_too(
    stage: Stage,
) -> None:
    db, kept = await position_left_open(stage)
    part = D("0.01")
    unknown = EmergencyExit(
        kept.ts, kept.position_id, "ord-99", BTC, D("60005.0"), part, ExitReason.TIME, "fill-2"
    )
    EmergencyFile(locate(db)).keep([unknown])
    record, open_ones = await reopened(stage)
    assert open_ones == [kept.position_id]
    (position,) = record.sound().positions()
    assert D(position["size"]) == kept.size - part
    assert D(record.fills()[-1]["price"]) == D("60005.0")
    stop = record.orders("stop")[-1]
    assert (stop["status"], D(stop["size"])) == ("open", kept.size - part)


async def test_what_the_journal_has_after_all_or_is_gone_is_not_booked_again(stage: Stage) -> None:
    db, kept = await position_left_open(stage)
    file = EmergencyFile(locate(db))
    entry = Record(db, {}).fills()[0]
    there = EmergencyExit(
        entry["ts"], kept.position_id, entry["order_id"], BTC, kept.price, kept.size,
        ExitReason.STOP, entry["id"],
    )  # fmt: skip
    stranger = EmergencyExit(
        kept.ts, "pos-9", "ord-9", BTC, kept.price, kept.size, ExitReason.STOP, "fill-9"
    )
    file.keep([there, stranger])
    record, open_ones = await reopened(stage)
    assert open_ones == [kept.position_id]
    assert len(record.sound().fills()) == 1
    assert not file.path.exists()


def _exit(number: int) -> EmergencyExit:
    return EmergencyExit(
        number, f"pos-{number}", "ord-1", BTC, D("1.5"), D("2"), ExitReason.STOP, f"fill-{number}"
    )


def test_the_file_survives_being_cut_at_every_byte(tmp_path: Path) -> None:
    file = EmergencyFile(locate(tmp_path / "run.db"))
    file.keep([_exit(1), _exit(2)])
    whole = file.path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        file.path.write_bytes(whole[:cut])
        expected = [_exit(1), _exit(2)][: (cut >= first) + (cut == len(whole))]
        assert file.read() == expected


def test_two_stores_in_one_folder_do_not_take_each_others_exits(tmp_path: Path) -> None:
    one, other = (EmergencyFile(locate(tmp_path / name)) for name in ("a.db", "b.db"))
    one.keep([_exit(1)])
    other.keep([_exit(2)])
    assert one.read() == [_exit(1)]
    one.clear()
    assert one.read() == []
    assert other.read() == [_exit(2)]
    other.clear()
    assert not other.path.exists()
    assert other.path.name == "emergency.jsonl"


def test_a_damaged_line_is_named_and_not_skipped(tmp_path: Path) -> None:
    file = EmergencyFile(locate(tmp_path / "run.db"))
    file.keep([_exit(1)])
    file.path.write_bytes(file.path.read_bytes() + b'{"store": 7}\n')
    with pytest.raises(StoreDamaged, match="line 2"):
        file.read()


def test_there_is_room_for_an_exit_on_a_disk_that_filled_up_later(tmp_path: Path) -> None:
    file = EmergencyFile(locate(tmp_path / "run.db"))
    file.reserve()
    (reserve,) = tmp_path.glob("*.reserve")
    assert reserve.stat().st_blocks * 512 >= 16 * 1024
    file.keep([_exit(1)])
    assert not reserve.exists(), "its room is what the line is written to"
