"""Entry, stop, target, size and leverage for a direction: the arithmetic behind every entry."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from itertools import chain

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.market.market import Snapshot
from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.money import ONE, ZERO, ceil_to, exact, floor_to
from tradeterm.model.opinions import DecisionOpinion
from tradeterm.model.outputs import TradeSignal
from tradeterm.model.vocabulary import Action
from tradeterm.settings.agents import TradingDecisionSettings

#: ATR is taken from the longest warm timeframe up to this one (seconds).
ATR_TIMEFRAME = 3600


class Multipliers(msgspec.Struct, frozen=True, gc=False):
    """What the regime advises: factors on size and stop distance."""

    size: float = 1.0
    stop: float = 1.0


def entry_signal(
    ctx: AgentContext,
    settings: TradingDecisionSettings,
    action: Action,
    confidence: float,
    advice: Multipliers,
    figures: dict[str, float],
    reasoning: str,
) -> TradeSignal:
    """A BUY or SELL with everything an order needs; HOLD where a figure is missing."""
    snapshot, instrument = ctx.snapshot, ctx.instruments.get(ctx.symbol)
    assert snapshot is not None
    if instrument is None:
        return hold(ctx, f"{reasoning}; no instrument, no order", figures)
    account = ctx.account
    rate = _rate(account, instrument)
    atr = atr_of(snapshot)
    if rate is None or atr is None:
        missing = "rate to account currency" if rate is None else "ATR"
        return hold(ctx, f"{reasoning}; no {missing} yet, no order", figures)
    entry = instrument.price((snapshot.bid + snapshot.ask) / 2)
    if entry <= 0:
        return hold(ctx, f"{reasoning}; no price, no order", figures)
    stop, target = levels(settings, instrument, entry, atr * advice.stop, long=action is Action.BUY)
    distance = abs(entry - stop)
    if not distance:
        return hold(
            ctx, f"{reasoning}; the tick {instrument.tick:f} leaves no room for a stop", figures
        )
    risked = account.equity * settings.risk_per_trade / 100 * exact(round(advice.size, 4))
    size = instrument.size(max(risked / (distance * rate), ZERO))
    away = 100 * distance / entry
    figures = {**figures, "atr": atr, "stop_percent": float(away)}
    return TradeSignal(
        ctx.symbol, action, confidence, entry, stop, target, size,
        leverage_for(settings, confidence), figures,
        f"{reasoning}; stop {away:.2f} % away, "
        f"target {100 * abs(target - entry) / entry:.2f} %",
    )  # fmt: skip


def entry_of(
    ctx: AgentContext, instrument: Instrument, said: DecisionOpinion, figures: dict[str, float]
) -> TradeSignal:
    """The entry that models decided on; HOLD where the price has passed its stop or target."""
    snapshot = ctx.snapshot
    assert snapshot is not None
    now = instrument.price((snapshot.bid + snapshot.ask) / 2)
    entry = now if said.entry is None else instrument.price(said.entry)
    stop, target = instrument.price(said.stop or ZERO), instrument.price(said.target or ZERO)
    inside = stop < entry < target if said.action is Action.BUY else target < entry < stop
    if not inside:
        return hold(ctx, f"{said.reasoning} (the price has passed its stop or target)", figures)
    figures = {**figures, "stop_percent": float(100 * abs(entry - stop) / entry)}
    return TradeSignal(
        ctx.symbol, said.action, said.confidence, entry, stop, target,
        instrument.size(said.size or ZERO), said.leverage or ONE, figures, said.reasoning,
    )  # fmt: skip


def levels(
    settings: TradingDecisionSettings, instrument: Instrument, entry: Decimal, atr: float, *,
    long: bool,
) -> tuple[Decimal, Decimal]:  # fmt: skip
    """Stop inside its bounds and the target that pays ``reward`` times the risk after fees.

    With f the taker fees of both sides (taken at the entry price, the target's own surplus
    included), target distance = (reward·(stop distance + f) + f) / (1 − fee).
    """
    least, most = entry * settings.stop_least / 100, entry * settings.stop_most / 100
    distance = min(max(exact(round(atr * settings.stop_atr, 10)), least), most)
    fees = 2 * instrument.taker_fee * entry
    reward = (settings.reward * (distance + fees) + fees) / (ONE - instrument.taker_fee)
    tick = instrument.tick
    if long:
        return ceil_to(entry - distance, tick), ceil_to(entry + reward, tick)
    target = max(floor_to(entry - reward, tick), tick)
    return floor_to(entry + distance, tick), target


def leverage_for(settings: TradingDecisionSettings, confidence: float) -> Decimal:
    """Whole steps from 1 at a confidence of 0.5 to the configured wish at 1, and never beyond it."""
    share = exact(round(max(0.0, min(1.0, 2 * confidence - 1)), 4))
    return min(
        (ONE + (settings.leverage - ONE) * share).to_integral_value(),
        floor_to(settings.leverage, ONE),
    )


def atr_of(snapshot: Snapshot) -> float | None:
    """ATR in quote currency: the longest warm timeframe up to one hour, else the shortest."""
    known = list(snapshot.by_timeframe)
    short = bisect_right(known, ATR_TIMEFRAME)
    for timeframe in chain(reversed(known[:short]), known[short:]):
        atr = snapshot.atr(timeframe)
        if atr is not None:
            return atr
    return None


def flat_signal(
    ctx: AgentContext, action: Action, confidence: float, size: Decimal,
    figures: dict[str, float], reasoning: str,
) -> TradeSignal:  # fmt: skip
    """HOLD and CLOSE_*: no levels of their own, so all three are the price."""
    snapshot, instrument = ctx.snapshot, ctx.instruments.get(ctx.symbol)
    assert snapshot is not None
    price = instrument.price(snapshot.price) if instrument else exact(snapshot.price)
    return TradeSignal(
        ctx.symbol, action, confidence, price, price, price, size, ONE, figures, reasoning
    )


def hold(ctx: AgentContext, reasoning: str, figures: dict[str, float]) -> TradeSignal:
    """Nothing to do."""
    return flat_signal(ctx, Action.HOLD, 0.5, ZERO, figures, reasoning)


def _rate(account: AccountView, instrument: Instrument) -> Decimal | None:
    if instrument.quote == account.currency:
        return ONE
    return account.rates.get(instrument.quote)
