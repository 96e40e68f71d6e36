"""The decision queue: cards waiting for the operator, and everything behind the selected one."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tradeterm.engine.cardview import CardView, RuleView
from tradeterm.engine.view import (
    ConsoleView,
)
from tradeterm.tui import figures
from tradeterm.tui.choice import Choice
from tradeterm.tui.guards import Question, number
from tradeterm.tui.ink import BLANK, Ink, Line, cells, clip, fit, spread, wrap
from tradeterm.tui.panes.base import ListPane

_STATES = {"approved": "up", "rejected": "quiet", "expired": "warn", "drifted": "warn"}
#: Market seconds left from which the countdown is an alarm.
_SOON = 20


class ConflictsPane(ListPane):
    """Pending cards, oldest first, then decided ones; below, the selected card in full."""

    NAME: ClassVar[str] = "conflicts"
    KEY: ClassVar[str] = "2"
    TITLE: ClassVar[str] = "Conflicts"
    HEADER_ROWS: ClassVar[int] = 0

    def __init__(self, choice: Choice, ink: Ink) -> None:
        super().__init__(choice, ink)
        self.question: Question | None = None
        self.question_left = 0.0
        self._chosen_by_hand = False

    def part_of(self, view: ConsoleView) -> object:
        second = view.status.market_time // 10**9
        return (
            view.cards,
            second,
            self.question,
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
        return (
            "a approve · r reject · R reject all · enter evidence"
            if self.pending()
            else ("enter evidence" if self.ids() else "")
        )

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
            self.choice.symbol = card.symbol

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
        return (
            "nothing to decide",
            "A card waits here when agents disagree: a asks, y approves, r refuses.",
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
            ("expires ", "quiet"),
            (fit(figures.countdown(card.expires, now), 5, ">"), "error+bold" if soon else "warn"),
        )

    def after(self, width: int, height: int) -> list[Line]:
        card = self.current()
        if card is None or height < 1:
            return []
        if self.question:
            return [*self._asking(self.question, width), *_reasons(card, self.view, width)][:height]
        if height < 3:
            return []
        return [BLANK, *card_lines(card, self.view, width)][:height]

    def _asking(self, question: Question, width: int) -> list[Line]:
        card = question.card
        first = f"Approve {number(card.id)}?  {card.action}"
        if card.follows:
            first += f"; {card.follows}"
        return [
            *(((line, "warn+bold"),) for line in wrap(first, width)),
            *pairs(_stake(card, self.view.status.currency), width),
            (
                ("y", "accent+bold"),
                (" sends exactly this order · ", "text"),
                ("any other key: No", "text"),
                (f" · No by itself in {self.question_left:.0f} s", "quiet"),
            ),
            BLANK,
        ]


def card_lines(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    """A card in full: facts, evidence, what the keys do, an arbiter's prose as a quotation, rules."""
    lines = [
        *_head(card, width),
        *pairs(_stake(card, view.status.currency) + _terms(card, view), width),
    ]
    lines += _evidence(card, width)
    if card.state == "pending":
        verb = (
            f"sends: {card.action}"
            if card.closing
            else "sends exactly this order, once risk has checked it again"
        )
        lines += _hanging("a ", f"approves: {verb}", width, "quiet")
        lines += _hanging(
            "r ", "refuses: no trade; so does the countdown when it ends", width, "quiet"
        )
    elif card.reason:
        lines += _hanging(f"{card.state} ", card.reason, width, "quiet")
    return [*lines, *_quotation(card, width), *_passed(card, width)]


