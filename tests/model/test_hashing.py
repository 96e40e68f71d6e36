"""Digests are SHA-256, however many bytes there are."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tradeterm.model.hashing import digest_of


@pytest.mark.parametrize("size", [0, 1, 2046, 2047, 2048, 4094, 4095, 100_000])
def test_a_digest_is_that_of_all_bytes_at_once(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert digest_of(data) == sha256(data).digest()
