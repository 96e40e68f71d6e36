"""Execution settings (config/execution.yaml): the paper exchange, time exit, liquidation."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from pydantic import Field, model_validator

from tradeterm.settings.section import Section

#: The most an order can cost on Kraken's counter: an amendment of one younger than 5 s.
DEAREST_ENTRY: Final = 4


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


class ReconcileSettings(Section):
    """When our books are compared with the venue's."""

    every: int = Field(ge=10)
    """Seconds of market time between two looks."""
    patience: int = Field(ge=0, le=3600)
    """Seconds a pending order may be missing at the venue."""


class TrailingSettings(Section):
    """A stop that follows the price. Percent."""

    enabled: bool
    """For new positions; each can be switched."""
    activation: Decimal = Field(gt=0, lt=100)
    """Gain on the entry price at which it begins."""
    distance: Decimal = Field(gt=0, lt=50)
    """Distance from the best price since."""
    step: Decimal = Field(ge=0, le=10)
    """Least move of a trailing stop that is worth an amendment."""


class BorrowingFees(Section):
    """Percent of notional by side: a long borrows quote, a short borrows base."""

    long: Decimal = Field(ge=0, le=5)
    short: Decimal = Field(ge=0, le=5)


class MarginSettings(Section):
    """What borrowing costs, and how much may be lost before the venue acts."""

    opening: BorrowingFees
    """Once, on each entry fill."""
    rollover: BorrowingFees
    """Every ``interval``, at mark."""
    interval: int = Field(ge=60)
    """Seconds."""
    call: Decimal = Field(gt=0, le=100)
    """Percent of the collateral left at which the operator is told, once per position."""


class EntrySettings(Section):
    """How an entry is sent."""

    type: Literal["market", "limit"]
    """A limit waits at the proposal's entry price."""
    post_only: bool
    """Refuse a limit entry that would take at once: it pays the maker fee or nothing."""
    expiry: int = Field(ge=0)
    """Seconds an entry works before it expires; 0: it takes what there is at once (IOC)."""

    @model_validator(mode="after")
    def _only_limits_rest(self) -> EntrySettings:
        if self.post_only and (self.type == "market" or not self.expiry):
            raise ValueError(
                "entry.post_only needs entry.type limit and an expiry above 0; others only take"
            )
        return self


class WindowSettings(Section):
    """At most ``count`` in any ``seconds``."""

    count: int = Field(ge=1)
    seconds: int = Field(ge=1)
    reserved: int = Field(ge=0)
    """Of them, kept for cancels, closes and protection."""

    @model_validator(mode="after")
    def _leaves_some(self) -> WindowSettings:
        if self.reserved >= self.count:
            raise ValueError(f"reserved {self.reserved} leaves nothing of {self.count}")
        return self


class CounterSettings(Section):
    """Kraken's counter per symbol: transactions raise it, time lowers it."""

    threshold: int = Field(ge=10)
    decay: float = Field(gt=0)
    """Per second."""
    reserved: int = Field(ge=0)
    """Of the threshold, kept for cancels, closes and protection."""

    @model_validator(mode="after")
    def _leaves_some(self) -> CounterSettings:
        if self.threshold - self.reserved < DEAREST_ENTRY:
            raise ValueError(
                f"reserved {self.reserved} of {self.threshold} leaves less than an entry or its "
                f"amendment may cost ({DEAREST_ENTRY})"
            )
        return self


class RateLimitSettings(Section):
    """How much may be sent to the venue, and how long what finds no room waits."""

    model: Literal["window", "counter"]
    calls: WindowSettings
    """Every request: order, amendment, batch of cancels."""
    orders: WindowSettings
    """New orders."""
    counter: CounterSettings
    batch: int = Field(ge=1, le=50)
    """Cancels in one call."""
    max_wait: int = Field(ge=1)
    """Seconds an order that adds exposure waits for room before it is given up."""


class ExecutionSettings(Section):
    """Everything about execution."""

    latency: LatencySettings
    max_slippage: Decimal = Field(gt=0, le=50)
    """Percent from the best price a market order may walk."""
    bar_slippage: Decimal = Field(ge=0, le=10)
    """Percent added to a taker fill where only a price is known."""
    limit_collar: Decimal = Field(gt=0, le=50)
    """Percent beyond the best opposite price at which a limit is taken for a slip of the hand."""
    entry: EntrySettings
    target: Literal["take_profit", "take_profit_limit"]
    stop: Literal["stop_loss", "stop_loss_limit"]
    stop_limit_offset: Decimal = Field(ge=0, le=20)
    """Percent beyond its trigger at which a stop-limit still sells (or buys)."""
    rate_limit: RateLimitSettings
    time_exit: int = Field(gt=0)
    """Seconds after which a position is closed."""
    liquidation: Decimal = Field(gt=0, lt=100)
    """Percent of collateral left at which a position is closed by force."""
    trailing: TrailingSettings
    break_even: Decimal = Field(ge=0, lt=100)
    """Percent gained at which a stop moves to where a close costs nothing; 0: never by itself."""
    margin: MarginSettings
    reconcile: ReconcileSettings
    fidelity: tuple[int, ...] = Field(min_length=1)
    """Seconds after a fill at which it is compared with what the market printed."""

    @model_validator(mode="after")
    def _called_before_liquidated(self) -> ExecutionSettings:
        if self.margin.call <= self.liquidation:
            raise ValueError(
                f"margin.call {self.margin.call} is not above liquidation {self.liquidation}; "
                "the call would never come"
            )
        return self

    @model_validator(mode="after")
    def _fidelity_ascends(self) -> ExecutionSettings:
        if list(self.fidelity) != sorted(set(self.fidelity)) or self.fidelity[0] < 1:
            raise ValueError(
                f"fidelity is {list(self.fidelity)}; write whole seconds that ascend, e.g. [1, 5, 30]"
            )
        return self
