"""Console settings (config/console.yaml): refresh rates, theme, guards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tradeterm.settings.section import Section

Seconds = Field(ge=0.05, le=60)


class RefreshSettings(Section):
    """Shortest time between two repaints of each pane, in seconds."""

    positions: float = Seconds
    conflicts: float = Seconds
    book: float = Seconds
    chart: float = Seconds
    events: float = Seconds
    agents: float = Seconds
    orders: float = Seconds
    safety: float = Seconds


class NotificationSettings(Section):
    """What is told to channels outside the screen (Apprise); none by default."""

    urls: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Variable (or name in .env) with the channels' addresses: they hold secrets."""
    least: Literal["info", "warning", "error", "critical"]
    """The mildest event that is told."""
    burst: int = Field(ge=1, le=100)
    """Messages in any ``per`` seconds; what comes beyond is one digest later."""
    per: float = Field(ge=1, le=86400)
    """Seconds."""


class MetricsSettings(Section):
    """Prometheus text on 127.0.0.1."""

    port: int = Field(ge=0, le=65535)
    """0: off."""


class ConsoleSettings(Section):
    """How the console looks and how careful its keys are; durations in seconds."""

    theme: Literal["dusk", "paper", "tide", "contrast"]
    """``t`` shows them all."""
    glyphs: Literal["auto", "unicode", "ascii"]
    """Frames, bars and candles: ``auto`` is ASCII where TERM or the locale lacks more."""
    tour: bool
    """Begin a first run of the simulated market with the guided start."""
    remember_layout: bool
    """Begin as ``^s`` kept it: pane, sizes, zoom, symbol, timeframe, theme, filters."""
    bell: bool
    """Ring when a card or an alarm comes while the terminal is not focused."""
    desktop: Literal["none", "osc9", "osc777"]
    """The same as a desktop notification, by the sequence the terminal knows."""
    idle_after: float = Field(ge=0, le=1440)
    """Minutes without a key until a banner says so; 0: never."""
    idle_pause: float = Field(ge=0, le=168)
    """Hours without a key until trading is paused (exits go on); 0: never. A key does not resume."""
    on_signal: Literal["keep", "cancel_entries", "halt"]
    """What a signal, a lost terminal or a dead screen does with what is open; ``q`` asks."""
    poll: float = Seconds
    """How often the engine's picture is looked at."""
    refresh: RefreshSettings
    question_timeout: float = Field(ge=3, le=60)
    """An unanswered question becomes No."""
    stale_after: float = Field(ge=1, le=600)
    """Approving is refused when no market event came for this long."""
    notifications: NotificationSettings
    metrics: MetricsSettings
