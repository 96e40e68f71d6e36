"""How the console behaves, as plain values: the screen never imports the settings' machinery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import fields, replace


def _seconds() -> dict[str, float]:
    return {
        "positions": 0.5,
        "conflicts": 0.1,
        "book": 0.1,
        "chart": 1.0,
        "events": 0.2,
        "agents": 1.0,
        "orders": 0.5,
        "safety": 0.5,
    }


class ConsoleOptions(msgspec.Struct, frozen=True):
    """Everything config/console.yaml says; durations in seconds."""

    poll: float = 0.1
    """How often the picture is looked at."""
    refresh: dict[str, float] = msgspec.field(default_factory=_seconds)
    """Pane → shortest time between two repaints."""
    theme: str = "dusk"
    glyphs: str = "auto"
    """``unicode``, ``ascii``, or what TERM and the locale say."""
    bell: bool = True
    """Ring when a card or an alarm comes while the terminal is not focused."""
    desktop: str = "none"
    """The same as a desktop notification: ``none``, ``osc9`` or ``osc777``."""
    idle_after: float = 0.0
    """Minutes without a key until the idle banner; 0: never."""
    idle_pause: float = 0.0
    """Hours without a key until trading is paused; 0: never."""
    question_timeout: float = 10.0
    """Unanswered questions become No after this."""
    repeat_guard: float = 0.4
    """A second identical order within this time is a key held down."""
    arm_delay: float = 0.3
    """Keys typed before a question or card was readable are ignored for this long."""
    typed_delay: float = 1.0
    """The same for typed confirmations, where a held key must do nothing."""
    stale_after: float = 10.0
    """Approving is refused when no market event came for this long."""
    on_signal: str = "keep"
    """What becomes of what is open when nobody can be asked; said when ``q`` asks."""
    notice_time: float = 6.0
    """How long a message stays."""
    stop_deadline: float = 5.0
    """How long quitting waits for the engine."""
    layout: Path | None = None
    """Where the operator's layout is kept; None: nowhere."""
    tour: bool = False
    """Begin the guided start: the first run of a simulated market in this file."""


def preferred(options: ConsoleOptions, overrides: Mapping[str, str]) -> ConsoleOptions:
    """The options with what an operator changed while the run goes on (``console.…`` → text)."""
    kinds: dict[str, Any] = {field.name: field.type for field in fields(options)}
    changes: dict[str, Any] = {}
    for key, text in overrides.items():
        section, _, name = key.partition(".")
        if section != "console":
            continue
        group, _, inner = name.partition(".")
        if inner:
            changes[group] = {**changes.get(group, getattr(options, group)), inner: float(text)}
        elif name in kinds:
            changes[name] = msgspec.convert(text, kinds[name], strict=False)
    return replace(options, **changes)
