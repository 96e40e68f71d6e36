"""Jump mode: every pane shows a letter, and that letter focuses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tradeterm.tui.plan import ORDER
from tradeterm.tui.typed import Prompt

#: Letters that stay with their pane; never H, which halts.
LETTERS: Final = {
    "positions": "p",
    "conflicts": "c",
    "book": "b",
    "chart": "h",
    "events": "e",
    "agents": "a",
    "orders": "o",
    "safety": "s",
    "portfolio": "f",
}
#: Short enough for 80 columns.
_NAMES = "p·pos c·conf b·book h·chart e·events a·agents o·ord s·safe f·port"


@dataclass(slots=True)
class JumpLine:
    """Waits for one letter (or a pane's number); anything else leaves things as they are."""

    go: Callable[[str], None]

    @property
    def prompt(self) -> Prompt:
        return Prompt("jump: " + _NAMES, "", "a letter focuses its pane · anything else stays")

    def take(self, key: str, character: str | None) -> bool:
        del character
        for number, name in enumerate(ORDER, 1):
            if key in {LETTERS[name], str(number)}:
                self.go(name)
        return False

    def paste(self, text: str) -> None:
        """A letter is pressed, not pasted."""

    def over(self, now: float) -> bool:
        """Nothing happens by itself."""
        del now
        return False
