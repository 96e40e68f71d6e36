"""The words of the house: every enumeration, defined once and used by all floors."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class MarketMode(StrEnum):
    """Which market the operator is looking at."""

    SIM = "SIM"
    REPLAY = "REPLAY"
    LIVE = "LIVE"


class FeedSource(StrEnum):
    """How a live symbol's prices reach us."""

    WEBSOCKET = "websocket"
    POLLING = "polling"
    """The websocket was given up for now: asked every few seconds instead."""
    DOWN = "down"


class Side(StrEnum):
    """The side of an order or of a trade's taker."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class PositionSide(StrEnum):
    """The direction of a margin position."""

    LONG = "long"
    SHORT = "short"

    @property
    def entry(self) -> Side:
        """The order side that opens it."""
        return Side.BUY if self is PositionSide.LONG else Side.SELL

    @property
    def exit(self) -> Side:
        """The order side that reduces it."""
        return Side.SELL if self is PositionSide.LONG else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is PositionSide.LONG else -1


class AccountBook(StrEnum):
    """The two books that never net: spot holdings and margin positions."""

    SPOT = "spot"
    MARGIN = "margin"


class Bias(StrEnum):
    """Which way an analyst leans."""

    LONG = "long"
    SHORT = "short"
    NEUTRAL = "neutral"


class Action(StrEnum):
    """What a trading decision asks for; closes are reduce-only."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"
    CLOSE_LONG = "CLOSE_LONG"
    CLOSE_SHORT = "CLOSE_SHORT"


class Regime(StrEnum):
    """The seven market regimes."""

    TRENDING_BULL = "trending_bull"
    TRENDING_BEAR = "trending_bear"
    RANGING = "ranging"
    VOLATILE_BULL = "volatile_bull"
    VOLATILE_BEAR = "volatile_bear"
    CHOPPY = "choppy"
    BREAKOUT_POTENTIAL = "breakout_potential"


class VolatilityClass(StrEnum):
    """ATR against its own mean, in words."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    EXTREME = "extreme"


class OrderType(StrEnum):
    """Order types of the venue port."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS_LIMIT = "stop_loss_limit"
    TAKE_PROFIT_LIMIT = "take_profit_limit"


class OrderStatus(StrEnum):
    """States of an order; the last five are terminal."""

    PENDING = "pending"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    ERROR = "error"

    @property
    def is_terminal(self) -> bool:
        """Whether no further change is possible."""
        return self not in _WORKING


_WORKING = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


class TimeInForce(StrEnum):
    """How long an order works."""

    GTC = "GTC"
    IOC = "IOC"
    GTD = "GTD"


class Purpose(StrEnum):
    """Why an order exists; decides its rule set and whether a halt cancels it."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    REBALANCE = "rebalance"
    DCA = "dca"
    HODL = "hodl"


class ExitReason(StrEnum):
    """What closed a position."""

    STOP = "stop"
    TARGET = "target"
    TRAILING = "trailing"
    BREAK_EVEN = "break_even"
    TIME = "time"
    OPERATOR = "operator"
    SIGNAL = "signal"
    BREAKER = "breaker"
    LIQUIDATION = "liquidation"


class Liquidity(StrEnum):
    """Which fee a fill pays."""

    MAKER = "maker"
    TAKER = "taker"


class Evidence(StrEnum):
    """What a simulated fill rests on."""

    BOOK_WALK = "book_walk"
    TRADE_THROUGH = "trade_through"
    QUEUE = "queue"
    BAR_ESTIMATE = "bar_estimate"
    VENUE_REPORT = "venue_report"
    """The venue's word, taken after the fact: adopted by the operator, or kept in an emergency."""


class Topic(StrEnum):
    """The ten topics of the bus."""

    MARKET_DATA = "market_data"
    TA_SIGNALS = "ta_signals"
    REGIME_UPDATES = "regime_updates"
    SENTIMENT_UPDATES = "sentiment_updates"
    TRADING_SIGNALS = "trading_signals"
    RISK_ALERTS = "risk_alerts"
    EXECUTION_EVENTS = "execution_events"
    PORTFOLIO_UPDATES = "portfolio_updates"
    SYSTEM_EVENTS = "system_events"
    COORDINATOR_COMMANDS = "coordinator_commands"


class Priority(IntEnum):
    """Delivery order on the bus; higher first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


class Level(StrEnum):
    """Degradation levels, from least to most careful."""

    NORMAL = "NORMAL"
    REDUCED = "REDUCED"
    LIMITED = "LIMITED"
    EMERGENCY = "EMERGENCY"


class RunState(StrEnum):
    """What the operator allows the system to do."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"


