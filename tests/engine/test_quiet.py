"""Bars taken in bulk leave the same rows and the same state as bars taken one by one."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.engine.machine import Machine, Market, settings
from tradeterm.agents.regime import RegimeAgent
from tradeterm.engine.quiet import LEAST
from tradeterm.execution.following import Follower
from tradeterm.model.commands import Command, EnableTask, Halt, Pause, Resume
from tradeterm.model.market import MarketEvent
from tradeterm.model.messages import Message
from tradeterm.model.orders import ExecutionEvent, Position
from tradeterm.model.vocabulary import AgentName, ExitReason, Topic, VolatilityClass

START = 1_700_000_100  # on the grid of 5 minutes
OTHERS_OFF = tuple(
    f"orchestration.schedule.{name}.enabled=false"
    for name in AgentName
    if name is not AgentName.TRADING
)
RULE = (
    "agents.trading_decision.rule=ema_cross", "agents.trading_decision.fast=10",
    "agents.trading_decision.slow=40",
)  # fmt: skip


def write_bars(
    folder: Path, count: int, seed: int, *, symbol: str = "BTC", step: int = 300,
    wild: float = 0.004, holes: float = 0.0,
) -> None:  # fmt: skip
    """A random walk; with ``holes``, some bars (or many in a row) are missing."""
    draw, price, stamp = random.Random(seed), 30_000.0, START // step * step
    name = {60: "1m", 300: "5m", 3600: "1h"}[step]
    with (folder / f"{symbol}_USDT-{name}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for _ in range(count):
            opened = price
            price = max(1.0, price * (1 + draw.gauss(0, wild)))
            high, low = max(opened, price) * 1.0007, min(opened, price) * 0.9993
            figures = (opened, high, low, price, draw.random())
            rows.writerow([stamp, *(f"{figure:.4f}" for figure in figures)])
            stamp += step
            if draw.random() < holes:
                stamp += step * draw.choice([1, 1, 2, 7, 40, 700])


def opened(folder: Path, *overrides: str, approve_all: bool = True) -> Market:
    return Market.of(
        f"replay:{folder}", 24 * 365, settings(*OTHERS_OFF, *RULE, *overrides),
        approve_all=approve_all,
    )  # fmt: skip


def one_by_one(machine: Machine, until: int) -> None:
    """The reference: a single event is too short a run to be taken in bulk."""
    while machine.index < until or machine.engine.effects:
        machine.step()


def taken_in_bulk(machine: Machine) -> list[int]:
    """Notes how many bars each look ahead takes from now on."""
    counts: list[int] = []
    take = machine.engine._quiet.take

    def noting(events: Sequence[MarketEvent], start: int, stop: int, most: int) -> int:
        counts.append(take(events, start, stop, most))
        return counts[-1]

    machine.engine._quiet.take = noting  # type: ignore[method-assign]
    return counts


def compare(market: Market, commands: dict[int, Command], seed: int) -> tuple[Machine, int]:
    """Both ways to the end, compared at random points; there the bulk one is saved and loaded."""
    draw, end, taken = random.Random(seed), len(market.events), 0
    slow, fast = Machine(market, commands).begin(), Machine(market, commands).begin()
    for index in [*sorted(draw.sample(range(1, end), 12)), end]:
        counts = taken_in_bulk(fast)
        one_by_one(slow, index)
        fast.run(index)
        taken += sum(counts)
        body, rows = fast.engine.dump(), fast.rows
        assert fast.plain() == slow.plain()
        assert body == slow.engine.dump()
        assert fast.engine.next_due == slow.engine.next_due
        fast = fast.restored(body)
        fast.rows = rows
    assert fast.engine.state_hash() == slow.engine.state_hash()
    return slow, taken


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("approve_all", [True, False], ids=["approved", "unattended"])
def test_trades_stops_and_day_rolls(tmp_path: Path, seed: int, *, approve_all: bool) -> None:
    write_bars(tmp_path, 3_000, seed)
    machine, taken = compare(opened(tmp_path, approve_all=approve_all), {}, seed)
    exits = machine.engine.core.counters.exits
    if approve_all:
        assert exits[ExitReason.STOP] + exits[ExitReason.TARGET] > 1
        assert exits[ExitReason.SIGNAL]
    assert taken > 1_000


def test_holes_and_restarts_in_the_data(tmp_path: Path) -> None:
    """Missing bars, hours and days: stale data, late higher candles, marks between bars."""
    write_bars(tmp_path, 3_000, 5, holes=0.02)
    machine, taken = compare(opened(tmp_path), {}, 5)
    assert machine.engine.core.counters.degradation
    assert taken > 500


@pytest.mark.parametrize("step", [60, 3600])
def test_other_bar_lengths(tmp_path: Path, step: int) -> None:
    write_bars(tmp_path, 2_500, 8, step=step)
    machine, taken = compare(opened(tmp_path), {}, 8)
    assert machine.engine.core.counters.fills > 4
    assert taken > (500 if step == 60 else 100)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("execution.time_exit=14000",), ExitReason.TIME),
        (("execution.liquidation=98", "execution.margin.call=99"), ExitReason.LIQUIDATION),
        (
            ("execution.trailing={enabled: true, activation: 0.2, distance: 0.3, step: 0.02}",
             "execution.margin.interval=3600", "execution.margin.call=99"),
            ExitReason.TRAILING,
        ),
        (
            ("execution.break_even=0.9", "execution.trailing.enabled=false"),
            ExitReason.BREAK_EVEN,
        ),
    ],
)  # fmt: skip
def test_positions_that_guards_end(
    tmp_path: Path, overrides: tuple[str, ...], reason: ExitReason
) -> None:
    write_bars(tmp_path, 3_000, 2)
    machine, taken = compare(opened(tmp_path, *overrides), {}, 2)
    assert machine.engine.core.counters.exits[reason]
    assert taken > 800


@pytest.mark.parametrize(
    "overrides",
    [(), ("execution.stop=stop_loss_limit",), ("execution.break_even=0.4",)],
    ids=["market stop", "limit stop", "break-even, too"],
)
@pytest.mark.parametrize("seed", [11, 12])
def test_a_stop_that_follows_does_so_within_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, overrides: tuple[str, ...]
) -> None:
    """Its moves are rows of their own, between the marks, and end no run."""
    steps: list[int] = []
    moved = Follower.moved

    def counting(self: Follower, after: Position) -> list[ExecutionEvent]:
        steps.append(after.updated)
        return moved(self, after)

    monkeypatch.setattr(Follower, "moved", counting)
    write_bars(tmp_path, 2_500, seed, wild=0.002)
    trailing = "execution.trailing={enabled: true, activation: 0.3, distance: 0.9, step: 0.05}"
    machine, _ = compare(opened(tmp_path, trailing, *overrides), {}, seed)
    rows = [row for row in machine.plain() if row[1] == "position" and b"protected" in row[-1]]
    assert len(steps) > 0.6 * len(rows) > 40
    assert machine.engine.core.counters.exits[ExitReason.TRAILING] > 3


@pytest.mark.parametrize("overrides", [(), ("execution.stop=stop_loss_limit",)])
def test_two_stops_of_one_side_follow_within_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    """What nobody approves leaves a second position beside the first; one bar moves both stops."""
    steps: list[int] = []
    moved = Follower.moved

    def counting(self: Follower, after: Position) -> list[ExecutionEvent]:
        steps.append(after.updated)
        return moved(self, after)

    monkeypatch.setattr(Follower, "moved", counting)
    write_bars(tmp_path, 4_000, 21, wild=0.002)
    trailing = "execution.trailing={enabled: true, activation: 0.3, distance: 0.9, step: 0.05}"
    compare(opened(tmp_path, trailing, *overrides, approve_all=False), {}, 21)
    assert len(steps) - len(set(steps)) > 10, "no bar moved two stops"


def test_nobody_who_looks(tmp_path: Path) -> None:
    """Without an agent the bars are passed over all the same."""
    write_bars(tmp_path, 1_500, 13)
    nobody = "orchestration.schedule.trading_decision.enabled=false"
    machine, taken = compare(opened(tmp_path, nobody), {}, 13)
    assert machine.engine.core.counters.agents[AgentName.TRADING.value].runs == 0
    assert taken > 1_000


def test_agents_that_look_now_and_then_and_are_heard_by_others(tmp_path: Path) -> None:
    """Whoever else listens hears every word; between two of them the bars are passed over."""
    write_bars(tmp_path, 1_500, 14, wild=0.003)
    hourly = (
        "orchestration.schedule.technical_analysis={interval: 3600, enabled: true}",
        "orchestration.schedule.regime_detection={interval: 3600, enabled: true}",
        "orchestration.schedule.sentiment_analysis={interval: 3600, enabled: true}",
        "orchestration.ttl.ta_signals=7200", "orchestration.ttl.regime_updates=7200",
        "orchestration.ttl.sentiment_updates=7200",
    )  # fmt: skip
    market = Market.of(f"replay:{tmp_path}", 24 * 365, settings(*hourly), approve_all=True)
    slow, fast = Machine(market), Machine(market)
    heard: tuple[list[int], list[int]] = [], []
    for machine, words in zip((slow, fast), heard, strict=True):
        machine.engine.core.bus.subscribe(Topic.TA_SIGNALS, "test", partial(_note, words))
        machine.begin()
    taken = taken_in_bulk(fast)
    one_by_one(slow, len(market.events))
    fast.run(len(market.events))
    assert fast.plain() == slow.plain()
    assert fast.engine.dump() == slow.engine.dump()
    assert heard[0] == heard[1] != []
    assert sum(taken) > 500


def _note(words: list[int], message: Message) -> None:
    words.append(message.ts)


def test_other_agents_on_their_clocks(tmp_path: Path) -> None:
    """An hourly task ends the runs, and speaks as it would have."""
    write_bars(tmp_path, 2_500, 4)
    machine, taken = compare(
        opened(
            tmp_path,
            "orchestration.schedule.technical_analysis={interval: 3600, enabled: true}",
            "orchestration.ttl.ta_signals=7200",
        ),
        {}, 4,
    )  # fmt: skip
    assert machine.engine.core.counters.agents[AgentName.TECHNICAL.value].rule
    assert taken > 500


@pytest.mark.parametrize(
    ("seed", "overrides"),
    [
        (3, ()),
        (1, ("orchestration.schedule.regime_detection={interval: 900, enabled: true}",
             "orchestration.ttl.regime_updates=1800", "orchestration.ttl.trading_signals=14400",
             "orchestration.schedule.trading_decision={interval: 7200, enabled: true}",
             "risk.max_daily_loss=1", "risk.max_weekly_loss=2", "risk.max_drawdown=3")),
    ],
    ids=["default", "slow and cautious"],
)  # fmt: skip
def test_analysts_speak_on_every_bar(tmp_path: Path, seed: int, overrides: tuple[str, ...]) -> None:
    """All five agents: trades, plans and spot holdings, a breaker, then nothing but opinions."""
    write_bars(tmp_path, 2_000, 30 + seed, wild=0.003)
    market = Market.of(f"replay:{tmp_path}", 24 * 365, settings(*overrides), approve_all=True)
    machine, taken = compare(market, {}, seed)
    counters = machine.engine.core.counters
    assert counters.fills
    assert counters.agents[AgentName.REGIME.value].rule
    assert machine.engine.books.portfolio.holds_assets
    assert {"weekly", "drawdown"} & {each.breaker for each in counters.breakers} or not overrides
    assert taken > 300


def test_a_stop_follows_while_analysts_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its moves stands between what was said of the bar before and of its own."""
    steps: list[int] = []
    moved = Follower.moved

    def counting(self: Follower, after: Position) -> list[ExecutionEvent]:
        steps.append(after.updated)
        return moved(self, after)

    monkeypatch.setattr(Follower, "moved", counting)
    write_bars(tmp_path, 2_000, 41, wild=0.002)
    trailing = "execution.trailing={enabled: true, activation: 0.3, distance: 0.9, step: 0.05}"
    calm = ("risk.max_daily_loss=50", "risk.max_weekly_loss=50", "risk.max_drawdown=50")
    market = Market.of(
        f"replay:{tmp_path}", 24 * 365, settings(trailing, *calm), approve_all=True
    )  # fmt: skip
    machine, taken = compare(market, {}, 41)
    rows = [row for row in machine.plain() if row[1] == "position" and b"protected" in row[-1]]
    assert len(steps) > 0.3 * len(rows) > 10
    assert taken > 1_000


