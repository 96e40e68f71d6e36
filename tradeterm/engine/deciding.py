"""What an operator can do to a card besides yes and no: edit it, defer it, take a refusal back."""

from __future__ import annotations

from tradeterm.coordinator.editing import edited
from tradeterm.engine.core import Core
from tradeterm.engine.trading import Trading
from tradeterm.model.commands import CommandResult, DeferCard, EditCard, UndoReject
from tradeterm.model.money import plain
from tradeterm.model.proposals import Card, CardRow
from tradeterm.model.units import reasons
from tradeterm.model.vocabulary import RunState


class Deciding:
    """None of it sends anything: an approval of exactly what the card then says has to follow."""

    def __init__(self, core: Core, trading: Trading) -> None:
        self._core = core
        self._trading = trading
        self._coordinator = trading.coordinator

    def edit(self, command: EditCard, command_id: str) -> CommandResult:
        """A more careful order on the card: other content, and a verdict of its own."""
        card = self._coordinator.card(command.card_id)
        if card is None:
            return CommandResult(False, self._coordinator.no_card(command.card_id))
        if command.content_hash not in {"", card.content_hash}:
            return CommandResult(False, f"{card.id} is another order than the one you edited")
        if card.intent is None:
            return CommandResult(False, f"{card.id} only closes: there is nothing to make smaller")
        instrument = self._core.instruments[card.proposal.symbol]
        wanted, refusal = edited(card.intent, command, instrument)
        if refusal:
            return CommandResult(False, f"{card.id} stays as it is: {refusal}")
        verdict = self._trading.judging.margin(wanted, command_id, for_card=True)
        if not verdict.allows or verdict.intent is None:
            why = reasons(verdict, wanted.symbol)
            return CommandResult(False, f"{card.id} stays as it is: risk refuses that: {why}")
        card = self._coordinator.amend_card(card, verdict.intent, verdict)
        self._shown(card, verdict.id)
        return CommandResult(True, f"{card.id} is now {_order(card)}; approve it to send it")

    def defer(self, command: DeferCard, command_id: str) -> CommandResult:
        """Nothing waits for it any longer; it runs out like any other, and means no trade then."""
        card = self._coordinator.defer(command.card_id)
        if card is None:
            return CommandResult(False, self._coordinator.no_card(command.card_id))
        self._shown(card, command_id)
        return CommandResult(True, f"{card.id} deferred: without your key, no trade")

    def undo_reject(self, command: UndoReject, command_id: str) -> CommandResult:
        """What was refused last waits again, as far as its time is not over."""
        if self._core.state is not RunState.RUNNING:
            return CommandResult(False, f"{self._core.state}: no card may wait again")
        cards = self._coordinator.undo_reject(self._core.now)
        for card in cards:
            self._shown(card, command_id)
            self._trading.waits_again(card)
        if not cards:
            return CommandResult(
                False, "no refusal to take back: there was none, or it is too late"
            )
        names = ", ".join(card.id for card in cards)
        return CommandResult(True, f"{names} waits again: nothing is sent without your key")

    def _shown(self, card: Card, parent: str) -> None:
        self._core.journal.write("card", card.id, parent, CardRow.of(card))
        self._core.journal.show()


def _order(card: Card) -> str:
    intent = card.intent
    assert intent is not None
    stop = "" if intent.stop is None else f", stop {plain(intent.stop)}"
    return (
        f"{intent.side.entry} {plain(intent.size)} {intent.symbol} "
        f"at leverage {plain(intent.leverage)}{stop}"
    )
