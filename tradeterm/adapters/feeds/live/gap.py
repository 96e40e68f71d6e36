"""Fetches what the market did while nobody listened: trades where they are whole, else bars.

The exchange's bars say how much was traded in each of them. The trades that can be fetched are
told one by one, and where they do not add up to their bar it follows them and stands for the rest.
So a trades call that only knows the last thousand, or skips some, never passes for the whole truth,
and a bar that does not know of a print never hides it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from tradeterm.adapters.feeds.live.border import is_bar, is_print
from tradeterm.model.market import Candle, Trade
from tradeterm.model.text import clean
from tradeterm.model.timing import MILLISECOND, SECOND, timeframe_text

log = logging.getLogger(__name__)

#: Trades per request, and requests per symbol: about an hour of a busy pair.
PAGE: Final = 1000
PAGES: Final = 20
#: Bars an exchange hands out at once at least (Kraken: 720).
MOST_BARS: Final = 700
#: Bars from fine to coarse (seconds): the finest that spans the gap is taken.
TIMEFRAMES: Final = (60, 300, 900, 3600, 14_400, 86_400)
#: Part of a bar's volume its trades must add up to.
WHOLE: Final = 0.999

Rows = Sequence[Sequence[Any]]


class History(Protocol):
    """The part of a ccxt exchange that is needed here."""

    async def fetch_trades(
        self, symbol: str, since: int | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Trades from ``since`` (ms) on, oldest first."""
        ...

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: int | None = None, limit: int | None = None
    ) -> Rows:
        """Bars (open ms, o, h, l, c, v) from ``since`` on."""
        ...


class _Bar(NamedTuple):
    begun: int
    candle: Candle


class Backfill(msgspec.Struct, frozen=True):
    """The market of a gap in time order, or why there is none."""

    events: tuple[Trade | Candle, ...]
    lost: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    """(symbol, row) of trades that are none; a bar stands for them."""


async def fetch_gap(
    exchange: History, starts: Mapping[str, int], until: int, seconds: float
) -> Backfill:
    """What happened after ``starts`` (symbol → ns) up to ``until``; it raises nothing.

    All stamps are the exchange's. Bars are asked for first; what is left of ``seconds`` is for
    trades, the same for each symbol.
    """
    began = monotonic()
    bars: dict[str, Sequence[_Bar]] = {}
    lost: list[str] = []
    refused: list[tuple[str, str]] = []
    for symbol, since in starts.items():
        try:
            async with asyncio.timeout(max(0.0, began + seconds - monotonic())):
                bars[symbol] = await _bars(exchange, symbol, since, until)
        except TimeoutError:
            lost.append(f"{symbol}: not answered within {seconds:g} s")
        except Exception as error:  # noqa: BLE001 - whatever an exchange does, it is not told of
            lost.append(f"{symbol}: {_words(error)}")
    found: list[Trade | Candle] = []
    for number, symbol in enumerate(bars):
        share = max(0.0, began + seconds - monotonic()) / (len(bars) - number)
        since, first = starts[symbol], bars[symbol][:1]
        # From the beginning of a bar that was heard in part: so they can add up to it.
        early = min(since, first[0].begun - MILLISECOND) if first else since
        trades = await _trades(exchange, symbol, early, until, share, refused)
        found += _merged(bars[symbol], trades, since, until)
    found.sort(key=lambda event: event.ts)
    return Backfill(tuple(found), "; ".join(lost), tuple(dict.fromkeys(refused)))


