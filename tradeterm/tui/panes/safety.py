"""Safety: the degradation level, why, and how much of each limit is used."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.riskview import LimitView
from tradeterm.engine.view import ConsoleView, FeedLine
from tradeterm.tui import figures
from tradeterm.tui.ink import BLANK, Line, Part, clip, fit, wrap
from tradeterm.tui.panes.base import Pane

LEVELS = ("NORMAL", "REDUCED", "LIMITED", "EMERGENCY")
ROLES = {"NORMAL": "up", "REDUCED": "warn", "LIMITED": "warn", "EMERGENCY": "error"}
MEANING = {
    "NORMAL": "everything allowed",
    "REDUCED": "no sentiment, no model fan-out",
    "LIMITED": "model for regime conflicts only",
    "EMERGENCY": "no new exposure; exits always work",
}


class SafetyPane(Pane):
    """Levels with the active one marked, its cause, and gauges with words."""

    NAME: ClassVar[str] = "safety"
    KEY: ClassVar[str] = "8"
    TITLE: ClassVar[str] = "Safety"
    HINTS = (
        ("level", "level"),
        ("halt", "halt"),
        ("pause", "pause or resume"),
        ("detail", "all of it"),
    )

    def part_of(self, view: ConsoleView) -> object:
        status = view.status
        return (
            view.risk.limits,
            view.risk.blocked[:1],
            status.level,
            status.level_cause,
            self.view_level(view),
            status.state,
            status.state_reason,
            figures.age(status.data_age),
            status.feed and feed_words(status.feed),
        )

    @staticmethod
    def view_level(view: ConsoleView) -> object:
        """Drills count down by the second."""
        return view.level, view.level.drills and view.status.market_time // 10**9

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def inside(self, width: int, height: int) -> list[Line]:
        status = self.view.status
        level: list[Part] = []
        for name in LEVELS:
            active = name == status.level
            text = f"›{name}‹" if active else name
            level.append((text + " ", ROLES[name] + "+bold" if active else "quiet"))
        lines: list[Line] = [tuple(level)]
        lines += level_lines(self.view, width)
        state = status.state.upper()
        role = {"running": "up+bold", "halted": "error+bold"}.get(status.state, "warn+bold")
        reason = "" if status.state == "running" else f" {status.state_reason}"
        lines.append((("trading ", "quiet"), (state, role), (clip(reason, width - 16), "text")))
        if status.feed:
            words, tone = feed_words(status.feed)
            lines.append((("feed    ", "quiet"), (clip(words, width - 8), tone)))
        lines.append(BLANK)
        if not self.view.risk.limits:
            lines += [
                ((part, "quiet"),) for part in wrap("limits appear with the first equity", width)
            ]
        lines += gauges(self.view.risk.limits, width)
        return lines[:height]


def level_lines(view: ConsoleView, width: int) -> list[Line]:
    """Why the level is what it is, what ends that, and what it leaves allowed."""
    level = view.level
    lines: list[Line] = []
    for drill in level.drills:
        left = figures.countdown(drill.until, view.status.market_time)
        lines.append((("DRILL   ", "warn+bold"), (f"{drill.name}, {left} left", "warn")))
    if not level.causes:
        cause = view.status.level_cause or MEANING.get(view.status.level, "–")
        word = "cause   " if view.status.level_cause else "means   "
        return [*lines, ((word, "quiet"), (clip(cause, width - 8), "text"))]
    worst = max(level.causes, key=lambda one: LEVELS.index(one.level))
    more = f" +{len(level.causes) - 1} more" if len(level.causes) > 1 else ""
    lines.append((("cause   ", "quiet"), (clip(worst.text + more, width - 8), "warn")))
    lines.append((("until   ", "quiet"), (clip(worst.recovers, width - 8), "text")))
    forbidden = ", ".join(one.what for one in level.permits if not one.allowed)
    allowed = ", ".join(one.what for one in reversed(level.permits) if one.allowed)
    lines += _wrapped("forbids ", forbidden or "nothing", width, "warn")
    return [*lines, *_wrapped("allows  ", allowed, width, "text")]


def _wrapped(label: str, text: str, width: int, role: str) -> list[Line]:
    """Two lines at most: limits need their place, too."""
    parts = wrap(text, max(10, width - len(label)))[:2]
    return [
        ((label if place == 0 else " " * len(label), "quiet"), (part, role))
        for place, part in enumerate(parts)
    ]


def feed_words(feed: tuple[FeedLine, ...]) -> tuple[str, str]:
    """How the live market reaches us, what it has been through, and the tone to say it in."""
    worst = next((s for s in ("down", "polling") if any(line.source == s for line in feed)), "")
    role = {"down": "error", "polling": "warn"}.get(worst, "text")
    counts = (
        (max(line.reconnects for line in feed), "reconnect"),
        (sum(line.resyncs for line in feed), "resync"),
        (sum(line.rejected for line in feed), "refused"),
    )
    told = [f"{count} {word}" for count, word in counts if count]
    return " · ".join([worst or "websocket", *told]), role


def gauges(limits: tuple[LimitView, ...], width: int) -> list[Line]:
    """One line per limit: name, used / allowed, bar, and a word when it is close."""
    names = max((len(limit.name) for limit in limits), default=0) + 1
    figures_wide = max((len(_amount(limit)) for limit in limits), default=0)
    room = max(3, min(40, width - names - figures_wide - 1 - 5))
    return [_gauge(limit, min(names, 16), figures_wide, room) for limit in limits]


def _gauge(limit: LimitView, name: int, amount: int, room: int) -> Line:
    share = limit.used / limit.limit if limit.limit > 0 else 1.0
    role = "error" if share >= 1 else "warn" if share >= 0.8 else "accent"
    word = " OVER" if share >= 1 else " near" if share >= 0.8 else ""
    full, empty = figures.bar(share, room)
    return (
        (fit(limit.name, name), "quiet"),
        (fit(_amount(limit), amount, ">") + " ", "text"),
        (full, role),
        (empty, "faint"),
        (word, role),
    )


def _amount(limit: LimitView) -> str:
    unit = f" {limit.unit}" if limit.unit else ""
    return f"{_figure(limit.used)} / {_figure(limit.limit)}{unit}"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.1f}"
