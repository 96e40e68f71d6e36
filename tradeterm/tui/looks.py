"""How the console looks: colours, no colours, ASCII; chosen by settings, terminal, or a key."""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.filter import LineFilter

from tradeterm.tui.choice import Choice
from tradeterm.tui.deck import Deck
from tradeterm.tui.glyphs import AsciiFilter, ascii_terminal
from tradeterm.tui.ink import PALETTES, Ink, palette, textual_theme
from tradeterm.tui.lifecycle import Lifecycle
from tradeterm.tui.options import ConsoleOptions
from tradeterm.tui.printable import ControlFilter, PlainFilter
from tradeterm.tui.session import EngineSession


class Looks(Lifecycle):
    """The part of the console that knows colours and signs."""

    def __init__(self, session: EngineSession, options: ConsoleOptions) -> None:
        self._ascii = AsciiFilter()
        self._plain = PlainFilter()
        self._last_line = ControlFilter()
        super().__init__(session)
        for colours in PALETTES:
            self.register_theme(textual_theme(colours))
        self.only_ascii = _only_ascii(options)
        self.ink = self._ink(options.theme)
        self.theme = self.ink.palette.name
        self.choice = Choice()
        self.deck = Deck(self.choice, self.ink)

    def begin_in_ascii(self) -> None:
        """Before the first paint: the operator asked for it on the command line."""
        self.only_ascii = True
        self.ink.shapes = True

    def use_looks(self, options: ConsoleOptions) -> None:
        """What the settings say, once they are read."""
        self.only_ascii = _only_ascii(options)
        self.use_theme(options.theme)

    def action_themes(self) -> None:
        from tradeterm.tui.screens.themes import ThemeScreen

        self.push_screen(ThemeScreen(self.ink, self.use_theme))

    def use_theme(self, name: str) -> Ink:
        """Other colours, at once."""
        self.ink = self._ink(name)
        self.theme = self.ink.palette.name
        for pane in self.deck.panes.values():
            pane.ink = self.ink
        self.deck.repaint()
        return self.ink

    def _ink(self, theme: str) -> Ink:
        return Ink(palette(theme), shapes=self.no_color or self.only_ascii)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own (NO_COLOR replaced by ours), ASCII where nothing else arrives, the last line."""
        colours = [self._plain] if self.no_color else super().get_line_filters()
        signs = [self._ascii] if self.only_ascii else []
        return [*colours, *signs, self._last_line]


def _only_ascii(options: ConsoleOptions) -> bool:
    """``auto`` leaves it to what the terminal says of itself."""
    by_itself = options.glyphs == "auto" and ascii_terminal(os.environ)
    return by_itself or options.glyphs == "ascii"