def test_a_task_that_runs_between_bars_too(tmp_path: Path) -> None:
    write_bars(tmp_path, 700, 36, wild=0.003)
    seven_minutes = "orchestration.schedule.sentiment_analysis={interval: 420, enabled: true}"
    market = Market.of(f"replay:{tmp_path}", 24 * 365, settings(seven_minutes))
    machine, _ = compare(market, {}, 36)
    runs = machine.engine.core.counters.agents[AgentName.SENTIMENT.value].runs
    assert runs > 700 * 300 // 420 - 5


def test_an_analyst_that_fails_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted and told as it would have been, and the other one speaks all the same."""
    write_bars(tmp_path, 700, 37, wild=0.003)
    volatility = RegimeAgent._volatility

    def failing(self: RegimeAgent, ratio: float) -> VolatilityClass:
        if int(ratio * 1e6) % 37 == 5:
            raise ValueError("no such volatility")
        return volatility(self, ratio)

    monkeypatch.setattr(RegimeAgent, "_volatility", failing)
    machine, taken = compare(Market.of(f"replay:{tmp_path}", 24 * 365, settings()), {}, 37)
    counts = machine.engine.core.counters.agents
    assert counts[AgentName.REGIME.value].errors > 10
    assert counts[AgentName.TECHNICAL.value].errors == 0
    assert taken > 50


def test_whoever_listens_to_the_analysts_hears_every_word(tmp_path: Path) -> None:
    write_bars(tmp_path, 400, 38, wild=0.003)
    machine = Machine(Market.of(f"replay:{tmp_path}", 24 * 365, settings()))
    heard: list[int] = []
    machine.engine.core.bus.subscribe(Topic.TA_SIGNALS, "test", lambda m: heard.append(m.ts))
    machine.begin()
    taken = taken_in_bulk(machine)
    machine.run(len(machine.market.events))
    assert len(heard) == machine.engine.core.counters.agents[AgentName.TECHNICAL.value].rule > 300
    assert not sum(taken)


def test_two_symbols_are_left_alone(tmp_path: Path) -> None:
    for seed, symbol in enumerate(("BTC", "XRP")):
        write_bars(tmp_path, 1_000, seed, symbol=symbol)
    machine, taken = compare(opened(tmp_path), {}, 1)
    assert machine.engine.core.counters.signals
    assert taken == 0


def test_commands_fall_between_bars(tmp_path: Path) -> None:
    write_bars(tmp_path, 2_500, 6)
    off = EnableTask(task=AgentName.TRADING.value, enabled=False)
    on = EnableTask(task=AgentName.TRADING.value, enabled=True)
    orders: list[Command] = [Pause(), Resume(), off, on, Halt(), Resume(reason="on")]
    at = sorted(random.Random(6).sample(range(300, 2_300), len(orders)))
    _, taken = compare(opened(tmp_path), dict(zip(at, orders, strict=True)), 6)
    assert taken > 500


def test_slices_of_any_size(tmp_path: Path) -> None:
    """What is taken at once depends on how many events there are; what happens does not."""
    write_bars(tmp_path, 2_000, 9)
    market, draw = opened(tmp_path), random.Random(9)
    whole, odd = Machine(market).begin(), Machine(market).begin()
    whole.run(len(market.events))
    while odd.index < len(market.events):
        odd.run(min(odd.index + draw.randint(1, 3 * LEAST), len(market.events)))
    assert odd.plain() == whole.plain()
    assert odd.engine.dump() == whole.engine.dump()


@pytest.mark.parametrize("talk", [True, False], ids=["analysts", "cross rule"])
def test_as_much_work_at_once_as_is_wanted(tmp_path: Path, *, talk: bool) -> None:
    """How much is worth a look at the clock moves nothing; a quiet run is little work."""
    write_bars(tmp_path, 2_000, 10)
    off = () if talk else (*OTHERS_OFF, *RULE)
    market = Market.of(f"replay:{tmp_path}", 24 * 365, settings(*off))
    whole, brief = Machine(market).begin(), Machine(market, most=24).begin()
    whole.run(len(market.events))
    counts = taken_in_bulk(brief)
    brief.run(len(market.events))
    assert (0 < max(counts) <= 24) == talk
    assert brief.plain() == whole.plain()
    assert brief.engine.dump() == whole.engine.dump()
