"""The decision queue: cards waiting for the operator, and everything behind the selected one."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tradeterm.engine.view import CardView, ConsoleView, RuleView
from tradeterm.tui import figures
from tradeterm.tui.choice import Choice
from tradeterm.tui.guards import Question, number
from tradeterm.tui.ink import BLANK, Ink, Line, cells, clip, fit, spread, wrap
from tradeterm.tui.panes.base import ListPane, placeholder

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
        return (view.cards, second, self.question, int(self.question_left), view.status.state,
                figures.age(view.status.data_age))

    def pending(self) -> list[CardView]:
        """Cards that wait."""
        return [card for card in self.view.cards if card.state == "pending"]

    def heading(self) -> str:
        if self.filter:
            return f"Conflicts {self.counted(len(self.ids()), len(self.view.cards))}"
        return f"Conflicts ({len(self.pending())} pending)"

    def age(self) -> str:
        return f"age {figures.age(self.view.status.data_age)}"

    def hint(self) -> str:
        return "a approve · r reject · R reject all · enter evidence"

    def ids(self) -> list[str]:
        return [
            card.id for card in self.view.cards
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

    def empty(self, width: int) -> list[Line]:
        return placeholder(
            "nothing to decide",
            "When the analysts contradict each other, a card waits here with its evidence and a "
            "countdown; a asks, y approves, r refuses. Without an answer there is no trade.",
            width=width,
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
            return ((f" {card.state} {figures.clock(card.created)}",
                     _STATES.get(card.state, "quiet")),)
        now = self.view.status.market_time
        soon = card.expires - now < _SOON * 10**9
        return (
            (f" {clip(card.resolution, 8)} ", "quiet"), ("expires ", "quiet"),
            (fit(figures.countdown(card.expires, now), 5, ">"), "error+bold" if soon else "warn"),
        )

    def after(self, width: int, height: int) -> list[Line]:
        card = self.current()
        if card is None or height < 1:
            return []
        if self.question:
            return [*self._asking(self.question, width), *card_lines(card, self.view, width)][
                :height]
        if height < 3:
            return []
        return [BLANK, *card_lines(card, self.view, width)][:height]

    def _asking(self, question: Question, width: int) -> list[Line]:
        card = question.card
        currency = self.view.status.currency
        first = f"Approve {number(card.id)}?  {card.action}"
        facts = (
            f"size {figures.size(card.size)} · notional {figures.money(card.notional)} {currency}"
            f" · risk at stop {figures.money(card.risk_at_stop)} {currency}"
            f" · exposure after {figures.percent(card.exposure_after)} %"
        )
        return [
            *(((line, "warn+bold"),) for line in wrap(first, width)),
            *(((line, "text"),) for line in wrap(facts, width)),
            (
                ("y", "accent+bold"), (" sends exactly this order · ", "text"),
                ("any other key: No", "text"),
                (f" · No by itself in {self.question_left:.0f} s", "quiet"),
            ),
            BLANK,
        ]


def card_lines(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    """A card in full: facts first, rules, what the keys do; an arbiter's prose last, as quotation."""
    lines = _order_lines(card, view, width)
    for sentence in card.evidence:
        lines += _hanging("· ", sentence, width, "text")
    lines += [_rule(rule, width) for rule in _telling(card.rules)]
    if card.state == "pending":
        verb = "sends exactly this order" if card.stop is not None else f"sends: {card.action}"
        lines += _hanging("a ", f"approves: {verb}, once risk has checked it again", width,
                          "quiet")
        lines += _hanging("r ", "refuses: no trade; so does the countdown when it ends", width,
                          "quiet")
    elif card.reason:
        lines += _hanging(f"{card.state} ", card.reason, width, "quiet")
    if card.reasoning:
        lines.append(((f"{card.by} wrote, {card.confidence:.2f} sure:", "quiet"),))
        lines += [(("▏ ", "faint"), (part, "quiet+italic")) for part in
                  wrap(card.reasoning, max(10, width - 2))]
    return lines


def _order_lines(card: CardView, view: ConsoleView, width: int) -> list[Line]:
    book = view.books.get(card.symbol)
    tick = book.tick if book else None
    currency = view.status.currency
    lines: list[Line] = [
        ((card.resolution, "accent+bold"), (f" by {clip(card.by, 12)}  ", "quiet"),
         (clip(card.action, max(8, width - 24)), "text+bold")),
    ]
    facts = [
        ("size", figures.size(card.size)),
        ("notional", f"{figures.money(card.notional)} {currency}"),
        ("risk at stop", f"{figures.money(card.risk_at_stop)} {currency}"),
        ("exposure after", f"{figures.percent(card.exposure_after)} %"),
        ("entry", figures.price(card.entry, tick)), ("stop", figures.price(card.stop, tick)),
        ("target", figures.price(card.target, tick)),
        ("reward/risk", "–" if card.reward_risk is None else f"{card.reward_risk:.2f}"),
        ("leverage", f"{card.leverage.normalize():f}×"),
        ("now", f"{figures.price(card.price_now, tick)} ({_moved(card.price, card.price_now)})"),
    ]
    return lines + pairs(facts, width)


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


def _telling(rules: tuple[RuleView, ...]) -> list[RuleView]:
    """Rules that changed or refused something first, the quiet ones after."""
    return sorted(rules, key=lambda rule: rule.outcome == "pass")


def _rule(rule: RuleView, width: int) -> Line:
    role = {"pass": "quiet", "fail": "error", "reduced": "warn"}.get(rule.outcome, "text")
    value = f"{rule.value} / {rule.limit}" if rule.limit else rule.value
    return (
        ("  ", "text"), (fit(rule.outcome, 8), role), (fit(rule.rule, 24) + " ", "quiet"),
        (clip(value, max(8, width - 36)), "text" if rule.outcome != "pass" else "quiet"),
    )


def _hanging(mark: str, text: str, width: int, role: str) -> list[Line]:
    parts = wrap(text, max(10, width - len(mark)))
    return [
        ((mark if at == 0 else " " * len(mark), "accent"), (part, role))
        for at, part in enumerate(parts)
    ]
