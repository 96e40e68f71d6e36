"""What the screen shows: one immutable picture of the engine, built between slices.

Light on purpose: the console imports this before its first paint. Money is Decimal, market
observations are floats, times are nanoseconds UTC of market time.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tradeterm.engine.cardview import CardView
from tradeterm.engine.levelview import LevelView
from tradeterm.engine.riskview import RiskView
from tradeterm.model.away import Away
from tradeterm.model.market import Trade

CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """A part of profit and loss as it is shown.

    The rule of every such sum: the parts are rounded, and the total is the sum of what is shown,
    so that the reader can add it up. It is at most half a cent per part off the exact total.
    """
    return amount.quantize(CENT)


class FeedLine(msgspec.Struct, frozen=True):
    """How one live symbol's connection fares."""

    symbol: str
    source: str
    """``websocket``, ``polling`` or ``down``."""
    age: float | None
    """Seconds since its last event; None before the first."""
    reconnects: int = 0
    resyncs: int = 0
    """Books fetched anew."""
    rejected: int = 0


class StatusView(msgspec.Struct, frozen=True):
    """The status line. As it is made here, before the engine's first picture, nothing is known."""

    known: bool = False
    """Whether the engine said this; if not, only ``state`` means anything."""
    mode: str = ""
    state: str = "starting"
    """``starting``, ``running``, ``paused``, ``halted``, ``finished`` or ``dead``."""
    state_reason: str = ""
    level: str = ""
    level_cause: str = ""
    equity: Decimal = Decimal(0)
    currency: str = "USDT"
    day_pnl: float = 0.0
    """Percent of the equity at 00:00 UTC."""
    drawdown: float = 0.0
    """Percent below the peak."""
    drawdown_limit: float = 20.0
    exposure: float = 0.0
    """Margin notional, pending entries included, in percent of equity."""
    exposure_limit: float = 80.0
    speed: float = 1.0
    """Market seconds per second; 0 when stopped, inf at max."""
    waiting_for_operator: bool = False
    """A card waits, so sim and replay run at 1×."""
    walking: str = ""
    """What the market goes on to at full speed, to stand there; empty while it does not."""
    arrived: str = ""
    """Why it stands since the last such walk."""
    data_age: float | None = None
    """Seconds since the last market event; None before the first."""
    advisor: str = "RULES"
    llm_cost: Decimal = Decimal(0)
    llm_cap: Decimal = Decimal(5)
    market_time: int = 0
    uptime: float = 0.0
    run: str = ""
    alarms: int = 0
    """Errors and critical events since the start."""
    watched: bool = False
    """The picture is of another process's engine: see ``tradeterm watch``."""
    store_lag: float = 0.0
    """Seconds the newest unacknowledged slice has been waiting."""
    feed: tuple[FeedLine, ...] = ()
    """The live connection, symbol by symbol; empty in sim and replay."""


class PositionView(msgspec.Struct, frozen=True):
    """One open margin position."""

    id: str
    symbol: str
    side: str
    size: Decimal
    entry: Decimal
    mark: Decimal
    unrealised: Decimal
    """At the exit side of the book, account currency."""
    percent_equity: float
    """Collateral in percent of equity."""
    stop: Decimal
    target: Decimal | None
    leverage: Decimal
    agent: str
    opened: int
    fees: Decimal
    closing: bool
    carry: Decimal = Decimal(0)
    """Opening and rollover fees."""
    realised: Decimal = Decimal(0)
    """Price P&L of the part already closed, before costs."""
    stop_kind: str = "stop"
    """What the stop in force is: ``stop``, ``trailing``, ``break_even`` or ``liquidation``."""
    trailing: bool = False
    """Whether its stop follows the price."""
    collateral_left: float = 100.0
    """Percent of the collateral left at the mark."""
    lot: Decimal = Decimal("0.00000001")
    """Step of its sizes."""
    liquidation: Decimal | None = None
    """The mid at which the venue closes it; None when no price would."""
    if_closed: Decimal | None = None
    """What it would have earned if closed now, the exit's fee included; None without a price."""

    @property
    def price(self) -> Decimal:
        """What the price did to it, in cents: closed part and open one."""
        return cents(self.realised) + cents(self.unrealised)

    @property
    def costs(self) -> Decimal:
        """Fees and carry, in cents."""
        return cents(self.fees) + cents(self.carry)

    @property
    def net(self) -> Decimal:
        """What it would have earned if closed now, before the fee of closing; see ``cents``."""
        return self.price - self.costs


