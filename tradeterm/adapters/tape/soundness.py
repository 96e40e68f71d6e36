"""Whether a tape is still what was written, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradeterm.adapters.tape.about import ABOUT, read_about
from tradeterm.adapters.tape.blocks import first_of, read, tape_files, whole_blocks
from tradeterm.errors import DataError


def tape_problems(folder: Path, needed: int = 0) -> Iterator[tuple[str, str]]:
    """(File, what is wrong with it): blocks that changed, vanished or do not follow each other.

    ``needed``: how many of the run's events the journal goes by. Files given up at the beginning,
    and a tail cut off by a crash, are no problem. Reads it all.
    """
    try:
        read_about(folder)
    except DataError as error:
        yield ABOUT, str(error)
    ends: int | None = 0
    for file in tape_files(folder):
        begins = first_of(file)
        if ends and begins != ends:
            yield (
                file.name,
                f"it begins after {begins} events of the run, the one before ends at {ends}",
            )
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
    if ends is not None and ends < needed:
        text = f"it ends after {ends} events of the run; the journal goes by {needed}"
        yield folder.name, f"{text}: a part of it is gone, put it back from a copy"


def recorded_events(folder: Path) -> int:
    """How many events a sound tape holds. Raises DataError."""
    return sum(block.events for file in tape_files(folder) for block in whole_blocks(file))


def cut_off(folder: Path) -> int:
    """Bytes behind the last whole block: what a crash left of the next one. Raises DataError."""
    files = tape_files(folder)
    if not files:
        return 0
    blocks = whole_blocks(files[-1])
    return files[-1].stat().st_size - (blocks[-1].following if blocks else 0)
