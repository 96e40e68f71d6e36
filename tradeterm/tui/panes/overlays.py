"""What stands over the candles: averages of the closes, own fills, levels of own positions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from tradeterm.engine.view import OrderView, PositionView, RegimeSpell

#: (bars, glyph, role): told apart by their glyphs, too.
AVERAGES: Final = ((9, "∙", "accent"), (21, "─", "warn"))
#: A level this far outside the candles, as a share of their height, still widens the scale.
_REACH: Final = 0.3


class Level(NamedTuple):
    """A price worth a line across the chart."""

    name: str
    price: float
    role: str


class Fill(NamedTuple):
    """One of our orders was filled here."""

    ts: int
    price: float
    side: str


class Mark(NamedTuple):
    """Something drawn in one cell."""

    glyph: str
    role: str


def ema(closes: Sequence[float], period: int) -> list[float | None]:
    """Exponential average, begun with the plain mean of the first ``period`` closes."""
    if len(closes) < period:
        return [None] * len(closes)
    now = sum(closes[:period]) / period
    found: list[float | None] = [None] * (period - 1) + [now]
    for close in closes[period:]:
        now += (close - now) * 2 / (period + 1)
        found.append(now)
    return found


def levels(positions: Sequence[PositionView], symbol: str) -> list[Level]:
    """Entry, stop and target of what is held in ``symbol``."""
    found: list[Level] = []
    for each in positions:
        if each.symbol != symbol:
            continue
        found.append(Level(f"{each.side} from", float(each.entry), "quiet"))
        found.append(Level("stop", float(each.stop), "down"))
        if each.target is not None:
            found.append(Level("target", float(each.target), "up"))
    return found


def fills(orders: Sequence[OrderView], symbol: str) -> list[Fill]:
    """Where our orders in ``symbol`` were filled, as far as they are still listed."""
    return [
        Fill(each.updated, float(each.price), each.side)
        for each in orders
        if each.symbol == symbol and each.status == "filled" and each.price is not None
    ]


def fill_mark(fill: Fill) -> Mark:
    """An arrow in the direction it went."""
    return Mark("▲", "up+bold") if fill.side == "buy" else Mark("▼", "down+bold")


def within_reach(found: Sequence[Level], low: float, high: float) -> list[Level]:
    """Those the scale can be widened for without flattening the candles."""
    reach = (high - low) * _REACH
    return [each for each in found if low - reach <= each.price <= high + reach]


#: Names short enough for a band, and their colours.
REGIMES: Final = {
    "trending_bull": ("bull", "up"),
    "trending_bear": ("bear", "down"),
    "ranging": ("ranging", "quiet"),
    "volatile_bull": ("volatile bull", "up"),
    "volatile_bear": ("volatile bear", "down"),
    "choppy": ("choppy", "warn"),
    "breakout_potential": ("breakout?", "accent"),
}


def regime_band(spells: Sequence[RegimeSpell], closes: Sequence[int]) -> list[Mark]:
    """A cell for each bar: the regime at its close. A stretch begins with its name; unknown is blank."""
    begins = [spell.since for spell in spells]
    found: list[RegimeSpell | None] = []
    for ts in closes:
        at = bisect_right(begins, ts) - 1
        found.append(spells[at] if at >= 0 and ts <= spells[at].until else None)
    band: list[Mark] = []
    for known, stretch in groupby(found, key=lambda spell: spell.regime if spell else ""):
        length = len(list(stretch))
        name, role = REGIMES.get(known, (known, "text"))
        words = (name if len(name) < length else name[: max(1, length - 1)]) if known else ""
        line = words.ljust(length, "─" if known else " ")
        band += [Mark(glyph, role) for glyph in line]
    return band


def worded(level: Level, price: str) -> list[Mark]:
    """Its name and price: they stand before the candles."""
    return [Mark(glyph, level.role) for glyph in f"{level.name} {price} "]


def dashed(level: Level, columns: int) -> list[Mark]:
    """Its line: it runs behind the candles."""
    return [Mark("╌", level.role)] * columns
