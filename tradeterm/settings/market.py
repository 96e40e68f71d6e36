"""Market settings (config/market.yaml): symbols, instruments, the account, the simulation."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from pydantic import Field, model_validator

from tradeterm.model.instruments import Instrument
from tradeterm.settings.section import Section


class FeeTier(Section):
    """What trading costs from a 30-day volume on."""

    volume: Decimal = Field(ge=0)
    """Account currency traded in 30 days, spot and margin together."""
    maker: Decimal = Field(ge=0, le=5)
    """Percent of notional; the taker's likewise."""
    taker: Decimal = Field(ge=0, le=5)


class FeeSchedule(Section):
    """The venue's ladder: the more one trades, the less it costs."""

    tiers: tuple[FeeTier, ...] = Field(min_length=1)

    @property
    def entry(self) -> FeeTier:
        """The dearest step, where every account begins; plans and limits reckon with it."""
        return self.tiers[0]

    @model_validator(mode="after")
    def _steps_down(self) -> FeeSchedule:
        if self.tiers[0].volume:
            raise ValueError("the first tier must begin at volume 0, where an account begins")
        for before, after in pairwise(self.tiers):
            if after.volume <= before.volume:
                raise ValueError(
                    f"tier volumes must ascend; {after.volume} follows {before.volume}"
                )
            if after.maker > before.maker or after.taker > before.taker:
                raise ValueError(
                    f"the tier of volume {after.volume} is dearer than the one before it"
                )
        return self


class InstrumentSettings(Section):
    """Steps and minimums of one symbol, as on the exchange."""

    tick: Decimal = Field(gt=0)
    lot: Decimal = Field(gt=0)
    min_size: Decimal = Field(gt=0)
    min_notional: Decimal = Field(ge=0)


class AccountSettings(Section):
    """The paper account."""

    currency: str
    parity: tuple[str, ...]
    """Assets counted 1:1 as the account currency (quotes of recordings, mostly)."""
    deposit: Decimal = Field(gt=0)


class SimulationSettings(Section):
    """The embedded market."""

    seed: int = Field(ge=0)
    speed: float = Field(gt=0)
    """Market seconds per second at the start."""
    start: str
    """ISO time of the first event."""
    prices: dict[str, float]
    """First price of each USDT symbol; crosses follow from them."""
    daily_volatility: float = Field(gt=0, le=50)
    """Percent, of the calm regime of the first asset; others are scaled."""
    update_interval: float = Field(gt=0.05, le=60)
    """Mean seconds between two book updates of a symbol."""
    news_interval: float = Field(gt=1)
    """Mean seconds between two headlines."""
    levels: int = Field(ge=25, le=200)
    """Book levels per side."""


class MarketSettings(Section):
    """Everything about the market."""

    symbols: tuple[str, ...] = Field(min_length=1)
    timeframes: tuple[int, ...] = Field(min_length=1)
    """Seconds, ascending; bars finer than the data has are absent."""
    window: int = Field(ge=50, le=5000)
    """Closed candles kept per timeframe; recursive indicators use exactly these."""
    stale_after: float = Field(gt=0)
    """Seconds without an event after which a stream is stale; bars: twice their timeframe."""
    fees: FeeSchedule
    instruments: dict[str, InstrumentSettings]
    account: AccountSettings
    simulation: SimulationSettings

    @model_validator(mode="after")
    def _timeframes_nest(self) -> MarketSettings:
        if list(self.timeframes) != sorted(set(self.timeframes)):
            raise ValueError("timeframes must be ascending and different, e.g. [60, 300, 3600]")
        return self

    def instrument(self, symbol: str) -> Instrument | None:
        """The configured instrument, or None."""
        steps = self.instruments.get(symbol)
        if steps is None:
            return None
        base, quote = symbol.split("/")
        return Instrument(
            symbol=symbol,
            base=base,
            quote=quote,
            tick=steps.tick,
            lot=steps.lot,
            min_size=steps.min_size,
            min_notional=steps.min_notional,
            taker_fee=self.fees.entry.taker / 100,
        )
