"""`tradeterm data fetch` against a local exchange: pages, interruptions, refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from tests.exchanges.kraken import KrakenServer
from tests.living import wait_for
from tests.shell import command
from tests.terminal.screen import child_environment
from tests.wired.stage import BTC, XRP
from tradeterm.adapters.feeds.live.warmup import fetch_past
from tradeterm.adapters.history.catalogue import Catalogue
from tradeterm.adapters.history.fetching import Fetcher
from tradeterm.adapters.history.series import Series
from tradeterm.errors import ExchangeError
from tradeterm.gathering import data
from tradeterm.model.market import Candle
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.settings.loading import load_settings


def arguments(server: KrakenServer, folder: Path, *more: str) -> list[str]:
    sets = [part for line in server.settings for part in ("--set", line)]
    return ["fetch", "--exchange", "kraken", "--data", str(folder), *sets, "--json", *more]


def fetch(server: KrakenServer, folder: Path, *more: str) -> tuple[int, Any]:
    result = CliRunner().invoke(data, arguments(server, folder, *more), standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, json.loads(result.stdout)


def asked_for_bars(server: KrakenServer) -> int:
    return server.asked.count("OHLC")


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    span = ("--since", "10h", "--until", "1h", "--symbols", BTC, "--timeframe", "5m")
    with KrakenServer() as server:
        code, told = fetch(server, tmp_path, *span)
        (one,) = told["fetched"]
        assert (code, one["what"], one["new"]) == (0, f"kraken {BTC} 5m", 108)
        assert asked_for_bars(server) == 1
        code, told = fetch(server, tmp_path, *span)
        assert code == 0
        assert told["fetched"][0]["new"] in {0, 1}  # five minutes may have ended meanwhile
        _, told = fetch(server, tmp_path, "--since", "12h", *span[2:])
        assert told["fetched"][0]["new"] in {24, 25}
    check = CliRunner().invoke(data, ["check", "--data", str(tmp_path)], standalone_mode=False)
    assert check.return_value == 0, check.output


def test_kill_9_while_fetching(tmp_path: Path) -> None:
    """The second symbol hangs; after the kill only what is missing is asked for."""
    with KrakenServer() as server:
        whole = server._ohlc

        async def one_then_silence(request: web.Request) -> web.StreamResponse:
            if asked_for_bars(server) > 1:
                await web.asyncio.sleep(30)  # type: ignore[attr-defined]
            return web.json_response({"error": [], "result": whole(request.query)})

        server.replies["OHLC"] = one_then_silence
        span = ("--since", "2h", "--until", "1h", "--symbols", f"{BTC},{XRP}", "--timeframe", "1m")
        child = subprocess.Popen(
            command("data", *arguments(server, tmp_path / "h", *span)),
            env=child_environment(tmp_path), cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: asked_for_bars(server) == 2)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        (kept,) = [s for s in Catalogue(tmp_path / "h").shelves() if s.months]
        assert (kept.symbol, kept.rows >= 59) == (BTC, True)
        del server.replies["OHLC"]
        code, told = fetch(server, tmp_path / "h", *span)
        assert code == 0
        first, second = told["fetched"]
        assert first["new"] <= 1
        assert second["new"] >= 59


def test_an_exchange_that_does_not_go_back_that_far_says_so(tmp_path: Path) -> None:
    with KrakenServer() as server:
        code, told = fetch(
            server, tmp_path, "--since", "30d", "--symbols", BTC, "--timeframe", "1m"
        )
    assert code == 1
    assert "kraken gives no 1m candles of BTC/USDT before" in told["fetched"][0]["remark"]
    assert "tradeterm data import FILE" in told["fetched"][0]["remark"]
    assert told["fetched"][0]["new"] in {718, 719, 720}


def test_a_symbol_that_is_not_traded_fails_and_the_others_do_not(tmp_path: Path) -> None:
    with KrakenServer() as server:
        code, told = fetch(
            server, tmp_path, "--since", "1h", "--symbols", f"NO/USDT,{BTC}", "--timeframe", "1m"
        )
    assert code == 1
    assert [one["ok"] for one in told["fetched"]] == [False, True]
    assert "NO/USDT" in told["fetched"][0]["remark"]


# -- page by page, by hand -------------------------------------------------------------------


class Exchange:
    """What ccxt offers: bars from ``since`` on, a hundred at most, with faults to order."""

    id = "made-up"

    def __init__(self, begin: int, faults: list[Exception | None] | None = None) -> None:
        self.begin = begin
        self.faults = faults or []
        self.asked: list[int] = []
        self.timeframes = {"1m": "1m"}

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int, limit: int
    ) -> list[list[float]]:
        self.asked.append(since)
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        first = max(self.begin, -(-since // 60_000) * 60_000)
        return [[first + n * 60_000, 1.0, 2.0, 0.5, 1.5, float(n)] for n in range(min(limit, 100))]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradeterm.adapters.history.fetching.PATIENCE", 0.001)


@pytest.mark.usefixtures("impatient")
async def test_pages_are_kept_one_by_one_and_trouble_is_waited_out(tmp_path: Path) -> None:
    import ccxt

    since = 1_748_736_000 * SECOND
    until = since + 250 * MINUTE + 30 * SECOND  # the 251st is still open
    exchange = Exchange(0, [None, ccxt.RateLimitExceeded("slow down"), ccxt.RequestTimeout("?")])
    reached: list[int] = []
    catalogue = Catalogue(tmp_path)
    with catalogue.writing():
        shelf = catalogue.shelf("made-up", BTC, 60)
        fetcher = Fetcher(exchange, catalogue, lambda _, at: reached.append(at))
        done = await fetcher.fetch(shelf, since, until)
    assert (done.new, done.pages, done.remark) == (250, 3, "")
    assert len(exchange.asked) == 5
    assert reached == sorted(reached)
    found = Catalogue(tmp_path)
    series = found.read(found.shelf("made-up", BTC, 60), 0, 2**62)
    assert series.ts.tolist() == [since + (n + 1) * MINUTE for n in range(250)]


@pytest.mark.usefixtures("impatient")
async def test_an_exchange_that_stays_silent_ends_it_and_nothing_is_lost(tmp_path: Path) -> None:
    import ccxt

    since = 1_748_736_000 * SECOND
    until = since + 250 * MINUTE
    exchange = Exchange(0, [None, *(ccxt.NetworkError("gone") for _ in range(5))])
    catalogue = Catalogue(tmp_path)
    with catalogue.writing():
        shelf = catalogue.shelf("made-up", BTC, 60)
        fetcher = Fetcher(exchange, catalogue, lambda *_: None)
        with pytest.raises(ExchangeError, match="the same command goes on from here"):
            await fetcher.fetch(shelf, since, until)
        assert shelf.rows == 100
        exchange.asked.clear()
        done = await fetcher.fetch(shelf, since, until)
    assert done.new == 150
    assert exchange.asked[0] == 1_748_736_000_000 + 100 * 60_000


async def test_what_no_answer_covers_is_asked_for_again_and_said_again(tmp_path: Path) -> None:
    """A symbol that began later, or an exchange that does not go back: nobody can tell which."""
    since = 1_748_736_000 * SECOND
    exchange = Exchange(1_748_736_000_000 + 130 * 60_000)
    catalogue = Catalogue(tmp_path)
    with catalogue.writing():
        shelf = catalogue.shelf("made-up", BTC, 60)
        for new in (70, 0):
            exchange.asked.clear()
            done = await Fetcher(exchange, catalogue, lambda *_: None).fetch(
                shelf, since, since + 200 * MINUTE
            )
            assert done.new == new
            assert "gives no 1m candles of BTC/USDT before" in done.remark
            assert len(exchange.asked) == 1


class Garbled(Exchange):
    """Answers with something else as long as there is something."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(0)
        self.answers = list(answers)

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int, limit: int
    ) -> list[list[float]]:
        rows = await super().fetch_ohlcv(symbol, timeframe, since, limit)
        return self.answers.pop(0)(rows) if self.answers else rows


