"""Where the book of record lives: room, kind of disk, and who else may read it."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradeterm.adapters.store.lock import current_holder
from tradeterm.adapters.store.paths import StorePaths
from tradeterm.ops.doctor.finding import Finding, judged

MIB: Final = 2**20
#: Below the first a warning, below the second no run (three write-ahead logs at their limit).
ROOM, LEAST_ROOM = 500 * MIB, 100 * MIB
#: File systems on which locks or syncs are not what SQLite counts on.
REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "davfs", "ncpfs"}
)
#: Folders that something else copies behind our back, by a part of their name.
SYNCED: Final = (
    "dropbox", "onedrive", "google drive", "googledrive", "icloud", "mobile documents",
    "nextcloud", "owncloud", "pcloud", "syncthing", "seafile", "box sync",
)  # fmt: skip
MOUNTS: Final = Path("/proc/mounts")


def look_at_files(paths: StorePaths, env_file: Path) -> Iterator[Finding]:
    """The store, its folder, and the file keys may lie in."""
    folder = next(each for each in (paths.db.parent, *paths.db.parents) if each.exists())
    holder = current_holder(paths)
    running = f", a run of pid {holder.pid} writes it" if holder is not None else ""
    yield judged(
        "store", f"{paths.db}{running}", ok=os.access(folder, os.W_OK | os.X_OK),
        remedy=f"make {folder} writable, or name a file with --db",
    )  # fmt: skip
    yield room(shutil.disk_usage(folder).free, folder)
    yield kind_of_disk(paths.db.parent, _mounts())
    yield from modes(paths, env_file)


def room(free: int, folder: Path) -> Finding:
    text = f"{free / MIB:,.0f} MiB free under {folder}"
    remedy = f"make room, or put the store elsewhere with --db; below {LEAST_ROOM // MIB} MiB"
    return judged(
        "disk", text, ok=free >= ROOM, fatal=free < LEAST_ROOM,
        remedy=f"{remedy} nothing may be entered",
    )  # fmt: skip


def kind_of_disk(folder: Path, mounts: dict[Path, str]) -> Finding:
    """Network and synced folders break locks and syncs; SQLite's word on how to corrupt a file."""
    mount = max(
        (each for each in mounts if each == folder or each in folder.parents),
        key=lambda each: len(each.parts), default=Path("/"),
    )  # fmt: skip
    kind = mounts.get(mount, "unknown")
    synced = next((word for word in SYNCED if word in str(folder).lower()), "")
    remote = kind in REMOTE or kind.startswith("fuse.")
    if remote or synced:
        why = f"a synced folder ({synced})" if synced else f"a {kind} file system"
        return Finding(
            "folder", "fail", f"{folder} is on {why}",
            "a lock or sync may be lost there: put the store on a local disk with --db",
        )  # fmt: skip
    return Finding("folder", "ok", f"{kind} at {mount}")


def _mounts() -> dict[Path, str]:
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {Path(part[1].replace("\\040", " ")): part[2] for part in parts if len(part) > 2}


def modes(paths: StorePaths, env_file: Path) -> Iterator[Finding]:
    """Nobody else may read the book of record or a key."""
    files = [paths.db, paths.wal, paths.shm, paths.lock, paths.head, env_file]
    if paths.db.exists() or any(file.exists() for file in files):
        open_ones = [file for file in files if _open_to_others(file)]
        text = ", ".join(str(file) for file in open_ones) or "only you can read them"
        names = " ".join(shlex.quote(str(file)) for file in open_ones)
        yield judged(
            "file modes", text, ok=not open_ones, remedy=f"chmod 600 {names}",
            fatal=env_file in open_ones,
        )  # fmt: skip
    if paths.db.parent.exists() and _open_to_others(paths.db.parent, stat.S_IWGRP | stat.S_IWOTH):
        folder = shlex.quote(str(paths.db.parent))
        yield Finding(
            "folder mode", "warn", f"others can write in {paths.db.parent}",
            f"chmod 700 {folder}: who can write there can halt the run or replace its file",
        )  # fmt: skip


def _open_to_others(path: Path, bits: int = 0o077) -> bool:
    try:
        return bool(path.stat().st_mode & bits)
    except OSError:
        return False
