"""A damaged tape: a crash costs its last block, rot is named, and nothing sound is ever cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.adapters.taping import LIMITS, Scripted, everything, record, trades
from tradeterm.adapters.tape.blocks import file_name, pack, tape_files, walk
from tradeterm.adapters.tape.live_recording import LiveRecording
from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.adapters.tape.soundness import tape_problems
from tradeterm.adapters.tape.writer import TapeWriter
from tradeterm.errors import DataError
from tradeterm.model.market import FeedMark


async def test_a_tail_cut_at_any_byte_costs_its_last_block_and_nothing_else(tmp_path: Path) -> None:
    told = trades(9)
    await record(tmp_path / "run", told, [3, 6])
    file = tape_files(tmp_path / "run")[0]
    blocks, whole = list(walk(file)), file.read_bytes()
    assert [block.events for block in blocks] == [3, 3, 3]
    for cut in range(blocks[-1].offset, len(whole)):
        file.write_bytes(whole[:cut])
        assert everything(RecordedFeed(tmp_path / "run")) == told[:6], cut
        tape = TapeWriter.resume(tmp_path / "run", LIMITS)
        assert (tape.position, tape.last_ts) == (6, told[5].ts)
        tape.append(told[6:])
        assert everything(RecordedFeed(tmp_path / "run")) == told, cut
        assert file.read_bytes() == whole


async def test_rot_in_the_last_block_is_cut_off_before_more_is_written(tmp_path: Path) -> None:
    told = trades(6)
    await record(tmp_path / "run", told, [3])
    file = tape_files(tmp_path / "run")[0]
    whole = bytearray(file.read_bytes())
    whole[-6] ^= 0xFF
    file.write_bytes(whole)
    tape = TapeWriter.resume(tmp_path / "run", LIMITS)
    assert tape.position == 3
    tape.append(told[3:])
    assert everything(RecordedFeed(tmp_path / "run")) == told


async def test_rot_in_the_middle_is_named_never_skipped(tmp_path: Path) -> None:
    await record(tmp_path / "run", trades(9), [3, 6])
    file = tape_files(tmp_path / "run")[0]
    whole = bytearray(file.read_bytes())
    middle = list(walk(file))[1]
    whole[middle.following - 6] ^= 0xFF
    file.write_bytes(whole)
    with pytest.raises(DataError, match=r"events 4 to 6 of the run\) is damaged"):
        everything(RecordedFeed(tmp_path / "run"))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("byte", [0, 2, 9, 50])
async def test_sound_blocks_behind_a_damaged_description_are_never_cut_off(
    tmp_path: Path, which: int, byte: int
) -> None:
    await record(tmp_path / "run", trades(9), [3, 6])
    file = tape_files(tmp_path / "run")[0]
    whole = bytearray(file.read_bytes())
    whole[list(walk(file))[which].offset + byte] ^= 0x40
    file.write_bytes(whole)
    with pytest.raises(DataError, match="damaged"):
        TapeWriter.resume(tmp_path / "run", LIMITS)
    with pytest.raises(DataError, match="damaged"):
        everything(RecordedFeed(tmp_path / "run"))
    assert file.read_bytes() == whole
    assert [where for where, _ in tape_problems(tmp_path / "run")] == [file.name]


async def test_a_tape_shorter_than_the_journal_is_refused(tmp_path: Path) -> None:
    told = trades(9)
    await record(tmp_path / "run", told, [3, 6])
    file = tape_files(tmp_path / "run")[0]
    os.truncate(file, list(walk(file))[1].offset)
    for mode in ("LIVE", "SIM"):
        inner = Scripted(told, mode=mode)
        kind = LiveRecording if mode == "LIVE" else RecordingFeed
        feed = kind.resume(inner, tmp_path / "run", LIMITS)
        feed.seek(FeedMark(3))
        with pytest.raises(DataError, match="ends after 3 events, and the journal goes by 6"):
            feed.seek(FeedMark(6))


async def test_problems_of_a_tape_are_named_block_by_block(tmp_path: Path) -> None:
    await record(tmp_path / "run", trades(9), [3, 6])
    (file,) = tape_files(tmp_path / "run")
    assert list(tape_problems(tmp_path / "run")) == []
    whole, blocks = file.read_bytes(), list(walk(file))
    file.write_bytes(whole[:-7])  # a crash while it was written
    assert list(tape_problems(tmp_path / "run")) == []
    rotten = bytearray(whole)
    for block in blocks[:2]:
        rotten[block.following - 6] ^= 0xFF
    file.write_bytes(rotten)
    found = list(tape_problems(tmp_path / "run"))
    assert ["events 1 to 3" in what for _, what in found] == [True, False]
    assert "events 4 to 6" in found[1][1]
    file.write_bytes(whole)
    later = file.with_name(file_name(12))
    later.write_bytes(pack(12, trades(3)))
    assert [where for where, _ in tape_problems(tmp_path / "run")] == [later.name]
