"""What a file name says about the data in it: symbol and timeframe."""

from __future__ import annotations

import re
from typing import Final

_QUOTES: Final = (
    "USDT", "USDC", "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "XBT", "BTC", "ETH",
)  # fmt: skip
#: Kraken's own names.
_ALIASES: Final = {"XBT": "BTC", "XDG": "DOGE", "XXBT": "BTC", "ZUSD": "USD"}
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: ``BTC_USDT_USDT-1m-futures``, ``BTC_USDT-5m``, ``BTC-USDT-1h``, ``BTC_USDT-1h-2025-06``.
_SPLIT: Final = re.compile(
    r"([A-Z0-9]{2,10})[_-]([A-Z]{3,5})(?:_[A-Z]{3,5})?(?:[_-](\d+)([smhdw]))?(?:[_-][a-z]+)?"
    r"(?:-\d{4}-\d\d)?"
)
#: ``XBTUSD_60`` (minutes), ``kraken_XBTUSD_60``, ``BTCUSDT-5m``.
_JOINED: Final = re.compile(
    r"(?:[a-z]+[_-])?([A-Z0-9]{5,14})(?:[_-](\d+)([smhdw]?))?(?:[_-][a-z]+)?"
)
_SUFFIXES: Final = (".gz", ".zst", ".csv", ".feather", ".parquet", ".jsonl", ".ndjson", ".json")


def stem(name: str) -> str:
    """The file name without its known endings."""
    changed = True
    while changed:
        changed = False
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                name, changed = name[: -len(suffix)], True
    return name


def from_name(name: str) -> tuple[str | None, int | None]:
    """(symbol, timeframe in seconds), each None when the name does not say."""
    part = stem(name)
    match = _SPLIT.fullmatch(part)
    if match is not None:
        base, quote, number, unit = match.groups()
        return f"{_asset(base)}/{_asset(quote)}", _seconds(number, unit)
    match = _JOINED.fullmatch(part)
    if match is None:
        return None, None
    pair, number, unit = match.groups()
    for quote in _QUOTES:
        if pair.endswith(quote) and len(pair) - len(quote) >= 2:
            return f"{_asset(pair[: -len(quote)])}/{_asset(quote)}", _seconds(number, unit or "m")
    return None, None


def symbol_text(text: str) -> str | None:
    """``BTC/USDT`` from ``BTC/USDT``, ``BTC/USDT:USDT``, ``BTC-USDT`` or ``XBTUSD``."""
    plain = text.strip().partition(":")[0].upper()
    if re.fullmatch(r"[A-Z0-9]{2,10}/[A-Z0-9]{2,10}", plain):
        base, _, quote = plain.partition("/")
        return f"{_asset(base)}/{_asset(quote)}"
    return from_name(plain)[0]


def _asset(text: str) -> str:
    return _ALIASES.get(text, text)


def _seconds(number: str | None, unit: str | None) -> int | None:
    return int(number) * _UNITS[unit] if number and unit else None