class BookView(msgspec.Struct, frozen=True):
    """Top of one order book; best level first. Empty sides when only bars are known."""

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    last: float
    last_side: str
    tick: Decimal
    age: float | None
    """Seconds since the symbol's last event."""
    version: int
    """Changes whenever anything above changed."""
    trades: tuple[Trade, ...] = ()
    """The last ones since pictures are made, newest first."""


class ChartView(msgspec.Struct, frozen=True):
    """Closed candles of one symbol and timeframe, oldest first, then the forming one."""

    symbol: str
    timeframe: int
    candles: tuple[tuple[int, float, float, float, float, float], ...]
    """(close time ns, open, high, low, close, volume)."""
    forming: tuple[int, float, float, float, float, float] | None


class RegimeSpell(msgspec.Struct, frozen=True):
    """A symbol was in one regime all the while."""

    regime: str
    since: int
    until: int
    """How long it was known to last; a spell that began before then ended it."""


class EventView(msgspec.Struct, frozen=True):
    """One line of the event log."""

    seq: int
    ts: int
    kind: str
    """FILL, RISK, LEVEL, CONF, ORDER, POS, STATE, FEED, ERROR, CMD …"""
    severity: str
    """info, warning, error or critical."""
    text: str
    subject: str = ""
    """Id of the row it tells of: what its story begins with."""


class AgentView(msgspec.Struct, frozen=True):
    """One agent."""

    name: str
    enabled: bool
    state: str
    """``idle``, ``ok``, ``warming`` (its indicators lack history), ``failed`` or ``off``."""
    by: str
    runs: int
    errors: int
    votes: dict[str, str]
    """Symbol (``*``: the whole portfolio) → what it last said: ``long``, ``ranging``, ``BUY`` …"""
    confidences: dict[str, float]
    """Only where the agent gives one."""
    last_run: int | None
    next_run: int | None
    reasoning: dict[str, str]
    model: str = ""
    """Who was asked last; empty while no model is configured."""
    latency: float | None = None
    """Seconds its last answer took; None before the first."""
    cost: Decimal = Decimal(0)
    """USD so far."""
    invalid: int = 0
    """Runs in which no model gave a valid answer."""
    why: str = ""
    """Why the rules spoke last although a model is configured."""
    spoke: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    """Symbol → who said so (a model, or RULES), and when."""


class OrderView(msgspec.Struct, frozen=True):
    """One order, working ones first."""

    id: str
    symbol: str
    side: str
    type: str
    purpose: str
    size: Decimal
    filled: Decimal
    price: Decimal | None
    """Limit or trigger; the average once filled."""
    status: str
    created: int
    updated: int
    reason: str
    position: str = ""
    limit: Decimal | None = None
    post_only: bool = False
    expires: int | None = None
    unknown: str = ""
    """Why nobody knows whether it still works at the venue."""


class PlanLegView(msgspec.Struct, frozen=True):
    """One symbol of a plan. Amounts in account currency."""

    symbol: str
    side: str
    amount: Decimal
    filled: Decimal
    size: Decimal
    """Base bought or sold so far."""
    failures: int
    """Batches that failed in a row."""
    reason: str


class PlanView(msgspec.Struct, frozen=True):
    """A DCA plan: the one under way, or one that ended."""

    id: str
    status: str
    """``open``, ``paused``, ``completed``, ``cancelled``, ``expired``, ``short_of_cash``,
    ``failed``."""
    reason: str
    created: int
    batch: int
    """Slots taken so far, tries after the last one included."""
    batches: int
    next_due: int | None
    """When the next batch is due; None once it ended."""
    expires: int
    legs: tuple[PlanLegView, ...]

    @property
    def amount(self) -> Decimal:
        """All legs together."""
        return sum((leg.amount for leg in self.legs), Decimal(0))

    @property
    def filled(self) -> Decimal:
        """What was bought and sold so far."""
        return sum((leg.filled for leg in self.legs), Decimal(0))


