"""Recorded books through what reads three exchanges: their wire, ccxt, our copy, the engine's book.

``test_recorded_streams.py`` checks the arithmetic of books; Coinbase, Bitstamp and Binance reach the
engine another way, and that way is walked here a message at a time, beside plain dictionaries.

| venue | what is told on the wire |
|---|---|
| Binance | the recorded levels of 2024 in ``depthUpdate`` messages; there is no raw recording of it |
| Bitstamp | the recorded messages of 2022 and their snapshot as they came |
| Coinbase | the recorded levels of 2021 in today's messages: today's ``level2`` wants no key |

Each begins as exchanges do: changes are on their way before the snapshot, some of them older than it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.exchanges.others import BinanceServer, BitstampServer, CoinbaseServer, MinimalServer
from tests.live.session import QUICK
from tests.live.test_recorded_streams import (
    DATA,
    DEEP,
    RAW,
    Plain,
    Step,
    binance,
    coinbase,
    received,
)
from tests.wired.stage import request
from tradeterm.adapters.feeds.live.stitching import first_later
from tradeterm.desk import Desk
from tradeterm.model.vocabulary import Side

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not DATA.is_dir(), reason="the recorded data is absent (TRADETERM_DATA)"),
]

DEPTH = 100
"""Levels per side that are kept (``live.depth``)."""
EARLY, KNOWN = 12, 5
"""Changes sent before the snapshot is; how many of them it already contains."""


class Recording(NamedTuple):
    """A server that tells the beginning by itself, and what follows it."""

    server: MinimalServer
    begin: Plain
    """The book once the beginning has been told."""
    rest: list[tuple[Step, tuple[str, Any]]]
    """Each further change, and its (topic, message)."""


def truth(plain: Plain) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    bids, asks = plain.sizes(plain.bids), plain.sizes(plain.asks)
    return (
        sorted(bids.items(), reverse=True)[:DEPTH],
        sorted(asks.items())[:DEPTH],
    )


def different(one: Any, other: Any) -> list[tuple[float, float]]:
    """Levels that only one of two books has."""
    return sorted({*one[0], *one[1]} ^ {*other[0], *other[1]})


def begun(snapshot: Step, changes: list[Step]) -> tuple[Plain, Plain]:
    """The book after ``KNOWN`` changes, and after ``EARLY``."""
    early, later = Plain(DEEP), Plain(DEEP)
    for number, step in enumerate([snapshot, *changes[:EARLY]]):
        if number <= KNOWN:
            early.take(step)
        later.take(step)
    return early, later


def dressed(server: MinimalServer, plain: Plain) -> None:
    """The server's snapshot is this book."""
    server.bids, server.asks = dict(plain.bids.values()), dict(plain.asks.values())


def from_binance() -> Recording:
    """Update n carries the numbers 10 n - 9 to 10 n."""
    steps = [step for step in binance() if step.symbol == "BTC/USDT"][:500]
    early, later = begun(steps[0], steps[1:])

    def message(number: int, step: Step) -> tuple[str, Any]:
        return "depth", {
            "e": "depthUpdate", "E": int(time.time() * 1000), "s": "BTCUSDT",
            "U": 10 * number - 9, "u": 10 * number, "b": step.bids, "a": step.asks,
        }  # fmt: skip

    class Recorded(BinanceServer):
        def topics(self, said: Any) -> list[tuple[str, list[Any]]]:
            first = [message(n, step)[1] for n, step in enumerate(steps[1 : EARLY + 1], 1)]
            return [
                (topic, [*accepted, *(first if topic == "depth" else ())])
                for topic, accepted in super().topics(said)
            ]

    server = Recorded()
    server.number = 10 * KNOWN
    dressed(server, early)
    rest = [(step, message(n, step)) for n, step in enumerate(steps[1:], 1) if n > EARLY]
    return Recording(server, later, rest)


