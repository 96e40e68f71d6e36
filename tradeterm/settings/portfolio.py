"""Portfolio settings (config/portfolio.yaml): allocation targets and when to act on them."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, model_validator

from tradeterm.model.money import plain, total
from tradeterm.settings.section import Section


class PortfolioSettings(Section):
    """Everything about the allocation."""

    targets: dict[str, Decimal] = Field(min_length=1)
    """Percent by asset; sums to 100."""
    rebalance_threshold: Decimal = Field(gt=0, le=100)
    """Points a weight may be off its target."""
    min_order: Decimal = Field(gt=0)
    """Smallest rebalance leg, in account currency."""

    @model_validator(mode="after")
    def _targets_add_up(self) -> PortfolioSettings:
        for asset, percent in self.targets.items():
            if not 0 <= percent <= 100:
                raise ValueError(f"targets.{asset} is {plain(percent)}; write 0 to 100 percent")
        added = total(self.targets.values())
        if added != 100:
            raise ValueError(f"targets add up to {plain(added)} percent; they must add up to 100")
        return self
