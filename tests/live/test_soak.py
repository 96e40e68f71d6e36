"""A day of live-shaped market with a fault a minute, and the same day without: what differs?

The exchange's messages go through the live feed's own reader (``KrakenWire``), checks and inbox
into the engine; sockets and the wall clock are left out, so that a day takes seconds. The day of
24 hours: ``TRADETERM_LONG=1 pytest -m long tests/live/test_soak.py``; CI plays two hours of it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine.machine import settings
from tests.exchanges.kraken_market import Pair, TrueBook, trade_text, usual_pairs
from tests.wired.stage import ANALYSTS, BTC, START
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.adapters.feeds.live.inbox import Inbox
from tradeterm.adapters.feeds.live.kraken import KrakenWire
from tradeterm.adapters.feeds.live.sink import Sink
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.model.commands import ReportHealth
from tradeterm.model.health import Health
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import GAP, GAP_OVER, FeedNotice, Trade
from tradeterm.model.messages import Row
from tradeterm.model.timing import HOUR, MINUTE, SECOND
from tradeterm.model.vocabulary import MarketMode

STEP = 5 * SECOND
RULES = (
    "agents.trading_decision.rule=ema_cross", "agents.trading_decision.fast=5",
    "agents.trading_decision.slow=12", "risk.max_losses=100", "risk.max_daily_loss=100",
    "risk.max_weekly_loss=100", "risk.max_drawdown=100", "risk.streak_leverage=[]",
    "risk.drawdown_leverage=[]", "risk.streak_confidence=[]", "risk.streak_cooldown=[]",
    "risk.confidence_leverage=[]", "risk.max_cost=100", "risk.min_reward_risk=0.1",
    "risk.cooldown={trade: 0, loss: 0, volatility: 0, unusual_move: 0, rebalance: 0}",
    "risk.sizing.confidence=[{at: 0, part: 100}]",
    "risk.throttle.entries_per_day=1000", "risk.throttle.turns_per_day=1000",
    *(f"orchestration.schedule.{name}.enabled=false" for name in ANALYSTS),
)  # fmt: skip
INSTRUMENT = Instrument(
    BTC, "BTC", "USDT", Decimal("0.1"), Decimal("1e-8"), Decimal("0.00005"), Decimal("0.5"),
    Decimal("0.004"),
)  # fmt: skip
_decode = msgspec.json.decode


class Exchange:
    """The true market: a wave with noise, the same whatever reaches us of it."""

    def __init__(self, seed: int) -> None:
        self.book = TrueBook(next(pair for pair in _pairs() if pair.symbol == BTC))
        self.trades: list[Trade] = []
        self._draw = random.Random(seed)

    def step(self, now: int) -> list[str]:
        """The messages of one step: the book around the new price, then a print there."""
        draw, hours = self._draw, (now - START) / HOUR
        wave = 0.004 * math.sin(hours * 2 * math.pi) + draw.gauss(0, 0.0002)
        middle = Decimal(f"{65_000 * (1 + wave):.1f}")
        gone = [(side, price) for side in ("bids", "asks") for price in self._side(side)]
        for side, price in gone:
            self.book.set(side, price, Decimal(0))
        for level in range(1, 16):
            self.book.set("bids", middle - Decimal(level) / 10, Decimal(5 + level))
            self.book.set("asks", middle + Decimal(level) / 10, Decimal(5 + level))
        changes: dict[str, list[tuple[Decimal, Decimal]]] = {"bids": [], "asks": []}
        for side, price in gone:
            if price not in self._side(side):
                changes[side].append((price, Decimal(0)))
        for side, levels in changes.items():
            levels += self._side(side).items()
        number = len(self.trades) + 1
        self.trades.append(Trade(now, BTC, float(middle), 0.01, "buy", str(number)))
        return [
            self.book.update(changes["bids"], changes["asks"]),
            trade_text(self.book, middle, Decimal("0.01"), "buy", number, now / SECOND),
        ]

    def _side(self, side: str) -> dict[Decimal, Decimal]:
        return self.book.bids if side == "bids" else self.book.asks


def _pairs() -> list[Pair]:
    return usual_pairs()


@dataclass
class Day:
    """One run of the day through the live feed's reader into an engine."""

    hours: float
    faulty: bool
    seed: int = 7
    now: int = START
    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, int, str]] = field(default_factory=list)
    """(from, until, what)."""

    def __post_init__(self) -> None:
        chosen = settings(*RULES)
        self.engine = Engine(
            chosen, {BTC: INSTRUMENT}, (BTC,), MarketMode.LIVE, 7, Approver(approve_all=True)
        )
        self._advisor = RulesAdvisor(chosen.llm)
        self.inbox = Inbox(lambda: self.now)
        self.sink = Sink((BTC,), self.inbox, lambda: self.now, SkewGauge())
        self.wire = KrakenWire((BTC,), 10, self.sink, 10.0)
        self.exchange = Exchange(self.seed)
        self._draw = random.Random(self.seed + 1)
        self._down_until = 0
        self._heard = 0
        self._next_fault = START + 2 * MINUTE
        self._spoil: Callable[[list[str]], list[str]] | None = None

    def play(self, hourly: Callable[[], None] | None = None) -> Day:
        engine, end = self.engine, START + int(self.hours * HOUR)
        engine.begin(START, "run")
        engine.command(ReportHealth(health=Health(clock_skew=0.0), actor="desk"), START + 1)
        self._connect()
        while self.now < end:
            self.now += STEP
            if hourly is not None and (self.now - START) % HOUR == 0:
                hourly()
            self._hear(self.exchange.step(self.now))
            self._run()
        return self

    # -- the line --------------------------------------------------------------------------

    def _connect(self) -> None:
        self._told(self.wire.opening(self.now / SECOND))

    def _told(self, requests: Iterator[str] | list[str]) -> None:
        """What the exchange answers."""
        for request in requests:
            asked = json.loads(request)
            if asked["method"] == "subscribe" and asked["params"]["channel"] == "book":
                self.wire.take(self.exchange.book.snapshot(10))

    def _hear(self, messages: list[str]) -> None:
        if self.faulty and self.now >= self._next_fault:
            self._break()
        if self.now <= self._down_until:
            return
        if self._down_until:
            self._down_until = 0
            self._fill()
            self._connect()
        self._heard = self.now
        if self._spoil is not None:
            messages, self._spoil = self._spoil(messages), None
        for text in messages:
            self.wire.take(text)
            self.sink.alive()
        self._told(self.wire.due(self.now / SECOND))

    def _fill(self) -> None:
        """What was missed, as the link tells it."""
        put = self.inbox.put_past
        put(lambda ts: FeedNotice(ts, "", GAP, "cut off"), self._heard)
        for trade in self.exchange.trades[-2000:-1]:
            if trade.ts > self._heard:
                put(partial(_at, trade), trade.ts)
                self.sink.remember(trade)
        put(lambda ts: FeedNotice(ts, "", GAP_OVER, ""), self.now)

    def _break(self) -> None:
        """One fault of the list, drawn; the next one a minute on."""
        self._next_fault += MINUTE
        name = self._draw.choice(FAULTS)
        until = self.now
        if name == "cut":
            until = self._down_until = self.now + self._draw.randrange(3, 50) * SECOND
            self.sink.down()
        else:
            self._spoil = SPOILERS[name]
        self.faults.append((self.now, until, name))

    def _run(self) -> None:
        engine, events = self.engine, self.inbox.take()
        index = 0
        while index < len(events):
            index = engine.run(events, index, len(events))
            self._keep()
        moment = self.inbox.reach()
        while engine.advance(moment):
            self._keep()

    def _keep(self) -> None:
        while self.engine.effects:
            self.engine.answer(asyncio.run(self._advisor.settle(self.engine.effects[0])))
        self.rows += [row for row in self.engine.take_rows() if row.kind in KEPT]

    # -- what came of it -------------------------------------------------------------------

    def entries(self) -> dict[tuple[int, str], str]:
        """(minute the signal fell in, side) → order id."""
        found: dict[tuple[int, str], str] = {}
        for row in self.rows:
            if row.kind == "order":
                request = _decode(row.body)["request"]
                if request["purpose"] == "entry":
                    found.setdefault((row.ts // MINUTE, request["side"]), request["id"])
        return found

    def positions(self) -> dict[tuple[int, str], dict[str, Any]]:
        """(minute of opening, side) → how it was closed."""
        found = {}
        for row in self.rows:
            if row.kind == "position":
                position = _decode(row.body)["position"]
                if position["closed"]:
                    found[position["opened"] // MINUTE, position["side"]] = position
        return found

    def blind(self, minute: int) -> bool:
        """Whether a gap was open, or the data stale, in a minute or the one its signal is of."""
        begin, end = (minute - 1) * MINUTE, (minute + 1) * MINUTE
        return any(
            since < end and until + STEP >= begin
            for since, until, what in self.faults
            if what == "cut"
        )

    def forbidden(self, minute: int) -> bool:
        """Whether risk refused an entry then because the data was stale."""
        return any(
            set(_decode(row.body)["codes"]) & FORBIDS
            for row in self.rows
            if row.kind == "verdict" and row.ts // MINUTE == minute
        )

    def gaps_told(self) -> int:
        """How many gaps the engine was told of."""
        return sum(what == "cut" for _, _, what in self.faults)

    def holds(self, minute: int) -> set[str]:
        """Sides held at the beginning of a minute."""
        at = minute * MINUTE
        return {
            position["side"]
            for position in self.all_positions()
            if position["opened"] < at and (not position["closed"] or position["closed"] >= at)
        }

    def all_positions(self) -> list[dict[str, Any]]:
        """Each as it was last."""
        found: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            if row.kind == "position":
                position = _decode(row.body)["position"]
                found[position["id"]] = position
        return list(found.values())


def _at(trade: Trade, ts: int) -> Trade:
    return msgspec.structs.replace(trade, ts=ts)


KEPT = {"order", "position", "verdict"}
FORBIDS = {"stale_data"}


def _checksum(messages: list[str]) -> list[str]:
    book, print_ = messages
    return [book.replace('"checksum":', '"checksum":1'), print_]


SPOILERS: dict[str, Callable[[list[str]], list[str]]] = {
    "checksum": _checksum,
    "garbage": lambda messages: ["{", "\x00", '{"channel":"book","data":7}', *messages],
    "bad tick": lambda messages: [
        *messages, messages[1].replace('"price":', '"price":-').replace('_id":', '_id":9'),
    ],
    "bad size": lambda messages: [
        *messages, messages[1].replace('"qty":', '"qty":1e400,"was":').replace('_id":', '_id":8'),
    ],
    "twice": lambda messages: [*messages, messages[1], messages[1]],
    "bad level": lambda messages: [messages[0].replace('"bids":[', '"bids":[{"price":NaN,"qty":1},'),
                                   messages[1]],
}  # fmt: skip
FAULTS = ("cut", *SPOILERS)


def compare(hours: float) -> tuple[Day, Day]:
    """Both days: an order differs only where nobody could see, or because of one that did."""
    clean, faulty = Day(hours, faulty=False).play(), Day(hours, faulty=True).play()
    assert len(faulty.faults) > hours * 55
    true, ours = clean.entries(), faulty.entries()
    assert len(true) >= hours

    def explained(minute: int) -> bool:
        refused = faulty.blind(minute) or faulty.forbidden(minute)
        return refused or faulty.holds(minute) != clean.holds(minute)

    for minute, side in ours.keys() ^ true.keys():
        assert explained(minute), f"{side} in minute {minute}: it was seen"
    one, other = clean.positions(), faulty.positions()
    for key in one.keys() & other.keys():
        ends = [(p["exit_reason"], p["closed"] // MINUTE) for p in (one[key], other[key])]
        if ends[0] != ends[1]:
            first = min(minute for _, minute in ends)
            assert explained(first), f"{key}: {ends} is not explained"
    assert faulty.engine.input_counts()["notice"] >= 2 * faulty.gaps_told()
    held = faulty.engine.books.execution
    for position in held.positions.values():
        assert held.protective(position.id)[0] is not None, "never without a stop"
    assert faulty.sink.health[BTC].rejected > 0
    assert faulty.engine.core.counters.failures == 0
    return clean, faulty


def test_two_hours_with_a_fault_a_minute_differ_by_nothing_a_fault_does_not_explain() -> None:
    _, faulty = compare(2.0)
    assert {what for _, _, what in faulty.faults} == set(FAULTS)


def test_faults_that_cut_nothing_off_change_only_what_risk_refused_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{__name__}.FAULTS", tuple(SPOILERS), raising=True)
    clean, faulty = compare(2.0)
    assert len(faulty.faults) > 100
    ours, true = faulty.entries().keys(), clean.entries().keys()
    assert ours <= true or any(faulty.forbidden(minute) for minute, _ in true - ours)


def resident() -> float:
    """MiB of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.long
@pytest.mark.skipif("TRADETERM_LONG" not in os.environ, reason="takes minutes: TRADETERM_LONG=1")
def test_a_day_with_a_fault_a_minute_and_nothing_grows() -> None:
    compare(24.0)
    sizes: list[tuple[float, int, int]] = []
    day = Day(24.0, faulty=True)

    def measure() -> None:
        day.rows.clear()
        sizes.append((resident(), len(os.listdir("/proc/self/fd")), threading.active_count()))

    day.play(measure)
    (first, files, threads), last = sizes[0], sizes[-1]
    assert last[0] - first < 0.5 * (len(sizes) - 1), "MiB an hour after the first"
    assert last[1:] == (files, threads)
