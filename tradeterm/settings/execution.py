"""Execution settings (config/execution.yaml): the paper exchange, time exit, liquidation."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, model_validator

from tradeterm.settings.section import Section


class LatencySettings(Section):
    """Seconds an order or a cancel is under way."""

    least: float = Field(ge=0, le=60)
    most: float = Field(ge=0, le=60)

    @model_validator(mode="after")
    def _least_comes_first(self) -> LatencySettings:
        if self.least > self.most:
            raise ValueError(
                f"latency.least {self.least} is above latency.most {self.most}; swap them"
            )
        return self


class ExecutionSettings(Section):
    """Everything about execution."""

    latency: LatencySettings
    max_slippage: Decimal = Field(gt=0, le=50)
    """Percent from the best price a market order may walk."""
    bar_slippage: Decimal = Field(ge=0, le=10)
    """Percent added to a taker fill where only a price is known."""
    entry_expiry: int = Field(gt=0)
    """Seconds an entry works before it expires."""
    time_exit: int = Field(gt=0)
    """Seconds after which a position is closed."""
    liquidation: Decimal = Field(gt=0, lt=100)
    """Percent of collateral left at which a position is closed by force."""
