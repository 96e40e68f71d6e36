"""Market settings (config/market.yaml): symbols, instruments, the account, the simulation."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from pydantic import Field, field_validator, model_validator

from tradeterm.errors import UsageError
from tradeterm.model.instruments import Instrument
from tradeterm.model.timing import iso, parse_instant
from tradeterm.settings.section import Section

#: Between these times (ns) a simulated market may begin: a run of years still has its stamps.
FIRST, LAST = 0, parse_instant("2200-01-01T00:00:00Z")


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

    @field_validator("start")
    @classmethod
    def _is_a_time(cls, start: str) -> str:
        try:
            moment = parse_instant(start)
        except UsageError as error:
            raise ValueError(str(error)) from None
        if not FIRST <= moment < LAST:
            raise ValueError(f"{start!r} is not from {iso(FIRST)[:4]} to {int(iso(LAST)[:4]) - 1}")
        return start

    @field_validator("prices")
    @classmethod
    def _are_prices(cls, prices: dict[str, float]) -> dict[str, float]:
        for symbol, price in prices.items():
            if price <= 0:
                raise ValueError(f"{symbol} is {price:g}; write a price above 0")
        return prices


class MarketSettings(Section):
    """Everything about the market."""

    symbols: tuple[str, ...] = Field(min_length=1)
    timeframes: tuple[int, ...] = Field(min_length=1)
    """Seconds, ascending, multiples of the first; bars finer than the data has are absent."""
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
        first = self.timeframes[0]
        if first < 1 or list(self.timeframes) != sorted(set(self.timeframes)):
            raise ValueError("timeframes must be above 0 and ascend, e.g. [60, 300, 3600]")
        for other in self.timeframes:
            if other % first:
                raise ValueError(
                    f"timeframes: {other} is no multiple of {first}, the bars it would be made of"
                )
        return self

    @model_validator(mode="after")
    def _symbols_are_pairs(self) -> MarketSettings:
        for symbol in (*self.symbols, *self.instruments):
            if not all(symbol.partition("/")):
                raise ValueError(f"{symbol!r} is not a symbol; write for example BTC/USDT")
        for symbol in self.symbols:
            if self.symbols.count(symbol) > 1:
                raise ValueError(f"symbols names {symbol} twice; once is enough")
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
