"""Agent settings (config/agents.yaml): the figures the rule versions go by."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tradeterm.settings.section import Section


class TechnicalSettings(Section):
    """Technical analysis."""

    adx_trend: float = Field(gt=0, lt=100)
    """ADX from which a trend counts in full."""
    rsi_overbought: float = Field(gt=50, lt=100)
    rsi_oversold: float = Field(gt=0, lt=50)
    bias_threshold: float = Field(gt=0, lt=1)
    """Score (0–1) from which the bias is not neutral."""


class RegimeSettings(Section):
    """Regime detection."""

    adx_trend: float = Field(gt=0, lt=100)
    """ADX from which the market trends."""
    chop_threshold: float = Field(gt=0, lt=100)
    """Choppiness index from which a market without trend is choppy."""
    volatile_ratio: float = Field(gt=1)
    """ATR over its mean from which a market is volatile."""
    confirmations: int = Field(ge=1, le=20)
    """Runs in a row a new regime must be seen before it is believed."""


class SentimentSettings(Section):
    """Sentiment analysis."""

    window: int = Field(gt=0)
    """Seconds a headline counts."""
    half_life: int = Field(gt=0)
    """Seconds after which a headline weighs half."""
    bias_threshold: float = Field(gt=0, lt=1)
    """Score (0–1) from which the bias is not neutral."""
    sources: tuple[str, ...]
    """RSS or Atom files and addresses, folders of text files; addresses are read in live only."""
    poll: int = Field(ge=10)
    """Seconds between two looks at a source, live."""

    @field_validator("sources")
    @classmethod
    def _safe(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        for source in filter(is_address, sources):
            parts = urlsplit(source)
            loopback = parts.hostname in ("127.0.0.1", "::1")
            if not parts.hostname or parts.scheme not in ("https", "http"):
                raise ValueError(f"{source!r} is no address; write https://host/path")
            if parts.username is not None or parts.password is not None:
                raise ValueError(
                    f"the address at {parts.hostname} holds a name or password, which would be "
                    "shown and journaled; leave it out"
                )
            if parts.scheme == "http" and not loopback:
                raise ValueError(
                    f"{source!r} can be changed on its way; write https:// "
                    "(plain http is for 127.0.0.1 and [::1] only)"
                )
        return sources


def is_address(source: str) -> bool:
    """Whether a source is fetched, and not a file or folder."""
    return "://" in source


class TradingDecisionSettings(Section):
    """Trading decisions."""

    rule: Literal["consensus", "ema_cross"]
    """``ema_cross`` decides on every closed bar instead of on schedule."""
    fast: int = Field(ge=2, le=400)
    """EMA periods of ``ema_cross``, in bars of the smallest timeframe; the next field too."""
    slow: int = Field(ge=3, le=500)
    entry_threshold: float = Field(gt=0, lt=1)
    """Weighted score (0–1) from which ``consensus`` enters."""
    exit_threshold: float = Field(gt=0, lt=1)
    """Score against an open position from which ``consensus`` closes it."""
    stop_atr: float = Field(gt=0, le=20)
    """Stop distance in ATRs, before the bounds."""
    stop_least: Decimal = Field(gt=0, lt=50)
    """Percent of the entry; the next field too."""
    stop_most: Decimal = Field(gt=0, lt=50)
    reward: Decimal = Field(gt=0, le=20)
    """Gain at the target over loss at the stop, taker fees of both sides paid."""
    risk_per_trade: Decimal = Field(gt=0, le=10)
    """Percent of equity lost at the stop, fees left out: the size wished for."""
    leverage: Decimal = Field(ge=1, le=5)
    """Leverage wished for at full confidence; 1 at none."""
    quorum: int = Field(ge=1, le=100)
    """Percent of the models asked that must have answered validly, in time."""

    @model_validator(mode="after")
    def _ordered(self) -> TradingDecisionSettings:
        if self.fast >= self.slow:
            raise ValueError(f"fast {self.fast} is not below slow {self.slow}; swap them")
        if self.stop_least > self.stop_most:
            raise ValueError(f"stop_least {self.stop_least} is above stop_most {self.stop_most}")
        return self


class AgentSettings(Section):
    """Everything the five agents' rules go by (rebalance targets: portfolio.yaml)."""

    technical_analysis: TechnicalSettings
    regime_detection: RegimeSettings
    sentiment_analysis: SentimentSettings
    trading_decision: TradingDecisionSettings
