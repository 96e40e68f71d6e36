"""Numbers as the operator reads them: aligned, signed, with as many places as matter."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from tradeterm.model.money import decimals, plain
from tradeterm.model.timing import SECOND, clock_text, iso

#: Short names for the columns; the model's names are for files.
AGENTS = {
    "technical_analysis": "TA",
    "regime_detection": "regime",
    "sentiment_analysis": "sentiment",
    "trading_decision": "trading",
    "portfolio_rebalance": "portfolio",
}


def agent(name: str) -> str:
    """``technical_analysis`` → ``TA``."""
    return AGENTS.get(name, name)


places = lru_cache(maxsize=256)(decimals)


def price(value: Decimal | float | None, tick: Decimal | None = None) -> str:
    """With thousands separators, at the tick's places or at seven significant digits."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "?"
    if tick is not None:
        return f"{value:,.{places(tick)}f}"
    size = abs(float(value))
    digits = 8 if size == 0 else min(8, max(1, 6 - math.floor(math.log10(size))))
    text = f"{value:,.{digits}f}"
    head, _, tail = text.partition(".")
    return f"{head}.{tail.rstrip('0') or '0'}"


def size(value: Decimal) -> str:
    """A base quantity in at most nine characters below ten million, thousands separated."""
    if abs(value) >= 1000:
        return f"{value:,.1f}"
    digits = 6 if abs(value) < 10 else 5 if abs(value) < 100 else 4
    text = f"{value:.{digits}f}" if abs(value) >= Decimal("0.000001") else plain(value)
    head, _, tail = text.partition(".")
    return f"{head}.{tail.rstrip('0').ljust(4, '0')}" if tail else head


def quantity(value: float) -> str:
    """A book or volume figure in about six characters."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:,.2f}M"
    if value >= 10_000:
        return f"{value / 1000:,.1f}k"
    return f"{value:,.3f}" if value < 1000 else f"{value:,.0f}"


def money(value: Decimal | float) -> str:
    """Two places, thousands separated."""
    return f"{value:,.2f}"


def signed(value: Decimal | float) -> str:
    """Money with its sign; no minus before zero."""
    text = f"{value:+,.2f}"
    return "0.00" if text in {"+0.00", "-0.00"} else text


def percent(value: float, digits: int = 1) -> str:
    """A percentage without its sign."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def age(seconds: float | None) -> str:
    """``0.2s``, ``14s``, ``3m05``, ``2h07``; – before the first event."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}"
    if whole < 100 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d"


def countdown(until: int, now: int) -> str:
    """``0:41`` of market time; ``0:00`` once over."""
    left = max(0, until - now + SECOND - 1) // SECOND
    if left >= 3600:
        return f"{left // 3600}h{left % 3600 // 60:02d}"
    return f"{left // 60}:{left % 60:02d}"


def speed(value: float) -> str:
    """``60×``, ``max`` or ``stopped``."""
    if value == 0:
        return "stopped"
    if math.isinf(value):
        return "max"
    return f"{value:g}×"


def clock(ts: int) -> str:
    """``HH:MM:SS`` of market time, UTC; dashes before the first event."""
    return clock_text(ts) if ts > 0 else "--:--:--"


def moment(ts: int | None) -> str:
    """``2025-06-02 14:02:07Z (19:32 local)``: where one time is read alone; – for none."""
    if ts is None:
        return "–"
    return f"{iso(ts)[:19].replace('T', ' ')}Z{_here(ts)}"


def when(ts: int | None) -> str:
    """The same without its date: ``14:02:07Z (19:32 local)``."""
    return "–" if ts is None else f"{clock(ts)}Z{_here(ts)}"


def _here(ts: int) -> str:
    """The operator's clock in brackets, with its date where that is another; not when it is UTC."""
    there = datetime.fromtimestamp(ts // SECOND, UTC)
    here = there.astimezone()
    if not here.utcoffset():
        return ""
    day = "" if here.date() == there.date() else f"{here.day} {here:%b} "
    return f" ({day}{here:%H:%M} local)"


def bar(share: float, width: int, full: str = "━", empty: str = "─") -> tuple[str, str]:
    """The filled and the empty part of a gauge; ``share`` is cut to 0–1."""
    share = 0.0 if not math.isfinite(share) else min(1.0, max(0.0, share))
    filled = min(width, math.ceil(share * width - 1e-9))
    return full * filled, empty * (width - filled)
