"""What an agent's models are told: facts with source and age, and words that are quoted as words.

What is too old or not warm is left out: an absent figure is absent, never a wrong one. No dates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from tradeterm.agents.context import AgentContext
from tradeterm.agents.sentiment import SentimentAgent
from tradeterm.market.recipes import IndicatorSet
from tradeterm.model.market import News
from tradeterm.model.orders import Position
from tradeterm.model.outputs import (
    AllocationView,
    Published,
    RegimeView,
    SentimentView,
    TechnicalView,
)
from tradeterm.model.ports import AgentQuestion, Allowed, Fact, Quotation, Scope
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND, timeframe_text
from tradeterm.model.vocabulary import AgentName

#: Characters of an analyst's prose that the decision reads.
PROSE_LIMIT: Final = 160
#: Headlines one question quotes, newest first, and how long each may be (characters).
MOST_TEXTS: Final = 12
TEXT_LIMIT: Final = 240
#: A candle is too old after this many of its timeframes (DESIGN §7, data age).
FRESH_BARS: Final = 2
Values = dict[str, float | str]
#: Figures are told to this many digits.
DIGITS: Final = 5
MARKET, LEDGER = "market", "ledger"
_CHART: Final = (
    "close", "ema_21", "ema_50", "ema_200", "rsi", "macd_histogram", "atr", "adx", "plus_di",
    "minus_di", "roc", "support", "resistance",
)  # fmt: skip
_REGIME: Final = (
    "close",
    "ema_50",
    "adx",
    "plus_di",
    "minus_di",
    "choppiness",
    "atr",
    "atr_mean",
    "squeeze",
)


class Briefing:
    """Facts and quotations for each agent; empty facts say that there is nothing to ask about."""

    def __init__(self, sentiment: SentimentAgent) -> None:
        """``sentiment`` knows which headlines still count."""
        self._sentiment = sentiment
        self._facts: dict[AgentName, Callable[[AgentContext], Iterator[Fact]]] = {
            AgentName.TECHNICAL: lambda ctx: _candles(ctx, _CHART),
            AgentName.REGIME: lambda ctx: _candles(ctx, _REGIME),
            AgentName.SENTIMENT: self._mood,
            AgentName.TRADING: _decision,
        }

    def facts(self, name: AgentName, ctx: AgentContext) -> tuple[Fact, ...]:
        """What a run of this agent goes by."""
        return tuple(self._facts[name](ctx))

    def texts(self, name: AgentName, ctx: AgentContext) -> tuple[Quotation, ...]:
        """What others wrote and said, as data."""
        if name is AgentName.SENTIMENT:
            news = self._sentiment.window(ctx)[:MOST_TEXTS]
            return tuple(_headline(one, ctx.now) for one in news)
        if name is AgentName.TRADING:
            return tuple(_prose(heard, ctx) for heard in _heard(ctx))
        return ()

    def _mood(self, ctx: AgentContext) -> Iterator[Fact]:
        news = self._sentiment.window(ctx)
        if news:
            newest = (ctx.now - news[0].ts) / SECOND
            yield Fact("headlines", "news", newest, {"count": float(len(news))})


def allocation_facts(view: AllocationView, ctx: AgentContext) -> tuple[Fact, ...]:
    """The orders that are due and what the portfolio looks like; no order can be changed."""
    weights: Values = {f"{name} percent": _round(value) for name, value in view.weights.items()}
    targets: Values = {f"{name} percent": _round(value) for name, value in view.targets.items()}
    legs: Values = {leg.symbol: float(leg.notional) for leg in view.legs}
    account = ctx.account
    worth: Values = {"equity": _round(account.equity), "free": _round(account.free)}
    return (
        Fact("weights", LEDGER, 0.0, weights),
        Fact("targets", "settings", 0.0, targets),
        Fact("orders due, notional", "rules", 0.0, legs),
        Fact("account", LEDGER, 0.0, worth),
    )


def told(question: AgentQuestion) -> dict[str, Any]:
    """The question as one JSON object, quotations left out; it holds no date."""
    found: dict[str, Any] = {"symbol": question.symbol}
    for fact in question.facts:
        values = {name: _short(value) for name, value in fact.values.items()}
        found[fact.name] = {"from": fact.source, "age_s": round(fact.age), **values}
    if question.scope is not None:
        found["allowed"] = _scope(question.scope)
    return found


def quoted(question: AgentQuestion) -> list[dict[str, Any]]:
    """The quotations as JSON data."""
    return [
        {"id": text.id, "from": text.source, "age_s": round(text.age), "text": text.text}
        for text in question.texts
    ]


# -- pieces ----------------------------------------------------------------------------------


def _candles(ctx: AgentContext, names: tuple[str, ...]) -> Iterator[Fact]:
    """One fact per timeframe whose newest candle is young enough."""
    if ctx.snapshot is None:
        return
    for timeframe, figures in ctx.snapshot.by_timeframe.items():
        age = (ctx.now - figures.ts) / SECOND
        if age > FRESH_BARS * timeframe:
            continue
        values = _warm(figures, names)
        if len(values) > 1:  # more than its close
            yield Fact(f"candles {timeframe_text(timeframe)}", MARKET, age, values)


def _warm(figures: IndicatorSet, names: tuple[str, ...]) -> Values:
    found: Values = {}
    for name in names:
        value = getattr(figures, name)
        if value is not None:
            found[name] = _round(value)
    return found


def _decision(ctx: AgentContext) -> Iterator[Fact]:
    """Market, analysts, account and what is held, each with its own exit plan."""
    snapshot, account = ctx.snapshot, ctx.account
    if snapshot is None or ctx.technical_view is None:
        return
    spread = 100 * (snapshot.ask - snapshot.bid) / snapshot.price
    price: Values = {
        "last": _round(snapshot.price, 7), "bid": _round(snapshot.bid, 7),
        "ask": _round(snapshot.ask, 7), "spread_percent": _round(spread),
    }  # fmt: skip
    if (instrument := ctx.instruments.get(ctx.symbol)) is not None:
        price["fee_percent_per_side"] = _round(100 * instrument.taker_fee)
    yield Fact("price", MARKET, ctx.data_age, price)
    for heard in _heard(ctx):
        yield Fact(heard.agent.value, heard.by, _age(heard, ctx), _said(heard))
    yield Fact(
        "account", LEDGER, 0.0,
        {
            "currency": account.currency, "equity": _round(account.equity),
            "free": _round(account.free), "margin_used": _round(account.margin_used),
            "unrealised": _round(account.unrealised), "losses_in_a_row": float(account.loss_streak),
            "open_positions": float(sum(p.is_open for p in account.positions)),
            "working_entries": float(len(account.entries)),
        },
    )  # fmt: skip
    for position in account.positions:
        if position.is_open:
            yield Fact(f"position {position.id}", LEDGER, 0.0, _position(position, ctx.now))
    for order in account.entries:
        request = order.request
        values: Values = {
            "symbol": request.symbol, "side": request.side.value, "size": _round(request.size),
        }  # fmt: skip
        yield Fact(f"working entry {order.id}", LEDGER, 0.0, values)


def _heard(ctx: AgentContext) -> Iterator[Published]:
    return (heard for heard in (ctx.technical, ctx.regime, ctx.sentiment) if heard is not None)


def _age(heard: Published, ctx: AgentContext) -> float:
    return ctx.ages.get(heard.agent, (ctx.now - heard.ts) / SECOND)


def _said(heard: Published) -> Values:
    view = heard.output
    if isinstance(view, TechnicalView):
        return {
            "bias": view.bias.value, "confidence": _round(view.confidence),
            "trend_strength": _round(view.trend_strength), "momentum_percent": _round(view.momentum),
            "rsi": view.rsi_state, "macd": view.macd_state, "support": _round(view.support),
            "resistance": _round(view.resistance),
        }  # fmt: skip
    if isinstance(view, RegimeView):
        return {
            "regime": view.regime.value, "bias": view.bias.value,
            "confidence": _round(view.confidence), "volatility": view.volatility.value,
            "size_multiplier": view.size_multiplier, "stop_multiplier": view.stop_multiplier,
        }  # fmt: skip
    assert isinstance(view, SentimentView)
    return {
        "score": _round(view.score), "bias": view.bias.value,
        "confidence": _round(view.confidence), "texts": float(view.items),
    }  # fmt: skip


def _position(position: Position, now: int) -> Values:
    values: Values = {
        "symbol": position.symbol, "side": position.side.value, "size": _round(position.size),
        "entry": _round(position.entry), "leverage": _round(position.leverage),
        "held_s": round((now - position.opened) / SECOND), "stop": _round(position.stop),
    }  # fmt: skip
    if position.target is not None:
        values["target"] = _round(position.target)
    return values


def _headline(news: News, now: int) -> Quotation:
    source = clean(news.source, 40)
    return Quotation(news_id(news), source, (now - news.ts) / SECOND, clean(news.text, TEXT_LIMIT))


def news_id(news: News) -> str:
    """Its own where the source gives one, else made from what it says."""
    if news.id:
        return clean(news.id, 64)
    told = f"{news.ts}:{news.source}:{news.text}"
    return f"news-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _prose(heard: Published, ctx: AgentContext) -> Quotation:
    text = clean(heard.output.reasoning, PROSE_LIMIT)
    return Quotation(heard.id, heard.agent.value, _age(heard, ctx), text)


def _scope(scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {
        "slippage_percent_per_side": float(scope.slippage), "HOLD": "always",
    }  # fmt: skip
    for action in scope.closes:
        found[action.value] = "the whole position"
    for one in scope.entries:
        found[one.action.value] = _entry(one)
    for refused, why in scope.refused.items():
        found[refused] = f"refused: {why}"
    return found


def _entry(one: Allowed) -> dict[str, Any]:
    return {
        "price": float(one.price), "max_size": float(one.max_size),
        "max_leverage": float(one.max_leverage),
        "stop_percent": [float(one.min_stop), float(one.max_stop)],
        "max_loss_at_stop": _round(one.max_loss), "min_reward_risk": float(one.min_reward),
        "min_confidence": one.min_confidence, "entry_within_percent": float(one.max_collar),
    }  # fmt: skip


def _round(value: float | Decimal, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")


def _short(value: float | str) -> float | str:
    """A whole number without its point: fewer tokens."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
