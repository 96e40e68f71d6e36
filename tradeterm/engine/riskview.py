"""What the screen shows of risk: limits, breakers, cool-downs, what blocks, the last verdicts.

Light on purpose, like ``view``: the console imports this before its first paint.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit as used / allowed."""

    name: str
    used: float
    limit: float
    unit: str


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker: how far it is from tripping, and what it does."""

    name: str
    used: float
    limit: float
    unit: str
    does: str
    tripped: int | None
    """When it tripped (market time); None while it did not, or was lifted or reset."""


@dataclass(frozen=True, slots=True)
class CooldownView:
    """No entries until then."""

    cause: str
    symbol: str
    """``*``: all of them."""
    until: int


@dataclass(frozen=True, slots=True)
class VerdictView:
    """One of the last verdicts."""

    id: str
    ts: int
    symbol: str
    side: str
    status: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RiskView:
    """Risk at a glance."""

    limits: tuple[LimitView, ...] = ()
    breakers: tuple[BreakerView, ...] = ()
    cooldowns: tuple[CooldownView, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()
    """(symbol or ``*``, why no entry is possible there now)."""
    verdicts: tuple[VerdictView, ...] = ()
    """Newest first."""
