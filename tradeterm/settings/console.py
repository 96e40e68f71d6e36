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


class ConsoleSettings(Section):
    """How the console looks and how careful its keys are; durations in seconds."""

    theme: Literal["dusk", "paper", "contrast"]
    bell: bool
    """Ring when a card appears while the terminal is not focused."""
    poll: float = Seconds
    """How often the engine's picture is looked at."""
    refresh: RefreshSettings
    question_timeout: float = Field(ge=3, le=60)
    """An unanswered question becomes No."""
    stale_after: float = Field(ge=1, le=600)
    """Approving is refused when no market event came for this long."""
