"""A tape file: blocks of lines, each a zstd frame of its own behind a frame that describes it.

The descriptions are zstd's skippable frames, so ``zstd -dc`` and any other reader sees nothing but
the lines. They are the index: what is where is known without unpacking, and a file that was cut
off anywhere loses its last block and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from tradeterm.adapters.tape.lines import decode, encode
from tradeterm.errors import DataError
from tradeterm.model.market import MarketEvent

SUFFIX: Final = ".jsonl.zst"
LEVEL: Final = 3
#: The first of the sixteen magic numbers of skippable frames (RFC 8878, 3.1.2), and the length.
_FRAME: Final = struct.Struct("<II")
_SKIPPABLE: Final = 0x184D2A50
#: Mark, version, first position, events, first and last stamp, plain and packed bytes.
_ABOUT: Final = struct.Struct("<4sIQIqqII")
_MARK: Final = b"TTBK"
_VERSION: Final = 1
HEAD: Final = _FRAME.size + _ABOUT.size
_BEGINNING: Final = _FRAME.pack(_SKIPPABLE, _ABOUT.size) + _MARK


class Block(NamedTuple):
    """One block: its place in the file and what is in it. Stamps in ns."""

    offset: int
    """Of the describing frame."""
    first: int
    """Events of the run before it."""
    events: int
    begin: int
    end: int
    plain: int
    packed: int

    @property
    def following(self) -> int:
        """Offset of the next block."""
        return self.offset + HEAD + self.packed

    @property
    def last(self) -> int:
        """Events of the run up to its end."""
        return self.first + self.events


def file_name(first: int) -> str:
    """The file that begins after ``first`` events of the run."""
    return f"{first:012d}{SUFFIX}"


def tape_files(folder: Path) -> list[Path]:
    """The files of a tape, oldest first."""
    return sorted(
        file for file in folder.glob(f"*{SUFFIX}") if file.name.removesuffix(SUFFIX).isdigit()
    )


def first_of(file: Path) -> int:
    """How many events of the run came before this file."""
    return int(file.name.removesuffix(SUFFIX))


def pack(first: int, events: list[MarketEvent]) -> bytes:
    """A block, both frames."""
    import zstandard

    lines = encode(events)
    packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(lines)
    about = _ABOUT.pack(
        _MARK, _VERSION, first, len(events), events[0].ts, events[-1].ts, len(lines), len(packed)
    )
    return _FRAME.pack(_SKIPPABLE, len(about)) + about + packed


def walk(file: Path, after: int = 0) -> Iterator[Block]:
    """The whole blocks of a file from byte ``after`` on; ends where one is cut off."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        while (block := _described(stream, after, size)) is not None:
            yield block
            after = block.following


def _described(stream: BinaryIO, offset: int, size: int) -> Block | None:
    stream.seek(offset)
    head = stream.read(HEAD)
    if len(head) < HEAD:
        return None
    magic, length = _FRAME.unpack_from(head)
    mark, version, *about = _ABOUT.unpack_from(head, _FRAME.size)
    if (magic, length, mark, version) != (_SKIPPABLE, _ABOUT.size, _MARK, _VERSION):
        return None
    block = Block(offset, *about)
    return block if block.following <= size else None


def behind(file: Path, after: int) -> Block | None:
    """The first sound block behind byte ``after``: what ends there was damaged, not cut off."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(after)
        rest = stream.read()
        found = rest.find(_BEGINNING, 1)
        while found >= 0:
            block = _described(stream, after + found, size)
            if block is not None and sound(file, block):
                return block
            found = rest.find(_BEGINNING, found + 1)
    return None


def read(file: Path, block: Block) -> list[MarketEvent]:
    """The events of a block; DataError when it is not what was written."""
    import zstandard

    with file.open("rb") as stream:
        stream.seek(block.offset + HEAD)
        packed = stream.read(block.packed)
    try:
        lines = zstandard.ZstdDecompressor().decompress(packed, max_output_size=block.plain)
        events = decode(lines)
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(file, block, str(error)) from error
    if len(events) != block.events:
        raise damaged(file, block, f"{len(events)} events instead of {block.events}")
    return events


def sound(file: Path, block: Block) -> bool:
    """Whether a block can be read."""
    try:
        read(file, block)
    except DataError:
        return False
    return True


def whole_blocks(file: Path) -> list[Block]:
    """The blocks of a file that is written to no longer; DataError when there is more behind.

    A cut tail is no fault of the file a run was recording into when it died.
    """
    blocks = list(walk(file))
    for one, other in pairwise(blocks):
        if one.last != other.first:
            raise damaged(file, other, f"it begins at event {other.first}, not {one.last}")
    end, last = (blocks[-1].following, blocks[-1].last) if blocks else (0, first_of(file))
    if end < file.stat().st_size and (lost := behind(file, end)) is not None:
        raise damaged(file, Block(end, last, lost.first - last, 0, 0, 0, 0), "it cannot be found")
    return blocks


def damaged(file: Path, block: Block, why: str) -> DataError:
    """A block in the middle of a tape that cannot be read."""
    return DataError(
        f"{file.name}: the block at byte {block.offset} (events {block.first + 1} to {block.last} "
        f"of the run) is damaged: {why}; put the file back from a copy"
    )
