"""A page over the deck: help, or everything about one row. Esc closes it; nothing executes here.

Every page scrolls, is filtered with ``/``, goes from hit to hit with ``n`` and ``N``, and is copied
with ``y``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.screen import ModalScreen, Screen

from tradeterm.engine.view import ConsoleView
from tradeterm.tui import actions
from tradeterm.tui.action import key_text
from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import Ink, Line, grounded
from tradeterm.tui.panes.base import Pane
from tradeterm.tui.printable import printable
from tradeterm.tui.screens.framed import FramedScreen

Builder = Callable[[ConsoleView, int], Sequence[Line]]
FILTER_LIMIT = 40
#: Cells the page leaves free at the sides and at top and bottom.
_MARGIN_X, _MARGIN_Y = 8, 4
#: Lines that a key scrolls by.
_STEPS = {
    **dict.fromkeys(("j", "down"), 1),
    **dict.fromkeys(("k", "up"), -1),
    **dict.fromkeys(("ctrl+d", "pagedown", "space"), 10),
    **dict.fromkeys(("ctrl+u", "pageup"), -10),
    **dict.fromkeys(("g", "home"), -(10**6)),
    **dict.fromkeys(("G", "end"), 10**6),
}


class PagePane(Pane):
    """Lines that scroll."""

    NAME: ClassVar[str] = "page"

    def __init__(self, title: str, build: Builder, ink: Ink, view: ConsoleView) -> None:
        super().__init__(Choice(), ink)
        self._title = title
        self.build = build
        self.view = view
        self.filter = ""
        self.search = ""
        """The last filter: what n and N look for."""
        self.typing = False
        self.told = ""
        """Said in the frame instead of how much there is below."""
        self._hit = -1
        """The line n or N went to."""
        self._offset = 0
        self._more = 0

    def heading(self) -> str:
        shown = f" /{self.filter}{'_' if self.typing else ''}"
        return self._title + (shown if self.filter or self.typing else "")

    def hint(self) -> str:
        if self.typing:
            return "enter keeps · esc clears · !text: lines without it"
        hits = " · n N hits" if self.search else ""
        return f"esc closes · j/k scroll · / filter{hits} · y copy · H halts"

    def age(self) -> str:
        return self.told or (f"{self._more} more lines" if self._more else "")

    def lines(self, width: int) -> list[Line]:
        """All that stay under the filter."""
        lines = self.build(self.view, width)
        return [line for line in lines if _holds(line, self.filter)] if self.filter else [*lines]

    def inside(self, width: int, height: int) -> Sequence[Line]:
        lines = self.lines(width)
        self._offset = max(0, min(self._offset, len(lines) - height))
        self._more = max(0, len(lines) - self._offset - height)
        if 0 <= self._hit < len(lines):
            lines[self._hit] = grounded(lines[self._hit], "cursor", width)
        return lines[self._offset : self._offset + height]

    def type(self, key: str, character: str | None) -> None:
        """One key of the filter."""
        if key in {"enter", "escape"}:
            self.typing = False
            self.filter = self.filter if key == "enter" else ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif character and character.isprintable():
            self.filter = (self.filter + character)[:FILTER_LIMIT]
        self.search = self.filter or self.search
        self._hit = -1
        self.rebuild()

    def clear(self) -> None:
        """Every line again; what was searched for stays."""
        self.filter, self._hit = "", -1
        self.rebuild()

    def seek(self, by: int) -> None:
        """To the next line (previous: -1) with the text, round and round."""
        lines = self.lines(self.size.width - 4)
        hits = [at for at, line in enumerate(lines) if _holds(line, self.search)]
        if self.search and hits:
            after = [at for at in hits if (at - self._hit) * by > 0]
            self._hit = (after or hits)[0 if by > 0 else -1]
            self._offset = max(0, self._hit - (self.size.height - 2) // 2)
            self.told = f"{hits.index(self._hit) + 1} of {len(hits)} hits"
        else:
            self.told = f"nothing contains “{self.search}”" if self.search else "/ filters first"
        self.rebuild()

    def text(self) -> str:
        """What stands here, line by line, for the clipboard."""
        lines = self.lines(self.size.width - 4)
        return "\n".join(printable("".join(text for text, _ in line)).rstrip() for line in lines)

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines; rebuilt twice so that the count in the frame is right."""
        self._offset = max(0, self._offset + by)
        self.rebuild()


def keys_over(screen: Screen[Any]) -> str:
    """What the keys do on what lies over the deck; empty when nothing does."""
    if not isinstance(screen, ModalScreen):
        return ""
    pane = next(iter(screen.query(Pane)), None)
    return pane.legend() if pane else "enter does it · esc closes · H halts"


def dead_key(key: str, character: str | None) -> str:
    """Why a key does nothing on a page."""
    if actions.meant(key, ""):
        return f"{key_text(key)} not here: esc closes the page first"
    return f"{character} does nothing here" if character and character.isprintable() else ""


def _holds(line: Line, wanted: str) -> bool:
    """Whether the line contains it (``!text``: does not)."""
    text = "".join(part for part, _ in line).casefold()
    wanted = wanted.casefold()
    if wanted.startswith("!") and len(wanted) > 1:
        return wanted[1:] not in text
    return wanted in text


class PageScreen(FramedScreen[None]):
    """Help or detail."""

    pane: PagePane
    PANE: ClassVar[type[PagePane]] = PagePane
    FOOT: ClassVar[int] = 0
    """Lines kept free below the text."""
    WIDEST: ClassVar[int] = 96
    """Cells; longer lines are hard to read."""

    def __init__(self, title: str, build: Builder, ink: Ink, view: ConsoleView) -> None:
        super().__init__()
        self.pane = self.PANE(title, build, ink, view)
        self.pane.placed = True

    def fit(self) -> None:
        """As large as its text, as far as the terminal allows."""
        width = max(10, min(self.app.size.width - _MARGIN_X, self.WIDEST))
        needed = len(self.pane.lines(width - 4)) + self.FOOT + 2
        if self.pane.filter:  # fewer lines for a while: the frame stays where it is
            needed = max(needed, self.pane.outer_size.height)
        self.pane.styles.width = width
        self.pane.styles.height = max(5, min(self.app.size.height - _MARGIN_Y, needed))

    def show(self, view: ConsoleView) -> None:
        """A newer picture; the page grows and shrinks with what it says."""
        self.pane.view = view
        self.fit()
        self.pane.rebuild()

    def pressed(self, event: events.Key) -> None:
        if self.pane.typing:
            self.pane.type(event.key, event.character)
            return
        self.pane.told = ""
        if event.key == "escape" and self.pane.filter:
            self.pane.clear()
        elif event.key in {"escape", "q", "enter", "question_mark", "f1"}:
            self.dismiss(None)
        elif event.key == "slash":
            self.pane.typing = True
            self.pane.rebuild()
        elif event.key in {"n", "N"}:
            self.pane.seek(1 if event.key == "n" else -1)
        elif event.key == "y":
            self._copy()
        elif event.key in _STEPS:
            self.pane.scroll_lines(_STEPS[event.key])
        else:
            self.pane.told = dead_key(event.key, event.character)
            self.pane.rebuild()

    def _copy(self) -> None:
        text = self.pane.text()
        self.app.copy_to_clipboard(text)
        self.pane.told = f"copied {text.count(chr(10)) + 1} lines"
        self.pane.rebuild()

    def on_mouse_scroll_down(self) -> None:
        self.pane.scroll_lines(2)

    def on_mouse_scroll_up(self) -> None:
        self.pane.scroll_lines(-2)
