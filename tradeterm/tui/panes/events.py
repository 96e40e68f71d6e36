"""The event log: the newest at the foot, unless the operator is reading further up."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.view import ConsoleView, EventView
from tradeterm.model.timing import iso
from tradeterm.tui import figures
from tradeterm.tui.ink import Line, fit
from tradeterm.tui.panes.base import ListPane

_KINDS = {
    "FILL": "up",
    "POS": "up",
    "RISK": "warn",
    "LEVEL": "warn",
    "CONF": "accent",
    "CMD": "accent",
    "ERROR": "error",
    "STATE": "warn",
}
_SEVERITY = {"warning": "warn", "error": "error", "critical": "error+bold"}


class EventsPane(ListPane):
    """One line per event; follows the newest until the cursor moves up."""

    NAME: ClassVar[str] = "events"
    KEY: ClassVar[str] = "5"
    TITLE: ClassVar[str] = "Events"
    HEADER_ROWS: ClassVar[int] = 0
    HINTS = (
        ("filter", "filter"),
        ("errors_only", "errors only"),
        ("follow_events", "follow"),
        ("detail", "detail"),
        ("copy_id", "copy"),
    )

    errors_only = False
    following = True

    def part_of(self, view: ConsoleView) -> object:
        last = view.events[-1].seq if view.events else 0
        return last, len(view.events), figures.age(view.status.data_age)

    def heading(self) -> str:
        words = ["Events"]
        if self.errors_only:
            words.append("· errors and warnings only")
        if self.filter:
            words.append(self.counted(len(self._kept()), len(self.view.events)))
        return " ".join(words)

    def age(self) -> str:
        return "following" if self.following else "reading · f follows"

    def _kept(self) -> list[EventView]:
        return [
            each
            for each in self.view.events
            if (not self.errors_only or each.severity != "info")
            and self.passes(each.text, each.kind)
        ]

    def ids(self) -> list[str]:
        return [str(each.seq) for each in self._kept()]

    def inside(self, width: int, height: int) -> list[Line]:
        self._kept_now = {str(each.seq): each for each in self._kept()}
        if self.following and self._kept_now:
            self.selected = next(reversed(self._kept_now))
        return super().inside(width, height)

    def current(self) -> EventView | None:
        """The event under the cursor."""
        return next((each for each in self.view.events if str(each.seq) == self.selected), None)

    def move_to(self, row_id: str) -> None:
        """Reading further up ends with the newest row."""
        self.following = row_id == self.ids()[-1]
        super().move_to(row_id)

    def follow(self, on: bool) -> None:
        """Whether the cursor goes along with the newest event."""
        self.following = on
        self.rebuild()

    def copied(self, whole: bool) -> str:
        event = self.current()
        if event is None:
            return ""
        stamp = f"{iso(event.ts)} {event.kind} {event.severity} "
        return (stamp if whole else "") + event.text

    def empty(self) -> tuple[str, ...]:
        if self.errors_only and self.view.events:
            return ("no warnings or errors · e shows everything",)
        return ("fills, refusals, conflicts and level changes appear here as they happen",)

    def row(self, row_id: str, width: int) -> Line:
        event = self._kept_now[row_id]
        severity = _SEVERITY.get(event.severity)
        kind = _KINDS.get(event.kind, "quiet")
        loud = event.severity in {"error", "critical"} and event.kind.lower() != event.severity
        word = f"{event.severity.upper()}: " if loud else ""
        return (
            (figures.clock(event.ts) + " ", "quiet"),
            (fit(event.kind, 5) + " ", kind),
            (word + event.text, severity or "text"),
        )

    def _cursor(self, line: Line, row_id: str, width: int) -> Line:
        if self.following and not self.has_focus:
            return line
        return super()._cursor(line, row_id, width)
