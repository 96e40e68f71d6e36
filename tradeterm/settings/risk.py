"""Risk settings (config/risk.yaml): every limit an order has to fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from tradeterm.model.vocabulary import Regime
from tradeterm.settings.section import Section

Strictness = Literal["normal", "strict", "very_strict"]
#: What one symbol or base asset may have of its own.
OwnLimit = Literal[
    "max_leverage", "max_position", "max_risk", "min_confidence", "min_stop", "max_stop",
    "max_collar",
]  # fmt: skip


class LeverageStep(Section):
    """From ``at`` on (percent of drawdown, or losses in a row), leverage is at most this."""

    at: Decimal = Field(gt=0, le=100)
    leverage: Decimal = Field(ge=1, le=5)


class LeverageTier(Section):
    """Below this confidence (fraction), leverage is at most this."""

    below: Decimal = Field(gt=0, le=1)
    leverage: Decimal = Field(ge=1, le=5)


class ConfidenceStep(Section):
    """From ``at`` losses in a row on, this much more confidence is asked for."""

    at: int = Field(ge=1)
    add: Decimal = Field(ge=0, le=1)


class CooldownStep(Section):
    """From ``at`` losses in a row on, no entry for this long."""

    at: int = Field(ge=1)
    seconds: int = Field(ge=0)


class SizeStep(Section):
    """From this confidence on, this percentage of ``max_risk`` may be lost at the stop."""

    at: Decimal = Field(ge=0, le=1)
    part: Decimal = Field(gt=0, le=100)


class SizingSettings(Section):
    """How much of ``max_risk`` a trade gets."""

    confidence: tuple[SizeStep, ...] = Field(min_length=1)
    regime: dict[Regime, Decimal]
    """Percent of that; all seven."""


class CooldownSettings(Section):
    """Seconds without entries after something happened; 0 switches one off."""

    trade: int = Field(ge=0)
    loss: int = Field(ge=0)
    volatility: int = Field(ge=0)
    unusual_move: int = Field(ge=0)
    rebalance: int = Field(ge=0)


class VolatilitySettings(Section):
    """A spike: ATR over its mean above ``ratio``; ``part`` percent of the size is left then."""

    ratio: Decimal = Field(gt=1)
    part: Decimal = Field(gt=0, le=100)


class MoveSettings(Section):
    """An unusual move: more than ``percent`` within so many seconds."""

    percent: Decimal = Field(gt=0)
    within: int = Field(ge=60, le=3600)


class ThrottleSettings(Section):
    """How often an entry may be sent."""

    entries_per_minute: int = Field(ge=1)
    messages_per_minute: int = Field(ge=1)
    repeat: int = Field(ge=0)
    entries_per_day: int = Field(ge=1)
    """Of one symbol within 24 hours; the last of them switches trading_decision off."""
    turns_per_day: int = Field(ge=1)
    """Entries to the other side than the one before; likewise."""


class MeasuredSettings(Section):
    """Correlation on the run's own hourly returns: the window, and how many it takes at least."""

    hours: int = Field(ge=2, le=500)
    least: int = Field(ge=2, le=500)


