"""What a recorded run's folder says about itself, and the candles its windows began with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from tradeterm.adapters.feeds.plain import open_plain, unpack_errors, unreadable
from tradeterm.adapters.store.paths import replace_file
from tradeterm.adapters.tape.lines import decode, encode
from tradeterm.errors import DataError
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle

ABOUT: Final = "about.json"
WARM_UP: Final = "warmup.jsonl.zst"
FORMAT: Final = 1


class About(msgspec.Struct, frozen=True):
    """A recorded run: enough to open its tape without the book of record."""

    format: int
    run: str
    mode: str
    """The market it was recorded from: SIM, REPLAY or LIVE."""
    start: int
    """Market time (ns) of the run's beginning."""
    symbols: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    """Those that the feed brought along."""
    identity: dict[str, str]


def read_about(folder: Path) -> About:
    """Raises DataError when the folder is no tape, or one of another version."""
    file = folder / ABOUT
    try:
        about = msgspec.json.decode(file.read_bytes(), type=About)
    except OSError as error:
        raise DataError(f"{folder.name}: no recorded run ({ABOUT}: {error.strerror})") from error
    except msgspec.DecodeError as error:
        raise DataError(
            f"{file}: not what a recording begins with ({error}); put the file back from a copy"
        ) from error
    if about.format != FORMAT:
        raise DataError(
            f"{file}: recorded in format {about.format}; this version reads {FORMAT}: "
            "replay it with the version that recorded it"
        )
    return about


def write_beginning(folder: Path, about: About, candles: list[Candle]) -> None:
    """Both files, durably; ``about.json`` last: a folder that has it is complete."""
    import zstandard

    packed = zstandard.ZstdCompressor(write_checksum=True).compress(encode(candles))
    replace_file(folder / WARM_UP, packed)
    replace_file(folder / ABOUT, msgspec.json.format(msgspec.json.encode(about), indent=2))


def read_warm_up(folder: Path) -> dict[tuple[str, int], list[Candle]]:
    """(symbol, timeframe) → candles, oldest first; DataError when the file is damaged."""
    file = folder / WARM_UP
    try:
        with open_plain(file) as stream:
            events = decode(stream.read())
    except msgspec.DecodeError as error:
        raise DataError(f"{file}: not the candles a recording begins with ({error})") from error
    except unpack_errors() as error:
        raise unreadable(file, error) from error
    found: dict[tuple[str, int], list[Candle]] = {}
    for event in events:
        if isinstance(event, Candle):
            found.setdefault((event.symbol, event.timeframe), []).append(event)
    return found
