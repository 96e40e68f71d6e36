"""A market told in advance, recorded onto a tape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradeterm.adapters.tape.recorded import RecordedFeed
from tradeterm.adapters.tape.recording import RecordingFeed
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import Candle, FeedHealth, FeedMark, MarketEvent, Trade
from tradeterm.settings.recording import RecordingSettings

BTC, XRP = "BTC/USDT", "XRP/BTC"
LIMITS = RecordingSettings(file_size=64, file_hours=24, total_size=1024, block_seconds=1)


class Scripted:
    """A market of given events, a few at a time; LIVE when told so."""

    symbols: tuple[str, ...] = (BTC, XRP)
    start = 1_000

    def __init__(self, told: list[MarketEvent], size: int = 3, mode: str = "SIM") -> None:
        self.told, self.size, self.mode, self.at = told, size, mode, 0
        self.resumed: tuple[int, int] | None = None

    def identity(self) -> dict[str, str]:
        return {"feed": "scripted"}

    def derived(self) -> tuple[Instrument, ...]:
        return ()

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        return [Candle(900, symbol, timeframe, 1.0, 2.0, 0.5, 1.5, 0.1)][:count]

    def take(self) -> Sequence[MarketEvent]:
        begin, self.at = self.at, min(self.at + self.size, len(self.told))
        return self.told[begin : self.at]

    def mark(self, position: int) -> FeedMark:
        return FeedMark(position)

    def seek(self, mark: FeedMark) -> None:
        self.at = mark.position

    def close(self) -> None: ...

    # -- a live one ------------------------------------------------------------------------

    def resume(self, since: int, floor: int, known: object, told: object) -> None:
        self.resumed = (since, floor)

    def on_arrival(self, call: object) -> None: ...

    def waiting(self) -> bool:
        return self.at < len(self.told)

    def reach(self) -> int:
        return 7_777

    def now(self) -> int:
        return 8_888

    def lag(self) -> float:
        return 0.0

    def clock_skew(self) -> float | None:
        return 0.25

    def health(self) -> Sequence[FeedHealth]:
        return ()


def trades(count: int, *, begin: int = 0, gap: int = 1) -> list[MarketEvent]:
    return [
        Trade(1_000 + (begin + n) * gap, BTC, 100.0 + n / 7, 0.01 * (n + 1), "buy", str(n))
        for n in range(count)
    ]


async def record(
    folder: Path, told: list[MarketEvent], cuts: Sequence[int], limits: RecordingSettings = LIMITS
) -> RecordingFeed:
    """A whole market, secured at each of ``cuts`` (numbers of events taken)."""
    feed = RecordingFeed.begin(Scripted(told), folder, limits)
    feed.history(BTC, 60, 10)
    handed = 0
    await feed.secure(0)
    for cut in sorted({*cuts, len(told)}):
        while handed < cut:
            handed += len(feed.take())
        await feed.secure(cut)
    return feed


def everything(feed: RecordedFeed) -> list[MarketEvent]:
    found: list[MarketEvent] = []
    while batch := feed.take():
        found += batch
    return found
