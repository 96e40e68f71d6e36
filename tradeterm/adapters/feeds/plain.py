"""Files as plain text, however they are packed (.gz, .zst or not at all)."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path
from typing import BinaryIO, Final, cast

from tradeterm.errors import DataError

_READ: Final = 1 << 20


def open_plain(path: Path, offset: int = 0) -> BinaryIO:
    """The unpacked bytes of a file from ``offset`` on; DataError when it cannot be read."""
    try:
        if path.suffix == ".gz":
            stream = cast(BinaryIO, gzip.open(path, "rb"))  # noqa: SIM115  (the caller closes it)
        elif path.suffix == ".zst":
            import zstandard

            raw = path.open("rb")
            reader = zstandard.ZstdDecompressor().stream_reader(
                raw, read_across_frames=True, closefd=True
            )
            stream = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader), _READ))
        else:
            stream = path.open("rb")
            stream.seek(offset)
            return stream
    except OSError as error:
        raise unreadable(path, error) from error
    left = offset
    while left:
        part = stream.read(min(left, _READ))
        if not part:
            break
        left -= len(part)
    return stream


def unreadable(path: Path, error: Exception) -> DataError:
    """Why a file gives nothing (more): absent, forbidden, cut off or not what its name says."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path.name}: there is no such file")
    if isinstance(error, PermissionError):
        return DataError(f"{path.name}: no permission to read it")
    packed = path.suffix in {".gz", ".zst"}
    if packed:
        return DataError(
            f"{path.name}: the packed data is damaged or cut off ({type(error).__name__}); "
            "fetch the file again or unpack what can be saved"
        )
    return DataError(f"{path.name}: cannot be read ({error})")


def unpack_errors() -> tuple[type[Exception], ...]:
    """What a damaged packed stream raises while it is read."""
    import zstandard

    return (OSError, EOFError, zlib.error, zstandard.ZstdError)


def digest(path: Path) -> str:
    """A short hash of a file's bytes."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:24]
    except OSError as error:
        raise unreadable(path, error) from error
