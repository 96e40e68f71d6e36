"""A page over the deck: help, or everything about one row. Esc closes it; nothing executes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from tradeterm.engine.view import ConsoleView
from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import Ink, Line
from tradeterm.tui.panes.base import Pane

Builder = Callable[[ConsoleView, int], Sequence[Line]]
#: Cells the page leaves free at the sides and at top and bottom.
_MARGIN_X, _MARGIN_Y = 8, 4


class PagePane(Pane):
    """Lines that scroll."""

    NAME: ClassVar[str] = "page"

    def __init__(self, title: str, build: Builder, ink: Ink, view: ConsoleView) -> None:
        super().__init__(Choice(), ink)
        self._title = title
        self.build = build
        self.view = view
        self._offset = 0
        self._more = 0

    def heading(self) -> str:
        return self._title

    def hint(self) -> str:
        return "esc closes · j/k scroll · H halts"

    def age(self) -> str:
        return f"{self._more} more lines" if self._more else ""

    def inside(self, width: int, height: int) -> Sequence[Line]:
        lines = list(self.build(self.view, width))
        self._offset = max(0, min(self._offset, len(lines) - height))
        self._more = max(0, len(lines) - self._offset - height)
        return lines[self._offset : self._offset + height]

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines; rebuilt twice so that the count in the frame is right."""
        self._offset = max(0, self._offset + by)
        self.rebuild()


class PageScreen(ModalScreen[None]):
    """Help or detail."""

    CSS_PATH = Path(__file__).with_name("screens.tcss")
    PANE: ClassVar[type[PagePane]] = PagePane
    WIDEST: ClassVar[int] = 96
    """Cells; longer lines are hard to read."""

    def __init__(self, title: str, build: Builder, ink: Ink, view: ConsoleView) -> None:
        super().__init__()
        self.pane = self.PANE(title, build, ink, view)
        self.pane.placed = True

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.fit()

    def on_resize(self, event: events.Resize) -> None:
        self.fit()

    def fit(self) -> None:
        """As large as its text, as far as the terminal allows."""
        width = max(10, min(self.app.size.width - _MARGIN_X, self.WIDEST))
        needed = len(self.pane.build(self.pane.view, width - 4)) + 2
        self.pane.styles.width = width
        self.pane.styles.height = max(5, min(self.app.size.height - _MARGIN_Y, needed))

    def show(self, view: ConsoleView) -> None:
        """A newer picture; the page grows and shrinks with what it says."""
        self.pane.view = view
        self.fit()
        self.pane.rebuild()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if not self.is_active:  # answered already; this key was typed behind the last one
            return
        steps = {
            "j": 1,
            "down": 1,
            "k": -1,
            "up": -1,
            "g": -(10**6),
            "home": -(10**6),
            "G": 10**6,
            "end": 10**6,
            "ctrl+d": 10,
            "pagedown": 10,
            "space": 10,
            "ctrl+u": -10,
            "pageup": -10,
        }
        if event.key in {"escape", "q", "enter", "question_mark", "f1"}:
            self.dismiss(None)
        elif event.key in steps:
            self.pane.scroll_lines(steps[event.key])

    def on_mouse_scroll_down(self) -> None:
        self.pane.scroll_lines(2)

    def on_mouse_scroll_up(self) -> None:
        self.pane.scroll_lines(-2)
