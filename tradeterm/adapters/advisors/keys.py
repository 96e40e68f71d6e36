"""Keys of model providers: from the environment, ``.env`` (0600) or the keyring, and nowhere else.

A key is read where it is used, told to the log's redactor, and never kept, shown or journaled.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Final

from tradeterm.errors import ConfigError
from tradeterm.logs import conceal

KEYRING_SERVICE: Final = "tradeterm"
#: A keyring that asks its owner for a password is not waited for.
KEYRING_SECONDS: Final = 2.0


def find_key(
    name: str, environ: Mapping[str, str], env_file: Path, *, keyring: bool = True
) -> str | None:
    """The key called ``name``; None when nobody has it.

    Without ``keyring`` that one is not asked: it may take seconds, and ask its owner for a password.

    Raises ConfigError when ``.env`` could be read by others.
    """
    key = environ.get(name) or _from_file(name, env_file)
    if not key and keyring:
        key = _from_keyring(name)
    if key is None or not key.strip():
        return None
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{name} holds characters no key has; copy it again")
    conceal(key)
    return key


def _from_file(name: str, path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    for line in text.splitlines():
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and key.strip() == name:
            if stat.S_IMODE(mode) & 0o077:
                raise ConfigError(f"{path} holds {name} and others can read it: chmod 600 {path}")
            return value.strip().strip("'\"")
    return None


def _from_keyring(name: str) -> str | None:
    """The system keyring, as far as it answers: it may be absent, locked, or waiting for a person."""
    found: Queue[str | None] = Queue()
    Thread(target=_ask_keyring, args=(name, found), name="keyring", daemon=True).start()
    try:
        return found.get(timeout=KEYRING_SECONDS)
    except Empty:
        return None


def _ask_keyring(name: str, found: Queue[str | None]) -> None:
    try:
        import keyring

        found.put(keyring.get_password(KEYRING_SERVICE, name))
    except Exception:  # noqa: BLE001 - backends raise whatever they like; no keyring is no key
        found.put(None)
