"""A small real world for stories: books, execution, portfolio, and a counter for ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml

from tradeterm.execution.execution import Execution, ExecutionState
from tradeterm.market.book import BookState, OrderBook
from tradeterm.model.account import AccountView, Entry
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import BookDelta, BookSnapshot, Candle, Levels, Trade
from tradeterm.model.orders import (
    ApprovedOrder,
    Charged,
    ExecutionEvent,
    ExitDue,
    Filled,
    Order,
    OrderChanged,
    OrderRequest,
    Position,
)
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ExitReason, Level, PositionSide, RunState
from tradeterm.portfolio.portfolio import Portfolio, PortfolioState
from tradeterm.risk import permits
from tradeterm.settings.execution import ExecutionSettings, LatencySettings
from tradeterm.settings.market import FeeSchedule

D = Decimal
BTC, XRP, CROSS = "BTC/USDT", "XRP/USDT", "XRP/BTC"
FREE = {"long": 0, "short": 0}
"""Borrowing that costs nothing."""
CONFIG = Path(__file__).parents[2] / "config"
START = 1_748_822_400 * SECOND  # 2025-06-02T00:00:00Z


def instrument(symbol: str, tick: str, min_size: str = "0.00005") -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol, base=base, quote=quote, tick=D(tick), lot=D("0.00000001"),
        min_size=D(min_size), min_notional=D("0.00002") if quote == "BTC" else D("0.5"),
        taker_fee=D("0.0040"),
    )  # fmt: skip


INSTRUMENTS = {
    BTC: instrument(BTC, "0.1"),
    XRP: instrument(XRP, "0.00001", "2"),
    CROSS: instrument(CROSS, "0.00000001", "2"),
}


#: The entry tier for ever, so that a story's fees do not depend on what it traded before.
FEES = FeeSchedule.model_validate({"tiers": [{"volume": 0, "maker": "0.25", "taker": "0.40"}]})


def settings(**changes: object) -> ExecutionSettings:
    """The shipped settings, with the figures these stories were worked out by."""
    shipped = yaml.safe_load((CONFIG / "execution.yaml").read_text(encoding="utf-8"))
    values: dict[str, object] = {
        "latency": LatencySettings(least=0.04, most=0.6), "max_slippage": D(1),
        "bar_slippage": D("0.05"), "time_exit": 172_800,
        "liquidation": D(40), "trailing": shipped["trailing"] | {"enabled": False},
        "margin": shipped["margin"] | {"opening": FREE, "rollover": FREE},
    }  # fmt: skip
    return ExecutionSettings.model_validate(shipped | values | changes)


class Ids:
    """Counts per prefix."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, prefix: str) -> str:
        self.counts[prefix] = self.counts.get(prefix, 0) + 1
        return f"{prefix}-{self.counts[prefix]}"


class WorldState(msgspec.Struct):
    execution: ExecutionState
    portfolio: PortfolioState
    books: dict[str, BookState]
    counts: dict[str, int]
    lasts: dict[str, float]


