"""Machine-readable reasons: one code per way a trade can fail or be cut."""

from __future__ import annotations

from enum import StrEnum


class RiskCode(StrEnum):
    """Why a verdict is not a plain yes."""

    HALTED = "halted"
    PAUSED = "paused"
    EMERGENCY = "emergency"
    UNKNOWN_SYMBOL = "unknown_symbol"
    REDUCE_ONLY = "reduce_only"
    """Nothing new on this symbol: its data lies, or the exchange trades it no longer."""
    BAD_NUMBER = "bad_number"
    BAD_ACCOUNT = "bad_account"
    BAD_MARKET = "bad_market"
    STALE_DATA = "stale_data"
    UNRECONCILED = "unreconciled"
    """The venue's books differ from ours and nobody has settled it."""
    CLOCK_SKEW = "clock_skew"
    """Our clock and the exchange's differ, or nobody knows by how much."""
    JOURNAL = "journal"
    """What is decided does not get to disk (in time)."""
    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_24H = "daily_loss_24h"
    WEEKLY_LOSS = "weekly_loss"
    DRAWDOWN = "drawdown"
    BREAKER = "breaker"
    """A breaker tripped and was neither lifted nor reset."""
    COOLDOWN = "cooldown"
    ENTRY_RATE = "entry_rate"
    MESSAGE_RATE = "message_rate"
    REPEATED = "repeated_order"
    UNUSUAL_MOVE = "unusual_move"
    CONFIDENCE = "confidence_too_low"
    STOP_MISSING = "stop_missing"
    STOP_SET = "stop_set"
    """The proposal brought no stop: risk set one by the ATR."""
    STOP_SIDE = "stop_wrong_side"
    STOP_TOO_CLOSE = "stop_too_close"
    STOP_TOO_WIDE = "stop_too_wide"
    TARGET_MISSING = "target_missing"
    TARGET_SIDE = "target_wrong_side"
    REWARD_RISK = "reward_risk_too_low"
    COST = "cost_hurdle"
    COLLAR = "price_collar"
    LEVERAGE = "leverage"
    LEVERAGE_REGIME = "leverage_regime"
    LEVERAGE_DRAWDOWN = "leverage_drawdown"
    LEVERAGE_STREAK = "leverage_streak"
    LEVERAGE_CONFIDENCE = "leverage_confidence"
    OPPOSITE = "opposite_position"
    POSITIONS_SYMBOL = "positions_per_symbol"
    POSITIONS = "positions_total"
    VOLATILITY = "volatility"
    """A spike takes a part of the size away."""
    LOSSES = "losses"
    """The losses breaker halves the next size."""
    SIZING = "sizing"
    POSITION_SIZE = "position_size"
    RISK_AT_STOP = "risk_at_stop"
    EXPOSURE = "exposure"
    CORRELATED = "correlated_exposure"
    MARGIN = "margin_use"
    CASH = "cash"
    MINIMUM = "below_minimum"
    NOT_JUDGED = "not_judged"
    """The rule could not be judged because a figure it needs is bad or missing."""
    RULE_ERROR = "rule_error"
    """The rule itself failed: that is never a pass."""


#: Codes that mean "nothing new at all", not "not this trade".
HALTING = frozenset(
    {
        RiskCode.HALTED,
        RiskCode.PAUSED,
        RiskCode.EMERGENCY,
        RiskCode.DAILY_LOSS,
        RiskCode.DAILY_LOSS_24H,
        RiskCode.WEEKLY_LOSS,
        RiskCode.DRAWDOWN,
        RiskCode.BREAKER,
    }
)
