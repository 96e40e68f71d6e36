"""What may pass for a print or a bar, whichever way it came: stream, poll or backfill."""

from __future__ import annotations

from typing import Final

_INF: Final = float("inf")
SIDES: Final = frozenset({"buy", "sell"})


def is_print(price: float, size: float, side: str) -> bool:
    """Whether these are a price, a size and a taker's side."""
    return 0.0 < price < _INF and 0.0 < size < _INF and side in SIDES


def is_bar(opened: float, high: float, low: float, close: float, volume: float) -> bool:
    """Whether these are prices of one bar, and a volume."""
    return (
        0.0 < low <= min(opened, close)
        and max(opened, close) <= high < _INF
        and 0.0 <= volume < _INF
    )
