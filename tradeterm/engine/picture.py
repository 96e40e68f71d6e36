"""Builds the immutable picture of the engine that the screen shows. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tradeterm.engine.engine import Engine
from tradeterm.engine.holdings import portfolio_view
from tradeterm.engine.riskpicture import risk_view
from tradeterm.engine.view import (
    AgentView,
    BookView,
    CardView,
    ChartView,
    ConsoleView,
    FeedLine,
    OrderView,
    PositionView,
    RuleView,
    StatusView,
)
from tradeterm.execution.margin import level_left, share_left
from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ZERO, plain
from tradeterm.model.orders import Order, Position
from tradeterm.model.outputs import (
    AllocationView,
    Published,
    RegimeView,
    SentimentView,
    TechnicalView,
    TradeSignal,
)
from tradeterm.model.proposals import Card, RuleOutcome, TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, CardState, PositionSide, Route, Side
from tradeterm.risk.units import with_unit

BOOK_DEPTH = 50
CHART_BARS = 240
CARDS_DECIDED = 50
ORDERS_DONE = 100


@dataclass(frozen=True, slots=True)
class PacingFacts:
    """What only the driver knows."""

    speed: float
    waiting: bool
    market_time: int
    uptime: float
    store_lag: float
    day: str = ""
    """The wall clock's UTC day: what models may cost is counted by it."""
    feed: tuple[FeedLine, ...] = ()


def build_view(engine: Engine, pacing: PacingFacts, version: int) -> ConsoleView:
    """The whole picture; about a third of a millisecond with three symbols."""
    account = engine.books.account()
    return ConsoleView(
        version=version,
        status=_status(engine, account, pacing),
        symbols=engine.core.market.symbols,
        positions=tuple(_position(engine, position, account) for position in account.positions),
        cards=_cards(engine, account),
        books={symbol: _book(engine, symbol, pacing) for symbol in engine.core.market.symbols},
        charts=_charts(engine),
        events=tuple(engine.core.events.lines),
        agents=tuple(_agent(engine, name) for name in AgentName),
        orders=_orders(engine),
        risk=risk_view(engine, account),
        portfolio=portfolio_view(engine, account),
        balances={
            name: dict(assets) for name, assets in engine.books.portfolio.ledger.balances().items()
        },
    )


def _percent(part: Decimal, whole: Decimal) -> float:
    return float(part / whole * 100) if whole > 0 else 0.0


def _notional(account: AccountView, symbol: str, size: Decimal, price: Decimal) -> Decimal:
    """Size × price in account currency; 0 while the quote has no rate."""
    return size * price * account.rates.get(symbol.partition("/")[2], ZERO)


def _exposure(account: AccountView) -> Decimal:
    held = sum(
        (
            _notional(account, p.symbol, p.size, account.mid(p.symbol) or p.entry)
            for p in account.positions
        ),
        ZERO,
    )
    pending = sum(
        (
            _notional(
                account,
                o.request.symbol,
                o.remaining,
                o.request.limit or account.mid(o.request.symbol) or ZERO,
            )
            for o in account.entries
        ),
        ZERO,
    )
    return held + pending


def _status(engine: Engine, account: AccountView, pacing: PacingFacts) -> StatusView:
    core, risk = engine.core, engine.core.settings.risk
    last = engine.core.market.last_event
    start = account.day_start_equity
    return StatusView(
        known=True,
        mode=core.mode.value,
        state=core.state.value,
        state_reason=core.state_reason,
        level=account.level.value,
        level_cause=engine.trading.coordinator.degradation.cause,
        equity=account.equity,
        currency=account.currency,
        day_pnl=_percent(account.equity - start, start),
        drawdown=_percent(max(account.peak_equity - account.equity, ZERO), account.peak_equity),
        drawdown_limit=float(risk.max_drawdown),
        exposure=_percent(_exposure(account), account.equity),
        exposure_limit=float(risk.max_exposure),
        speed=pacing.speed,
        waiting_for_operator=pacing.waiting,
        data_age=max(0.0, (pacing.market_time - last) / SECOND) if last else None,
        advisor=_advisor(engine),
        llm_cost=_llm_cost(engine, pacing),
        llm_cap=core.settings.llm.daily_cap,
        market_time=pacing.market_time,
        uptime=pacing.uptime,
        alarms=core.events.alarms,
        store_lag=pacing.store_lag,
        feed=pacing.feed,
    )


def _advisor(engine: Engine) -> str:
    """Who settles conflicts; while a question is out, who is being asked."""
    llm = engine.core.settings.llm
    if llm.provider == "rules":
        return "RULES"
    asked = llm.role("arbiter").model or "RULES"
    if any(question.route in (Route.ADVISOR, Route.PROBE) for question in engine.effects):
        return f"asking {asked}"
    return asked if llm.provider == "litellm" else f"cassette of {asked}"


