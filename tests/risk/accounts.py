"""Accounts, trades and markets for risk tests: plain ones that fit every limit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace

from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.orders import Order, OrderRequest, Position
from tradeterm.model.proposals import TradeIntent, Verdict
from tradeterm.model.vocabulary import (
    AccountBook,
    Level,
    OrderStatus,
    OrderType,
    PositionSide,
    Purpose,
    Regime,
    RunState,
)
from tradeterm.risk.engine import RiskEngine
from tradeterm.risk.facts import MarketFacts
from tradeterm.settings.risk import RiskSettings

D = Decimal
CONFIG = Path(__file__).parents[2] / "config"
NOW = 1_750_000_000_000_000_000
STATE = "1.1"


def settings(**changes: Any) -> RiskSettings:
    """The settings that ship, with changes."""
    data = yaml.safe_load((CONFIG / "risk.yaml").read_text("utf-8"))
    return RiskSettings.model_validate({**data, **changes})


def _instrument(symbol: str, tick: str, lot: str, min_size: str, min_notional: str) -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        symbol, base, quote, D(tick), D(lot), D(min_size), D(min_notional), D("0.004")
    )


INSTRUMENTS = {
    one.symbol: one
    for one in (
        _instrument("BTC/USDT", "0.1", "0.0001", "0.001", "0.5"),
        _instrument("XRP/USDT", "0.0001", "0.01", "2", "0.5"),
        _instrument("XRP/BTC", "0.00000001", "0.01", "2", "0.00002"),
    )
}
PRICES = {"BTC/USDT": D(50000), "XRP/USDT": D("0.5"), "XRP/BTC": D("0.00001")}


def account(**changes: Any) -> AccountView:
    """10,000 USDT, nothing open, prices without a spread."""
    view = AccountView(
        ts=NOW,
        currency="USDT",
        equity=D(10000),
        cash=D(10000),
        reserved=D(0),
        margin_used=D(0),
        unrealised=D(0),
        positions=(),
        entries=(),
        holdings={"USDT": D(10000)},
        rates={"USDT": D(1), "BTC": D(50000), "XRP": D("0.5")},
        bids=PRICES,
        asks=PRICES,
        day_start_equity=D(10000),
        high_equity=D(10000),
        week_start_equity=D(10000),
        peak_equity=D(10000),
        loss_streak=0,
        state=RunState.RUNNING,
        level=Level.NORMAL,
    )
    return replace(view, **changes)


def facts(symbol: str = "BTC/USDT", **changes: Any) -> MarketFacts:
    """A fresh market; without a fee, so that limits are round figures."""
    price = PRICES[symbol]
    plain = MarketFacts(
        bid=price,
        ask=price,
        rate=D(50000) if symbol == "XRP/BTC" else D(1),
        taker_fee=D(0),
        data_age_seconds=0.5,
        stale=False,
        regime=Regime.TRENDING_BULL,
        data_age_limit=5.0,
    )
    return msgspec.structs.replace(plain, **changes)


def long(**changes: Any) -> TradeIntent:
    """0.02 BTC (1,000 USDT) long at 50,000, stop 2 % below, target 4 % above."""
    plain = TradeIntent(
        "BTC/USDT", PositionSide.LONG, D("0.02"), D(50000), D(49000), D(52000), D(1), D("0.8")
    )
    return replace(plain, **changes)


def short(**changes: Any) -> TradeIntent:
    """The mirror image of ``long``."""
    mirrored = {"side": PositionSide.SHORT, "stop": D(51000), "target": D(48000)}
    return long(**{**mirrored, **changes})


def position(number: int = 1, **changes: Any) -> Position:
    """0.02 BTC long from 50,000."""
    plain = Position(
        id=f"pos-{number}",
        symbol="BTC/USDT",
        side=PositionSide.LONG,
        size=D("0.02"),
        entry=D(50000),
        leverage=D(1),
        collateral=D(1000),
        opened=NOW,
        updated=NOW,
        order_id=f"ord-{number}",
        agent="trading_decision",
        stop=D(49000),
        target=D(52000),
        opened_size=D("0.02"),
    )
    return replace(plain, **changes)


def request(**changes: Any) -> OrderRequest:
    """The market order that follows from ``long`` and verdict v-1."""
    intent = long()
    plain = OrderRequest(
        id="ord-9",
        symbol=intent.symbol,
        side=intent.side.entry,
        type=OrderType.MARKET,
        size=intent.size,
        purpose=Purpose.ENTRY,
        book=AccountBook.MARGIN,
        parent="v-1",
        leverage=intent.leverage,
        stop=intent.stop,
        target=intent.target,
    )
    return replace(plain, **changes)


def entry(number: int = 1, **changes: Any) -> Order:
    """A working entry."""
    return Order(request(id=f"ord-{number}", **changes), f"v-{number}", OrderStatus.OPEN, NOW, NOW)


def judge(
    intent: TradeIntent | None = None,
    view: AccountView | None = None,
    market: MarketFacts | None = None,
    **changes: Any,
) -> Verdict:
    """The verdict of the shipped limits (or changed ones)."""
    engine = RiskEngine(settings(**changes), INSTRUMENTS)
    return engine.evaluate(
        intent or long(),
        view or account(),
        market or facts(),
        verdict_id="v-1",
        parent="p-1",
        now=NOW,
        state=STATE,
    )