async def _bars(exchange: History, symbol: str, since: int, until: int) -> list[_Bar]:
    """Bars of the gap, the finest that span it, each stamped with its close or the gap's end."""
    fits = (each for each in TIMEFRAMES if until - since <= each * SECOND * MOST_BARS)
    timeframe = next(fits, None)
    if timeframe is None:
        raise ValueError(f"the gap is longer than {MOST_BARS} days")
    span = timeframe * SECOND
    first = since - since % span - span  # some exchanges mean "later than", others "from"
    rows = await exchange.fetch_ohlcv(
        symbol, timeframe_text(timeframe), first // MILLISECOND, MOST_BARS + 2
    )
    bars: dict[int, _Bar] = {}
    for row in rows:
        begun = int(row[0]) * MILLISECOND
        if begun < until and begun + span > since:
            figures = tuple(map(float, row[1:6]))
            if not is_bar(*figures):
                raise ValueError(f"{timeframe_text(timeframe)} bar {list(row)[:6]} is none")
            closed = min(begun + span, until)
            bars[begun] = _Bar(begun, Candle(closed, symbol, timeframe, *figures))
    if not bars and until - since >= 2 * span:
        raise ValueError(f"no {timeframe_text(timeframe)} bars of the gap are to be had")
    return [bars[begun] for begun in sorted(bars)]


async def _trades(
    exchange: History, symbol: str, since: int, until: int, seconds: float,
    refused: list[tuple[str, str]],
) -> list[Trade]:  # fmt: skip
    """As many of the gap's trades as could be had in the time, oldest first."""
    found: dict[tuple[str, int, float, float], Trade] = {}
    try:
        async with asyncio.timeout(seconds):
            await _pages(exchange, symbol, since, until, found, refused)
    except Exception as error:  # noqa: BLE001 - the bars tell of the rest, less finely
        log.warning(
            "trades of %s for a gap: %d came, then %s; its bars settle the rest",
            symbol, len(found), _words(error),
        )  # fmt: skip
    return sorted(found.values(), key=lambda trade: trade.ts)


async def _pages(
    exchange: History, symbol: str, since: int, until: int,
    found: dict[tuple[str, int, float, float], Trade], refused: list[tuple[str, str]],
) -> None:  # fmt: skip
    cursor = since // MILLISECOND
    for _ in range(PAGES):
        page = await exchange.fetch_trades(symbol, cursor, PAGE)
        latest = cursor
        for row in page:
            ts = int(row["timestamp"]) * MILLISECOND
            latest = max(latest, int(row["timestamp"]))
            if since < ts:
                trade = Trade(
                    ts, symbol, float(row["price"]), float(row["amount"]), str(row["side"]),
                    str(row.get("id") or ""),
                )  # fmt: skip
                if not is_print(trade.price, trade.size, trade.side):
                    words = f"trade {trade.id}: {row['side']} {row['amount']} at {row['price']}"
                    refused.append((symbol, clean(words)))
                    continue
                found[trade.id, ts, trade.price, trade.size if not trade.id else 0.0] = trade
        if latest == cursor or (latest * MILLISECOND >= until and len(page) < PAGE):
            return
        cursor = latest


def _merged(
    bars: Sequence[_Bar], trades: Sequence[Trade], since: int, until: int
) -> list[Trade | Candle]:
    """Trades, and their bar too where they do not add up to it."""
    events: list[Trade | Candle] = []
    taken = 0
    for begun, bar in bars:
        inside: list[Trade] = []
        # The open bar was asked for later than ``until``, and the trades later still.
        while taken < len(trades) and (trades[taken].ts < bar.ts or bar.ts == until):
            if trades[taken].ts >= begun:
                inside.append(trades[taken])
            taken += 1
        events += inside
        if bar.volume > 0 and not _whole(inside, bar.volume):
            events.append(_with(inside, bar))
    events += trades[taken:]
    return [event for event in events if since < event.ts <= until]


def _whole(trades: Sequence[Trade], volume: float) -> bool:
    return bool(trades) and sum(trade.size for trade in trades) >= volume * WHOLE


def _with(trades: Sequence[Trade], bar: Candle) -> Candle:
    """The bar, wide enough for prints it does not know of: what was traded was traded."""
    prices = [trade.price for trade in trades]
    return msgspec.structs.replace(bar, low=min((*prices, bar.low)), high=max((*prices, bar.high)))


def _words(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}")[:200]