def _llm_cost(engine: Engine, pacing: PacingFacts) -> Decimal:
    counts = engine.core.counters.llm
    return counts.day_cost if counts.day == pacing.day else ZERO


def _position(engine: Engine, position: Position, account: AccountView) -> PositionView:
    mark = account.mid(position.symbol) or position.entry
    rate = account.rates.get(engine.core.instruments[position.symbol].quote, ZERO)
    return PositionView(
        id=position.id,
        symbol=position.symbol,
        side=position.side.value,
        size=position.size,
        entry=position.entry,
        mark=mark,
        unrealised=engine.books.unrealised(position, account),
        percent_equity=_percent(position.collateral, account.equity),
        stop=position.stop,
        target=position.target,
        leverage=position.leverage,
        agent=position.agent,
        opened=position.opened,
        fees=position.fees,
        closing=engine.books.is_closing(position.id),
        carry=position.carry,
        realised=position.realised,
        stop_kind=position.stop_kind.value,
        trailing=position.trailing,
        collateral_left=float(share_left(position, mark, rate)),
        lot=engine.core.instruments[position.symbol].lot,
        liquidation=_liquidation(engine, position, rate),
    )


def _liquidation(engine: Engine, position: Position, rate: Decimal) -> Decimal | None:
    if not rate:
        return None
    share = engine.core.settings.execution.liquidation
    price = engine.core.instruments[position.symbol].price(level_left(position, share, rate))
    return price if price > 0 else None


def _cards(engine: Engine, account: AccountView) -> tuple[CardView, ...]:
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
        after = _percent(_exposure(account) + change, account.equity)
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
    )


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


def _book(engine: Engine, symbol: str, pacing: PacingFacts) -> BookView:
    state = engine.core.market.symbol(symbol)
    return BookView(
        symbol=symbol,
        bids=tuple(state.book.levels(Side.BUY, BOOK_DEPTH)),
        asks=tuple(state.book.levels(Side.SELL, BOOK_DEPTH)),
        last=state.price,
        last_side=state.side,
        tick=engine.core.instruments[symbol].tick,
        age=max(0.0, (pacing.market_time - state.ts) / SECOND) if state.ts else None,
        version=state.version,
    )


def _charts(engine: Engine) -> dict[tuple[str, int], ChartView]:
    market = engine.core.market
    return {
        (symbol, timeframe): ChartView(
            symbol, timeframe, window.rows(CHART_BARS), market.symbol(symbol).forming(timeframe)
        )
        for symbol in market.symbols
        for timeframe, window in market.symbol(symbol).windows.items()
    }


def _agent(engine: Engine, name: AgentName) -> AgentView:
    counts = engine.core.counters.agents[name.value]
    spoken = engine.analysis.last_outputs(name)
    enabled = engine.analysis.is_enabled(name)
    return AgentView(
        name=name.value,
        enabled=enabled,
        state=_agent_state(enabled, counts.runs, engine.analysis.failing(name), bool(spoken)),
        by="RULES",
        runs=counts.runs,
        errors=counts.errors,
        votes={symbol: _vote(published) for symbol, published in spoken.items()},
        confidences={
            symbol: published.output.confidence
            for symbol, published in spoken.items()
            if not isinstance(published.output, AllocationView)
        },
        last_run=counts.last or None,
        next_run=engine.analysis.next_run(name),
        reasoning={symbol: published.output.reasoning for symbol, published in spoken.items()},
    )


def _agent_state(enabled: bool, runs: int, failing: bool, spoke: bool) -> str:
    if not enabled:
        return "off"
    if failing:
        return "failed"
    if not runs:
        return "idle"
    return "ok" if spoke else "warming"


def _vote(published: Published) -> str:
    output = published.output
    if isinstance(output, TechnicalView | SentimentView):
        return output.bias.value
    if isinstance(output, RegimeView):
        return output.regime.value
    if isinstance(output, TradeSignal):
        return output.action.value
    assert isinstance(output, AllocationView)
    return "rebalance" if output.legs else "balanced"


def _orders(engine: Engine) -> tuple[OrderView, ...]:
    execution = engine.books.execution
    done = list(execution.recent)[-ORDERS_DONE:][::-1]
    return tuple(_order(order) for order in (*execution.working.values(), *done))


def _order(order: Order) -> OrderView:
    request = order.request
    return OrderView(
        id=order.id,
        symbol=request.symbol,
        side=request.side.value,
        type=request.type.value,
        purpose=request.purpose.value,
        size=request.size,
        filled=order.filled,
        price=order.average or request.limit or request.trigger,
        status=order.status.value,
        created=order.created,
        updated=order.updated,
        reason=order.reason,
        position=request.position_id or "",
        limit=request.limit,
        post_only=request.post_only,
        expires=request.expires,
        unknown=order.unknown,
    )
