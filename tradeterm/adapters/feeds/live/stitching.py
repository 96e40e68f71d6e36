"""Where a snapshot that was asked for belongs among the changes that came meanwhile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: ccxt's answer for "ask for the snapshot again".
TOO_OLD: Final = -1


def mend(exchange: Any) -> None:
    """Put right what ccxt (4.5.90) gets wrong about an exchange's snapshots.

    Bitstamp: unless a change has exactly the snapshot's stamp, ccxt forgets all that came before
    it asked, later changes included, and keeps a book that is wrong for good.
    """
    if exchange.id == "bitstamp":
        exchange.get_cache_index = first_later


def first_later(snapshot: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> int:
    """Number of Bitstamp's changes that the snapshot already contains."""
    stamps = [int(change["microtimestamp"]) for change in changes]
    taken = int(snapshot["nonce"])
    if not stamps or taken < stamps[0]:
        return TOO_OLD  # something between the two may be missing
    return bisect_right(stamps, taken)
