"""Builds the immutable picture of the engine that the screen shows. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tradeterm.engine.cardpicture import cards_view
from tradeterm.engine.engine import Engine
from tradeterm.engine.holdings import portfolio_view
from tradeterm.engine.levelpicture import level_view
from tradeterm.engine.proportions import exposure, percent
from tradeterm.engine.riskpicture import risk_view
from tradeterm.engine.talking import RULES
from tradeterm.engine.view import (
    AgentView,
    BookView,
    ChartView,
    ConsoleView,
    FeedLine,
    OrderView,
    PositionView,
    StatusView,
)
from tradeterm.execution.margin import level_left, share_left
from tradeterm.model.account import AccountView
from tradeterm.model.money import ZERO
from tradeterm.model.orders import Order, Position
from tradeterm.model.outputs import (
    AllocationView,
    Published,
    RegimeView,
    SentimentView,
    TechnicalView,
    TradeSignal,
)
from tradeterm.model.ports import AgentQuestion
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Route, Side

BOOK_DEPTH = 50
CHART_BARS = 240
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
    walking: str = ""
    arrived: str = ""
    lag: float = 0.0
    """Seconds the newest live message was on its way: what is shown is older by that."""


def build_view(engine: Engine, pacing: PacingFacts, version: int) -> ConsoleView:
    """The whole picture; about a third of a millisecond with three symbols."""
    account = engine.books.account()
    return ConsoleView(
        version=version,
        status=_status(engine, account, pacing),
        symbols=engine.core.market.symbols,
        positions=tuple(_position(engine, position, account) for position in account.positions),
        cards=cards_view(engine, account),
        books={symbol: _book(engine, symbol, pacing) for symbol in engine.core.market.symbols},
        charts=_charts(engine),
        regimes=engine.core.regimes.spells,
        events=tuple(engine.core.events.lines),
        agents=tuple(_agent(engine, name) for name in AgentName),
        orders=_orders(engine),
        level=level_view(engine),
        risk=risk_view(engine, account),
        portfolio=portfolio_view(engine, account),
        overrides={key: one.value for key, one in engine.adjusting.overrides.items()},
        away=engine.gap.away,
        balances={
            name: dict(assets) for name, assets in engine.books.portfolio.ledger.balances().items()
        },
    )


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
        day_pnl=percent(account.equity - start, start),
        drawdown=percent(max(account.peak_equity - account.equity, ZERO), account.peak_equity),
        drawdown_limit=float(risk.max_drawdown),
        exposure=percent(exposure(account), account.equity),
        exposure_limit=float(risk.max_exposure),
        speed=pacing.speed,
        walking=pacing.walking,
        arrived=pacing.arrived,
        waiting_for_operator=pacing.waiting,
        data_age=_age(last, pacing),
        advisor=_advisor(engine),
        llm_cost=_llm_cost(engine, pacing),
        llm_cap=core.settings.llm.daily_cap,
        market_time=pacing.market_time,
        uptime=pacing.uptime,
        alarms=core.events.alarms,
        store_lag=pacing.store_lag,
        feed=pacing.feed,
    )


def _age(ts: int, pacing: PacingFacts) -> float | None:
    """Seconds since something of then happened at the exchange; None before the first."""
    return max(0.0, (pacing.market_time - ts) / SECOND) + pacing.lag if ts else None


def _advisor(engine: Engine) -> str:
    """Who settles conflicts; while a question is out, who is being asked."""
    llm = engine.core.settings.llm
    if llm.provider == "rules":
        return "RULES"
    for question in engine.asked.open():
        if question.route in (Route.ADVISOR, Route.PROBE):
            who = question.agent.value if isinstance(question, AgentQuestion) else "arbiter"
            return f"asking {llm.role(who).model}"
    asked = llm.role("arbiter").model or "RULES"
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
        percent_equity=percent(position.collateral, account.equity),
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
        if_closed=engine.books.if_closed(position, account),
    )


def _liquidation(engine: Engine, position: Position, rate: Decimal) -> Decimal | None:
    if not rate:
        return None
    share = engine.core.settings.execution.liquidation
    price = engine.core.instruments[position.symbol].price(level_left(position, share, rate))
    return price if price > 0 else None


def _book(engine: Engine, symbol: str, pacing: PacingFacts) -> BookView:
    state = engine.core.market.symbol(symbol)
    return BookView(
        symbol=symbol,
        bids=tuple(state.book.levels(Side.BUY, BOOK_DEPTH)),
        asks=tuple(state.book.levels(Side.SELL, BOOK_DEPTH)),
        last=state.price,
        last_side=state.side,
        tick=engine.core.instruments[symbol].tick,
        age=_age(state.ts, pacing),
        version=state.version,
        trades=engine.trades.last(symbol),
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
    enabled = engine.analysis.agenda.is_enabled(name)
    return AgentView(
        name=name.value,
        enabled=enabled,
        state=_agent_state(enabled, counts.runs, engine.analysis.failing(name), bool(spoken)),
        by=max(spoken.values(), key=lambda one: one.ts).by if spoken else RULES,
        runs=counts.runs,
        errors=counts.errors,
        votes={symbol: _vote(published) for symbol, published in spoken.items()},
        confidences={
            symbol: published.output.confidence
            for symbol, published in spoken.items()
            if not isinstance(published.output, AllocationView)
        },
        last_run=counts.last or None,
        next_run=engine.analysis.agenda.next_run(name),
        reasoning={symbol: published.output.reasoning for symbol, published in spoken.items()},
        model=counts.model,
        latency=counts.latency / SECOND if counts.latency else None,
        cost=counts.cost,
        invalid=counts.invalid,
        why=counts.why,
        spoke={symbol: (published.by, published.ts) for symbol, published in spoken.items()},
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
