"""The layout an operator keeps: what the deck shows, in a small file of the state directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tradeterm.tui.plan import ORDER
from tradeterm.tui.printable import printable

FILE_NAME = "layout.json"
#: Written by a later version of the program, a file with another number is left alone.
VERSION = 1
_LARGEST = 65536
_LONGEST = 40
_TALLEST = 200


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything ``^s`` keeps."""

    version: int = VERSION
    pane: str
    zoomed: bool
    sizes: dict[str, int]
    """Pane → lines more (or fewer) than planned."""
    symbol: str
    follows: bool
    timeframe: int
    """Seconds."""
    grouping: int
    """Ticks in one line of the book."""
    indicators: bool
    closes: bool
    theme: str
    over: str
    """The configured theme this one was chosen over: another configured one wins again."""
    filters: dict[str, str]
    """Pane → what its rows contain."""
    errors_only: bool


def keep(path: Path, layout: Layout) -> None:
    """Write it whole or not at all; OSError when it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.touch(0o600)
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(layout)))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def kept(path: Path) -> Layout | None:
    """What was kept, None when nothing was; ValueError says what is wrong with the file."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from error
    if len(text) > _LARGEST:
        raise ValueError("it is far too long")
    try:
        layout = msgspec.json.decode(text, type=Layout)
    except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is one
        raise ValueError(str(error)) from error
    return _checked(layout)


def _checked(layout: Layout) -> Layout:
    """A pane that exists, filters an operator could have typed."""
    if layout.version != VERSION:
        raise ValueError(f"version {layout.version}, this program writes {VERSION}")
    for name in (layout.pane, *layout.filters, *layout.sizes):
        if name not in ORDER:
            raise ValueError(f"there is no pane {printable(name)[:_LONGEST]!r}")
    filters = {name: printable(text)[:_LONGEST] for name, text in layout.filters.items()}
    sizes = {name: max(-_TALLEST, min(lines, _TALLEST)) for name, lines in layout.sizes.items()}
    return msgspec.structs.replace(layout, filters=filters, sizes=sizes)
