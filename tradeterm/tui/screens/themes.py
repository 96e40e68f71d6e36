"""Choosing the colours: every theme in a list, shown on the whole screen while the cursor is on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events

from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import BLANK, PALETTES, Ink, Line, fit, grounded
from tradeterm.tui.panes.base import Pane
from tradeterm.tui.screens.framed import FramedScreen
from tradeterm.tui.screens.text import dead_key

_NAME = 10
_WIDEST = 72


class ThemesPane(Pane):
    """One line per theme, then its colours with what they say."""

    NAME: ClassVar[str] = "themes"

    def __init__(self, ink: Ink) -> None:
        super().__init__(Choice(), ink)
        self.placed = True
        self.told = ""
        """Why the last key did nothing."""

    def age(self) -> str:
        return self.told

    def heading(self) -> str:
        return "Theme"

    def hint(self) -> str:
        return "j/k look · enter keeps · esc leaves it as it was"

    def inside(self, width: int, height: int) -> list[Line]:
        lines = [self._theme(each.name, each.about, width) for each in PALETTES]
        return [*lines, BLANK, _sample(), ((_KEEPING, "quiet"),)][:height]

    def _theme(self, name: str, about: str, width: int) -> Line:
        here = name == self.ink.palette.name
        line: Line = (
            ("› " if here else "  ", "accent+bold"),
            (fit(name, _NAME), "text+bold"),
            (fit(about, width - _NAME - 2), "quiet"),
        )
        return grounded(line, "cursor", width) if here else line


_KEEPING = "ctrl+s keeps it on this machine, console.theme for every run"


def _sample() -> Line:
    """Each colour on the word it stands for."""
    words = ("up", "down", "warn", "error", "accent", "quiet")
    return tuple((f"{word}  ", word) for word in words)


class ThemeScreen(FramedScreen[None]):
    """``show`` puts a theme on the whole screen; leaving puts the first one back."""

    pane: ThemesPane

    def __init__(self, ink: Ink, show: Callable[[str], Ink]) -> None:
        super().__init__()
        self.pane = ThemesPane(ink)
        self._before = ink.palette.name
        self._show = show

    def fit(self) -> None:
        """A line per theme, the sample, and the frame."""
        self.pane.styles.width = max(10, min(self.app.size.width - 6, _WIDEST))
        self.pane.styles.height = min(self.app.size.height, len(PALETTES) + 5)

    def pressed(self, event: events.Key) -> None:
        self.pane.told = ""
        step = {"j": 1, "down": 1, "t": 1, "k": -1, "up": -1}.get(event.key)
        if step:
            names = [each.name for each in PALETTES]
            self._put(names[(names.index(self.pane.ink.palette.name) + step) % len(names)])
        elif event.key == "enter":
            self.dismiss(None)
        elif event.key in {"escape", "q"}:
            self._put(self._before)
            self.dismiss(None)
        else:
            self.pane.told = dead_key(event.key, event.character)
            self.pane.rebuild()

    def _put(self, name: str) -> None:
        self.pane.ink = self._show(name)
        self.pane.repaint()
