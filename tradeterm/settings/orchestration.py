"""Orchestration settings (config/orchestration.yaml): schedule, coordinator, approval."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from tradeterm.model.settling import Settle
from tradeterm.model.vocabulary import (
    AgentName,
    ConflictType,
    Level,
    ResolutionAction,
    Topic,
)
from tradeterm.settings.section import Section

#: Topic → the task that publishes on it.
PUBLISHERS = {
    Topic.TA_SIGNALS: AgentName.TECHNICAL,
    Topic.REGIME_UPDATES: AgentName.REGIME,
    Topic.SENTIMENT_UPDATES: AgentName.SENTIMENT,
    Topic.TRADING_SIGNALS: AgentName.TRADING,
    Topic.PORTFOLIO_UPDATES: AgentName.PORTFOLIO,
}
ANALYSTS = (AgentName.TECHNICAL, AgentName.REGIME, AgentName.SENTIMENT)


class TaskSettings(Section):
    """One scheduled task; times in seconds."""

    interval: int = Field(ge=1)
    enabled: bool
    run_on_start: bool
    after: tuple[AgentName, ...]
    """Agents whose answer a run waits for while their models are being asked."""
    timeout: float | None = Field(gt=0, le=300)
    """A model that takes longer has not answered in time: its vote is kept and counts for nothing.
    null: its role's deadline (llm.yaml)."""


class ApprovalSettings(Section):
    """What waits for the operator, and for how long."""

    mode: Literal["conflicts", "all"]
    """``all``: every proposal needs a key; ``conflicts``: only contradicted ones."""
    expiry: int = Field(ge=1)
    """Seconds of market time a card stays open."""
    drift: Decimal = Field(gt=0, le=10)
    """Percent the price may move under a card; half the stop distance when that is less."""


class ConflictSettings(Section):
    """What counts as a contradiction, and what happens when nobody settles it."""

    confidence_gap: float = Field(gt=0, le=1)
    """TA and sentiment clash when their confidences are closer than this."""
    correlated_from: Decimal = Field(gt=0, le=1)
    """Correlation from which two positions the same way are stacking."""
    material_cut: Decimal = Field(gt=0, lt=100)
    """Percent of the size a verdict must cut for the operator to be asked."""
    wait_ttl: int = Field(ge=1)
    """Seconds a parked proposal stays alive."""
    settle: dict[ConflictType, Settle]
    """Who settles which; of a conflict of several types the most careful one decides."""
    fallback: dict[ConflictType, ResolutionAction]
    """When the advisor gave no valid answer."""


class HoldSettings(Section):
    """The level each condition holds, at least, while it lasts."""

    stale_data: Level
    budget: Level
    """From ``llm.throttle`` of the day's budget on."""
    clock: Level
    """Beyond ``risk.max_clock_skew``."""
    journal: Level
    """Unwritable, or behind by more than ``risk.max_journal_lag``."""


class DegradationSettings(Section):
    """Consecutive failures that lower the level, successes that raise it."""

    failures: tuple[int, int, int]
    """To REDUCED, LIMITED, EMERGENCY."""
    successes: int = Field(ge=1)
    """In a row, to recover by one level."""
    probe: int = Field(ge=1)
    """Market seconds between requests that drive nothing but recovery."""
    holds: HoldSettings

    @model_validator(mode="after")
    def _ascending(self) -> DegradationSettings:
        first, second, third = self.failures
        if not 1 <= first < second < third:
            raise ValueError("failures must ascend, e.g. [3, 6, 9]")
        return self


class OrchestrationSettings(Section):
    """Everything about who runs when and who decides."""

    schedule: dict[AgentName, TaskSettings]
    ttl: dict[Topic, int]
    """Seconds a message stays valid; at least twice its publisher's interval."""
    lookback: dict[AgentName, int]
    """Seconds an analyst's view counts in the consensus."""
    confidence_cap: Decimal = Field(gt=0, le=1)
    """No confidence exceeds this after the consensus boost."""
    approval: ApprovalSettings
    conflicts: ConflictSettings
    degradation: DegradationSettings

    @cached_property
    def windows(self) -> dict[str, int]:
        """Analyst → look-back in seconds, never shorter than two of its intervals."""
        return {
            name.value: max(self.lookback[name], 2 * self.schedule[name].interval)
            for name in ANALYSTS
        }

    @model_validator(mode="after")
    def _acyclic(self) -> OrchestrationSettings:
        order = list(AgentName)
        for name, task in self.schedule.items():
            for other in task.after:
                if order.index(other) >= order.index(name):
                    raise ValueError(
                        f"schedule.{name}.after names {other}, which runs no earlier; "
                        f"the order is {', '.join(order)}"
                    )
        return self

    @model_validator(mode="after")
    def _complete(self) -> OrchestrationSettings:
        _all_named("schedule", [a.value for a in AgentName], [a.value for a in self.schedule])
        _all_named("ttl", [t.value for t in Topic], [t.value for t in self.ttl])
        _all_named("lookback", [a.value for a in ANALYSTS], [a.value for a in self.lookback])
        kinds = [c.value for c in ConflictType]
        _all_named("conflicts.fallback", kinds, [c.value for c in self.conflicts.fallback])
        _all_named("conflicts.settle", kinds, [c.value for c in self.conflicts.settle])
        for topic, agent in PUBLISHERS.items():
            least = 2 * self.schedule[agent].interval
            if self.ttl[topic] < least:
                raise ValueError(
                    f"ttl.{topic} is {self.ttl[topic]}; write at least {least}, "
                    f"twice the interval of {agent}"
                )
        return self


def _all_named(key: str, wanted: list[str], got: list[str]) -> None:
    missing = [name for name in wanted if name not in got]
    unknown = [name for name in got if name not in wanted]
    if missing:
        raise ValueError(f"{key} lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"{key} names {', '.join(unknown)}, which it cannot hold")
