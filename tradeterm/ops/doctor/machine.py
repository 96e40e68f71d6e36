"""Python, SQLite and the terminal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from tradeterm.ops.doctor.finding import Finding, judged
from tradeterm.tui.plan import MIN_HEIGHT, MIN_WIDTH

PYTHON: Final = (3, 11)
#: Before this a reset of the write-ahead log under several connections could lose its last
#: commits (sqlite.org/src, "WAL reset bug", fixed in 3.51.3); tradeterm writes from one.
SQLITE: Final = (3, 51, 3)
#: The oldest SQLite whose features the store uses (RETURNING, STRICT tables).
SQLITE_LEAST: Final = (3, 37, 0)


def look_at_machine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What this program runs on."""
    yield python(sys.version_info[:3])
    yield sqlite(sqlite3.sqlite_version_info)
    yield from terminal(environ)


def python(version: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, PYTHON))
    return judged(
        "python", f"{_dotted(version)} ({sys.executable})", ok=version >= PYTHON,
        remedy=f"install Python {wanted} or newer",
    )  # fmt: skip


def sqlite(version: tuple[int, ...]) -> Finding:
    found = _dotted(version)
    if version < SQLITE_LEAST:
        return Finding(
            "sqlite", "fail", found, f"use a Python built with SQLite {_dotted(SQLITE)} or newer"
        )
    return judged(
        "sqlite", found, ok=version >= SQLITE, fatal=False,
        remedy=f"SQLite {_dotted(SQLITE)} mends a fault of the write-ahead log that needs several "
        "writers; tradeterm writes from one, so do not write to its file with other tools",
    )  # fmt: skip


def terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the console can be drawn; headless runs need none of it."""
    kind = environ.get("TERM", "")
    size = shutil.get_terminal_size((0, 0))
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        yield Finding("terminal", "ok", "none here (a pipe): --headless works without one")
    else:
        yield judged(
            "terminal", f"{kind or 'unnamed'}, {size.columns}×{size.lines}", fatal=False,
            ok=kind not in {"", "dumb"} and size.columns >= MIN_WIDTH and size.lines >= MIN_HEIGHT,
            remedy=f"use a terminal of at least {MIN_WIDTH}×{MIN_HEIGHT} that is not dumb, or "
            "--headless",
        )  # fmt: skip
    from tradeterm.tui.glyphs import ascii_terminal

    coding = (sys.stdout.encoding or "").lower().replace("-", "")
    told = (f"{name}={environ[name]}" for name in ("LC_ALL", "LC_CTYPE", "LANG") if name in environ)
    locale = " ".join(told) or "none set"
    yield judged(
        "locale", f"{locale}, {sys.stdout.encoding}", fatal=False,
        ok=coding == "utf8" and not ascii_terminal(environ),
        remedy="the console draws in ASCII here; for lines and bars set LANG=C.UTF-8 (or your "
        "language's UTF-8) in a terminal that has them",
    )  # fmt: skip
    if os.name == "posix" and environ.get("TMUX") and kind.startswith("screen"):
        yield Finding(
            "colours", "warn", f"tmux with TERM={kind}",
            "set -g default-terminal tmux-256color in ~/.tmux.conf for all colours",
        )  # fmt: skip


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
