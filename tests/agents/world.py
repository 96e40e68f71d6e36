"""A small world for the agents: real indicators on made-up candles, and an account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tradeterm.agents.context import AgentContext
from tradeterm.market.market import Market, Snapshot
from tradeterm.model.account import AccountView
from tradeterm.model.market import Candle, News
from tradeterm.model.orders import Position
from tradeterm.model.outputs import AgentOutput, Published
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Level, PositionSide, RunState
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings

SETTINGS: Settings = load_settings().settings
BTC = "BTC/USDT"
START = 1_750_000_000 * SECOND - 1_750_000_000 * SECOND % (3600 * SECOND)
INSTRUMENTS = {
    symbol: instrument
    for symbol in SETTINGS.market.instruments
    if (instrument := SETTINGS.market.instrument(symbol)) is not None
}


def drift(count: int, step: float, first: float = 65_000.0, wave: float = 0.001) -> list[float]:
    """Closes that move by ``step`` (fraction) a bar with a small saw-tooth on top."""
    closes, price = [], first
    for index in range(count):
        price *= 1.0 + step
        closes.append(price * (1.0 + wave * (1 if index % 2 else -1)))
    return closes


def market(closes: Iterable[float], timeframe: int = 300, symbol: str = BTC) -> Market:
    """A market that saw these closes as bars."""
    made = Market(SETTINGS.market, (symbol,))
    before = None
    for number, close in enumerate(closes, start=1):
        opened = before if before is not None else close
        high, low = max(opened, close) * 1.0005, min(opened, close) * 0.9995
        ts = START + number * timeframe * SECOND
        made.on_candle(Candle(ts, symbol, timeframe, opened, high, low, close, 1.0))
        before = close
    return made


def snapshot(made: Market, symbol: str = BTC) -> Snapshot:
    """What it looks like at its last bar."""
    found = made.snapshot(symbol, made.symbol(symbol).ts)
    assert found is not None
    return found


def account(
    holdings: dict[str, str] | None = None,
    positions: Sequence[Position] = (),
    *,
    margin: str = "0",
    bids: dict[str, str] | None = None,
) -> AccountView:
    """10,000 USDT unless said otherwise."""
    held = {asset: Decimal(amount) for asset, amount in (holdings or {"USDT": "10000"}).items()}
    prices = bids or {BTC: "65000", "XRP/USDT": "0.5", "XRP/BTC": "0.0000077"}
    quoted = {symbol: Decimal(price) for symbol, price in prices.items()}
    rates = {s.split("/")[0]: p for s, p in quoted.items() if s.endswith("/USDT")}
    rates["USDT"] = Decimal(1)
    cash = held.get("USDT", Decimal(0))
    return AccountView(
        ts=START, currency="USDT", equity=Decimal(10_000), cash=cash, reserved=Decimal(0),
        margin_used=Decimal(margin), unrealised=Decimal(0), positions=tuple(positions),
        entries=(), holdings=held, rates=rates, bids=quoted, asks=quoted,
        day_start_equity=Decimal(10_000), high_equity=Decimal(10_000),
        week_start_equity=Decimal(10_000), peak_equity=Decimal(10_000), loss_streak=0,
        state=RunState.RUNNING, level=Level.NORMAL,
    )  # fmt: skip


def position(side: PositionSide, symbol: str = BTC, size: str = "0.1") -> Position:
    """An open margin position."""
    return Position(
        id="pos-1", symbol=symbol, side=side, size=Decimal(size), entry=Decimal(65_000),
        leverage=Decimal(1), collateral=Decimal(6500), opened=START, updated=START,
        order_id="PAPER-1", agent="trading_decision", stop=Decimal(64_000),
        target=Decimal(68_000), opened_size=Decimal(size),
    )  # fmt: skip


def published(agent: AgentName, output: AgentOutput, ts: int = START) -> Published:
    """As the journal would have it."""
    return Published("out-1", ts, agent, "RULES", (), output)


def context(
    snapshot: Snapshot | None = None,
    *,
    symbol: str = BTC,
    now: int = START,
    views: Mapping[AgentName, AgentOutput] | None = None,
    news: tuple[News, ...] = (),
    view: AccountView | None = None,
) -> AgentContext:
    """A context with only what the test is about."""
    heard = {agent: published(agent, output) for agent, output in (views or {}).items()}
    return AgentContext(
        symbol=symbol, now=now, snapshot=snapshot, technical=heard.get(AgentName.TECHNICAL),
        regime=heard.get(AgentName.REGIME), sentiment=heard.get(AgentName.SENTIMENT), news=news,
        read_account=lambda: view or account(), instruments=INSTRUMENTS,
    )  # fmt: skip
