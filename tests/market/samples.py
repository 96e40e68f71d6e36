"""Settings and candles for the market tests."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from tradeterm.model.market import Candle
from tradeterm.model.timing import DAY, SECOND
from tradeterm.settings.market import MarketSettings

ROOT = Path(__file__).parents[2]
#: A Monday, 00:00 UTC.
START = 20_241 * DAY


def market_settings(**changes: Any) -> MarketSettings:
    """The delivered market.yaml with some keys changed."""
    text = (ROOT / "config" / "market.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    data["simulation"]["start"] = str(data["simulation"]["start"])
    data["simulation"] |= changes.pop("simulation", {})
    return MarketSettings(**(data | changes))


def recorded(part: str) -> Path:
    """A file or folder of the recorded data; skips the test when it is not there."""
    folder = Path(os.environ.get("TRADETERM_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / part).exists():
        pytest.skip(f"no recorded data: {part} (set TRADETERM_DATA)")
    return folder / part


def walk(
    count: int, *, timeframe: int = 60, seed: int = 1, start: int = START, symbol: str = "BTC/USDT"
) -> list[Candle]:
    """A random walk as candles."""
    rng = random.Random(seed)
    price = 100.0
    bars: list[Candle] = []
    for index in range(count):
        opened, price = price, price * (1 + rng.gauss(0, 0.002))
        high = max(opened, price) * (1 + abs(rng.gauss(0, 0.001)))
        low = min(opened, price) * (1 - abs(rng.gauss(0, 0.001)))
        ts = start + (index + 1) * timeframe * SECOND
        volume = rng.uniform(0.1, 9.0)
        bars.append(Candle(ts, symbol, timeframe, opened, high, low, price, volume))
    return bars
