"""Candles of the days before a simulated run began, for warm indicators at the first minute."""

from __future__ import annotations

from decimal import Decimal
from itertools import repeat
from math import sqrt

import numpy as np

from tradeterm.adapters.feeds.simulated_prices import Floats, PriceProcess
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND


def past_candles(
    process: PriceProcess,
    pair: tuple[str, str],
    symbol: str,
    timeframe: int,
    count: int,
    start: int,
    tick: Decimal,
) -> list[Candle]:
    """Up to ``count`` candles that end at ``start`` (or at the last full one before it).

    Finer timeframes are not made: a timeframe that is no multiple of a minute gives none.
    """
    if timeframe % 60 or count <= 0:
        return []
    per = timeframe // 60
    spare = (start // (60 * SECOND)) % per
    # Always the same past, however little of it is asked for: 600 hours and a rest.
    minutes = max(36_000, count * per) + 60
    minutes += -minutes % per
    opens, highs, lows, closes, volumes = _minutes(process, pair, minutes, tick)
    end = minutes - spare
    begin = end - (end // per) * per
    shape = (-1, per)
    columns = (
        opens[begin:end].reshape(shape)[:, 0],
        highs[begin:end].reshape(shape).max(axis=1),
        lows[begin:end].reshape(shape).min(axis=1),
        closes[begin:end].reshape(shape)[:, -1],
        volumes[begin:end].reshape(shape).sum(axis=1),
    )
    kept = min(count, len(columns[0]))
    span = timeframe * SECOND
    last = start - start % span
    stamps = range(last - (kept - 1) * span, last + 1, span)
    figures = (column[-kept:].tolist() for column in columns)
    return list(map(Candle, stamps, repeat(symbol), repeat(timeframe), *figures))


def _minutes(
    process: PriceProcess, pair: tuple[str, str], minutes: int, tick: Decimal
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Minute candles as columns, on the tick grid; the last close is the first price."""
    base, quote = pair
    index = process.assets.index(base)
    worth, volatility = process.past(index, minutes)
    logs = worth
    if quote in process.assets:
        other, other_volatility = process.past(process.assets.index(quote), minutes)
        logs = logs - other
        volatility = np.hypot(volatility, other_volatility)
    digits = max(0, -int(tick.as_tuple().exponent))
    prices = np.exp(logs)
    opens, closes = prices[:-1], prices[1:]
    # Wicks: a fixed, price-dependent share of the minute's volatility (no stream of its own).
    wick = volatility / sqrt(3)
    highs = np.maximum(opens, closes) * (1 + wick * _fraction(opens))
    lows = np.minimum(opens, closes) * (1 - wick * _fraction(closes))
    moved = np.abs(np.diff(logs)) / np.maximum(volatility, 1e-9)
    volumes = 12_000 * (0.4 + moved) / np.exp(worth[1:])
    return (
        _rounded(opens, digits), _rounded(highs, digits), _rounded(lows, digits),
        _rounded(closes, digits), _rounded(volumes, 5),
    )  # fmt: skip


def _rounded(values: Floats, digits: int) -> Floats:
    rounded: Floats = np.round(values, digits)
    return rounded


def _fraction(values: Floats) -> Floats:
    """Digits far behind the point as a number in [0, 1): deterministic noise."""
    scaled: Floats = np.abs(values) * 7919.0 / np.maximum(np.abs(values).mean(), 1e-12) * 1e4
    return scaled - np.floor(scaled)
