"""A verdict without consequences: what risk would say of an order now."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from tradeterm.coordinator.cards import refusal_of
from tradeterm.engine.engine import Engine
from tradeterm.model.money import ONE, ZERO, plain
from tradeterm.model.proposals import Card, TradeIntent, Verdict
from tradeterm.model.timing import iso
from tradeterm.model.vocabulary import PositionSide


class Hypothesis(msgspec.Struct, frozen=True):
    """An entry nobody sent. What is None is taken from the market, or left to risk."""

    symbol: str
    side: PositionSide
    size: Decimal | None = None
    """Base size; None asks for as much as risk allows."""
    entry: Decimal | None = None
    """None: at the touch."""
    stop: Decimal | None = None
    target: Decimal | None = None
    leverage: Decimal = ONE
    confidence: Decimal = ONE
    card: str = ""
    """A card that waits: its very order, whatever else is said here."""


def what_if(engine: Engine, asked: Hypothesis) -> dict[str, Any]:
    """The verdict on it with the account and market of this moment; nothing is changed."""
    currency = engine.core.settings.market.account.currency
    verdict, card = judged(engine, asked), _card(engine, asked)
    found = {**described(verdict, engine.now), "currency": currency}
    return found if card is None else {**found, "refusal": refusal_of(card, verdict)}


def judged(engine: Engine, asked: Hypothesis) -> Verdict:
    """The verdict itself; a symbol nobody knows is a refusal like any other."""
    return engine.trading.judging.what_if(_intent(engine, asked))


def _card(engine: Engine, asked: Hypothesis) -> Card | None:
    """The card it asks about, while that waits."""
    return engine.trading.coordinator.card(asked.card) if asked.card else None


def _intent(engine: Engine, asked: Hypothesis) -> TradeIntent:
    card = _card(engine, asked)
    if card is not None and card.intent is not None:
        return card.intent
    account = engine.books.account()
    long = asked.side is PositionSide.LONG
    touch = (account.asks if long else account.bids).get(asked.symbol, ZERO)
    entry = touch if asked.entry is None else asked.entry
    size = asked.size
    if size is None:  # more than any limit allows, so that the limits say how much
        rate = account.rates.get(asked.symbol.rpartition("/")[2], ZERO)
        usable = entry.is_finite() and entry > 0 and rate > 0
        size = account.equity * 1000 / (entry * rate) if usable else ZERO
    return TradeIntent(
        asked.symbol, asked.side, size, entry, asked.stop, asked.target, asked.leverage,
        asked.confidence,
    )  # fmt: skip


def described(verdict: Verdict, now: int) -> dict[str, Any]:
    """The contract of ``tradeterm risk check --json`` (DESIGN §10)."""
    intent = verdict.intent
    return {
        "status": verdict.status.value,
        "codes": list(verdict.codes),
        "size": None if intent is None else plain(intent.size),
        "leverage": None if intent is None else plain(intent.leverage),
        "entry": None if intent is None else plain(intent.entry),
        "stop": None if intent is None or intent.stop is None else plain(intent.stop),
        "market_time": iso(now),
        "rules": [
            {
                "rule": rule.rule,
                "code": rule.code,
                "value": rule.value,
                "limit": rule.limit,
                "outcome": rule.outcome,
            }
            for rule in verdict.rules
        ],
    }
