"""The price process of the embedded market: hidden regimes, clustered volatility, jumps.

Seconds inside a block of ten minutes are drawn at once; the variance (a GARCH(1,1) recursion), the
regimes and their mean reversion move on a grid of ten seconds. Every draw is keyed by (seed,
purpose, block, index), so a block can be made again from the state at its beginning.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK_SECONDS: Final = 600
STEP_SECONDS: Final = 10
STEPS: Final = BLOCK_SECONDS // STEP_SECONDS
#: Persistence on the ten-second grid: shocks to the variance fade by half in about an hour.
ALPHA, BETA = 0.02, 0.978
#: Share of an asset's shocks that all assets have in common.
COMMON: Final = 0.6

PURPOSES: Final = {"shock": 1, "asset": 2, "book": 3, "news": 4, "history": 5, "regime": 6}


def keyed(seed: int, purpose: str, block: int, index: int = 0) -> np.random.Generator:
    """The random stream for one purpose in one block: independent of everything drawn before."""
    key = np.random.SeedSequence([seed, PURPOSES[purpose], block, index])
    return np.random.Generator(np.random.Philox(key))


class Kind(msgspec.Struct, frozen=True):
    """A hidden regime. ``drift`` in daily volatilities per hour; ``pull`` per hour."""

    name: str
    weight: float
    volatility: float
    drift: tuple[float, float]
    pull: float
    jumps: float
    """Mean jumps per day."""
    hours: tuple[float, float]


KINDS: Final = (
    Kind("trend_up", 0.23, 0.75, (0.09, 0.20), 0.0, 0.5, (3.0, 10.0)),
    Kind("trend_down", 0.23, 0.75, (-0.20, -0.09), 0.0, 0.5, (3.0, 10.0)),
    Kind("range", 0.20, 0.70, (0.0, 0.0), 0.7, 0.2, (2.0, 7.0)),
    Kind("volatile_up", 0.09, 1.70, (0.0, 0.15), 0.0, 8.0, (1.0, 4.0)),
    Kind("volatile_down", 0.09, 1.70, (-0.15, 0.0), 0.0, 8.0, (1.0, 4.0)),
    Kind("choppy", 0.16, 1.15, (0.0, 0.0), 4.0, 1.0, (2.0, 6.0)),
)


class AssetState(msgspec.Struct):
    """One asset against the account currency at the beginning of a block."""

    x: float
    """Log price."""
    home: float
    """Log of the first price; regimes lean back towards it."""
    anchor: float
    """What a mean-reverting regime returns to."""
    variance: float
    """Relative to the long-run mean."""
    kind: int
    drift: float
    """Per second."""
    left: float
    """Seconds until the next regime."""
    regimes: int
    """How many regimes there were: the key of the next draw."""


class PriceProcess:
    """Moves all assets through one block after the other."""

    def __init__(self, seed: int, prices: dict[str, float], daily_volatility: float) -> None:
        """``prices``: asset → first price; ``daily_volatility`` in percent, of the first asset."""
        self._seed = seed
        self.assets = tuple(prices)
        self._first = [log(price) for price in prices.values()]
        daily = daily_volatility / 100
        self.daily = [daily * (1.0 if i == 0 else 1.2) for i in range(len(prices))]

    def begin(self) -> list[AssetState]:
        """The assets at the run's start."""
        states = [AssetState(x, x, x, 1.0, 0, 0.0, 0.0, 0) for x in self._first]
        for index, state in enumerate(states):
            self._next_regime(index, state)
        return states

    def advance(self, block: int, states: list[AssetState]) -> list[tuple[Floats, Floats]]:
        """Move ``states`` through ``block``: per asset 601 log prices and 600 volatilities.

        Entry k of the first array is the price k seconds into the block; the second array is
        relative to calm (1.0).
        """
        common = keyed(self._seed, "shock", block).standard_normal(BLOCK_SECONDS)
        return [self._walk(i, block, state, common) for i, state in enumerate(states)]

    def _walk(
        self, index: int, block: int, state: AssetState, common: Floats
    ) -> tuple[Floats, Floats]:
        rng = keyed(self._seed, "asset", block, index)
        share = 1.0 if index == 0 else COMMON
        own = rng.standard_normal(BLOCK_SECONDS)
        shocks = share * common + sqrt(1 - share * share) * own
        sums = shocks.reshape(STEPS, STEP_SECONDS).sum(axis=1).tolist()
        jumps = self._jumps(rng, state)
        calm = self.daily[index] / sqrt(86_400)
        x = start = state.x
        drifts, levels = [0.0] * STEPS, [0.0] * STEPS
        for step in range(STEPS):
            if state.left <= 0:
                state.x = x
                self._next_regime(index, state)
            kind = KINDS[state.kind]
            level = kind.volatility * sqrt(state.variance)
            drift = state.drift + kind.pull / 3600 * (state.anchor - x)
            shock = sums[step]
            moved = drift * STEP_SECONDS + level * calm * shock + jumps.get(step, 0.0)
            if kind.pull:
                state.anchor += 0.1 * level * calm * shock
            x += moved
            relative = shock * shock / STEP_SECONDS
            variance = (1 - ALPHA - BETA) + state.variance * (ALPHA * relative + BETA)
            state.variance = min(5.0, max(0.3, variance))
            state.left -= STEP_SECONDS
            drifts[step], levels[step] = drift, level
        state.x = x
        volatility = np.repeat(levels, STEP_SECONDS)
        steps = np.repeat(drifts, STEP_SECONDS) + volatility * calm * shocks
        for step, size in jumps.items():
            steps[step * STEP_SECONDS] += size
        path = np.empty(BLOCK_SECONDS + 1)
        path[0] = start
        np.cumsum(steps, out=path[1:])
        path[1:] += start
        return path, volatility

    def _jumps(self, rng: np.random.Generator, state: AssetState) -> dict[int, float]:
        """Step → log jump inside this block; mostly none."""
        rate = KINDS[state.kind].jumps * BLOCK_SECONDS / 86_400
        if rng.random() >= rate:
            return {}
        sign = 1.0 if rng.random() < 0.5 + 0.3 * np.sign(state.drift) else -1.0
        return {int(rng.integers(STEPS)): sign * float(rng.uniform(0.003, 0.011))}

    def _next_regime(self, index: int, state: AssetState) -> None:
        rng = keyed(self._seed, "regime", state.regimes, index)
        lean = min(0.8, max(-0.8, (state.x - state.home) / 0.5))
        weights = [kind.weight * (1 - lean * np.sign(sum(kind.drift))) for kind in KINDS]
        kind = int(rng.choice(len(KINDS), p=np.array(weights) / sum(weights)))
        chosen = KINDS[kind]
        hourly = float(rng.uniform(*chosen.drift)) * self.daily[index]
        state.kind, state.drift = kind, hourly / 3600
        state.left = float(rng.uniform(*chosen.hours)) * 3600
        state.anchor = state.x
        state.regimes += 1

    def past(self, index: int, minutes: int) -> tuple[Floats, Floats]:
        """``minutes + 1`` log prices that end at the first price, and each minute's volatility."""
        rng = keyed(self._seed, "history", 0, index)
        common = keyed(self._seed, "history", 1).standard_normal(minutes)
        share = 1.0 if index == 0 else COMMON
        own = rng.standard_normal(minutes)
        shocks = share * common + sqrt(1 - share * share) * own
        hours = minutes // 60 + 1
        level, drift = np.empty(hours), np.empty(hours)
        variance, kind, left, hourly = 0.0, KINDS[0], 0.0, 0.0
        for hour in range(hours):
            if left <= 0:
                kind = KINDS[int(rng.choice(len(KINDS), p=[each.weight for each in KINDS]))]
                left, hourly = float(rng.uniform(*kind.hours)), float(rng.uniform(*kind.drift))
            variance = 0.85 * variance + 0.15 * float(rng.standard_normal())
            level[hour] = kind.volatility * exp(variance)
            drift[hour] = hourly * self.daily[index] / 60
            left -= 1
        volatility = np.repeat(level, 60)[:minutes] * self.daily[index] / sqrt(1440)
        path = np.zeros(minutes + 1)
        np.cumsum(np.repeat(drift, 60)[:minutes] + volatility * shocks, out=path[1:])
        return path + (self._first[index] - path[-1]), volatility
