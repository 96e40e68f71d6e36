"""Invented headlines for the embedded market.

They are written from **past** returns with a delay and noise, sometimes say the opposite of what
happened, and sometimes have nothing to do with any asset of the run. Nothing here sees a price
later than the beginning of the block the headline appears in.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tradeterm.adapters.feeds.simulated_prices import BLOCK_SECONDS, keyed
from tradeterm.model.market import News
from tradeterm.model.text import clean
from tradeterm.model.timing import MILLISECOND

#: Blocks of past prices kept: eight hours.
TRAIL: Final = 48
#: Share of headlines that say the opposite, and that are about something else.
WRONG, OFF_TOPIC = 0.12, 0.10
SOURCES: Final = ("Ledger Wire", "Coin Courier", "Chain Post", "Block Gazette")
NAMES: Final = {"BTC": "Bitcoin", "XRP": "XRP", "ETH": "Ether", "SOL": "Solana"}

TONES: Final = {
    2: (
        "{name} surges as buyers return in force", "{name} rallies to strong gains on record inflows",
        "Bullish breakout: {name} soars after ETF approval hopes",
        "{name} jumps as institutions announce adoption",
    ),
    1: (
        "{name} edges higher, traders optimistic", "{name} gains as network upgrade goes live",
        "Analysts upgrade {name} on steady growth", "{name} recovers, support holds",
    ),
    0: (
        "{name} little changed in quiet trading", "{name} holders wait for the next move",
        "What to watch in {name} this week", "{name} volume in line with its average",
    ),
    -1: (
        "{name} slips as traders turn cautious", "{name} falls on profit taking",
        "Analysts downgrade {name}, momentum weak", "{name} drops below short-term support",
    ),
    -2: (
        "{name} plunges in broad sell-off", "{name} slumps to heavy losses as fears of a ban grow",
        "Bearish panic: {name} crashes through support",
        "{name} tumbles after exchange hack and lawsuit",
    ),
}  # fmt: skip
ELSEWHERE: Final = (
    "Central bank leaves rates unchanged", "Chip maker reports quarterly results",
    "Conference season opens with a record number of visitors",
    "Regulator publishes consultation on payment services",
)  # fmt: skip


class Newsroom:
    """Writes a block's headlines."""

    def __init__(
        self, seed: int, assets: tuple[str, ...], daily: list[float], interval: float
    ) -> None:
        """``daily``: each asset's daily volatility as a fraction; ``interval`` in seconds."""
        self._seed = seed
        self._assets = assets
        self._daily = daily
        self._rate = BLOCK_SECONDS / interval

    def block(self, block: int, start: int, trail: list[list[float]]) -> list[News]:
        """Headlines of one block; ``trail``: per asset the log prices at past block starts."""
        rng = keyed(self._seed, "news", block)
        count = int(rng.poisson(self._rate))
        stamps = np.sort(rng.integers(1, BLOCK_SECONDS * 1000, count)).tolist()
        return [self._write(rng, start + stamp * MILLISECOND, trail) for stamp in stamps]

    def _write(self, rng: np.random.Generator, ts: int, trail: list[list[float]]) -> News:
        source = SOURCES[int(rng.integers(len(SOURCES)))]
        index = int(rng.integers(len(self._assets)))
        tone = self._tone(rng, index, trail[index])
        choice = int(rng.integers(4))
        if rng.random() < OFF_TOPIC:
            return News(ts, source, clean(ELSEWHERE[choice]), ())
        asset = self._assets[index]
        text = TONES[tone][choice].format(name=NAMES.get(asset, asset))
        return News(ts, source, clean(text), (asset,))

    def _tone(self, rng: np.random.Generator, index: int, past: list[float]) -> int:
        """-2 … 2 from a return that ended up to an hour and a half ago."""
        delay, span = int(rng.integers(1, 10)), int(rng.integers(6, 30))
        end = max(0, len(past) - delay)
        begin = max(0, end - span)
        moved = past[end - 1] - past[begin] if end - 1 > begin else 0.0
        score = moved / (0.3 * self._daily[index]) + 0.6 * float(rng.standard_normal())
        if rng.random() < WRONG:
            score = -score
        return int(np.sign(score)) * (2 if abs(score) > 1.2 else 1 if abs(score) > 0.4 else 0)
