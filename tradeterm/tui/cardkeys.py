"""Keys that decide: what the operator can do to the card under the cursor."""

from __future__ import annotations

import json
from decimal import Decimal

from tradeterm.engine.cardview import CardView
from tradeterm.model.commands import DeferCard, EditCard, RejectAll, RejectCard, UndoReject
from tradeterm.tui import figures
from tradeterm.tui.guards import Question, number
from tradeterm.tui.orderkeys import OrderKeys
from tradeterm.tui.typed import amount


class CardKeys(OrderKeys):
    """Approve asks; everything else at most takes risk away."""

    def action_approve(self) -> None:
        card = self.focus_now().card
        now = self.clock()
        if card is None or self.guarded("approve") or not self.card_readable(now):
            return
        status = self.view.status
        if (
            status.data_age is not None
            and status.speed > 0
            and (status.data_age > self.options.stale_after)
        ):
            age = figures.age(status.data_age)
            self.say(f"not approved: the market data is {age} old; wait for fresh data", "warning")
            return
        risk = None if card.closing else self.session.what_if(_asked(card))
        self.ask(Question(card, now, self.options.question_timeout, self.options.arm_delay, risk))

    def action_reject(self) -> None:
        card = self.focus_now().card
        if card and not self.guarded("reject") and self.card_readable(self.clock()):
            self.send(
                RejectCard(card_id=card.id), f"refusing {number(card.id)}: no trade; u undoes"
            )

    def action_reject_all(self) -> None:
        if not self.guarded("reject_all") and self.cards_readable(self.clock()):
            count = len(self.deck.conflicts.pending())
            self.send(RejectAll(), f"refusing all {count} pending cards")

    def action_edit_card(self) -> None:
        card = self.focus_now().card
        if card is None or self.guarded("edit_card") or not self.card_readable(self.clock()):
            return

        def done(text: str) -> None:
            try:
                edit = edit_of(card, text)
            except ValueError as error:
                self.say(f"{error}: nothing was changed", "warning")
                return
            self.send(edit, f"editing {number(card.id)}; a approves it afterwards")

        tick = self.view.books[card.symbol].tick if card.symbol in self.view.books else None
        stop = "" if card.stop is None else f" stop {figures.price(card.stop, tick)}"
        size = "" if card.size is None else f"{figures.size(card.size)} "
        now = f"{size}x{card.leverage.normalize():f}{stop}"
        self._ask_amount(f"edit {number(card.id)}, now {now} (50% x2 stop P): ", done)

    def action_defer_card(self) -> None:
        card = self.focus_now().card
        if card and not self.guarded("defer_card") and self.card_readable(self.clock()):
            left = figures.countdown(card.expires, self.view.status.market_time)
            pace = "" if self.view.status.mode == "LIVE" else f" at {figures.speed(self.speed)}"
            text = f"{number(card.id)} is left to its deadline"
            self.send(DeferCard(card_id=card.id), text, f"; {left} left{pace}")

    def action_undo(self) -> None:
        if not self.guarded("undo"):
            self.send(UndoReject(), "taking the last refusal back")

    def action_full_text(self) -> None:
        from tradeterm.tui.screens import pages, votes

        deck = self.deck
        if self.pane == "agents" and (agent := deck.agents.current()):
            self.open_page(f"Agent {figures.agent(agent.name)}", pages.agent_page(agent.name))
        elif card := deck.conflicts.current():
            self.open_page(f"What was said, {number(card.id)}", votes.said_page(card.id))


def _asked(card: CardView) -> str:
    """What risk is asked about the card's order."""
    side = "long" if card.stop is not None and card.stop < card.entry else "short"
    return json.dumps({"symbol": card.symbol, "side": side, "card": card.id})


def edit_of(card: CardView, text: str) -> EditCard:
    """``0.02``, ``50%``, ``x2``, ``stop 64000``, several of them; ValueError in words."""
    size = leverage = stop = None
    words = text.replace(",", "").split()
    while words:
        word = words.pop(0).casefold()
        if word in {"stop", "size"} and words:
            stop, size = (
                (_number(words.pop(0), word), size)
                if word == "stop"
                else (stop, _size(card, words.pop(0)))
            )
        elif word.startswith("x") and len(word) > 1:
            leverage = _number(word[1:], "leverage")
        else:
            size = _size(card, word)
    if size is leverage is stop is None:
        raise ValueError("write for example 50% x2 stop 64000")
    return EditCard(
        card_id=card.id, content_hash=card.content_hash, size=size, leverage=leverage, stop=stop
    )


def _number(text: str, what: str) -> Decimal:
    found = amount(text)
    if found is None:
        raise ValueError(f"{text!r} is no {what}")
    return found


def _size(card: CardView, text: str) -> Decimal:
    found = amount(text, card.size)
    if found is None:
        raise ValueError(f"{text!r} is no size; write 0.02, 50%, x2 or stop 64000")
    return found
