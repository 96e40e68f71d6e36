"""Whatever can change a future decision is in the snapshot: split anywhere, go on the same."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.engine.machine import Machine, Market, settings
from tradeterm.engine.engine import Engine
from tradeterm.errors import RunMismatch
from tradeterm.model.commands import CancelEntries, Command, EnableTask, Halt, Pause, Resume
from tradeterm.model.vocabulary import OrderStatus
from tradeterm.sessions import restore

BUSY = (
    "orchestration.schedule.trading_decision.interval=600",
    "orchestration.schedule.portfolio_rebalance.interval=900",
    "orchestration.approval.mode=all",
    "execution.latency={least: 0.5, most: 30}",
    "llm.latency=7",
)
"""Decisions every ten minutes, orders long under way, an arbiter that takes its time."""
AHEAD = 1_500
"""Events both halves go on for before they are compared."""

State = Callable[[Engine], bool]
MOMENTS: dict[str, State] = {
    "a question is open": lambda e: bool(e.effects),
    "an answer is under way": lambda e: any(n.startswith("answer") for n in e.core.timers.names()),
    "a card waits": lambda e: bool(e.trading.pending_cards()),
    "an entry is under way": lambda e: any(
        order.status is OrderStatus.PENDING for order in e.books.execution.working.values()
    ),
    "a position is open": lambda e: bool(e.books.execution.positions),
    "nothing is open": lambda e: not e.books.execution.working and not e.trading.pending_cards(),
}


def split_here(machine: Machine, ahead: int) -> None:
    """Dump, load into a new engine, let both go on: every row and the end state are the same."""
    body = machine.engine.dump()
    other = machine.restored(body)
    assert other.engine.dump() == body
    assert other.engine.state_hash() == machine.engine.state_hash()
    goal = min(machine.index + ahead, len(machine.market.events))
    machine.rows.clear()
    machine.run(goal)
    other.run(goal)
    assert other.plain() == machine.plain()
    assert other.engine.dump() == machine.engine.dump()


def walk(market: Market, wanted: dict[str, int], commands: dict[int, Command], seed: int) -> None:
    """One life; at random moments of every wanted kind it is split and both halves go on."""
    draw = random.Random(seed)
    machine = Machine(market, commands).begin()
    left = dict(wanted)
    while machine.index < len(market.events) and left:
        machine.step()
        for name in list(left):
            # Rare moments are taken as they come, common ones now and then.
            if MOMENTS[name](machine.engine) and draw.random() < RATE.get(name, 0.002):
                split_here(machine, AHEAD)
                left[name] -= 1
                if not left[name]:
                    del left[name]
                break
    assert left == {}, f"too few moments of these kinds: {left}"


RATE = {"a question is open": 0.5, "an answer is under way": 0.2, "an entry is under way": 0.2,
        "a card waits": 0.4, "nothing is open": 0.002}  # fmt: skip


@pytest.mark.parametrize("approve_all", [True, False], ids=["approved", "unattended"])
def test_a_stream_split_at_any_moment_goes_on_the_same(*, approve_all: bool) -> None:
    market = Market.of("sim", 24, settings(*BUSY), approve_all=approve_all)
    wanted = {"a question is open": 4, "an answer is under way": 3, "a card waits": 5}
    if approve_all:
        wanted |= {"a card waits": 2, "an entry is under way": 4, "a position is open": 4}
    else:
        wanted |= {"nothing is open": 2}
    walk(market, wanted, {}, seed=11)


def test_splits_around_commands_change_nothing() -> None:
    market = Market.of("sim", 2, settings(*BUSY), seed=3)
    draw = random.Random(5)
    orders: list[Command] = [
        Pause(), Resume(), CancelEntries(), EnableTask(task="sentiment_analysis", enabled=False),
        Halt(), Resume(reason="on"), EnableTask(task="sentiment_analysis", enabled=True),
    ]  # fmt: skip
    at = sorted(draw.sample(range(1000, len(market.events) - 1000), len(orders)))
    commands = dict(zip(at, orders, strict=True))
    machine = Machine(market, commands).begin()
    for index in at:
        machine.run(index)
        split_here(machine, draw.choice([0, 1, 2, 500]))


def bars(folder: Path, symbol: str, count: int, seed: int) -> None:
    """Random bars of a symbol in a file of its own."""
    draw, price = random.Random(seed), 100.0
    with (folder / f"{symbol}_USDT-5m.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for number in range(count):
            opened = price
            price = max(1.0, price * (1 + draw.gauss(0, 0.004)))
            high, low = max(opened, price) * 1.001, min(opened, price) * 0.999
            figures = (opened, high, low, price, draw.random())
            stamp = 1_700_000_100 + 300 * number
            rows.writerow([stamp, *(f"{figure:.4f}" for figure in figures)])


def test_bars_split_at_any_moment_go_on_the_same(tmp_path: Path) -> None:
    """Two symbols of bars under the cross rule: gaps, stops and targets inside bars."""
    for number, symbol in enumerate(("BTC", "XRP")):
        bars(tmp_path, symbol, 1_500, number)
    chosen = settings(
        "agents.trading_decision.rule=ema_cross", "agents.trading_decision.fast=5",
        "agents.trading_decision.slow=12", "risk.regime_leverage.choppy=2",
        "orchestration.schedule.sentiment_analysis.enabled=false",
    )  # fmt: skip
    market = Market.of(f"replay:{tmp_path}", 24 * 7, chosen)
    draw = random.Random(1)
    machine = Machine(market).begin()
    positions = 0
    for index in sorted(draw.sample(range(len(market.events) - 400), 12)):
        machine.run(max(index, machine.index))
        positions += len(machine.engine.books.execution.positions)
        split_here(machine, 300)
    assert positions > 0
    assert machine.engine.core.counters.fills > 10


def test_slicing_of_the_input_is_no_input() -> None:
    """Event by event, in odd chunks or all at once: the same rows in the same order."""
    market = Market.of("sim", 1, settings(*BUSY), seed=5)
    whole = Machine(market).begin()
    whole.run(len(market.events))
    single = Machine(market).begin()
    while single.index < len(market.events) or single.engine.effects:
        single.step()
    odd = Machine(market).begin()
    draw = random.Random(2)
    while odd.index < len(market.events):
        odd.run(min(odd.index + draw.randint(1, 700), len(market.events)))
    assert whole.plain() == single.plain() == odd.plain()
    assert len({m.engine.state_hash() for m in (whole, single, odd)}) == 1
    assert whole.engine.core.counters.fills > 0


def test_a_snapshot_of_another_version_is_refused_with_the_remedy() -> None:
    market = Market.of("sim", 0.01, settings())
    with pytest.raises(RunMismatch, match=r"another version .* missing .* --fresh or --db"):
        restore(market.engine(), msgspec.msgpack.encode({"now": 1}))
