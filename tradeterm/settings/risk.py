"""Risk settings (config/risk.yaml): every limit an order has to fit."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, model_validator

from tradeterm.model.vocabulary import Regime
from tradeterm.settings.section import Section


class LeverageStep(Section):
    """From ``at`` on (percent of drawdown, or losses in a row), leverage is at most this."""

    at: Decimal = Field(gt=0, le=100)
    leverage: Decimal = Field(ge=1, le=5)


class RiskSettings(Section):
    """Limits in percent of equity unless said otherwise."""

    max_leverage: Decimal = Field(ge=1, le=5)
    regime_leverage: dict[Regime, Decimal]
    """All seven; an unknown regime gets the smallest."""
    drawdown_leverage: tuple[LeverageStep, ...]
    streak_leverage: tuple[LeverageStep, ...]
    max_position: Decimal = Field(gt=0, le=100)
    """Collateral of one position."""
    max_risk: Decimal = Field(gt=0, le=100)
    """Loss at the stop, fees included."""
    max_exposure: Decimal = Field(gt=0, le=500)
    """Margin notional, pending entries included."""
    max_correlated: Decimal = Field(gt=0, le=500)
    """Signed correlated notional."""
    max_margin: Decimal = Field(gt=0, le=100)
    max_positions_per_symbol: int = Field(ge=1, le=20)
    max_positions: int = Field(ge=1, le=50)
    min_confidence: Decimal = Field(ge=0, le=1)
    min_stop: Decimal = Field(gt=0, lt=50)
    """Stop distance in percent of the entry; the next field likewise."""
    max_stop: Decimal = Field(gt=0, lt=50)
    max_stop_by_asset: dict[str, Decimal]
    """By base asset; may only be tighter than ``max_stop``."""
    min_reward_risk: Decimal = Field(gt=0, le=20)
    max_collar: Decimal = Field(gt=0, le=20)
    """Percent an entry may lie away from the mid of the book."""
    max_daily_loss: Decimal = Field(gt=0, le=100)
    max_drawdown: Decimal = Field(gt=0, le=100)
    correlations: dict[str, dict[str, Decimal]]
    """Signed, −1…1, by pair of symbols in either order."""
    unlisted_correlation: Decimal = Field(ge=-1, le=1)
    card_headroom: Decimal = Field(ge=0, lt=50)
    """Percent of each size limit left free on a card, so that small drift does not void it."""

    @model_validator(mode="after")
    def _consistent(self) -> RiskSettings:
        missing = [regime.value for regime in Regime if regime not in self.regime_leverage]
        if missing:
            raise ValueError(f"regime_leverage lacks {', '.join(missing)}; name all seven regimes")
        for regime, leverage in self.regime_leverage.items():
            if not 1 <= leverage <= 5:
                raise ValueError(f"regime_leverage.{regime} is {leverage}; write 1 to 5")
        for asset, percent in self.max_stop_by_asset.items():
            if not self.min_stop <= percent <= self.max_stop:
                raise ValueError(
                    f"max_stop_by_asset.{asset} is {percent}; write {self.min_stop} (min_stop) "
                    f"to {self.max_stop} (max_stop)"
                )
        for one, row in self.correlations.items():
            for other, value in row.items():
                self._check_pair(one, other, value)
        return self

    def _check_pair(self, one: str, other: str, value: Decimal) -> None:
        if not -1 <= value <= 1:
            raise ValueError(f"correlations.{one}.{other} is {value}; write -1 to 1")
        back = self.correlations.get(other, {}).get(one)
        if back is not None and back != value:
            raise ValueError(
                f"correlations.{one}.{other} is {value} one way and {back} the other; "
                "a pair is listed once"
            )

    def correlation(self, one: str, other: str) -> Decimal:
        """Signed correlation of two symbols' returns; 1 with itself."""
        if one == other:
            return Decimal(1)
        for a, b in ((one, other), (other, one)):
            value = self.correlations.get(a, {}).get(b)
            if value is not None:
                return value
        return self.unlisted_correlation
