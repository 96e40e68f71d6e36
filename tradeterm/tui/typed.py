"""Lines typed at the foot of the screen: a filter, an amount, or a y that confirms one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple, Protocol

from tradeterm.model.money import floor_to
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.printable import printable

_LONGEST = 40


class Prompt(NamedTuple):
    """What the line shows."""

    label: str
    text: str
    hint: str


class Typed(Protocol):
    """Something being typed."""

    @property
    def prompt(self) -> Prompt:
        """What to show."""
        ...

    def take(self, key: str, character: str | None) -> bool:
        """One key; False when the line is finished."""
        ...

    def paste(self, text: str) -> None:
        """Text from the clipboard: into a line, never an answer and never the end of it."""
        ...

    def over(self, now: float) -> bool:
        """Whether it has waited too long and means No."""
        ...


def _edited(text: str, key: str, character: str | None) -> str:
    if key == "backspace":
        return text[:-1]
    if character and character.isprintable():
        return (text + character)[:_LONGEST]
    return text


def _with(text: str, pasted: str) -> str:
    """As much of the first line as fits."""
    line, _, _ = pasted.strip().partition("\n")
    return (text + printable(line).strip())[:_LONGEST]


@dataclass(slots=True)
class FilterLine:
    """Narrows a pane while it is typed."""

    pane: ListPane

    @property
    def prompt(self) -> Prompt:
        return Prompt("filter: ", self.pane.filter, "enter keeps · esc clears · H still halts")

    def take(self, key: str, character: str | None) -> bool:
        if key == "enter":
            return False
        self.pane.set_filter("" if key == "escape" else _edited(self.pane.filter, key, character))
        return key != "escape"

    def paste(self, text: str) -> None:
        """A row's id, most likely."""
        self.pane.set_filter(_with(self.pane.filter, text))

    def over(self, now: float) -> bool:
        """A filter may wait."""
        del now
        return False


@dataclass(slots=True)
class AmountLine:
    """A size, a price, a few words; ``done`` gets what was typed, ``left`` is told when it was not."""

    label: str
    done: Callable[[str], None]
    left: Callable[[], None]
    enter: str = "sends"
    """What enter does with it."""
    text: str = field(default="", init=False)

    @property
    def prompt(self) -> Prompt:
        return Prompt(self.label, self.text, f"enter {self.enter} · esc leaves it · H still halts")

    def take(self, key: str, character: str | None) -> bool:
        if key == "enter" and self.text:
            self.done(self.text.strip())
            return False
        if key in {"enter", "escape"}:
            self.left()
            return False
        self.text = _edited(self.text, key, character)
        return True

    def paste(self, text: str) -> None:
        """A price, most likely; enter is still to come."""
        self.text = _with(self.text, text)

    def over(self, now: float) -> bool:
        """Nothing is sent before enter."""
        del now
        return False


@dataclass(slots=True)
class SureLine:
    """What raises risk: y does it, anything else and silence do not."""

    label: str
    done: Callable[[], None]
    left: Callable[[], None]
    readable: float
    """Monotonic seconds from which a key counts."""
    deadline: float
    clock: Callable[[], float]

    @property
    def prompt(self) -> Prompt:
        return Prompt(self.label, "", "y does it · anything else is No")

    def take(self, key: str, character: str | None) -> bool:
        del character
        if self.clock() < self.readable:
            return True
        (self.done if key == "y" else self.left)()
        return False

    def paste(self, text: str) -> None:
        """Nobody says yes by pasting."""

    def over(self, now: float) -> bool:
        """No answer is No."""
        return now >= self.deadline


def amount(
    text: str, whole: Decimal | None = None, lot: Decimal = Decimal("0.00000001")
) -> Decimal | None:
    """``0.25``, ``1,000``, or ``50%`` of ``whole`` down to the lot; None when it is none above 0."""
    share = whole is not None and text.endswith("%")
    try:
        number = Decimal(text.rstrip("%").replace(",", "") if share else text.replace(",", ""))
    except InvalidOperation:
        return None
    if not number.is_finite() or number <= 0 or (share and number > 100):
        return None
    if share and whole is not None:
        number = floor_to(number * whole / 100, lot)
    return number if number > 0 else None
