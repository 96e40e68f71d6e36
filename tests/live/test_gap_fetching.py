"""What an exchange can tell of a gap: trades where they are whole, bars where they are not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tradeterm.adapters.feeds.live.gap import MOST_BARS, PAGE, Backfill, fetch_gap
from tradeterm.model.market import Candle, Trade
from tradeterm.model.timing import DAY, MINUTE, SECOND

BTC = "BTC/USDT"
NOON = 1_749_988_800 * SECOND  # 2025-06-15T12:00:00Z


@dataclass
class Exchange:
    """A past: prints of size 1 (seconds after noon, price), and what its calls make of it."""

    prints: list[tuple[float, float]]
    keeps: int = 10**9
    """How many of the newest trades it hands out, whatever is asked for (Coinbase, Bitstamp)."""
    bars: bool = True
    trades: bool = True
    calls: list[str] = field(default_factory=list)

    async def fetch_trades(
        self, symbol: str, since: int | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        self.calls.append("trades")
        if not self.trades:
            raise ConnectionError("trades are not to be had")
        rows = [
            {"timestamp": NOON // 10**6 + int(at * 1000), "price": price, "amount": 1.0,
             "side": "buy", "id": f"t{number}"}
            for number, (at, price) in enumerate(self.prints)
        ][-self.keeps:]  # fmt: skip
        asked = [row for row in rows if int(str(row["timestamp"])) >= (since or 0)]
        return asked[: limit or PAGE]

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: int | None = None, limit: int | None = None
    ) -> list[list[float]]:
        self.calls.append(timeframe)
        if not self.bars:
            raise ConnectionError("no \x1b[31mbars\x1b[0m today")
        span = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600}[timeframe]
        rows: dict[int, list[float]] = {}
        for at, price in self.prints:
            begun = (NOON // SECOND + int(at)) // span * span * 1000
            row = rows.setdefault(begun, [begun, price, price, price, price, 0.0])
            row[2], row[3] = max(row[2], price), min(row[3], price)
            row[4], row[5] = price, row[5] + 1.0
        return [rows[key] for key in sorted(rows) if key >= (since or 0)][:limit]


def every(seconds: float, until: float, begin: float = 0.0) -> list[tuple[float, float]]:
    count = int((until - begin) / seconds)
    return [(begin + number * seconds, 100.0 + number % 7) for number in range(count)]


async def ask(exchange: Exchange, since: float, until: float) -> Backfill:
    begin, end = NOON + int(since * SECOND), NOON + int(until * SECOND)
    return await fetch_gap(exchange, {BTC: begin}, end, 5.0)


async def test_a_short_gap_comes_back_print_by_print() -> None:
    exchange = Exchange(every(1.0, 600.0))
    found = await ask(exchange, 100.5, 400.25)
    assert found.lost == ""
    assert [event.ts for event in found.events] == [NOON + s * SECOND for s in range(101, 401)]
    assert all(isinstance(event, Trade) for event in found.events)


async def test_more_than_a_page_is_fetched_page_by_page_and_nothing_twice() -> None:
    exchange = Exchange(every(0.05, 200.0))
    found = await ask(exchange, 0.0, 190.0)
    assert [event.ts for event in found.events] == sorted({event.ts for event in found.events})
    assert len(found.events) == 190 * 20
    assert exchange.calls.count("trades") > 3


async def test_where_only_the_newest_trades_are_kept_bars_stand_for_the_rest() -> None:
    exchange = Exchange(every(1.0, 600.0), keeps=150)
    found = await ask(exchange, 30.0, 599.0)
    bars = [event for event in found.events if isinstance(event, Candle)]
    prints = [event for event in found.events if isinstance(event, Trade)]
    assert [(bar.ts - NOON) // MINUTE for bar in bars] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert prints[0].ts == NOON + 450 * SECOND, "half of a minute, which its bar completes"
    assert prints[-1].ts == NOON + 599 * SECOND
    assert [event.ts for event in found.events] == sorted(event.ts for event in found.events)


async def test_trades_that_do_not_add_up_to_their_bar_are_not_believed() -> None:
    class Skips(Exchange):
        async def fetch_trades(self, *given: Any, **named: Any) -> list[dict[str, Any]]:
            rows = await super().fetch_trades(*given, **named)
            return [row for row in rows if row["id"] != "t90"]

    found = await ask(Skips(every(1.0, 300.0)), 0.0, 240.0)
    bars = [event for event in found.events if isinstance(event, Candle)]
    assert [(bar.ts - NOON) // MINUTE for bar in bars] == [2], "the minute that lacks a trade"
    lacking = [
        e for e in found.events if isinstance(e, Trade) and MINUTE <= e.ts - NOON < 2 * MINUTE
    ]
    assert len(lacking) == 59, "those that are known are told all the same"


async def test_a_print_that_its_bar_does_not_know_of_is_told_and_widens_it() -> None:
    class Flat(Exchange):
        async def fetch_ohlcv(self, *given: Any, **named: Any) -> list[list[float]]:
            rows = await super().fetch_ohlcv(*given, **named)
            return [[row[0], 100.0, 101.0, 99.0, 100.5, 500.0] for row in rows]

    found = await ask(Flat([(70.0, 63.0)]), 65.0, 90.0)
    told, bar = found.events
    assert isinstance(told, Trade)
    assert isinstance(bar, Candle)
    assert (told.price, bar.low, bar.high) == (63.0, 63.0, 101.0)


BAD_ROWS = [
    {"price": -5.0}, {"price": 0.0}, {"price": float("inf")}, {"price": float("nan")},
    {"amount": -1.0}, {"side": "sideways"},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_ROWS, ids=str)
async def test_a_row_that_is_no_trade_is_refused_and_its_bar_stands_for_it(
    change: dict[str, Any],
) -> None:
    class Lies(Exchange):
        async def fetch_trades(self, *given: Any, **named: Any) -> list[dict[str, Any]]:
            rows = await super().fetch_trades(*given, **named)
            return [row | change if row["id"] == "t90" else row for row in rows]

    found = await ask(Lies(every(1.0, 300.0)), 0.0, 240.0)
    assert {symbol for symbol, _ in found.refused} == {BTC}
    assert "trade t90" in found.refused[0][1]
    assert [(e.ts - NOON) // MINUTE for e in found.events if isinstance(e, Candle)] == [2]
    assert "t90" not in {event.id for event in found.events if isinstance(event, Trade)}


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -1.0, 0.0])
async def test_a_bar_that_is_none_loses_the_gap(figure: float) -> None:
    class Lies(Exchange):
        async def fetch_ohlcv(self, *given: Any, **named: Any) -> list[list[float]]:
            rows = await super().fetch_ohlcv(*given, **named)
            return [[row[0], figure, *row[2:]] for row in rows]

    found = await ask(Lies(every(1.0, 300.0)), 0.0, 240.0)
    assert found.events == ()
    assert "1m bar" in found.lost


async def test_a_long_gap_is_told_in_coarser_bars() -> None:
    hours = 30
    exchange = Exchange(every(30.0, hours * 3600.0), trades=False)
    found = await ask(exchange, 0.0, hours * 3600.0)
    assert {event.timeframe for event in found.events if isinstance(event, Candle)} == {300}
    assert len(found.events) == hours * 12
    assert "5m" in exchange.calls


@pytest.mark.parametrize(
    ("exchange", "until", "said"),
    [
        (Exchange([], bars=False), 600.0, "BTC/USDT: ConnectionError: no"),
        (Exchange([]), 600.0, "no 1m bars of the gap are to be had"),
        (Exchange([]), (MOST_BARS + 1) * DAY / SECOND, "longer than 700 days"),
    ],
    ids=["down", "empty", "too long"],
)
async def test_what_cannot_be_told_is_said_and_not_made_up(
    exchange: Exchange, until: float, said: str
) -> None:
    found = await ask(exchange, 0.0, until)
    assert found.events == ()
    assert said in found.lost
    assert "\x1b" not in found.lost


async def test_trades_that_take_too_long_leave_the_bars() -> None:
    class Slow(Exchange):
        async def fetch_trades(self, *given: Any, **named: Any) -> list[dict[str, Any]]:
            await asyncio.Event().wait()
            return []

    found = await fetch_gap(Slow(every(1.0, 300.0)), {BTC: NOON}, NOON + 4 * MINUTE, 0.05)
    assert [type(event) for event in found.events] == [Candle] * 4
    assert found.lost == ""