class World:
    """Real parts wired like the engine wires them; every approval is granted."""

    def __init__(
        self, deposit: str = "10000", seed: int = 7, ladder: FeeSchedule | None = None,
        **changes: object,
    ) -> None:  # fmt: skip
        self.now = START
        self.ids = Ids()
        self.books = {symbol: OrderBook(symbol) for symbol in INSTRUMENTS}
        self.lasts: dict[str, float] = {}
        self.portfolio = Portfolio("USDT", INSTRUMENTS, self.ids, self.quote)
        self.execution = Execution(
            settings(**changes), INSTRUMENTS, self.books, seed, self.ids,
            fees=FEES if ladder is None else ladder, currency="USDT",
            rate=self.portfolio.rate, priced_by=self.portfolio.priced_by, mid=self.portfolio.mid,
            protect=self.protect, funds=self.portfolio.funds,
        )  # fmt: skip
        self.events: list[ExecutionEvent] = []
        self.entries: list[Entry] = [self.portfolio.deposit(self.now, D(deposit), "run")]

    def quote(self, symbol: str) -> tuple[float | None, float | None]:
        book, last = self.books[symbol], self.lasts.get(symbol)
        return (book.best_bid, book.best_ask) if book.usable else (last, last)

    def protect(self, request: OrderRequest, verdict_id: str, now: int) -> ApprovedOrder:
        position = self.execution.positions[request.position_id or ""]
        assert request.side is position.side.exit
        order = self.execution.order(request.id)
        assert request.size - (order.filled if order is not None else 0) == position.size
        return permits.protect(request, verdict_id, now)

    # -- market ------------------------------------------------------------------------------

    def book(self, symbol: str, bids: Levels, asks: Levels) -> None:
        self.books[symbol].snapshot(BookSnapshot(self.now, symbol, bids, asks))
        self._mid_moved(symbol)

    def delta(self, symbol: str, bids: Levels = (), asks: Levels = ()) -> None:
        self.books[symbol].delta(BookDelta(self.now, symbol, bids, asks))
        self._mid_moved(symbol)

    def _mid_moved(self, symbol: str) -> None:
        if symbol in self.execution.guarded:
            self.take(self.execution.on_mid(symbol, self.now))

    def trade(self, symbol: str, price: float, size: float = 1.0) -> list[ExecutionEvent]:
        self.lasts[symbol] = price
        if symbol not in self.execution.interested:
            return []
        event = Trade(self.now, symbol, price, size, "sell")
        return self.take(self.execution.on_market(event))

    def bar(
        self, symbol: str, prices: Sequence[float], timeframe: int = 60
    ) -> list[ExecutionEvent]:
        """The next bar: time moves to its close; timers due before come first."""
        events = self.wait(timeframe)
        opening, high, low, close = prices
        self.lasts[symbol] = close
        candle = Candle(self.now, symbol, timeframe, opening, high, low, close, 1.0)
        if symbol in self.execution.interested:
            events += self.take(self.execution.on_market(candle))
        return events

    def wait(self, seconds: float) -> list[ExecutionEvent]:
        """Let time pass, every timer at its due moment."""
        end = self.now + int(seconds * SECOND)
        events: list[ExecutionEvent] = []
        while self.execution.next_due <= end:
            self.now = max(self.now, self.execution.next_due)
            events += self.take(self.execution.advance(self.now))
        self.now = end
        return events

    # -- orders ------------------------------------------------------------------------------

    def send(self, request: OrderRequest) -> list[ExecutionEvent]:
        return self.take(
            self.execution.place(ApprovedOrder(request, "verdict-1", self.now), self.now)
        )

    def enter(
        self, symbol: str, side: PositionSide, size: str, stop: str, target: str | None = None,
        leverage: int = 1, entry: str = "1",
    ) -> OrderRequest:  # fmt: skip
        intent = TradeIntent(
            symbol, side, D(size), D(entry), D(stop), None if target is None else D(target),
            D(leverage), D("0.7"),
        )  # fmt: skip
        request = self.execution.requests.entry(intent, self.now, "verdict-1", "trading_decision")
        self.send(request)
        return request

    def close(
        self, position: Position, size: str | None = None,
        reason: ExitReason = ExitReason.OPERATOR,
    ) -> OrderRequest:  # fmt: skip
        request = self.execution.requests.close(
            position, reason, "cmd-1", None if size is None else D(size)
        )
        positions = self.execution.positions.values()
        approved = permits.reduce(request, positions, self.now, "")
        self.take(self.execution.place(approved, self.now))
        return request

    def take(self, events: list[ExecutionEvent]) -> list[ExecutionEvent]:
        """What the engine does with events: book fills and fees, close what is due, at once."""
        for event in events:
            if isinstance(event, Filled):
                self.entries.append(self.portfolio.book(event))
            elif isinstance(event, Charged):
                self.entries.append(self.portfolio.charge(event))
        self.events += events
        for event in list(events):
            if isinstance(event, ExitDue) and not self.execution.closing(event.position.id):
                self.close(self.execution.positions[event.position.id], reason=event.reason)
        return events

    # -- looking -----------------------------------------------------------------------------

    @property
    def fills(self) -> list[Filled]:
        return [event for event in self.events if isinstance(event, Filled)]

    @property
    def position(self) -> Position:
        (only,) = self.execution.positions.values()
        return only

    def last(self, order_id: str) -> Order:
        """The order as the last event said it stands."""
        return [
            event.order for event in self.events
            if isinstance(event, OrderChanged) and event.order.id == order_id
        ][-1]  # fmt: skip

    def balance(self, account: str, asset: str = "USDT") -> Decimal:
        return self.portfolio.ledger.balance(account, asset)

    def view(self) -> AccountView:
        execution = self.execution
        return self.portfolio.account_view(
            self.now, execution.positions, execution.working, RunState.RUNNING, Level.NORMAL
        )

    # -- state -------------------------------------------------------------------------------

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(
            WorldState(
                self.execution.dump(), self.portfolio.dump(),
                {symbol: book.dump() for symbol, book in self.books.items()},
                dict(self.ids.counts), dict(self.lasts),
            )
        )  # fmt: skip

    def reborn(self, make: Callable[[], World] | None = None) -> World:
        """A new world that was told only what this one dumped."""
        state = msgspec.msgpack.decode(self.dump(), type=WorldState)
        other = World() if make is None else make()
        other.now = self.now
        for symbol, book in state.books.items():
            other.books[symbol].load(book)
        other.execution.load(state.execution)
        other.portfolio.load(state.portfolio)
        other.ids.counts = dict(state.counts)
        other.lasts = dict(state.lasts)
        other.events, other.entries = list(self.events), list(self.entries)
        return other


def btc_world(**changes: object) -> World:
    """A world with a two-level BTC/USDT book around 65,000."""
    world = World(**changes)  # type: ignore[arg-type]
    world.book(BTC, ((64999.0, 1.0), (64990.0, 1.0)), ((65000.0, 1.0), (65010.0, 1.0)))
    return world


def long_btc(leverage: int = 1, **changes: object) -> World:
    """0.01 BTC bought at 65,000 with stop 64,000 and target 67,000."""
    world = btc_world(**changes)
    world.enter(BTC, PositionSide.LONG, "0.01", "64000", "67000", leverage)
    world.wait(1)
    return world
