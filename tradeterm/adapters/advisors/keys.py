"""Keys of model providers: from the environment, ``.env`` (0600) or the keyring, and nowhere else.

A key is read where it is used, told to the log's redactor, and never kept, shown or journaled.
"""

from __future__ import annotations

import importlib
import stat
from collections.abc import Mapping
from pathlib import Path

from tradeterm.errors import ConfigError
from tradeterm.logs import conceal

KEYRING_SERVICE = "tradeterm"


def find_key(name: str, environ: Mapping[str, str], env_file: Path) -> str | None:
    """The key called ``name``; None when nobody has it.

    Raises ConfigError when ``.env`` could be read by others.
    """
    key = environ.get(name) or _from_file(name, env_file) or _from_keyring(name)
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
    """The system keyring, where the optional package is installed and has a store that works."""
    try:
        keyring = importlib.import_module("keyring")
        found = keyring.get_password(KEYRING_SERVICE, name)
    except Exception:  # noqa: BLE001 - backends raise whatever they like; no keyring is no key
        return None
    return found if isinstance(found, str) else None