def from_bitstamp() -> Recording:
    """All as it came; its snapshot lies between two changes and equals neither's stamp."""
    market = "bateur"
    changes = [
        message for message in received("BITSTAMP.ws.1.0")
        if message["event"] == "data" and message["channel"] == f"diff_order_book_{market}"
    ]  # fmt: skip
    answers = (RAW / "BITSTAMP.http.0.0").read_text("utf-8").splitlines()
    (answer,) = (line for line in answers if f"/order_book/{market} -> " in line)
    snapshot = json.loads(answer.partition(" -> ")[2].partition(": ")[2])
    since, early = int(snapshot["microtimestamp"]), 20
    stamps = [int(change["data"]["microtimestamp"]) for change in changes]
    assert stamps[0] < since < stamps[early - 1]
    assert since not in stamps

    def step(data: Any, *, whole: bool = False) -> Step:
        return Step("", whole, [tuple(row) for row in data["bids"]],
                    [tuple(row) for row in data["asks"]])  # fmt: skip

    named = {
        "name": "BAT/EUR", "market_symbol": market, "url_symbol": market,
        "base_currency": "BAT", "counter_currency": "EUR", "counter_decimals": 5,
    }  # fmt: skip

    class Recorded(BitstampServer):
        SYMBOL = "BAT/EUR"

        def rest(self, path: str) -> Any:
            if "order_book" in path:
                return snapshot
            return [known | named for known in super().rest(path) or ()]

        def topics(self, said: Any) -> list[tuple[str, list[Any]]]:
            return [
                (topic, [*accepted, *(changes[:early] if topic.startswith("diff") else ())])
                for topic, accepted in super().topics(said)
            ]

    begin = Plain(DEEP)
    begin.take(step(snapshot, whole=True))
    for change, stamp in zip(changes[:early], stamps, strict=False):
        if stamp > since:
            begin.take(step(change["data"]))
    rest = [(step(change["data"]), (change["channel"], change)) for change in changes[early:]]
    return Recording(Recorded(), begin, rest)


def from_coinbase() -> Recording:
    """The snapshot comes with the subscription: nothing is early."""
    steps = [step for step in coinbase() if step.symbol == "SKL-USD"][:500]

    class Recorded(CoinbaseServer):
        def changed(self, step: Step) -> tuple[str, Any]:
            sides = ("bid", step.bids), ("offer", step.asks)
            updates = [
                {"side": side, "event_time": "2021-04-17T16:43:37Z", "price_level": price,
                 "new_quantity": size}
                for side, levels in sides for price, size in levels
            ]  # fmt: skip
            return "level2", self._event("update", updates)

    server, begin = Recorded(), Plain(DEEP)
    begin.take(steps[0])
    dressed(server, begin)
    return Recording(server, begin, [(step, server.changed(step)) for step in steps[1:]])


@pytest.mark.parametrize("recording", [from_binance, from_bitstamp, from_coinbase])
async def test_the_engine_s_book_equals_an_independent_one_after_every_message(
    recording: Callable[[], Recording], tmp_path: Path
) -> None:
    server, plain, rest = recording()
    with server:
        asked = request(
            "live", tmp_path / "run.db", *server.settings, *QUICK, "live.silence=30",
            f"live.depth={DEPTH}", symbols=(server.SYMBOL,),
        )  # fmt: skip
        desk = await Desk.open(asked)
        running = asyncio.create_task(desk.run())
        book = desk.engine.core.market.symbol(server.SYMBOL).book

        def shown() -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
            return book.levels(Side.BUY, DEEP), book.levels(Side.SELL, DEEP)

        async def equal(number: int) -> None:
            true, give_up = truth(plain), time.monotonic() + 5
            while shown() != true:
                assert time.monotonic() < give_up, (
                    f"after message {number}: {different(shown(), true)}"
                )
                assert not running.done()
                await asyncio.sleep(0.001)

        try:
            await equal(0)
            for number, (step, message) in enumerate(rest, 1):
                plain.take(step)
                server.tell(*message)
                await equal(number)
            (health,) = desk.feed.health()  # type: ignore[attr-defined]
            assert (health.resyncs, health.reconnects) == (0, 0)
            assert desk.engine.input_counts()["snapshot"] == 1
        finally:
            desk.driver.stop()
            await running
            await desk.close()
        assert len(rest) > 50


@pytest.mark.parametrize(("taken", "index"), [(9, -1), (10, 1), (11, 1), (20, 2), (30, 3), (99, 3)])
def test_a_snapshot_has_its_place_among_the_changes(taken: int, index: int) -> None:
    changes = [{"microtimestamp": str(stamp)} for stamp in (10, 20, 30)]
    assert first_later({"nonce": taken}, changes) == index


def test_before_any_change_a_snapshot_has_no_place() -> None:
    assert first_later({"nonce": 5}, []) == -1
