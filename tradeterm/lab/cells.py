"""One value of the book of record as people write it."""

from __future__ import annotations

import re
from typing import Any

_AMOUNT = re.compile(r"-?\d+(?:\.\d+)?(?:E[+-]?\d+)?")
#: Columns that hold a market time (ns).
STAMPS = frozenset(
    "ts opened closed proposed created updated expires decided since next slots".split()
)


def cell(name: str, value: Any) -> str:
    """One value as people write it; times as ISO-8601."""
    from tradeterm.model.timing import iso

    if value is None:
        return "-"
    if name in STAMPS and value and isinstance(value, int):
        return iso(value)
    if isinstance(value, list):
        return ", ".join(cell(name, each) for each in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(str(value))


def amount(text: str) -> str:
    """Decimals without exponent or trailing zeros; other text as it is."""
    from decimal import Decimal

    from tradeterm.model.money import plain

    return plain(Decimal(text)) if _AMOUNT.fullmatch(text) else text
