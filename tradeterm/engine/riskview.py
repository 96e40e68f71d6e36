"""What the screen shows of risk: limits, breakers, cool-downs, what blocks, the last verdicts.

Light on purpose, like ``view``: the console imports this before its first paint.
"""

from __future__ import annotations

import msgspec


class LimitView(msgspec.Struct, frozen=True):
    """One limit as used / allowed."""

    name: str
    used: float
    limit: float
    unit: str


class BreakerView(msgspec.Struct, frozen=True):
    """A breaker: how far it is from tripping, and what it does."""

    name: str
    used: float
    limit: float
    unit: str
    does: str
    tripped: int | None
    """When it tripped (market time); None while it did not, or was lifted or reset."""


class CooldownView(msgspec.Struct, frozen=True):
    """No entries until then."""

    cause: str
    symbol: str
    """``*``: all of them."""
    until: int


class VerdictView(msgspec.Struct, frozen=True):
    """One of the last verdicts."""

    id: str
    ts: int
    symbol: str
    side: str
    status: str
    codes: tuple[str, ...]


class RiskView(msgspec.Struct, frozen=True):
    """Risk at a glance."""

    limits: tuple[LimitView, ...] = ()
    breakers: tuple[BreakerView, ...] = ()
    cooldowns: tuple[CooldownView, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()
    """(symbol or ``*``, why no entry is possible there now)."""
    verdicts: tuple[VerdictView, ...] = ()
    """Newest first."""
