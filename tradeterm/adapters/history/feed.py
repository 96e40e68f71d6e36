"""``--feed history:EXCHANGE[:TIMEFRAME][:FROM..TO]``: stored candles as a market, warm from the start."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from tradeterm.adapters.feeds.bars import BarSource
from tradeterm.adapters.feeds.replay import ReplayFeed
from tradeterm.adapters.feeds.sources import Source
from tradeterm.adapters.history.catalogue import Catalogue, Shelf, default_folder, describe
from tradeterm.errors import DataError, UsageError
from tradeterm.model.market import Candle
from tradeterm.model.timing import SECOND, parse_instant, timeframe_seconds, timeframe_text
from tradeterm.settings.market import MarketSettings

_EVER: Final = 2**62
_FORM: Final = "write history:EXCHANGE[:TIMEFRAME][:FROM..TO], e.g. history:kraken:1h:2025-01-01.."


class HistoryFeed(ReplayFeed):
    """Implements ``Feed`` over the catalogue: one timeframe, the finest there is unless named."""

    def __init__(
        self,
        spec: str,
        settings: MarketSettings,
        *,
        symbols: tuple[str, ...] | None = None,
    ) -> None:
        """``spec`` is what follows ``history:``; the exchange may be a folder, as ``data --data``
        made it (``DIR/kraken``). Raises UsageError or DataError.
        """
        place, timeframe, since, until = _parsed(spec)
        self._exchange = place.name
        self._catalogue = Catalogue(place.parent if place.parent.name else default_folder())
        shelves = self._shelves(symbols or self._there(settings, timeframe), timeframe)
        sources: list[Source] = [self._source(shelf, since, until) for shelf in shelves]
        self._arrange(sources, settings, tuple(shelf.symbol for shelf in shelves), "history")
        self._base = {shelf.symbol: shelf.timeframe for shelf in shelves}
        self._past: dict[tuple[str, int], list[Candle]] = {}
        self._told = self._digest(shelves, since, until)

    def _there(self, settings: MarketSettings, timeframe: int | None) -> tuple[str, ...]:
        """The configured symbols that have such a history, else all that have it."""
        there = [
            shelf.symbol
            for shelf in self._catalogue.shelves()
            if shelf.exchange == self._exchange and timeframe in {None, shelf.timeframe}
        ]
        known = tuple(symbol for symbol in settings.symbols if symbol in there)
        return known or tuple(dict.fromkeys(there)) or settings.symbols

    def _shelves(self, wanted: tuple[str, ...], timeframe: int | None) -> list[Shelf]:
        there = [shelf for shelf in self._catalogue.shelves() if shelf.exchange == self._exchange]
        found = []
        for symbol in wanted:
            fitting = [
                shelf
                for shelf in there
                if shelf.symbol == symbol and shelf.months and timeframe in {None, shelf.timeframe}
            ]
            if not fitting:
                listed = "; ".join(describe(shelf) for shelf in there) or "nothing"
                of = f" of {timeframe_text(timeframe)}" if timeframe else ""
                raise DataError(
                    f"no history{of} of {symbol} from {self._exchange} in {self._catalogue.folder} "
                    f"(there is {listed}); `tradeterm data fetch` or `data import` brings it, "
                    "--symbols leaves it out"
                )
            found.append(min(fitting, key=lambda shelf: shelf.timeframe))
        return found

    def _source(self, shelf: Shelf, since: int, until: int) -> BarSource:
        series = self._catalogue.read(shelf, since, until)
        return BarSource.of(
            Path(shelf.name.replace("/", "_")),
            shelf.symbol,
            shelf.timeframe,
            series.ts,
            series.figures,
        )

    def _digest(self, shelves: list[Shelf], since: int, until: int) -> str:
        """Of every figure that plays a part: the run's candles and those of the warm-up."""
        told = sha256()
        for shelf in shelves:
            series = self._catalogue.read(shelf, since, until)
            for column in (series.ts, *series.figures):
                told.update(column.tobytes())
            for timeframe in self._settings.timeframes:
                for candle in self.history(shelf.symbol, timeframe, self._settings.window):
                    told.update(repr(candle).encode())
        return told.hexdigest()[:24]

    def identity(self) -> dict[str, str]:
        """Exchange, symbols and a hash over every candle used."""
        return {
            "feed": "history",
            "exchange": self._exchange,
            "symbols": ",".join(self.symbols),
            "candles": self._told,
        }

    def history(self, symbol: str, timeframe: int, count: int) -> list[Candle]:
        """Stored candles that closed at or before the first one opens, none finer than the run's."""
        if timeframe < self._base[symbol]:
            return []
        key = (symbol, timeframe)
        if key not in self._past:
            shelf = self._catalogue.shelf(self._exchange, symbol, timeframe)
            since = self.start - (self._settings.window + 1) * timeframe * SECOND
            found = self._catalogue.read(shelf, since, self.start)
            self._past[key] = found.candles(symbol, timeframe)
        return self._past[key][-count:]


def _parsed(spec: str) -> tuple[Path, int | None, int, int]:
    """(exchange, timeframe or None, since, until); raises UsageError."""
    exchange, *rest = spec.split(":", 1)
    timeframe, since, until = None, 0, _EVER
    try:
        if rest and ".." not in rest[0].partition(":")[0]:
            name, _, span = rest[0].partition(":")
            timeframe = timeframe_seconds("timeframe", name)
        else:
            span = rest[0] if rest else ""
        if span:
            begin, dots, end = span.partition("..")
            if not dots:
                raise UsageError(span)
            since = parse_instant(begin) if begin else 0
            until = parse_instant(end) if end else _EVER
    except UsageError as error:
        raise UsageError(f"--feed history:{spec} is not understood ({error}); {_FORM}") from error
    if not exchange:
        raise UsageError(f"--feed history:{spec} names no exchange; {_FORM}")
    return Path(exchange), timeframe, since, until
