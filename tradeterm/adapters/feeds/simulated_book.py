"""The order book and the prints of one simulated symbol, made from its price path.

Levels lie on a grid of ``spacing`` ticks, each moved off the grid by a fixed amount of its own so
that the ladder looks like a market's. The touch follows the path; a print eats the touch, the
next update replenishes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from math import ceil, log10
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from tradeterm.model.instruments import Instrument
from tradeterm.model.market import BookDelta, BookSnapshot, MarketEvent, Trade
from tradeterm.model.timing import MILLISECOND

Floats = npt.NDArray[np.float64]

#: Distance of two levels as a share of the price, where the tick allows it.
LEVEL_SPACING: Final = 1e-4
#: Median notional in account currency of a level near the touch, of a deep one, of a print.
NEAR, FAR, PRINT = 12_000.0, 40_000.0, 900.0
#: Share of updates in a calm market that come with a print.
PRINTS: Final = 0.22
#: Levels nearest to the touch, which are smaller and change most.
NEAR_LEVELS: Final = 3


class LadderState(msgspec.Struct):
    """A book at the beginning of a block: grid indexes of the touch, sizes best first."""

    bid: int
    ask: int
    bids: list[float]
    asks: list[float]


class Ladder:
    """Makes one symbol's events, block by block."""

    def __init__(self, instrument: Instrument, price: float, value: float, levels: int) -> None:
        """``price`` in quote, ``value`` of one base unit in account currency, both at the start."""
        self.symbol = instrument.symbol
        self._tick = float(instrument.tick)
        self._digits = max(0, -int(instrument.tick.as_tuple().exponent))
        self._spacing = max(1, round(price * LEVEL_SPACING / self._tick))
        self._levels = levels
        lot_digits = max(0, -int(instrument.lot.as_tuple().exponent))
        self._size_digits = min(lot_digits, max(0, ceil(log10(value))))
        scale = 1.0 if instrument.quote.startswith("USD") else 0.4
        self._near, self._far = NEAR * scale / value, FAR * scale / value
        self._print = PRINT * scale / value
        self._smallest = max(10.0**-self._size_digits, float(instrument.min_size))

    # -- the grid --------------------------------------------------------------------------

    def _index(self, prices: Floats, gaps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Grid index of the best bid for each mid, given how far the ask lies above it."""
        centre = 0.5 + (self._spacing - 1) / (2 * self._spacing)
        shifted = prices / (self._spacing * self._tick) - centre - (gaps - 1) / 2
        return np.rint(shifted).astype(np.int64)

    def _prices(self, first: int, last: int) -> list[float]:
        """Prices of the grid levels ``first`` … ``last``."""
        grid = np.arange(first, last + 1, dtype=np.int64)
        offset = ((grid * 2_654_435_761) >> 7) % self._spacing
        ticks = grid * self._spacing + offset
        prices: list[float] = np.round(ticks * self._tick, self._digits).tolist()
        return prices

    def _sizes(self, rng: np.random.Generator, median: float, count: int) -> Iterator[float]:
        drawn = median * np.exp(0.7 * rng.standard_normal(count))
        rounded = np.maximum(self._smallest, np.round(drawn, self._size_digits))
        return cycle(rounded.tolist())

    # -- events ----------------------------------------------------------------------------

    def begin(self, rng: np.random.Generator, price: float) -> LadderState:
        """The first book around ``price``."""
        bid = int(self._index(np.array([price]), np.array([1]))[0])
        near, far = self._sizes(rng, self._near, 64), self._sizes(rng, self._far, 512)
        deep = self._levels - NEAR_LEVELS
        sides = [
            [next(near) for _ in range(NEAR_LEVELS)] + [next(far) for _ in range(deep)]
            for _ in range(2)
        ]
        return LadderState(bid, bid + 1, *sides)

    def snapshot(self, ts: int, state: LadderState) -> BookSnapshot:
        """The whole book as an event."""
        levels = self._levels
        down = self._prices(state.bid - levels + 1, state.bid)[::-1]
        up = self._prices(state.ask, state.ask + levels - 1)
        return BookSnapshot(
            ts, self.symbol,
            tuple(zip(down, state.bids, strict=True)), tuple(zip(up, state.asks, strict=True)),
        )  # fmt: skip

    def block(
        self,
        rng: np.random.Generator,
        start: int,
        prices: Floats,
        volatility: Floats,
        interval: float,
        state: LadderState,
    ) -> list[MarketEvent]:
        """One block's deltas and prints in time order; ``state`` becomes its end.

        ``prices`` has one entry per second (601), ``volatility`` is relative to calm (600).
        """
        seconds = len(volatility)
        gaps = interval * (0.25 + 1.5 * rng.random(int(seconds / interval * 1.3) + 8))
        times = np.cumsum(gaps)
        times = times[times < seconds]
        count = len(times)
        second = times.astype(np.int64)
        width = 1 + (rng.random(count) < 0.12 * volatility[second]).astype(np.int64)
        target = self._index(prices[second], width)
        reach = self._levels + 8
        low = int(min(target.min(initial=state.bid), state.bid)) - reach
        high = int(max(target.max(initial=state.ask), state.ask)) + reach
        plan = _Plan(
            px=self._prices(low, high),
            low=low,
            stamps=(start + (times * 1000).astype(np.int64) * MILLISECOND).tolist(),
            bids=target.tolist(),
            asks=(target + width).tolist(),
            level=np.minimum(rng.geometric(0.22, count) - 1, self._levels - 1).tolist(),
            side=(rng.random(count) < 0.5).tolist(),
            prints=self._print_plan(rng, volatility[second]),
            near=self._sizes(rng, self._near, 2 * count + 8),
            far=self._sizes(rng, self._far, 2 * count + 8),
        )
        return self._run(plan, state)

    def _print_plan(self, rng: np.random.Generator, volatility: Floats) -> list[float]:
        """Size of the print that comes with each update; 0 for none."""
        count = len(volatility)
        comes = rng.random(count) < np.minimum(0.6, PRINTS * volatility)
        drawn = self._print * np.exp(1.2 * rng.standard_normal(count))
        sizes = np.maximum(self._smallest, np.round(drawn, self._size_digits))
        planned: list[float] = np.where(comes, sizes, 0.0).tolist()
        return planned

    def _run(self, plan: _Plan, state: LadderState) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        symbol, px, low, depth = self.symbol, plan.px, plan.low, self._levels
        near, far = plan.near, plan.far
        bid, ask, bids, asks = state.bid, state.ask, state.bids, state.asks
        for ts, to_bid, to_ask, size, level, is_bid in zip(
            plan.stamps, plan.bids, plan.asks, plan.prints, plan.level, plan.side, strict=True
        ):
            new_bids: dict[float, float] = {}
            new_asks: dict[float, float] = {}
            if size:
                # Takers push: a rising touch is bought, a falling one sold; else the coin decides.
                if to_bid > bid or (to_bid == bid and is_bid):
                    ask = self._eat(events, ts, "buy", size, asks, new_asks, px, ask - low) + low
                else:
                    bid = self._eat(events, ts, "sell", size, bids, new_bids, px, bid - low) + low
            if to_bid != bid or len(bids) != depth:
                _shift(bids, new_bids, px, bid - low, to_bid - low, -1, depth, near, far)
                bid = to_bid
            if to_ask != ask or len(asks) != depth:
                _shift(asks, new_asks, px, ask - low, to_ask - low, 1, depth, near, far)
                ask = to_ask
            fresh = next(near) if level < NEAR_LEVELS else next(far)
            if is_bid:
                bids[level] = new_bids[px[bid - low - level]] = fresh
            else:
                asks[level] = new_asks[px[ask - low + level]] = fresh
            events.append(BookDelta(ts, symbol, tuple(new_bids.items()), tuple(new_asks.items())))
        state.bid, state.ask = bid, ask
        return events

    def _eat(
        self,
        events: list[MarketEvent],
        ts: int,
        side: str,
        size: float,
        sizes: list[float],
        changes: dict[float, float],
        px: list[float],
        touch: int,
    ) -> int:
        """Prints of a taker walking the ladder; returns the index of the touch that is left."""
        step = 1 if side == "buy" else -1
        for _ in range(NEAR_LEVELS):
            price, shown = px[touch], sizes[0]
            if size < shown:
                sizes[0] = changes[price] = round(shown - size, self._size_digits)
                events.append(Trade(ts, self.symbol, price, size, side))
                if sizes[0] <= 0.0:
                    sizes[0] = changes[price] = self._smallest
                return touch
            events.append(Trade(ts, self.symbol, price, shown, side))
            changes[price] = 0.0
            del sizes[0]
            touch += step
            size = round(size - shown, self._size_digits)
            if size < self._smallest:
                break
        return touch


class _Plan(msgspec.Struct):
    """What a block was drawn to do, update by update."""

    px: list[float]
    low: int
    stamps: list[int]
    bids: list[int]
    asks: list[int]
    level: list[int]
    side: list[bool]
    prints: list[float]
    near: Iterator[float]
    far: Iterator[float]


def _shift(
    sizes: list[float],
    changes: dict[float, float],
    px: list[float],
    touch: int,
    target: int,
    step: int,
    depth: int,
    near: Iterator[float],
    far: Iterator[float],
) -> None:
    """Move a side's touch to ``target``; ``step`` is +1 for asks (deeper is higher), -1 for bids.

    Levels passed over are removed, new ones get fresh sizes, the depth stays what it was.
    """
    inward = (touch - target) * step
    if inward > 0:
        fresh = [next(near) for _ in range(min(inward, depth))]
        for i, size in enumerate(fresh):
            changes[px[target + i * step]] = size
        old = touch
        for i in range(max(0, depth - inward), len(sizes)):
            changes[px[old + i * step]] = 0.0
        sizes[:] = fresh + sizes[: max(0, depth - inward)]
    elif inward < 0:
        gone = min(-inward, len(sizes))
        for i in range(gone):
            changes[px[touch + i * step]] = 0.0
        del sizes[:gone]
    while len(sizes) < depth:
        size = next(far)
        changes[px[target + len(sizes) * step]] = size
        sizes.append(size)
