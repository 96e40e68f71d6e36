"""Pictures for the screen's tests: a desk in the middle of a day, and a session that plays them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.tui.spells import spells
from tradeterm.engine.cardview import CardView, RuleView
from tradeterm.engine.riskview import LimitView, RiskView
from tradeterm.engine.view import (
    AgentView,
    AllocationLine,
    BagView,
    BookView,
    ChartView,
    ConsoleView,
    EarningsView,
    EventView,
    HeadroomView,
    OrderView,
    PlanLegView,
    PlanView,
    PortfolioView,
    PositionView,
    StatusView,
    TierView,
)
from tradeterm.model.commands import OperatorCommand
from tradeterm.model.market import Trade
from tradeterm.model.timing import MINUTE, SECOND, parse_instant
from tradeterm.model.walking import Goal
from tradeterm.tui.options import ConsoleOptions

NOW = parse_instant("2025-06-02T14:02:07Z")
D = Decimal


class FakeSession:
    """A list of pictures; ``next()`` shows the following one. Commands are recorded."""

    def __init__(self, *views: ConsoleView) -> None:
        self._views = list(views) or [ConsoleView()]
        self._at = 0
        self.commands: list[OperatorCommand] = []
        self.questions: list[str] = []
        self.answer: Future[dict[str, Any]] = Future()
        self.speeds: list[float] = []
        self.pauses: list[bool] = []
        self.walks: list[tuple[Goal, int]] = []
        self.started = 0
        self.stopped: list[float] = []
        self.left_as_is = False
        self.failure: BaseException | None = None
        self.options: ConsoleOptions | None = None
        self.store: Path | None = None
        self.watching = False

    @property
    def view(self) -> ConsoleView:
        return self._views[self._at]

    def next(self) -> None:
        self._at = min(self._at + 1, len(self._views) - 1)

    def show(self, view: ConsoleView) -> None:
        self._views.append(view)
        self._at = len(self._views) - 1

    def start(self) -> None:
        self.started += 1

    def stop(self, deadline: float) -> bool:
        self.stopped.append(deadline)
        return True

    def leave_as_is(self) -> None:
        self.left_as_is = True

    def submit(self, command: OperatorCommand) -> None:
        self.commands.append(command)

    def set_speed(self, speed: float) -> None:
        self.speeds.append(speed)

    def set_paused(self, paused: bool) -> None:
        self.pauses.append(paused)

    def walk(self, goal: Goal, span: int) -> None:
        self.walks.append((goal, span))

    def what_if(self, asked: str) -> Future[dict[str, Any]]:
        self.questions.append(asked)
        return self.answer


class FakeClock:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def book(symbol: str, mid: float, tick: str, size: float, version: int = 1) -> BookView:
    step = float(tick) * 5
    return BookView(
        symbol=symbol,
        bids=tuple(
            (mid - step * (n + 1), size * (1.2 + math.sin(n * 1.7 + version))) for n in range(30)
        ),
        asks=tuple((mid + step * n, size * (1.2 + math.cos(n * 1.3 + version))) for n in range(30)),
        last=mid,
        last_side="buy",
        tick=D(tick),
        age=0.1,
        version=version,
        trades=tuple(
            Trade(NOW - n * 700_000_000, symbol, mid - step * (n % 3), size * (n % 7 + 1) / 8, side)
            for n, side in enumerate(("buy", "buy", "sell", "buy", "sell") * 4)
        ),
    )


def chart(symbol: str, timeframe: int, mid: float) -> ChartView:
    candles = []
    price = mid * 0.99
    for n in range(240):
        opened = price
        price = mid * (1 + 0.006 * math.sin(n / 17) + 0.002 * math.sin(n * 1.3) - 0.00002 * n)
        high, low = max(opened, price) * 1.0008, min(opened, price) * 0.9991
        close_time = NOW - (240 - n) * timeframe * SECOND
        close_time -= close_time % (timeframe * SECOND)
        candles.append((close_time, opened, high, low, price, 4 + 3 * math.sin(n / 5)))
    forming = (NOW, price, price * 1.001, price * 0.9995, price * 1.0005, 2.0)
    return ChartView(symbol, timeframe, tuple(candles), forming)


def position(
    n: int,
    symbol: str,
    side: str,
    size: str,
    entry: str,
    mark: str,
    gain: str,
    stop: str,
    target: str | None,
) -> PositionView:
    return PositionView(
        id=f"pos-{n}",
        symbol=symbol,
        side=side,
        size=D(size),
        entry=D(entry),
        mark=D(mark),
        unrealised=D(gain),
        percent_equity=10.5 + n,
        stop=D(stop),
        target=D(target) if target else None,
        leverage=D(2),
        agent="trading_decision",
        opened=NOW - n * 17 * MINUTE,
        fees=D("4.21"),
        closing=False,
        if_closed=D(gain) - 2 * D("4.21"),
    )


def card(
    n: int, symbol: str, headline: str, left: int, state: str = "pending", content_hash: str = ""
) -> CardView:
    return CardView(
        id=f"card-{n}",
        content_hash=content_hash or f"hash{n}",
        symbol=symbol,
        action=f"buy 0.0500 {symbol} at market",
        headline=headline,
        types=("ta_sentiment",),
        evidence=(
            "technical analysis leans long with 0.62 (EMA 9 above EMA 21, RSI 58)",
            "sentiment leans short with 0.55: 3 of 4 headlines of the last hour negative",
            "confidence gap 0.07 is below 0.20",
        ),
        resolution="modify",
        by="rules",
        model="rules",
        misquoted=(),
        reasoning="Sentiment is 22 minutes old, technical analysis 40 seconds: the fresher one "
        "leads, at half the size.",
        confidence=0.61,
        closing=False,
        follows="",
        size=D("0.05"),
        notional=D("3250.70"),
        entry=D("65014.0"),
        stop=D("63900.0"),
        target=D("66800.0"),
        leverage=D(2),
        risk_at_stop=D("71.72"),
        reward_risk=1.52,
        exposure_after=44.2 if state == "pending" else None,
        rules=(
            RuleView("stop distance", "1.71 %", "0.5–5 %", "pass"),
            RuleView("position collateral", "16.2 %", "20 %", "pass"),
            RuleView("risk at stop", "0.71 %", "2 %", "pass"),
            RuleView("size", "0.05", "halved by the arbiter", "reduced"),
        ),
        created=NOW - 40 * SECOND,
        expires=NOW + left * SECOND,
        price=D("65001.5"),
        price_now=D("65014.0") if state == "pending" else None,
        decided=0 if state == "pending" else NOW - 25 * SECOND,
        state=state,
        reason="",
    )


def turning_card(n: int, symbol: str, left: int) -> CardView:
    """A card that closes a long position; its signal then goes short."""
    return replace(
        card(n, symbol, f"signal on {symbol} against open pos-1 (long 0.4200 from 64,812.0)", left),
        action="close pos-1 at market",
        closing=True,
        follows=f"then a SHORT on {symbol} is proposed anew, with a card of its own",
        size=D("0.42"),
        notional=D("27306.01"),
        stop=None,
        target=None,
        leverage=D(1),
        risk_at_stop=D(0),
        reward_risk=None,
        exposure_after=16.9,
        rules=(),
    )


def order(
    n: int, symbol: str, side: str, kind: str, purpose: str, status: str, price: str | None
) -> OrderView:
    return OrderView(
        id=f"ord-{n}",
        symbol=symbol,
        side=side,
        type=kind,
        purpose=purpose,
        size=D("0.42"),
        filled={"filled": D("0.42"), "partially_filled": D("0.17")}.get(status, D(0)),
        price=D(price) if price else None,
        status=status,
        created=NOW - n * MINUTE,
        updated=NOW - n * MINUTE,
        reason="",
    )


EVENTS = (
    ("FEED", "info", "sim: 3 symbols, seed 20, 60×"),
    ("STATE", "info", "running"),
    ("ORDER", "info", "ord-3 buy 0.0500 BTC/USDT market sent"),
    ("FILL", "info", "BTC/USDT buy 0.0500 @ 65,014.3 paper, book walk"),
    ("POS", "info", "pos-1 long 0.0500 BTC/USDT opened, stop 63,900.0, target 66,800.0"),
    ("CONF", "info", "#17 opened: TA long .62 vs sentiment short .55"),
    ("LEVEL", "warning", "NORMAL → REDUCED: feed XRP/USDT stale 5.2 s"),
    ("RISK", "warning", "clamped XRP/BTC 84 → 40 (20 % collateral)"),
    ("ERROR", "error", "sentiment_analysis: no valid answer after 3 tries"),
    ("FILL", "info", "XRP/USDT sell 3,100.00 @ 0.54060 paper, book walk"),
)


def events() -> tuple[EventView, ...]:
    return tuple(
        EventView(n + 1, NOW - (len(EVENTS) - n) * 20 * SECOND, kind, severity, text)
        for n, (kind, severity, text) in enumerate(EVENTS)
    )


def agents() -> tuple[AgentView, ...]:
    says = {
        "technical_analysis": ("ok", "long", 0.62),
        "regime_detection": ("ok", "ranging", 0.71),
        "sentiment_analysis": ("failed", "short", 0.55),
        "trading_decision": ("ok", "BUY", 0.64),
        "portfolio_rebalance": ("warming", "", None),
    }
    return tuple(
        AgentView(
            name=name,
            enabled=True,
            state=state,
            by="rules",
            runs=41,
            errors=int(state == "failed"),
            votes={"BTC/USDT": vote} if vote else {},
            confidences={"BTC/USDT": sure} if sure is not None else {},
            last_run=NOW - 8 * SECOND,
            next_run=NOW + 52 * SECOND,
            reasoning={"BTC/USDT": "EMA 9 above EMA 21 and RSI 58 of 100"} if vote else {},
        )
        for name, (state, vote, sure) in says.items()
    )


def portfolio() -> PortfolioView:
    """A plan in its third batch, something put aside, the first step of the ladder."""
    return PortfolioView(
        allocation=(
            AllocationLine("BTC", D("2231.40"), 24.8, 33.33),
            AllocationLine("USDT", D("4310.02"), 47.9, 33.34),
            AllocationLine("XRP", D("2456.51"), 27.3, 33.33),
        ),
        bags=(
            BagView("BTC", D("0.00117"), D("76.07"), D("4.20")),
            BagView("XRP", D("20.6366766"), None, D(0)),
        ),
        plans=(
            PlanView(
                "plan-2", "open", "", NOW - 9 * 3600 * SECOND, 3, 6, NOW + 3 * 3600 * SECOND,
                NOW + 19 * 3600 * SECOND,
                (
                    PlanLegView("BTC/USDT", "buy", D("768.61"), D("384.30"), D("0.0059"), 0, ""),
                    PlanLegView("XRP/USDT", "buy", D("542.73"), D("271.36"), D("502.6"), 0, ""),
                ),
            ),
            PlanView(
                "plan-1", "short_of_cash", "XRP/USDT buy: 120 of 300, short of cash",
                NOW - 90 * 3600 * SECOND, 9, 6, None, NOW - 54 * 3600 * SECOND,
                (PlanLegView("XRP/USDT", "buy", D(300), D(120), D(222), 4, "short of cash"),),
            ),
        ),
        earnings=EarningsView(D("190.25"), D("192.90"), D("9.31"), D("0.42")),
        tier=TierView(D("0.14"), D("0.24"), D("54599.20"), D(100000)),
        headroom=(HeadroomView("calls", 58, 60), HeadroomView("orders", 5, 30)),
    )  # fmt: skip


def busy(version: int = 1) -> ConsoleView:
    """Three positions, two cards, everything alive."""
    status = StatusView(
        known=True,
        mode="SIM",
        state="running",
        level="REDUCED",
        level_cause="feed XRP/USDT stale 5.2 s",
        equity=D("10041.27"),
        day_pnl=0.41,
        drawdown=0.4,
        exposure=44.0,
        speed=60.0,
        data_age=0.2,
        advisor="RULES",
        llm_cost=D("0.42"),
        market_time=NOW,
        uptime=11520.0,
        run="run-1",
    )
    symbols = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
    mids = {
        "BTC/USDT": (65014.0, "0.1", 1.4),
        "XRP/USDT": (0.53984, "0.00001", 4000.0),
        "XRP/BTC": (0.00000831, "0.00000001", 9000.0),
    }
    return ConsoleView(
        version=version,
        status=status,
        symbols=symbols,
        portfolio=portfolio(),
        positions=(
            replace(
                position(
                    1,
                    "BTC/USDT",
                    "long",
                    "0.42",
                    "64812.0",
                    "65014.3",
                    "85.02",
                    "63900.0",
                    "66800.0",
                ),
                carry=D("1.36"),
                trailing=True,
                stop_kind="trailing",
            ),
            position(2, "XRP/USDT", "short", "3100", "0.54121", "0.53984", "4.25", "0.55200", None),
            position(
                3,
                "XRP/BTC",
                "long",
                "4000",
                "0.00000832",
                "0.00000831",
                "-2.60",
                "0.00000801",
                "0.00000880",
            ),
        ),
        cards=(
            card(17, "BTC/USDT", "TA long .62 vs sentiment short .55", 41),
            card(18, "XRP/BTC", "choppy regime vs BUY", 125),
            card(16, "XRP/USDT", "open short vs BUY", -300, "expired"),
        ),
        books={symbol: book(symbol, *mids[symbol]) for symbol in symbols},
        charts={
            (symbol, frame): chart(symbol, frame, mids[symbol][0])
            for symbol in symbols
            for frame in (60, 300, 3600)
        },
        regimes=spells(NOW),
        events=events(),
        agents=agents(),
        orders=(
            order(4, "BTC/USDT", "sell", "stop_loss", "stop", "open", "63900.0"),
            order(5, "BTC/USDT", "sell", "take_profit", "target", "open", "66800.0"),
            order(6, "XRP/USDT", "buy", "limit", "entry", "partially_filled", "0.53800"),
            order(3, "BTC/USDT", "buy", "market", "entry", "filled", "64812.0"),
        ),
        risk=RiskView(
            limits=(
                LimitView("daily loss", 0.8, 5.0, "%"),
                LimitView("weekly loss", 1.1, 10.0, "%"),
                LimitView("drawdown", 0.4, 20.0, "%"),
                LimitView("losses in a row", 1, 5, ""),
                LimitView("exposure", 66.0, 80.0, "%"),
                LimitView("correlated", 22.0, 40.0, "%"),
                LimitView("margin", 31.5, 50.0, "%"),
                LimitView("positions", 3, 5, ""),
            )
        ),
    )


def with_status(view: ConsoleView, **changes: object) -> ConsoleView:
    return replace(view, version=view.version + 1, status=replace(view.status, **changes))


def with_cards(view: ConsoleView, cards: Iterable[CardView]) -> ConsoleView:
    return replace(view, version=view.version + 1, cards=tuple(cards))
