"""The decision queue: cards waiting for the operator, and everything behind the selected one."""

from __future__ import annotations

from typing import ClassVar

from tradeterm.engine.cardview import CardView
from tradeterm.engine.view import (
    ConsoleView,
)
from tradeterm.tui import figures
from tradeterm.tui.choice import Choice
from tradeterm.tui.guards import Question, number
from tradeterm.tui.ink import BLANK, Ink, Line, clip, fit, spread, wrap
from tradeterm.tui.panes.base import ListPane
from tradeterm.tui.panes.cardlines import card_lines, pairs, reasons, stake

_STATES = {"approved": "up", "rejected": "quiet", "expired": "warn", "drifted": "warn"}
#: Market seconds left from which the countdown is an alarm.
_SOON = 20


class ConflictsPane(ListPane):
    """Pending cards, oldest first, then decided ones; below, the selected card in full."""

    NAME: ClassVar[str] = "conflicts"
    KEY: ClassVar[str] = "2"
    TITLE: ClassVar[str] = "Conflicts"
    HEADER_ROWS: ClassVar[int] = 0
    HINTS = (
        ("approve", "approve"),
        ("reject", "reject"),
        ("edit_card", "edit"),
        ("defer_card", "defer"),
        ("detail", "evidence"),
        ("copy_id", "copy"),
    )

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(choice, ink)
        self.question: Question | None = None
        self.question_left = 0.0

    def part_of(self, view: ConsoleView) -> object:
        second = view.status.market_time // 10**9
        return (
            view.cards,
            second,
            self.question,
            self.question.refusal if self.question else "",
            int(self.question_left),
            view.status.state,
            figures.age(view.status.data_age),
        )

    def pending(self) -> list[CardView]:
        """Cards that wait."""
        return [card for card in self.view.cards if card.state == "pending"]

    def heading(self) -> str:
        if self.filter:
            return f"Conflicts {self.counted(len(self.ids()), len(self.view.cards))}"
        waiting = len(self.pending()) if self.view.status.known else "–"
        return f"Conflicts ({waiting} pending)"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def hint(self) -> str:
        if self.question:
            return "y yes · any other key no"
        return super().hint()

    def ids(self) -> list[str]:
        return [
            card.id
            for card in self.view.cards
            if self.passes(card.id, card.symbol, card.headline, card.state, *card.types)
        ]

    def current(self) -> CardView | None:
        """The card under the cursor."""
        return next((card for card in self.view.cards if card.id == self.selected), None)

    def selection_changed(self) -> None:
        card = self.current()
        if card:
            self.choice.follow(card.symbol)

    def settle(self) -> None:
        """Keep the cursor on a waiting card: when its card is decided, the oldest pending one."""
        card = self.current()
        pending = self.pending()
        if pending and not self.has_focus and (card is None or card.state != "pending"):
            self.selected = pending[0].id

    def _settle(self, ids: list[str]) -> None:
        self.settle()
        super()._settle(ids)

    def empty(self) -> tuple[str, ...]:
        watched = self.view.status.watched
        return (
            "nothing to decide",
            "A card waits here when agents disagree"
            + (": who runs this decides." if watched else ": a asks, y approves, r refuses."),
            "Without an answer there is no trade.",
            "Every card brings its evidence, its exact order and a countdown.",
        )

    def rows_wanted(self, height: int) -> int:
        if self.question:
            return 1
        if height < 6:
            return min(height, max(1, len(self.ids())))
        return max(1, min(len(self.ids()), max(len(self.pending()), 3), height // 3))

    def row(self, row_id: str, width: int) -> Line:
        card = next(each for each in self.view.cards if each.id == row_id)
        live = card.state == "pending"
        left: Line = (
            (fit(number(card.id), 5), "accent+bold" if live else "quiet"),
            (fit(card.symbol, 10), "text+bold" if live else "quiet"),
            (card.headline, "text" if live else "quiet"),
        )
        return spread(left, self._right(card), width)

    def _right(self, card: CardView) -> Line:
        if card.state != "pending":
            return (
                (f" {card.state} {figures.clock(card.decided)}", _STATES.get(card.state, "quiet")),
            )
        now = self.view.status.market_time
        soon = card.expires - now < _SOON * 10**9
        return (
            (f" {clip(card.resolution, 8)} ", "quiet"),
            ("deferred " if card.deferred else "expires ", "quiet"),
            (fit(figures.countdown(card.expires, now), 5, ">"), "error+bold" if soon else "warn"),
        )

    def after(self, width: int, height: int) -> list[Line]:
        card = self.current()
        if card is None or height < 1:
            return []
        if self.question:
            return [*self._asking(self.question, width), *reasons(card, self.view, width)][:height]
        if height < 3:
            return []
        return [BLANK, *card_lines(card, self.view, width)][:height]

    def _asking(self, question: Question, width: int) -> list[Line]:
        card = question.card
        first = f"Approve {number(card.id)}?  {card.action}"
        if card.follows:
            first += f"; {card.follows}"
        refusal = question.refusal
        refused = wrap(refusal.replace("risk:", "risk would refuse it now:", 1), width)
        return [
            *(((line, "warn+bold"),) for line in wrap(first, width)),
            *(((line, "error"),) for line in refused if refusal),
            *pairs(stake(card, self.view.status.currency), width),
            (
                ("y", "accent+bold"),
                (
                    " asks risk again; its no ends it · "
                    if refusal
                    else " sends exactly this order · ",
                    "text",
                ),
                ("any other key: No", "text"),
                (f" · No by itself in {self.question_left:.0f} s", "quiet"),
            ),
            BLANK,
        ]
