"""Builds what the screen shows of cards. Reads only."""

from __future__ import annotations

from decimal import Decimal

from tradeterm.engine.cardview import CardView, RuleView, SideView
from tradeterm.engine.engine import Engine
from tradeterm.engine.proportions import exposure, percent
from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import Position
from tradeterm.model.proposals import Card, RuleOutcome, TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.units import with_unit
from tradeterm.model.vocabulary import Bias, CardState, PositionSide

CARDS_DECIDED = 50


def cards_view(engine: Engine, account: AccountView) -> tuple[CardView, ...]:
    """Waiting cards, oldest first; then decided ones, newest first."""
    coordinator = engine.trading.coordinator
    decided = list(coordinator.decided)[-CARDS_DECIDED:][::-1]
    return tuple(_card(card, account, engine) for card in (*coordinator.pending(), *decided))


def _card(card: Card, account: AccountView, engine: Engine) -> CardView:
    intent, symbol = card.intent, card.proposal.symbol
    pending = card.state is CardState.PENDING
    size = intent.size if intent else _closed_by(card, account) if pending else None
    mid = account.mid(symbol) or card.price
    rate = _rate_of(card, account, engine)
    risk, reward = _stakes(intent, engine.core.instruments[symbol])
    notional = None
    if size is not None and rate is not None:
        notional = size * (intent.entry if intent else mid) * rate
    after = None
    if pending and notional is not None:
        change = notional if intent else -notional
        after = percent(exposure(account) + change, account.equity)
    return CardView(
        id=card.id,
        content_hash=card.content_hash,
        symbol=symbol,
        action=_action(card),
        headline=card.conflict.evidence[0] if card.conflict.evidence else "",
        types=tuple(kind.value for kind in card.conflict.types),
        evidence=card.conflict.evidence,
        resolution=card.resolution.action.value,
        by=card.resolution.by.value,
        model=card.resolution.model,
        misquoted=card.resolution.misquoted,
        reasoning=card.resolution.reasoning,
        confidence=card.resolution.confidence,
        closing=intent is None,
        follows=_follows(card, account),
        size=size,
        notional=notional,
        entry=intent.entry if intent else card.price,
        stop=intent.stop if intent else None,
        target=intent.target if intent else None,
        leverage=intent.leverage if intent else Decimal(1),
        risk_at_stop=None if rate is None else risk * rate,
        reward_risk=float(reward / risk) if risk > 0 and reward > 0 else None,
        exposure_after=after,
        rules=tuple(
            _rule(rule, card.proposal.symbol, account.currency)
            for rule in (card.verdict.rules if card.verdict else ())
        ),
        created=card.ts,
        expires=card.expires,
        price=card.price,
        price_now=mid if pending else None,
        decided=card.decided,
        state=card.state.value,
        reason=card.reason,
        codes=tuple(kind.code for kind in card.conflict.types),
        severity=card.conflict.severity,
        verdict=_verdict(card),
        sides=_sides(card, engine) if pending else (),
        cost=card.resolution.cost,
        latency=card.resolution.latency / SECOND,
        deferred=card.deferred,
    )


def _verdict(card: Card) -> str:
    """Closes need none."""
    if card.verdict is None:
        return ""
    codes = ", ".join(card.verdict.codes)
    return f"{card.verdict.status}: {codes}" if codes else card.verdict.status.value


def _sides(card: Card, engine: Engine) -> tuple[SideView, ...]:
    """What the analysts say now: they may have spoken again since the card appeared."""
    evidence = engine.trading.hearing.evidence(card.proposal.symbol, (), rebalance_pending=False)
    leans = Bias.LONG if _buys(card, engine) else Bias.SHORT
    return tuple(
        SideView(
            name.value,
            bias.value,
            None if bias is Bias.NEUTRAL else bias is leans,
            confidence,
            heard.age,
            heard.published.by,
        )
        for name, heard, bias, confidence in evidence.analysts()
    )


def _buys(card: Card, engine: Engine) -> bool:
    """The side of the entry, or of the orders that close."""
    if card.intent is not None:
        return card.intent.side is PositionSide.LONG
    positions = engine.books.execution.positions
    held = (positions.get(position_id) for position_id in card.proposal.close_ids)
    return any(one is not None and one.side is PositionSide.SHORT for one in held)


def _rule(rule: RuleOutcome, symbol: str, currency: str) -> RuleView:
    value, limit = (
        with_unit(rule.rule, text, symbol, currency) for text in (rule.value, rule.limit)
    )
    return RuleView(rule.rule, value, limit, rule.outcome)


def _rate_of(card: Card, account: AccountView, engine: Engine) -> Decimal | None:
    """Quote → account currency. A decided card has one only where it never changes."""
    quote = card.proposal.symbol.partition("/")[2]
    market = engine.core.settings.market.account
    fixed = quote == market.currency or quote in market.parity
    if card.state is CardState.PENDING or fixed:
        return account.rates.get(quote)
    return None


def _against(card: Card, account: AccountView) -> list[Position]:
    """The positions of a closing card that are still open."""
    return [p for p in account.positions if p.id in card.proposal.close_ids]


def _closed_by(card: Card, account: AccountView) -> Decimal:
    return sum((p.size for p in _against(card, account)), ZERO)


def _follows(card: Card, account: AccountView) -> str:
    """The other side is a proposal of its own, made when the closes have filled."""
    if not card.proposal.reopens or card.state is not CardState.PENDING:
        return ""
    sides = {p.side for p in _against(card, account)}
    other = "the other side"
    if len(sides) == 1:
        other = "a SHORT" if PositionSide.LONG in sides else "a LONG"
    return f"then {other} on {card.proposal.symbol} is proposed anew, with a card of its own"


def _stakes(intent: TradeIntent | None, instrument: Instrument) -> tuple[Decimal, Decimal]:
    """(loss at the stop, gain at the target), both after taker fees, in quote currency."""
    if intent is None or intent.stop is None or intent.target is None:
        return ZERO, ZERO
    fee = instrument.taker_fee
    lost = abs(intent.entry - intent.stop) + fee * (intent.entry + intent.stop)
    won = abs(intent.target - intent.entry) - fee * (intent.entry + intent.target)
    return lost * intent.size, won * intent.size


def _action(card: Card) -> str:
    if card.intent is None:
        return f"close {', '.join(card.proposal.close_ids)} at market"
    verb = card.intent.side.entry.value
    closing = (
        f"close {', '.join(card.proposal.close_ids)}, then " if card.proposal.close_ids else ""
    )
    return f"{closing}{verb} {plain(card.intent.size)} {card.intent.symbol} at market"
