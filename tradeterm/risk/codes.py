"""Machine-readable reasons: one code per way a trade can fail or be cut."""

from __future__ import annotations

from enum import StrEnum


class RiskCode(StrEnum):
    """Why a verdict is not a plain yes."""

    HALTED = "halted"
    PAUSED = "paused"
    EMERGENCY = "emergency"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BAD_NUMBER = "bad_number"
    BAD_ACCOUNT = "bad_account"
    BAD_MARKET = "bad_market"
    STALE_DATA = "stale_data"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    CONFIDENCE = "confidence_too_low"
    STOP_MISSING = "stop_missing"
    STOP_SIDE = "stop_wrong_side"
    STOP_TOO_CLOSE = "stop_too_close"
    STOP_TOO_WIDE = "stop_too_wide"
    TARGET_MISSING = "target_missing"
    TARGET_SIDE = "target_wrong_side"
    REWARD_RISK = "reward_risk_too_low"
    COLLAR = "price_collar"
    LEVERAGE = "leverage"
    LEVERAGE_REGIME = "leverage_regime"
    LEVERAGE_DRAWDOWN = "leverage_drawdown"
    LEVERAGE_STREAK = "leverage_streak"
    OPPOSITE = "opposite_position"
    POSITIONS_SYMBOL = "positions_per_symbol"
    POSITIONS = "positions_total"
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
        RiskCode.DRAWDOWN,
    }
)
