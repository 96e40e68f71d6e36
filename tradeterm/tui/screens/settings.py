"""The settings in force with their origins; those that may change now are changed from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events

from tradeterm.engine.view import ConsoleView
from tradeterm.errors import ConfigError
from tradeterm.tui.ink import Ink, Line, clip, wrap
from tradeterm.tui.printable import printable
from tradeterm.tui.screens.cursor import CursorPane
from tradeterm.tui.screens.report import ReportScreen

if TYPE_CHECKING:
    from tradeterm.adapters.store.reader import Reader
    from tradeterm.holding import Held
    from tradeterm.settings.settings import Settings

_LONGEST = 60


class Found(NamedTuple):
    """What the page shows, and what a new value is checked with."""

    held: Sequence[Held]
    settings: Settings


class Diff(NamedTuple):
    """A change that was typed and passed every check."""

    key: str
    was: str
    now: str
    origin: str
    """Where the present value came from."""
    looser: bool

    def __str__(self) -> str:
        return f"{self.key}  {self.was} → {self.now}  (was {self.origin})"


def read(reader: Reader) -> Found:
    """What the run in the file is under."""
    from tradeterm.holding import in_force, settings_in_force

    return Found(in_force(reader), settings_in_force(reader))


def lines(found: Found, width: int) -> Sequence[Line]:
    """Every key with its value and origin; a star: may change now."""
    written: list[Line] = []
    for each in found.held:
        star = " " if each.fixed else "*"
        text = clip(printable(f"{star} {each.key} = {each.value}"), width)
        packaged = each.origin == "default"
        told = f"   default {each.default}" + f" · {each.origin}" * (each.origin != "")
        origin = "" if packaged else clip(printable(told), width - len(text))
        written.append(((text, "text" if packaged else "warn"), (origin, "quiet")))
    return written


class SettingsPane(CursorPane):
    """A line to type a value in."""

    NAME: ClassVar[str] = "settings"
    asked = ""
    """What the typed text is for; empty while nothing is typed."""
    value = ""
    note = ""
    """Said at the foot, until the next key."""

    def hint(self) -> str:
        if self.asked:
            return "enter checks it · esc leaves it as it is"
        if self.typing:
            return super().hint()
        return "j/k choose · enter changes a * · / filter · esc closes"

    def foot(self, width: int) -> Sequence[Line]:
        """What is being typed, or what was said last."""
        asked: list[Line] = (
            [((f"{self.asked}: {self.value}", "accent+bold"), ("▏", "accent"))]
            if self.asked
            else []
        )
        told: list[Line] = [((part, "warn"),) for part in wrap(self.note, width)[:4]]
        return [*told, *asked] if self.note else asked

    def key(self) -> str:
        """Of the setting under the cursor."""
        return self.chosen()[2:].partition(" = ")[0]

    def tell(self, text: str) -> None:
        """At the foot, until the next key."""
        self.note = printable(text)
        self.rebuild()


class SettingsScreen(ReportScreen):
    """Enter asks for a value; what passes every check is shown as a difference and handed on."""

    PANE: ClassVar[type[SettingsPane]] = SettingsPane
    FOOT: ClassVar[int] = 5

    def __init__(
        self, store: Path, ink: Ink, view: ConsoleView, change: Callable[[Diff], str]
    ) -> None:
        """``change`` hands it on, or says why not."""
        super().__init__("Settings", store, read, lines, ink, view)
        self._change = change
        self._seen = view.overrides

    @property
    def settings(self) -> SettingsPane:
        """The pane, as what it is here."""
        assert isinstance(self.pane, SettingsPane)
        return self.pane

    def show(self, view: ConsoleView) -> None:
        """A change came into force: read again."""
        if view.overrides != self._seen:
            self._seen = view.overrides
            self._look()

    def pressed(self, event: events.Key) -> None:
        pane = self.settings
        if pane.asked:
            self._typed(event)
        elif pane.typing:
            super().pressed(event)
        elif event.key == "enter":
            self._begin(pane.key())
        elif pane.step(event.key):
            pane.tell("")
        else:
            super().pressed(event)

    def _begin(self, key: str) -> None:
        if not isinstance(self._found, Found):
            return
        held = next((each for each in self._found.held if each.key == key), None)
        if held is None:
            return
        if held.fixed:
            self.settings.tell(held.fixed)
        else:
            self.settings.asked, self.settings.value = key, ""
            self.settings.tell(f"now {held.value} ({held.origin})")

    def _typed(self, event: events.Key) -> None:
        pane = self.settings
        if event.key == "escape" or (event.key == "enter" and not pane.value):
            pane.asked = ""
            pane.tell("nothing was changed")
        elif event.key == "enter":
            key, pane.asked = pane.asked, ""
            self._check(key, pane.value)
        elif event.key == "backspace":
            pane.value = pane.value[:-1]
        elif event.character and event.character.isprintable():
            pane.value = (pane.value + event.character)[:_LONGEST]
        pane.rebuild()

    def _check(self, key: str, text: str) -> None:
        try:
            diff = difference(self._found, key, text)
        except ConfigError as error:
            self.settings.tell(str(error))
            return
        if diff.was == diff.now:
            self.settings.tell(f"{key} is {diff.was} already")
        else:
            self.settings.tell(self._change(diff) or f"{diff.key}: {diff.was} → {diff.now}")


def difference(found: Found, key: str, text: str) -> Diff:
    """What the typed value would change; ConfigError when it may not stand there."""
    from tradeterm.settings.changing import changed, is_looser, value_of

    was = value_of(found.settings, key)
    now = value_of(changed(found.settings, {key: text}), key)
    origin = next(each.origin for each in found.held if each.key == key)
    return Diff(key, was, now, origin, is_looser(key, was, now))