class RiskSettings(Section):
    """Limits in percent of equity unless said otherwise."""

    max_leverage: Decimal = Field(ge=1, le=5)
    regime_leverage: dict[Regime, Decimal]
    """All seven; an unknown regime gets the smallest."""
    drawdown_leverage: tuple[LeverageStep, ...]
    streak_leverage: tuple[LeverageStep, ...]
    confidence_leverage: tuple[LeverageTier, ...]
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
    regime_strictness: dict[Regime, Strictness]
    """All seven; an unknown regime gets the strictest."""
    strictness: dict[Strictness, Decimal]
    """Added to ``min_confidence``."""
    streak_confidence: tuple[ConfidenceStep, ...]
    sizing: SizingSettings
    min_stop: Decimal = Field(gt=0, lt=50)
    """Stop distance in percent of the entry; the next field likewise."""
    max_stop: Decimal = Field(gt=0, lt=50)
    atr_stop: Decimal = Field(ge=0, le=20)
    """ATRs between entry and the stop of a proposal that brings none; 0 refuses it."""
    min_reward_risk: Decimal = Field(gt=0, le=20)
    max_cost: Decimal = Field(gt=0, le=100)
    """Spread, fees and slippage in percent of the way to the target."""
    expected_slippage: Decimal = Field(ge=0, le=10)
    """Percent per side."""
    max_collar: Decimal = Field(gt=0, le=20)
    """Percent an entry may lie away from the mid of the book."""
    max_clock_skew: float = Field(gt=0, le=60)
    """Seconds our clock and the exchange's may differ (live)."""
    max_journal_lag: float = Field(gt=0, le=60)
    """Seconds the oldest row that is not on disk may have been waiting (live)."""
    by_symbol: dict[str, dict[OwnLimit, Decimal]]
    """By symbol or base asset; what is not named stays as it is for all."""
    max_daily_loss: Decimal = Field(gt=0, le=100)
    max_weekly_loss: Decimal = Field(gt=0, le=100)
    max_drawdown: Decimal = Field(gt=0, le=100)
    max_losses: int = Field(ge=1, le=100)
    cooldown: CooldownSettings
    streak_cooldown: tuple[CooldownStep, ...]
    volatility: VolatilitySettings
    unusual_move: MoveSettings
    throttle: ThrottleSettings
    correlations: dict[str, dict[str, Decimal]]
    """Signed, −1…1, by pair of symbols in either order."""
    unlisted_correlation: Decimal = Field(ge=-1, le=1)
    measured_correlation: MeasuredSettings
    card_headroom: Decimal = Field(ge=0, lt=50)
    """Percent of each size limit left free on a card, so that small drift does not void it."""

    @model_validator(mode="after")
    def _consistent(self) -> RiskSettings:
        for name, table in (
            ("regime_leverage", self.regime_leverage),
            ("regime_strictness", self.regime_strictness),
            ("sizing.regime", self.sizing.regime),
        ):
            missing = [regime.value for regime in Regime if regime not in table]
            if missing:
                raise ValueError(f"{name} lacks {', '.join(missing)}; name all seven regimes")
        for regime, leverage in self.regime_leverage.items():
            if not 1 <= leverage <= 5:
                raise ValueError(f"regime_leverage.{regime} is {leverage}; write 1 to 5")
        for regime, part in self.sizing.regime.items():
            if not 0 < part <= 100:
                raise ValueError(f"sizing.regime.{regime} is {part}; write above 0 to 100")
        for word in self.regime_strictness.values():
            if not 0 <= self.strictness.get(word, Decimal(-1)) <= 1:
                raise ValueError(f"strictness.{word} is missing or not a fraction from 0 to 1")
        for name in self.by_symbol:
            self._check_override(name)
        for one, row in self.correlations.items():
            for other, value in row.items():
                self._check_pair(one, other, value)
        return self

    def _check_override(self, name: str) -> None:
        own = self.by_symbol[name]
        for field, value in own.items():
            general = getattr(self, field)
            looser = value < general if field.startswith("min") else value > general
            if looser or not value > 0:
                raise ValueError(
                    f"by_symbol.{name}.{field} is {value}, looser than {field} {general} or not "
                    "above 0; an override may only be tighter"
                )
        if own.get("max_leverage", 1) < 1:
            raise ValueError(f"by_symbol.{name}.max_leverage is below 1; write at least 1")
        if own.get("min_confidence", 0) > 1:
            raise ValueError(f"by_symbol.{name}.min_confidence is above 1; write a fraction")
        least, most = own.get("min_stop", self.min_stop), own.get("max_stop", self.max_stop)
        if least > most:
            raise ValueError(
                f"by_symbol.{name}.max_stop is {most}; write {least} (min_stop) to {self.max_stop} "
                "(max_stop)"
            )

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

    def limit(self, field: OwnLimit, symbol: str) -> Decimal:
        """A limit as it holds for one symbol: the tightest of all that name it."""
        found: list[Decimal] = [getattr(self, field)]
        for name in (symbol.partition("/")[0], symbol):
            own = self.by_symbol.get(name, {})
            if field in own:
                found.append(own[field])
        return max(found) if field.startswith("min") else min(found)
