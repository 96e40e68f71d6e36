"""Portfolio settings (config/portfolio.yaml): allocation, DCA plans, hodl bags."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field, model_validator

from tradeterm.model.money import plain, total
from tradeterm.settings.section import Section


class DcaSettings(Section):
    """How a large rebalance is spread over time."""

    least: Decimal = Field(gt=0)
    """Account currency from which, all orders together, a rebalance becomes a plan."""
    batches: int = Field(ge=1, le=100)
    interval: int = Field(ge=60)
    """Seconds between two batches."""
    retries: int = Field(ge=0, le=100)
    """How often in a row a failed batch is tried again, a slot later each time."""


class HodlSettings(Section):
    """What part of the profits is put aside for good, and in which assets."""

    share: Decimal = Field(ge=0, le=100)
    """Percent of the profit of a winning position, after all costs."""
    split: dict[str, Decimal]
    """Percent of the share by asset; sums to 100."""
    threshold: dict[str, Decimal]
    """Account currency that must have come together before an asset is bought."""
    cap: dict[str, Decimal]
    """Worth of a bag, in account currency, from which profits stay in trading; absent: none."""

    @model_validator(mode="after")
    def _assets_are_split(self) -> HodlSettings:
        _check_percents("split", self.split)
        for name in ("threshold", "cap"):
            for asset, amount in getattr(self, name).items():
                if asset not in self.split:
                    raise ValueError(
                        f"{name}.{asset} has no share; name {asset} in split or drop it here"
                    )
                if amount < 0:
                    raise ValueError(f"{name}.{asset} is {plain(amount)}; write 0 or more")
        return self


class PortfolioSettings(Section):
    """Everything about spot holdings."""

    targets: dict[str, Decimal] = Field(min_length=1)
    """Percent by asset; sums to 100."""
    rebalance_threshold: Decimal = Field(gt=0, le=100)
    """Points a weight must be off its target."""
    rebalance_interval: int = Field(ge=0)
    """Seconds from one rebalance to the next, unless the operator forces it."""
    min_order: Decimal = Field(gt=0)
    """Smallest order of a rebalance, in account currency."""
    dca: DcaSettings
    hodl: HodlSettings

    @model_validator(mode="after")
    def _targets_add_up(self) -> PortfolioSettings:
        _check_percents("targets", self.targets)
        return self


def _check_percents(name: str, percents: Mapping[str, Decimal]) -> None:
    for asset, percent in percents.items():
        if not 0 <= percent <= 100:
            raise ValueError(f"{name}.{asset} is {plain(percent)}; write 0 to 100 percent")
    added = total(percents.values())
    if added != 100:
        raise ValueError(f"{name} add up to {plain(added)} percent; they must add up to 100")
