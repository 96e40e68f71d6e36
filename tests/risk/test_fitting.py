"""For any account and wish: what is approved fits every limit, and no larger lot would have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.risk.accounts import INSTRUMENTS, NOW, PRICES, STATE, D, account, entry, facts, position
from tests.risk.accounts import settings as shipped
from tradeterm.model.account import AccountView
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import PositionSide, Regime, Side
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.facts import MarketFacts

LIMITS = shipped()
ENGINE = RiskEngine(LIMITS, INSTRUMENTS)
RATE = {"BTC/USDT": D(1), "XRP/USDT": D(1), "XRP/BTC": D(50000)}
SYMBOLS = st.sampled_from(list(INSTRUMENTS))
SIDES = st.sampled_from(list(PositionSide))


def amounts(least: str, most: str, places: int = 2) -> st.SearchStrategy[Decimal]:
    """Decimals in a range."""
    return st.decimals(D(least), D(most), places=places)


@st.composite
def accounts(draw: st.DrawFn) -> AccountView:
    """Up to three positions and two working entries, in and out of trouble."""
    held = []
    for number in range(draw(st.integers(0, 3))):
        symbol = draw(SYMBOLS)
        size = draw(amounts("1", "3000")) / (PRICES[symbol] * RATE[symbol])
        held.append(position(number, symbol=symbol, side=draw(SIDES), size=size))
    working = []
    for number in range(draw(st.integers(0, 2))):
        symbol = draw(SYMBOLS)
        size = draw(amounts("1", "2000")) / (PRICES[symbol] * RATE[symbol])
        side = draw(st.sampled_from(list(Side)))
        working.append(
            entry(
                10 + number,
                symbol=symbol,
                side=side,
                size=size,
                leverage=D(draw(st.integers(1, 5))),
            )
        )
    equity = draw(amounts("100", "20000"))
    return account(
        equity=equity,
        cash=draw(amounts("0", "20000")),
        reserved=draw(amounts("0", "2000")),
        margin_used=draw(amounts("0", "3000")),
        positions=tuple(held),
        entries=tuple(working),
        day_start_equity=equity * draw(amounts("0.9", "1.06")),
        high_equity=equity * draw(amounts("1", "1.06")),
        week_start_equity=equity * draw(amounts("0.9", "1.12")),
        loss_streak=draw(st.integers(0, 6)),
        peak_equity=max(equity, equity * draw(amounts("1", "1.2"))),
    )


@st.composite
def wishes(draw: st.DrawFn) -> tuple[TradeIntent, MarketFacts]:
    """Mostly sensible shapes of any size."""
    symbol, side = draw(SYMBOLS), draw(SIDES)
    price, sign = PRICES[symbol], side.sign
    stop = draw(amounts("0.6", "2.9")) / 100
    entry_price = price * (1 + draw(amounts("-0.9", "0.9")) / 100)
    intent = TradeIntent(
        symbol,
        side,
        draw(amounts("1", "50000")) / (price * RATE[symbol]),
        entry_price,
        entry_price * (1 - sign * stop),
        entry_price * (1 + sign * stop * draw(amounts("1", "6"))),
        draw(amounts("1", "7", 1)),
        draw(amounts("0.5", "1")),
    )
    spread = price * draw(amounts("0", "0.002", 4))
    market = facts(
        symbol,
        bid=price - spread,
        ask=price + spread,
        taker_fee=draw(amounts("0", "0.004", 4)),
        regime=draw(st.sampled_from([*Regime, None])),
    )
    return intent, market


def broken_limits(intent: TradeIntent, view: AccountView, market: MarketFacts) -> list[str]:
    """The limits this trade breaks, written down a second time from DESIGN §7."""
    equity, sign = view.equity, intent.side.sign
    high = max(intent.entry, market.ask)
    fill = high if sign > 0 else min(intent.entry, market.bid)
    notional = intent.size * high * market.rate
    assert intent.stop is not None
    assert intent.target is not None
    per_unit = sign * (fill - intent.stop) + market.taker_fee * (fill + intent.stop)
    reward = sign * (intent.target - fill) - market.taker_fee * (fill + intent.target)
    book = [
        (p.symbol, p.side.sign, p.size * PRICES[p.symbol] * RATE[p.symbol], D(0))
        for p in view.positions
    ]
    book += [
        (
            o.request.symbol,
            1 if o.request.side is Side.BUY else -1,
            o.remaining * PRICES[o.request.symbol] * RATE[o.request.symbol],
            o.request.leverage,
        )
        for o in view.entries
    ]
    after = [*book, (intent.symbol, sign, notional, intent.leverage)]
    pending = sum((n / lev for _, _, n, lev in after if lev), D(0))
    drawdown = (view.peak_equity - equity) / view.peak_equity * 100
    caps = [
        D(5),
        min(LIMITS.regime_leverage.values())
        if market.regime is None
        else LIMITS.regime_leverage[market.regime],
    ]
    caps += [cap for at, cap in ((5, D(3)), (10, D(2)), (15, D(1))) if drawdown >= at]
    caps += [cap for at, cap in ((3, D(2)), (5, D(1))) if view.loss_streak >= at]
    caps += [cap for at, cap in ((D("0.7"), D(2)), (D("0.8"), D(3))) if intent.confidence < at]
    regime = market.regime
    wild = regime in (None, Regime.CHOPPY, Regime.VOLATILE_BULL, Regime.VOLATILE_BEAR)
    sure = D("0.63") if wild else D("0.6")
    sure += D("0.05") if view.loss_streak >= 5 else D("0.03") if view.loss_streak >= 3 else D(0)
    part = (
        D(100) if intent.confidence >= D("0.8") else D(75 if intent.confidence >= D("0.7") else 50)
    )
    calm = {
        Regime.TRENDING_BULL: 100, Regime.TRENDING_BEAR: 100, Regime.RANGING: 80,
        Regime.BREAKOUT_POTENTIAL: 80, Regime.VOLATILE_BULL: 60, Regime.VOLATILE_BEAR: 60,
    }  # fmt: skip
    budget = 2 * part / 100 * (50 if regime is None else calm.get(regime, 50)) / 100
    way = sign * (intent.target - fill)
    slip = D("0.0005")
    costs = market.ask - market.bid + (market.taker_fee + slip) * (fill + intent.target)

    def stacked(symbol: str, trades: list[tuple[str, int, Decimal, Decimal]]) -> Decimal:
        return sum((LIMITS.correlation(symbol, s) * g * n for s, g, n, _ in trades), D(0))

    worse = [
        s
        for s in dict.fromkeys(s for s, *_ in after)
        if abs(stacked(s, after)) > max(abs(stacked(s, book)), equity * 40 / 100)
    ]
    checks = {
        "collateral": notional / intent.leverage <= equity * 20 / 100,
        "risk": intent.size * per_unit * market.rate <= equity * budget / 100,
        "exposure": sum((n for _, _, n, _ in after), D(0)) <= equity * 80 / 100,
        "correlated": not worse,
        "margin": view.margin_used + pending <= equity * 50 / 100,
        "cash": notional / intent.leverage + notional * market.taker_fee
        <= view.cash - view.reserved,
        "leverage": 1 <= intent.leverage <= min(caps),
        "confidence": intent.confidence >= sure,
        "costs": costs * 2 <= way,
        "reward": reward >= D("1.5") * per_unit,
        "symbol": sum(s == intent.symbol for s, *_ in after) <= 2,
        "count": len(after) <= 5,
        "hedged": all(g == sign for s, g, *_ in book if s == intent.symbol),
        "daily": (view.day_start_equity - equity) * 20 < view.day_start_equity,
        "24 hours": (view.high_equity - equity) * 20 < view.high_equity,
        "weekly": (view.week_start_equity - equity) * 10 < view.week_start_equity,
        "drawdown": drawdown < 20,
        "minimum": INSTRUMENTS[intent.symbol].meets_minimum(
            intent.size, min(intent.entry, market.bid)
        ),
        "lot": intent.size % INSTRUMENTS[intent.symbol].lot == 0,
    }
    return [name for name, ok in checks.items() if not ok]


@settings(max_examples=400, deadline=None)
@given(accounts(), wishes())
def test_an_approved_trade_fits_every_limit_and_one_lot_more_would_not(
    view: AccountView, wish: tuple[TradeIntent, MarketFacts]
) -> None:
    intent, market = wish
    verdict = ENGINE.evaluate(
        intent, view, market, verdict_id="v", parent="p", now=NOW, state=STATE
    )
    if not verdict.allows:
        assert verdict.codes
        return
    final = verdict.intent
    assert final is not None
    assert broken_limits(final, view, market) == []
    assert final.size <= intent.size
    assert final.leverage <= intent.leverage
    lot = INSTRUMENTS[intent.symbol].lot
    if final.size + lot <= intent.size:
        assert broken_limits(replace(final, size=final.size + lot), view, market)


@settings(max_examples=200, deadline=None)
@given(accounts(), wishes())
def test_a_refusal_is_right_no_smallest_order_would_have_fitted(
    view: AccountView, wish: tuple[TradeIntent, MarketFacts]
) -> None:
    intent, market = wish
    verdict = ENGINE.evaluate(
        intent, view, market, verdict_id="v", parent="p", now=NOW, state=STATE
    )
    if verdict.allows:
        return
    instrument = INSTRUMENTS[intent.symbol]
    tick: dict[str, Any] = {"entry": instrument.price(intent.entry)}
    assert intent.stop is not None
    assert intent.target is not None
    tick |= {"stop": instrument.price(intent.stop), "target": instrument.price(intent.target)}
    smallest = replace(intent, size=instrument.min_size, leverage=D(1), **tick)
    gates = {
        "stop_wrong_side",
        "price_collar",
        "stop_too_wide",
        "stop_too_close",
        "target_wrong_side",
        "stop_missing",
    }
    if gates & set(verdict.codes):
        return
    wanted = instrument.size(intent.size)
    if wanted < instrument.min_size:
        return
    assert broken_limits(smallest, view, market)


@settings(max_examples=150, deadline=None)
@given(accounts(), wishes(), wishes())
def test_two_that_fit_alone_but_not_together_never_both_pass(
    view: AccountView,
    first: tuple[TradeIntent, MarketFacts],
    second: tuple[TradeIntent, MarketFacts],
) -> None:
    """The first one's order is in the account when the second is judged."""
    verdict = ENGINE.evaluate(
        first[0], view, first[1], verdict_id="a", parent="p", now=NOW, state=STATE
    )
    if verdict.intent is None:
        return
    sent = verdict.intent
    order = entry(
        99, symbol=sent.symbol, side=sent.side.entry, size=sent.size, leverage=sent.leverage
    )
    cost = sent.size * PRICES[sent.symbol] * RATE[sent.symbol] / sent.leverage
    after = replace(view, entries=(*view.entries, order), reserved=view.reserved + cost)
    other = ENGINE.evaluate(
        second[0], after, second[1], verdict_id="b", parent="p", now=NOW, state=STATE
    )
    if other.intent is not None:
        assert broken_limits(other.intent, after, second[1]) == []