@pytest.mark.parametrize(
    "garble",
    [
        lambda _: [],
        lambda _: None,
        lambda rows: rows[-3:],
        lambda rows: [[None] * 6 for _ in rows],
        lambda rows: [[row[0], "NaN", -1.0, 0.0, 1e400, 1.0] for row in rows],
        lambda rows: [row[:3] for row in rows],
        lambda rows: ["sorry" for _ in rows],
    ],
)
async def test_an_answer_that_is_none_is_not_taken_for_a_market_without_trades(
    tmp_path: Path, garble: Any
) -> None:
    since = 1_748_736_000 * SECOND
    for faults, before in ([garble], 0), ([lambda rows: rows, garble], 100):
        catalogue = Catalogue(tmp_path / str(before))
        with catalogue.writing():
            shelf = catalogue.shelf("made-up", BTC, 60)
            fetcher = Fetcher(Garbled(*faults), catalogue, lambda *_: None)
            done = await fetcher.fetch(shelf, since, since + 250 * MINUTE)
            assert shelf.unasked(since, since + 250 * MINUTE)
            assert done.new >= before
            done = await fetcher.fetch(shelf, since, since + 250 * MINUTE)
            assert (done.remark, shelf.rows) == ("", 250)


# -- warm-up ---------------------------------------------------------------------------------


async def test_a_live_run_warms_up_from_history_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to date: nothing is asked. Behind: only what follows. With a hole: the exchange's own."""
    monkeypatch.setattr(
        "tradeterm.adapters.history.catalogue.default_folder", lambda: tmp_path / "h"
    )
    now = time.time_ns() // MINUTE * MINUTE + 20 * SECOND
    last = now // MINUTE * MINUTE
    market = load_settings(None, ("market.timeframes=[60]", "market.window=200")).settings.market

    told: list[str] = []

    async def warm(newest: int) -> tuple[Exchange, list[Candle]]:
        bars = [
            Candle(newest - n * MINUTE, BTC, 60, 9.0, 9.5, 8.5, 9.0, 1.0)
            for n in range(250, -1, -1)
        ]
        catalogue = Catalogue(tmp_path / "h")
        with catalogue.writing():
            catalogue.add(catalogue.shelf("made-up", BTC, 60), Series.of(bars))
        exchange = Exchange(0)
        return exchange, list(
            (await fetch_past(exchange, BTC, market, now, told.append))(now).candles
        )

    exchange, candles = await warm(last - 5 * MINUTE)
    assert exchange.asked == [(last - 6 * MINUTE) // 1_000_000]
    assert len(candles) == 200
    assert [c.ts for c in candles] == [last - n * MINUTE for n in range(199, -1, -1)]
    assert [c.open for c in candles[-7:]] == [9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]

    exchange, candles = await warm(last)
    assert exchange.asked == []
    assert len(candles) == 200

    assert told == []
    damaged = [file for file in (tmp_path / "h").rglob("*.parquet") if file.write_bytes(b"junk")]
    exchange = Exchange(0)
    make = await fetch_past(exchange, BTC, market, now, told.append)
    assert damaged
    assert exchange.asked
    assert [c.open for c in make(now).candles][:3] == [1.0] * 3
    (line,) = told
    assert line.startswith("stored history is left out: ")
    assert "tradeterm data check" in line
