"""A run cut at any moment and continued from its dump ends like the run that was never cut."""

from __future__ import annotations

import random

import pytest

from tests.execution.world import BTC, XRP, D, World
from tradeterm.model.vocabulary import PositionSide, Purpose, Side

STEPS = 120


def play(seed: int, cuts: frozenset[int]) -> World:
    """A scripted mess: BTC with a book, XRP on bars; restarted before each step in ``cuts``."""
    script = random.Random(seed)
    world = World(seed=seed)
    mid = 65_000.0
    for step in range(STEPS):
        if step in cuts:
            world = world.reborn(lambda: World(seed=seed))
        mid = round(mid * (1 + script.uniform(-0.01, 0.01)), 1)
        world.book(
            BTC,
            tuple((round(mid - 0.1 - n * 5, 1), 0.003 * (n + 1)) for n in range(4)),
            tuple((round(mid + 0.1 + n * 5, 1), 0.003 * (n + 1)) for n in range(4)),
        )  # fmt: skip
        world.trade(BTC, mid)
        low = script.uniform(0.52, 0.54)
        world.bar(XRP, (0.54, 0.56, round(low, 5), 0.54))
        _act(world, script, mid)
        world.wait(script.uniform(0, 2))
    return world


def _act(world: World, script: random.Random, mid: float) -> None:
    choice = script.random()
    side = script.choice(list(PositionSide))
    if choice < 0.25:
        stop = D(str(round(mid * (1 - 0.01 * side.sign))))
        world.enter(BTC, side, "0.009", str(stop), None, script.randint(1, 5))
    elif choice < 0.4:
        world.enter(XRP, PositionSide.LONG, "100", "0.525", "0.555")
    elif choice < 0.5:
        world.send(world.execution.requests.spot(
            BTC, Side.BUY, D("0.004"), Purpose.REBALANCE, world.now, "verdict-1"
        ))  # fmt: skip
    elif choice < 0.6 and world.execution.positions:
        position = script.choice(list(world.execution.positions.values()))
        if not world.execution.closing(position.id):
            world.close(position, str((position.size / 2).quantize(D("0.00000001"))))
    elif choice < 0.65:
        world.take(world.execution.cancel_entries(world.now, "halted"))


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_run_ends_like_the_uncut_one(seed: int) -> None:
    whole = play(seed, frozenset())
    assert len(whole.fills) > 10
    cuts = frozenset(random.Random(seed + 100).sample(range(STEPS), 15))
    pieces = play(seed, cuts)
    assert pieces.events == whole.events
    assert pieces.entries == whole.entries
    assert pieces.dump() == whole.dump()
    assert pieces.view() == whole.view()


def test_a_dump_is_a_copy() -> None:
    world = play(1, frozenset())
    state = world.execution.dump()
    before = len(state.orders.finished), dict(state.venue.floor.held)
    world.book(BTC, ((65000.0, 1.0),), ((65001.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "60000")
    world.wait(2)
    assert (len(state.orders.finished), state.venue.floor.held) == before
