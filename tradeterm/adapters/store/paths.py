"""Where the book of record lives, and who may read it (directory 0700, files 0600)."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from tradeterm.errors import StoreError, StoreUnwritable

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
FILE_NAME = "tradeterm.db"


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The store's file and its companions; ``db`` is free of symbolic links."""

    db: Path

    @property
    def wal(self) -> Path:
        """SQLite's write-ahead log."""
        return self._beside("-wal")

    @property
    def shm(self) -> Path:
        """SQLite's shared index of the write-ahead log."""
        return self._beside("-shm")

    @property
    def lock(self) -> Path:
        """Held by the one process that writes."""
        return self._beside(".lock")

    @property
    def head(self) -> Path:
        """Number and hash of a recent row: makes a cut tail visible."""
        return self._beside(".head")

    @property
    def draft(self) -> Path:
        """A new store until its schema is complete."""
        return self._beside(".new")

    @property
    def tape(self) -> Path:
        """The folder of recorded markets: one folder for each recorded run."""
        return self._beside(".tape")

    def _beside(self, suffix: str) -> Path:
        return self.db.with_name(self.db.name + suffix)


def default_path() -> Path:
    """The store in the platform's data directory; raises StoreUnwritable without a home."""
    from platformdirs import user_data_dir  # not needed with --db

    try:
        directory = Path(user_data_dir("tradeterm", appauthor=False))
    except RuntimeError:
        directory = Path("~")
    if not directory.is_absolute():
        raise StoreUnwritable(
            "no home directory: HOME is not set and this user has none; "
            "set HOME, or name the file with --db /path/to/tradeterm.db"
        )
    return directory / FILE_NAME


def locate(path: Path | None = None) -> StorePaths:
    """The store at ``path`` (default: the platform's), symbolic links resolved."""
    chosen = default_path() if path is None else path.expanduser()
    try:
        return StorePaths(chosen.resolve())
    except (OSError, RuntimeError) as error:
        raise StoreUnwritable(f"cannot reach {chosen}: {error}") from error


def prepare_directory(paths: StorePaths, *, create: bool) -> None:
    """Make sure the directory is there and writable; only a missing default one is made."""
    directory = paths.db.parent
    try:
        if create:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnwritable(
            f"cannot create the data directory {directory}: {error.strerror}; "
            "make it writable, or use --db with another place"
        ) from error
    if not directory.is_dir():
        raise StoreUnwritable(
            f"the directory {directory} does not exist; "
            f"create it (mkdir -p {shlex.quote(str(directory))}) or use --db with another place"
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StoreUnwritable(
            f"the directory {directory} cannot be written; "
            f"make it writable (chmod u+wx {shlex.quote(str(directory))}) "
            "or use --db with another place"
        )
    if paths.db.is_dir():
        raise StoreUnwritable(f"{paths.db} is a directory; --db takes a file")


def refuse_second_name(paths: StorePaths) -> None:
    """A hard link would let a second process lock the same file under another name."""
    names = paths.db.stat().st_nlink if paths.db.exists() else 1
    if names > 1:
        file = shlex.quote(str(paths.db))
        raise StoreError(
            f"{paths.db} has {names} names (hard links), and a lock knows only one of them: "
            f"find the others (find / -xdev -samefile {file}) and remove them, "
            f"or use --db with a copy (cp {file} NEW)"
        )


def keep_private(*files: Path) -> None:
    """Take away everybody else's access to files that exist."""
    for file in files:
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(FILE_MODE)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreUnwritable(
                f"{file} is readable by others and cannot be made private: {error.strerror}"
            ) from error


def create_private(path: Path, flags: int = 0) -> int:
    """Open ``path`` for reading and writing, created 0600 whatever the umask; a descriptor."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, FILE_MODE)
    except OSError as error:
        raise StoreUnwritable(f"cannot write {path}: {error.strerror}") from error
    return descriptor


def sync_directory(directory: Path) -> None:
    """Make renames and new names in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all, durably, mode 0600."""
    draft = path.with_name(path.name + ".tmp")
    descriptor = create_private(draft, os.O_TRUNC)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_directory(path.parent)
