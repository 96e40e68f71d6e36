"""Time as integers: nanoseconds since 1970-01-01 UTC, and how people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

from tradeterm.errors import UsageError

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")


def iso(ts: int) -> str:
    """ISO-8601 UTC with milliseconds, e.g. ``2025-06-03T15:31:00.000Z``."""
    seconds, rest = divmod(ts, SECOND)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest // MILLISECOND:03d}Z"


def clock_text(ts: int) -> str:
    """``HH:MM:SS`` UTC."""
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%H:%M:%S")


def parse_duration(text: str) -> int:
    """Nanoseconds from ``90s``, ``15m``, ``1h30m``, ``7d``; raises UsageError."""
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(a + b for a, b in parts) != text.strip():
        raise UsageError(f"{text!r} is not a duration; write for example 90s, 15m, 1h30m or 7d")
    return sum(int(float(number) * _UNITS[unit]) for number, unit in parts)


def parse_instant(text: str) -> int:
    """Nanoseconds from an ISO-8601 time (no offset means UTC); raises UsageError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time; write for example 2025-06-01T12:00:00Z"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000


def day_start(ts: int) -> int:
    """00:00 UTC of the day ``ts`` lies in."""
    return ts - ts % DAY


def week_start(ts: int) -> int:
    """Monday 00:00 UTC of the week ``ts`` lies in (1970 began on a Thursday)."""
    return ts - (ts + 3 * DAY) % (7 * DAY)


def timeframe_seconds(option: str, text: str) -> int:
    """``1m`` → ``60``; ``option`` is where it was written. Raises UsageError."""
    try:
        seconds, rest = divmod(parse_duration(text), SECOND)
    except UsageError:
        seconds, rest = 0, 0
    if rest or seconds <= 0:
        raise UsageError(f"{option} {text!r}: write for example 1m, 5m, 1h or 1d")
    return seconds


@cache
def timeframe_text(seconds: int) -> str:
    """``60`` → ``1m``, ``3600`` → ``1h``, ``86400`` → ``1d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
