"""One pane in the middle over the deck: pages, questions, lists to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from tradeterm.tui.panes.base import Pane

Result = TypeVar("Result")


class FramedScreen(ModalScreen[Result]):
    """Base: no key gets past it; ``fit`` says how large it is."""

    CSS_PATH = Path(__file__).with_name("screens.tcss")
    pane: Pane

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.fit()

    def on_resize(self, event: events.Resize) -> None:
        self.fit()

    def fit(self) -> None:
        """Size the pane to what it says and to the terminal."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self.is_active:  # else answered already: this key was typed behind the last one
            self.pressed(event)

    def pressed(self, event: events.Key) -> None:
        """A key while it is the one in front."""
        raise NotImplementedError