def _reasons(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    """The card under its question: all that the question does not say itself."""
    return [
        *pairs(_terms(card, view), width),
        *_evidence(card, width),
        *_quotation(card, width),
        *_passed(card, width),
    ]


def _evidence(card: CardView, width: int) -> list[Line]:
    """Each contradiction, and the rules that changed or refused something."""
    lines: list[Line] = []
    for sentence in card.evidence:
        lines += _hanging("· ", sentence, width, "text")
    return lines + [_rule(rule, width) for rule in card.rules if rule.outcome != "pass"]


def _passed(card: CardView, width: int) -> list[Line]:
    """The rules that had nothing to say: last, there are two dozen of them."""
    return [_rule(rule, width) for rule in card.rules if rule.outcome == "pass"]


def _quotation(card: CardView, width: int) -> list[Line]:
    if not card.reasoning:
        return []
    said = wrap(card.reasoning, max(10, width - 2))
    return [
        ((f"{_author(card)} wrote, {card.confidence:.2f} sure:", "quiet"),),
        *((("▏ ", "faint"), (part, "quiet+italic")) for part in said),
        *_misquoted(card, width),
    ]


def _author(card: CardView) -> str:
    """A model by its name, the rule arbiter as such."""
    return clip(card.model, 40) if card.by == "llm" else card.by


def _misquoted(card: CardView, width: int) -> list[Line]:
    if not card.misquoted:
        return []
    figures_named = ", ".join(card.misquoted)
    return _hanging("! ", f"not among the facts it was told: {figures_named}", width, "warn")


def _head(card: CardView, width: int) -> list[Line]:
    lines: list[Line] = [
        (
            (card.resolution, "accent+bold"),
            (f" by {clip(card.by, 12)}  ", "quiet"),
            (clip(card.action, max(8, width - 24)), "text+bold"),
        ),
    ]
    if card.follows:
        lines += _hanging("→ ", card.follows, width, "warn")
    return lines


def _terms(card: CardView, view: ConsoleView) -> list[tuple[str, str]]:
    """At which prices; a close has none of an entry's."""
    book = view.books.get(card.symbol)
    tick = book.tick if book else None
    facts: list[tuple[str, str]] = []
    if not card.closing:
        facts += [
            ("entry", figures.price(card.entry, tick)),
            ("stop", figures.price(card.stop, tick)),
            ("target", figures.price(card.target, tick)),
            ("reward/risk", "–" if card.reward_risk is None else f"{card.reward_risk:.2f}"),
            ("leverage", f"{card.leverage.normalize():f}×"),
        ]
    if card.price_now is not None:
        moved = _moved(card.price, card.price_now)
        facts.append(("now", f"{figures.price(card.price_now, tick)} ({moved})"))
    else:
        facts.append(("price then", figures.price(card.price, tick)))
    return facts


def _stake(card: CardView, currency: str) -> list[tuple[str, str]]:
    """How much is at stake; figures that nobody knows any more are left out."""
    facts: list[tuple[str, str]] = []
    if card.size is not None:
        facts.append(("closes" if card.closing else "size", figures.size(card.size)))
    if card.notional is not None:
        facts.append(("notional", f"{figures.money(card.notional)} {currency}"))
    if card.risk_at_stop is not None and not card.closing:
        facts.append(("risk at stop", f"{figures.money(card.risk_at_stop)} {currency}"))
    if card.exposure_after is not None:
        facts.append(("exposure after", f"{figures.percent(card.exposure_after)} %"))
    return facts


def _moved(before: Decimal, now: Decimal) -> str:
    return f"{(now / before - 1) * 100:+.2f} %" if before > 0 else "–"


def pairs(facts: list[tuple[str, str]], width: int) -> list[Line]:
    """``label value   label value`` filling lines."""
    lines: list[Line] = []
    current: Line = ()
    for label, value in facts:
        piece: Line = ((label + " ", "quiet"), (value, "text"))
        if current and cells(current) + 3 + cells(piece) > width:
            lines.append(current)
            current = ()
        current = (*current, ("   ", "text"), *piece) if current else piece
    return [*lines, current] if current else lines


def _rule(rule: RuleView, width: int) -> Line:
    role = {"pass": "quiet", "fail": "error", "reduced": "warn"}.get(rule.outcome, "text")
    value = f"{rule.value} / {rule.limit}" if rule.limit else rule.value
    return (
        ("  ", "text"),
        (fit(rule.outcome, 8), role),
        (fit(rule.rule, 24) + " ", "quiet"),
        (clip(value, max(8, width - 36)), "text" if rule.outcome != "pass" else "quiet"),
    )


def _hanging(mark: str, text: str, width: int, role: str) -> list[Line]:
    parts = wrap(text, max(10, width - len(mark)))
    return [
        ((mark if at == 0 else " " * len(mark), "accent"), (part, role))
        for at, part in enumerate(parts)
    ]
