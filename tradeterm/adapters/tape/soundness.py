"""Whether a tape is still what was written, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradeterm.adapters.tape.blocks import first_of, read, tape_files, whole_blocks
from tradeterm.errors import DataError


def tape_problems(folder: Path) -> Iterator[tuple[str, str]]:
    """(File, what is wrong with it): blocks that changed, vanished or do not follow each other.

    Files given up at the beginning, and a tail cut off by a crash, are no problem. Reads it all.
    """
    ends: int | None = None
    for file in tape_files(folder):
        begins = first_of(file)
        if ends is not None and begins != ends:
            yield file.name, f"it begins after {begins} events of the run, the one before ends at {ends}"
        ends = begins
        try:
            blocks = whole_blocks(file)
        except DataError as error:
            yield file.name, str(error)
            ends = None
            continue
        for block in blocks:
            ends = block.last
            try:
                read(file, block)
            except DataError as error:
                yield file.name, str(error)
