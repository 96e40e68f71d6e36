"""The guided start: six lines; those that ask for a key go on once it was pressed.

Nothing waits for it and it changes nothing; ``n`` goes on, ``N`` ends it, ``ctrl+t`` begins again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tradeterm.engine.view import ConsoleView


def _decided(view: ConsoleView) -> bool:
    return any(card.state in {"approved", "rejected"} for card in view.cards)


def _halted(view: ConsoleView) -> bool:
    return view.status.state == "halted"


def _running(view: ConsoleView) -> bool:
    return view.status.state == "running"


def _never(view: ConsoleView) -> bool:
    del view
    return False


class Step(msgspec.Struct, frozen=True):
    """One line, short enough for 80 columns, and what ends it besides ``n``."""

    text: str
    done: Callable[[ConsoleView], bool] = _never


STEPS = (
    Step("simulated market, paper money. tab walks panes, ? has every key"),
    Step("positions open by themselves, each with stop and target: pane 1"),
    Step("analysts disagree: a card. a asks, y approves, r refuses", _decided),
    Step("H halts at once, from anywhere. Try it now", _halted),
    Step("nothing new opens, stops stay. P, then type RESUME, goes on", _running),
    Step("q quits, the next start continues here. ctrl+p has every command"),
)


class Tour:
    """Where the operator is in it."""

    def __init__(self) -> None:
        self._at: int | None = None
        self._was = False
        """Whether what the line asks for was so already when it was shown."""
        self._view = ConsoleView()

    @property
    def on(self) -> bool:
        """Whether a step is shown."""
        return self._at is not None

    @property
    def text(self) -> str:
        """The line, or nothing; a halt is not covered by a line about something else."""
        if self._at is None:
            return ""
        if _halted(self._view) and STEPS[self._at].done is not _running:
            return ""
        last = self._at == len(STEPS) - 1
        return (
            f"{self._at + 1}/{len(STEPS)} {STEPS[self._at].text} · n {'ends' if last else 'next'}"
        )

    def begin(self) -> None:
        """From the first step."""
        self._go(0)

    def end(self) -> None:
        """Show it no longer."""
        self._at = None

    def step(self) -> None:
        """The next line; after the last there is none."""
        if self._at is not None:
            self._go(self._at + 1)

    def see(self, view: ConsoleView) -> None:
        """Go on when the operator did what the line asks for, not when it was so already."""
        self._view = view
        if self._at is None or not view.status.known:
            return
        done = STEPS[self._at].done(view)
        if done and not self._was:
            self.step()
        else:
            self._was = done

    def _go(self, at: int) -> None:
        self._at = at if at < len(STEPS) else None
        self._was = self._at is not None and STEPS[self._at].done(self._view)
