"""Questions that are answered by typing a word in full: for what is global or loosens a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tradeterm.tui.console import Console

#: Seconds in which an Enter still belongs to the word, which is done with its last letter.
HABIT: Final = 0.5


class WordKeys(Console):
    """Asks, and swallows the Enter that many type behind the word."""

    _word_ended = -HABIT

    def ask_word(
        self, word: str, title: str, facts: Sequence[str], then: Callable[[], None],
        otherwise: str = "nothing changed",
    ) -> None:  # fmt: skip
        """``then`` is done when the word was typed in full; else it is said that it was not."""
        from tradeterm.tui.screens.confirm import TypedScreen

        def done(typed: bool | None) -> None:
            self._word_ended = self.clock()
            if typed:
                then()
            else:
                self.say(f"{word.lower()} cancelled: {otherwise}")

        self.push_screen(
            TypedScreen(word, title, facts, self.ink, self.clock, self.options.typed_delay), done
        )

    @property
    def word_just_ended(self) -> bool:
        """Whether an Enter is still meant for the word."""
        return self.clock() - self._word_ended < HABIT
