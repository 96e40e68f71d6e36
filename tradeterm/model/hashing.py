"""Digests of what is written down, worked out without letting another thread go first."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

#: Given more at a time ``sha256`` lets go of the interpreter: the engine's thread and the writer's
#: would change places over every larger row, which takes longer than hashing it.
_AT_ONCE: Final = 2047


def digest_of(data: bytes) -> bytes:
    """The SHA-256 of some rows."""
    if len(data) <= _AT_ONCE:
        return sha256(data).digest()
    digest = sha256(data[:_AT_ONCE])
    for at in range(_AT_ONCE, len(data), _AT_ONCE):
        digest.update(data[at : at + _AT_ONCE])
    return digest.digest()