class AgentName(StrEnum):
    """The five agents, in the order of their dependencies."""

    TECHNICAL = "technical_analysis"
    REGIME = "regime_detection"
    SENTIMENT = "sentiment_analysis"
    TRADING = "trading_decision"
    PORTFOLIO = "portfolio_rebalance"


class Timing(StrEnum):
    """When and how a rebalance that is due is carried out."""

    NOW = "now"
    """At once, in one go."""
    BATCHES = "batches"
    """Spread over the day."""
    WAIT = "wait"
    """Not now; the next check asks again."""
    RULES = "rules"
    """By size: a large one in batches."""


class ConflictType(StrEnum):
    """Kinds of contradiction the coordinator looks for."""

    TA_SENTIMENT = "ta_sentiment"
    REGIME_CHOPPY = "regime_choppy"
    REGIME_CHANGE = "regime_change"
    OPEN_POSITION = "open_position"
    CORRELATED = "correlated"
    REBALANCE = "rebalance"
    RISK_CHANGE = "risk_change"

    @property
    def code(self) -> str:
        """For the screen and for scripts: ``C-TA-SENTIMENT``."""
        return f"C-{self.value.upper().replace('_', '-')}"


class ResolutionAction(StrEnum):
    """What an arbiter may answer."""

    PROCEED = "proceed"
    WAIT = "wait"
    ABORT = "abort"
    MODIFY = "modify"


class ResolvedBy(StrEnum):
    """Who settled a conflict."""

    RULES = "rules"
    LLM = "llm"
    FALLBACK = "fallback"


class Route(StrEnum):
    """Who may answer a question; decided before it is asked."""

    ADVISOR = "advisor"
    """Whoever the settings name."""
    RULES = "rules"
    """No model: the level forbids it."""
    WAIT = "wait"
    """Nobody: the level lets it wait."""
    PROBE = "probe"
    """The advisor, but the answer drives nothing except recovery."""


class TryOutcome(StrEnum):
    """What became of one request to a model."""

    VALID = "valid"
    INVALID = "invalid"
    """An answer that breaks the schema or its bounds."""
    CUT = "cut"
    """It ended before it was finished."""
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LIMITED = "limited"
    """The provider's rate limit or quota."""
    DENIED = "denied"
    """The provider does not accept the key."""
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    """The provider answered with an error, or with something that is no answer."""
    NO_KEY = "no_key"
    """Nothing was sent: the key is absent."""
    NO_PRICE = "no_price"
    """Nothing was sent: nobody knows what it would cost, or it would cost too much."""
    INTERRUPTED = "interrupted"
    """The program ended while it was out: whether it was sent, and billed, nobody knows."""

    @property
    def was_sent(self) -> bool:
        """Whether anything left this machine."""
        return self not in (TryOutcome.NO_KEY, TryOutcome.NO_PRICE)


class PlanStatus(StrEnum):
    """Life of a DCA plan; all but the first two are its end."""

    OPEN = "open"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SHORT_OF_CASH = "short_of_cash"
    FAILED = "failed"
    """Given up for a reason other than cash."""

    @property
    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self not in (PlanStatus.OPEN, PlanStatus.PAUSED)


class CardState(StrEnum):
    """Life of an approval card."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DRIFTED = "drifted"
    VOID = "void"


class Breaker(StrEnum):
    """What stops entries when too much was lost; in the order of how far they go."""

    DAILY = "daily"
    LOSSES = "losses"
    """Too many losing trades in a row."""
    WEEKLY = "weekly"
    DRAWDOWN = "drawdown"


class BreakerEvent(StrEnum):
    """What became of a breaker."""

    TRIPPED = "tripped"
    LIFTED = "lifted"
    """By itself: what it measures is inside its limit again."""
    RESET = "reset"
    """By the operator, who gave a reason."""


class VerdictStatus(StrEnum):
    """What the risk engine says."""

    APPROVED = "approved"
    MODIFIED = "modified"
    REJECTED = "rejected"
    HALTED = "halted"


class DataFault(StrEnum):
    """What can be wrong with a row of history."""

    BAD_ROW = "bad row"
    DUPLICATE = "duplicate"
    DISORDER = "disorder"
    GAP = "gap"
    OUTLIER = "outlier"
    """Perhaps true: a price that leaps away and comes back at once."""
    DAMAGED = "damaged"
    """The file is not what was written."""
    CUT_OFF = "cut off"
    """A tape's last block was not written whole."""