class AllocationLine(msgspec.Struct, frozen=True):
    """One asset of the trading balances; collateral counts as cash."""

    asset: str
    value: Decimal
    """Account currency, at mid."""
    weight: float
    """Percent of all of them; the target likewise."""
    target: float


class BagView(msgspec.Struct, frozen=True):
    """One asset that was put aside for good."""

    asset: str
    amount: Decimal
    worth: Decimal | None
    """Account currency; None while the asset has no price."""
    earmarked: Decimal
    """Account currency that waits in trading until it is worth an order."""


class EarningsView(msgspec.Struct, frozen=True):
    """Where the money came from and went, since the beginning, in account currency."""

    price: Decimal
    """What prices did to positions, holdings and bags, closed and open."""
    fees: Decimal
    """Trading fees, at today's rates where they were paid in another asset."""
    carry: Decimal
    """Opening and rollover fees."""
    llm: Decimal
    """A memo: it is paid elsewhere and lowers no balance here."""

    @property
    def net(self) -> Decimal:
        """What is left of it; see ``cents``."""
        return cents(self.price) - cents(self.fees) - cents(self.carry) - cents(self.llm)


class TierView(msgspec.Struct, frozen=True):
    """The step of the fee ladder in force. Percent; volumes in account currency."""

    maker: Decimal
    taker: Decimal
    volume: Decimal
    """Traded in 30 days."""
    next_volume: Decimal | None
    """Where the next step begins; None on the last one."""


class HeadroomView(msgspec.Struct, frozen=True):
    """What a rate limit still lets through."""

    name: str
    left: float
    of: float


class DifferenceView(msgspec.Struct, frozen=True):
    """Something the venue sees otherwise."""

    id: str
    ts: int
    text: str
    symbol: str


class PortfolioView(msgspec.Struct, frozen=True):
    """Everything that is no single position or order."""

    allocation: tuple[AllocationLine, ...] = ()
    """Empty while a holding has no price."""
    threshold: float = 5.0
    """Points a weight may be off its target."""
    bags: tuple[BagView, ...] = ()
    plans: tuple[PlanView, ...] = ()
    """The one under way first, then ended ones, newest first."""
    earnings: EarningsView = EarningsView(Decimal(0), Decimal(0), Decimal(0), Decimal(0))
    tier: TierView | None = None
    headroom: tuple[HeadroomView, ...] = ()
    differences: tuple[DifferenceView, ...] = ()


class ConsoleView(msgspec.Struct, frozen=True):
    """The whole picture. ``version`` grows with every new one."""

    version: int = 0
    status: StatusView = msgspec.field(default_factory=StatusView)
    symbols: tuple[str, ...] = ()
    positions: tuple[PositionView, ...] = ()
    cards: tuple[CardView, ...] = ()
    """Pending ones first, oldest first; then up to 50 decided ones, newest first."""
    books: dict[str, BookView] = msgspec.field(default_factory=dict)
    charts: dict[tuple[str, int], ChartView] = msgspec.field(default_factory=dict)
    regimes: dict[str, tuple[RegimeSpell, ...]] = msgspec.field(default_factory=dict)
    """By symbol, oldest first."""
    events: tuple[EventView, ...] = ()
    """The last 500, oldest first."""
    agents: tuple[AgentView, ...] = ()
    orders: tuple[OrderView, ...] = ()
    level: LevelView = LevelView()
    risk: RiskView = RiskView()
    balances: dict[str, dict[str, Decimal]] = msgspec.field(default_factory=dict)
    """Account → asset → amount."""
    portfolio: PortfolioView = PortfolioView()
    overrides: dict[str, str] = msgspec.field(default_factory=dict)
    """Dotted key → value of every setting an operator changed in this run."""
    away: Away | None = None
    """The last gap in a live market: what was settled afterwards."""
    fault: str = ""
    """Why nothing is certain: the engine died, or the journal cannot be written. Empty when well."""
