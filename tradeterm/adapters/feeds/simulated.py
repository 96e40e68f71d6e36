"""The embedded market: a seeded, endless feed of books, prints and headlines.

It is made ten market minutes at a time. What a block needs from before is its state, so the feed
can go back to any event of the last two blocks, and from a mark to exactly where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from math import floor, log10
from operator import attrgetter
from typing import Final

import msgspec
import numpy as np

from tradeterm.adapters.feeds.headlines import TRAIL, Newsroom
from tradeterm.adapters.feeds.simulated_book import Ladder, LadderState
from tradeterm.adapters.feeds.simulated_history import past_candles
from tradeterm.adapters.feeds.simulated_prices import (
    BLOCK_SECONDS,
    AssetState,
    Floats,
    PriceProcess,
    keyed,
)
from tradeterm.errors import ConfigError, EngineFault
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, FeedMark, MarketEvent
from tradeterm.model.timing import SECOND, parse_instant
from tradeterm.model.vocabulary import MarketMode
from tradeterm.settings.market import MarketSettings

#: Grows when the same seed would give other events.
GENERATION: Final = "1"
_BLOCK: Final = BLOCK_SECONDS * SECOND


class SimState(msgspec.Struct):
    """The market at the beginning of a block; ``position`` events came before it."""

    block: int
    position: int
    assets: list[AssetState]
    ladders: list[LadderState]
    trail: list[list[float]]


class SimulatedFeed:
    """Implements ``Feed`` for ``--feed sim``. It knows nothing of the agents."""

    mode = MarketMode.SIM.value

    def __init__(self, settings: MarketSettings, *, seed: int, symbols: tuple[str, ...]) -> None:
        """The market of ``seed`` for ``symbols``; raises ConfigError for one without a price."""
        simulation = settings.simulation
        self.symbols = symbols
        self.start = parse_instant(simulation.start)
        self._seed = seed
        self._settings = settings
        self._currency = settings.account.currency
        prices = self._asset_prices()
        self._process = PriceProcess(seed, prices, simulation.daily_volatility)
        self._pairs = [self._pair(symbol) for symbol in symbols]
        self._instruments = [self._instrument(symbol, prices) for symbol in symbols]
        self._ladders = [
            Ladder(
                instrument, self._first_price(symbol, prices), prices[instrument.base],
                simulation.levels,
            )
            for symbol, instrument in zip(symbols, self._instruments, strict=True)
        ]  # fmt: skip
        self._news = Newsroom(
            seed, self._process.assets, self._process.daily, simulation.news_interval
        )
        self._state = self._beginning()
        self._marks: list[tuple[int, bytes]] = []
        """(position, encoded state) of the blocks last made, newest last."""
        self._skip = 0

    # -- what it is ------------------------------------------------------------------------

    def identity(self) -> dict[str, str]:
        """Seed, symbols and every setting that shapes the market."""
        simulation = self._settings.simulation.model_dump(mode="json")
        simulation.pop("speed")
        simulation.pop("seed")
        simulation["instruments"] = [
            [each.symbol, str(each.tick), str(each.lot), str(each.min_size)]
            for each in self._instruments
        ]
        shape = msgspec.json.encode(simulation, order="sorted")
        return {
            "feed": "sim",
            "seed": str(self._seed),
            "symbols": ",".join(self.symbols),
            "shape": hashlib.sha256(shape).hexdigest()[:16],
            "generation": GENERATION,
        }

    def derived(self) -> tuple[Instrument, ...]:
        """Instruments of symbols that config does not know."""
        return tuple(each for each in self._instruments if each.derived)

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """Candles of the days before the start; the last one closes at the first price."""
        index = self.symbols.index(symbol)
        tick = self._instruments[index].tick
        return past_candles(
            self._process, self._pairs[index], symbol, timeframe, count, self.start, tick
        )

    # -- reading ---------------------------------------------------------------------------

    def take(self) -> list[MarketEvent]:
        """The next ten market minutes (never empty: the market has no end)."""
        while True:
            state = self._state
            self._marks = [*self._marks[-1:], (state.position, msgspec.msgpack.encode(state))]
            events = self._make(state)
            if not self._skip:
                return events
            skip, self._skip = self._skip, max(0, self._skip - len(events))
            if len(events) > skip:
                return events[skip:]

    def mark(self, position: int) -> FeedMark:
        """Where ``position`` events have been delivered."""
        for begin, encoded in reversed(self._marks):
            if begin <= position:
                return FeedMark(position, encoded)
        if position == 0:
            return FeedMark(0)
        raise EngineFault(f"the simulated feed has no mark for position {position}")

    def seek(self, mark: FeedMark) -> None:
        """Continue after ``mark.position`` events."""
        if not mark.state:
            self._state, self._marks = self._beginning(), []
        else:
            self._state = msgspec.msgpack.decode(mark.state, type=SimState)
            self._marks = [(self._state.position, mark.state)]
        self._skip = mark.position - self._state.position

    def close(self) -> None:
        """Nothing is open."""

    # -- making a block --------------------------------------------------------------------

    def _beginning(self) -> SimState:
        assets = self._process.begin()
        logs = {name: state.x for name, state in zip(self._process.assets, assets, strict=True)}
        ladders = []
        for index, ladder in enumerate(self._ladders):
            base, quote = self._pairs[index]
            price = float(np.exp(logs[base] - logs.get(quote, 0.0)))
            # Block -1 would be negative; the index keeps this stream apart from block 0's.
            rng = keyed(self._seed, "book", 0, 1_000 + index)
            ladders.append(ladder.begin(rng, price))
        return SimState(0, 0, assets, ladders, [[] for _ in assets])

    def _make(self, state: SimState) -> list[MarketEvent]:
        """The events of ``state.block``; ``state`` becomes the beginning of the next one."""
        block = state.block
        begin = self.start + block * _BLOCK
        events: list[MarketEvent] = []
        if block == 0:
            for ladder, book in zip(self._ladders, state.ladders, strict=True):
                events.append(ladder.snapshot(begin, book))
        for past, asset in zip(state.trail, state.assets, strict=True):
            past.append(asset.x)
            del past[:-TRAIL]
        paths = dict(
            zip(self._process.assets, self._process.advance(block, state.assets), strict=True)
        )
        interval = self._settings.simulation.update_interval
        for index, ladder in enumerate(self._ladders):
            prices, volatility = self._path(index, paths)
            rng = keyed(self._seed, "book", block, index)
            book = state.ladders[index]
            events += ladder.block(rng, begin, prices, volatility, interval, book)
        events += self._news.block(block, begin, state.trail)
        events.sort(key=_timestamp)
        state.block += 1
        state.position += len(events)
        return events

    def _path(
        self, index: int, paths: Mapping[str, tuple[Floats, Floats]]
    ) -> tuple[Floats, Floats]:
        """Prices and volatility of a symbol: a cross is the quotient of its two assets."""
        base, quote = self._pairs[index]
        logs, volatility = paths[base]
        if quote in paths:
            logs = logs - paths[quote][0]
            volatility = np.maximum(volatility, paths[quote][1])
        return np.exp(logs), volatility

    # -- what is traded --------------------------------------------------------------------

    def _asset_prices(self) -> dict[str, float]:
        """Asset → first price in account currency, for every asset of the symbols."""
        known = self._settings.simulation.prices
        prices: dict[str, float] = {}
        for symbol in self.symbols:
            for asset in self._pair(symbol):
                key = f"{asset}/{self._currency}"
                if asset == self._currency:
                    continue
                if key not in known:
                    raise ConfigError(
                        f"the simulation has no first price for {key} (needed by {symbol}); "
                        f"add it to simulation.prices in market.yaml or leave {symbol} out"
                    )
                prices.setdefault(asset, known[key])
        return prices

    def _pair(self, symbol: str) -> tuple[str, str]:
        base, _, quote = symbol.partition("/")
        if not base or not quote:
            raise ConfigError(f"{symbol!r} is not a symbol; write for example BTC/USDT")
        return base, quote

    def _first_price(self, symbol: str, prices: Mapping[str, float]) -> float:
        base, quote = self._pair(symbol)
        return prices[base] / prices.get(quote, 1.0)

    def _instrument(self, symbol: str, prices: Mapping[str, float]) -> Instrument:
        configured = self._settings.instrument(symbol)
        if configured is not None:
            return configured
        base, quote = self._pair(symbol)
        fees = self._settings.fees.entry
        tick = Decimal(10) ** (floor(log10(self._first_price(symbol, prices))) - 4)
        lot = Decimal("0.00000001")
        return Instrument(
            symbol, base, quote, tick=tick, lot=lot, min_size=lot, min_notional=Decimal(0),
            taker_fee=fees.taker / 100, derived=True,
        )  # fmt: skip


_timestamp = attrgetter("ts")
