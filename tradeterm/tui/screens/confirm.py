"""Questions over the deck: a typed word for what is global, y for leaving open things behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events

from tradeterm.tui.choice import Choice
from tradeterm.tui.ink import BLANK, Ink, Line, wrap
from tradeterm.tui.panes.base import Pane
from tradeterm.tui.screens.framed import FramedScreen

_WIDEST = 72


class QuestionPane(Pane):
    """Facts, then what to type."""

    NAME: ClassVar[str] = "question"

    def __init__(self, title: str, facts: Sequence[str], ink: Ink) -> None:
        super().__init__(Choice(), ink)
        self.placed = True
        self._title = title
        self._facts = facts
        self.cancels = "anything else, esc and enter: "
        """The keys that leave it."""
        self.answers: Sequence[Line] = ()
        self.hurried = False

    def heading(self) -> str:
        return self._title

    def legend(self) -> str:
        return "the question above waits · esc leaves it · H halts"

    def lines(self, width: int) -> list[Line]:
        """Everything inside the frame."""
        facts: list[Line] = [
            ((part, "text"),) for fact in self._facts for part in wrap(fact, width)
        ]
        return [
            BLANK,
            *facts,
            BLANK,
            *self.answers,
            (
                ("typed too early, not counted: again · esc ", "warn")
                if self.hurried
                else (self.cancels, "quiet"),
                ("Cancel", "text+bold"),
                (" · H halts", "quiet"),
            ),
        ]

    def hurry(self, hurried: bool) -> None:
        """Say, or say no longer, that a key came before the question could be read."""
        if hurried != self.hurried:
            self.hurried = hurried
            self.rebuild()

    def inside(self, width: int, height: int) -> list[Line]:
        lines = self.lines(width)
        last = len(self.answers) + 1
        return lines if len(lines) <= height else [*lines[: height - last], *lines[-last:]]


class QuestionScreen(FramedScreen[bool]):
    """Base: keys typed before it was readable do nothing."""

    pane: QuestionPane

    def __init__(
        self, title: str, facts: Sequence[str], ink: Ink, clock: Callable[[], float], delay: float
    ) -> None:
        super().__init__()
        self.pane = QuestionPane(title, facts, ink)
        self._clock = clock
        self._delay = delay
        self._shown: float | None = None
        self._lost = False

    def on_mount(self) -> None:
        super().on_mount()
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._shown = self._clock()

    def fit(self) -> None:
        """Size the box to its text."""
        width = max(10, min(self.app.size.width - 6, _WIDEST))
        self.pane.styles.width = width
        self.pane.styles.height = min(self.app.size.height, len(self.pane.lines(width - 4)) + 2)

    def pressed(self, event: events.Key) -> None:
        if event.key == "enter" and self._lost:  # behind a word that lost letters
            self._lost = False
            self.pane.hurry(True)
        elif event.key in {"escape", "enter"}:
            self.dismiss(False)
        elif self._shown is not None and self._clock() - self._shown >= self._delay:
            self.pane.hurry(False)
            self.typed(event)
        elif event.is_printable:
            self._lost = True
            self.pane.hurry(True)

    def typed(self, event: events.Key) -> None:
        """A key that counts."""
        raise NotImplementedError


class TypedScreen(QuestionScreen):
    """Done only when the word is typed in full; a wrong letter changes nothing."""

    def __init__(
        self,
        word: str,
        title: str,
        facts: Sequence[str],
        ink: Ink,
        clock: Callable[[], float],
        delay: float,
    ) -> None:
        super().__init__(title, facts, ink, clock, delay)
        self.pane.cancels = "esc and enter: "  # a wrong letter only leaves the word incomplete
        self.word = word
        self.text = ""
        self._answer()

    def _answer(self) -> None:
        answer: Line = (
            ("type ", "text"),
            (self.word, "warn+bold"),
            (" to do it:  ", "text"),
            (self.text, "accent+bold"),
            ("▏", "accent"),
        )
        self.pane.answers = (answer,)

    def typed(self, event: events.Key) -> None:
        if event.key == "backspace":
            self.text = self.text[:-1]
        elif event.character and event.character.isprintable():
            self.text = (self.text + event.character)[-len(self.word) :]
        self._answer()
        self.pane.rebuild()
        if self.text == self.word:
            self.dismiss(True)


class QuitScreen(QuestionScreen):
    """Leaving while something is open; ``choice`` is the key it was left with."""

    def __init__(
        self,
        facts: Sequence[str],
        choices: Mapping[str, str],
        ink: Ink,
        clock: Callable[[], float],
        delay: float,
    ) -> None:
        super().__init__("Quit?", facts, ink, clock, delay)
        self.choice = ""
        self._choices = choices
        self.pane.answers = [
            ((key, "accent+bold"), (f"  {words}", "text")) for key, words in choices.items()
        ]

    def typed(self, event: events.Key) -> None:
        self.choice = event.key
        self.dismiss(event.key in self._choices)
