"""Guards act exactly when they must: bands never hide a price, stops never loosen."""

from __future__ import annotations

import random
from decimal import Decimal
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.test_hand_calculations import MARGIN, TRAILING
from tests.execution.world import BTC, CROSS, INSTRUMENTS, START, D, World, settings
from tradeterm.errors import InvalidOrder
from tradeterm.execution.guards import Band, Guards
from tradeterm.execution.stops import StopRules
from tradeterm.model.orders import OrderUncertain, Position, PositionAlarm, PositionChanged
from tradeterm.model.vocabulary import ExitReason, OrderStatus, PositionSide

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
KINDS = st.sampled_from([ExitReason.STOP, ExitReason.TRAILING, ExitReason.BREAK_EVEN])


def position(
    side: PositionSide, entry: Decimal, stop: Decimal, kind: ExitReason, leverage: int = 1
) -> Position:
    return Position(
        "pos-1", BTC, side, D("0.1"), entry, D(leverage), entry * D("0.1") / leverage, START, START,
        "PAPER-1", "trading_decision", stop, None, D("0.1"), stop_kind=kind, trailing=True,
    )  # fmt: skip


@given(
    side=st.sampled_from(PositionSide), kind=KINDS, even=st.sampled_from(["0", "0.5", "2"]),
    stop=st.integers(-600, 400), moved=st.integers(-800, 800), step=st.sampled_from(["0", "0.1"]),
)  # fmt: skip
def test_a_stop_moves_exactly_from_its_threshold_on_and_only_closer(
    side: PositionSide, kind: ExitReason, even: str, stop: int, moved: int, step: str
) -> None:
    rules = StopRules(settings(trailing=TRAILING | {"step": step}, break_even=even), INSTRUMENTS)
    entry = D(65_000)
    held = position(side, entry, entry * (10_000 + stop * side.sign) / 10_000, kind)
    price = entry * (10_000 + moved * side.sign) / 10_000
    move, threshold = rules.move(held, price), rules.moves_from(held)
    assert threshold is not None
    assert (move is not None) is ((price - threshold) * side.sign >= 0)
    if move is not None:
        level, _ = move
        assert rules.tighter(held, level)
        assert (price - level) * side.sign > 0
        assert level % INSTRUMENTS[BTC].tick == 0
        # From there on the same price moves nothing: no event is looked at twice for it.
        after = replace(held, stop=level, stop_kind=move[1])
        assert rules.move(after, price) is None


class Watchful(World):
    """The same world, in which every event is looked at."""

    def __init__(self, *args: object, **changes: object) -> None:
        super().__init__(*args, **changes)  # type: ignore[arg-type]
        guards: Guards = self.execution._guards

        def always(symbol: str, concerned: list[Position]) -> Band | None:
            del symbol
            return Band(inf, -inf, inf, -inf) if concerned else None

        guards._band = always  # type: ignore[method-assign]


def play(make: type[World], seed: int, cuts: frozenset[int] = frozenset()) -> World:
    """Longs and shorts on BTC and the cross through a wild market."""

    def new() -> World:
        return make(seed=seed, margin=MARGIN, trailing=TRAILING, break_even=D("0.7"))

    world, draw, mid, cross = new(), random.Random(seed), 65_000.0, 840
    for step in range(250):
        if step in cuts:
            world = world.reborn(new)
        mid = round(mid * (1 + draw.gauss(0, 0.006)), 1)
        cross = max(cross + draw.randint(-8, 8), 100)
        world.book(BTC, ((round(mid - 0.1, 1), 9.0),), ((round(mid + 0.1, 1), 9.0),))
        world.book(CROSS, ((cross / 1e8, 90_000.0),), (((cross + 1) / 1e8, 90_000.0),))
        world.trade(BTC, mid)
        world.trade(CROSS, cross / 1e8)
        world.wait(draw.uniform(1, 4000))
        if draw.random() < 0.2 and len(world.execution.positions) < 4:
            side, leverage = draw.choice(list(PositionSide)), draw.randint(1, 5)
            if draw.random() < 0.6:
                stop = D(str(round(mid * (1 - draw.uniform(0.01, 0.4) * side.sign))))
                world.enter(BTC, side, "0.02", str(stop), None, leverage)
            else:
                level = D(cross - side.sign * draw.randint(20, 90)).scaleb(-8)
                world.enter(CROSS, side, "2000", f"{level:f}", None, leverage)
    return world


@pytest.mark.parametrize("seed", range(4))
def test_a_band_hides_nothing_that_looking_at_every_event_would_find(seed: int) -> None:
    world = play(World, seed)
    assert world.events == play(Watchful, seed).events
    assert world.events == play(World, seed, frozenset({40, 41, 120, 200})).events
    reasons = {e.after.exit_reason for e in world.fills if e.after and not e.after.is_open}
    assert ExitReason.TRAILING in reasons


@pytest.mark.parametrize("seed", range(4))
def test_a_stop_never_loosens_by_itself(seed: int) -> None:
    last: dict[str, Decimal] = {}
    moves = 0
    for event in play(World, seed + 10).events:
        if not isinstance(event, PositionChanged):
            continue
        held = event.position
        before = last.get(held.id, held.stop)
        assert (held.stop - before) * held.side.sign >= 0
        moves += held.stop != before
        last[held.id] = held.stop
    assert moves > 3


def test_inside_the_band_an_event_leaves_everything_as_it_was() -> None:
    world = World(margin=MARGIN, trailing=TRAILING)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    world.wait(1)
    world.trade(BTC, 65000.0)
    band = world.execution.guarded[BTC]
    # armed 1 % above 65,000; called with 80 % of 1,300 left, 2,600 below it
    assert (round(band.low), round(band.high)) == (62_400, 65_650)
    assert (round(band.floor), band.ceiling) == (62_400, inf)
    resting = world.execution.interested[BTC]
    assert (resting.low, round(resting.high)) == (64_000.0, 65_650)


@pytest.mark.parametrize(
    ("stop", "message"),
    [("65100", "would fire"), ("64000.05", "not on the tick"), ("0", "not on the tick")],
)
def test_what_is_no_stop_is_refused(stop: str, message: str) -> None:
    world = World(margin=MARGIN)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, LONG, "0.1", "64000")
    world.wait(1)
    with pytest.raises(InvalidOrder, match=message):
        world.execution.move_stop("pos-1", D(stop), ExitReason.STOP, world.now, "cmd-1")
    with pytest.raises(InvalidOrder, match="no open position"):
        world.execution.move_stop("pos-2", D(64_000), ExitReason.STOP, world.now, "cmd-1")


def test_liquidation_goes_past_a_stop_whose_limit_nobody_takes() -> None:
    world = World(margin=MARGIN, stop="stop_loss_limit", stop_limit_offset="0.1")
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    world.wait(1)
    world.book(BTC, ((60000.0, 1.0),), ((60001.0, 1.0),))
    world.trade(BTC, 60000.0)  # through the stop and through its limit of 63936
    (stop, _) = world.execution.protective("pos-1")
    assert stop is not None
    assert (stop.status, stop.filled) == (OrderStatus.OPEN, D(0))
    world.book(BTC, ((57199.0, 1.0),), ((57201.0, 1.0),))
    assert not world.execution.positions
    assert world.fills[-1].exit_reason is ExitReason.LIQUIDATION
    assert world.fills[-1].fill.price == D(57_199)


def test_what_a_part_close_left_short_of_margin_is_judged_alike_after_a_restart() -> None:
    """The rate of the cross moves; its own mid has not since."""

    def new() -> World:
        return World(margin=MARGIN)

    world = new()
    world.book(BTC, ((64999.0, 9.0),), ((65000.0, 9.0),))
    world.book(CROSS, ((0.00000840, 90_000.0),), ((0.00000841, 90_000.0),))
    world.enter(CROSS, SHORT, "2000", "0.00000890", None, 3)
    world.wait(1)
    world.book(CROSS, ((0.00000850, 90_000.0),), ((0.00000851, 90_000.0),))
    world.close(world.position, "1999.99999999")
    world.wait(1)
    assert world.position.size == D("1E-8")
    again = world.reborn(new)
    for each in (world, again):
        each.book(BTC, ((65009.0, 9.0),), ((65010.0, 9.0),))
    assert world.events == again.events
    assert world.fills[-1].exit_reason is ExitReason.LIQUIDATION


def test_a_position_is_told_about_its_margin_once() -> None:
    world = World(margin=MARGIN)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, LONG, "0.1", "50000", leverage=5)
    world.wait(1)
    for bid in (62398.0, 63000.0, 62398.0):  # 80 % of 1,300 are left at a mid of 62,400
        world = world.reborn(lambda: World(margin=MARGIN))
        world.book(BTC, ((bid, 1.0),), ((bid + 2, 1.0),))
    codes = [event.code for event in world.events if isinstance(event, PositionAlarm)]
    assert codes == ["R-MARGIN-CALL"]


def test_an_order_whose_fate_is_unknown_still_counts_as_an_entry() -> None:
    world = World(margin=MARGIN)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    request = world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    lost = OrderUncertain(world.now, request.id, "no answer")
    world.take(world.execution.adopt_reports([lost], world.now))
    assert [order.id for order in world.view().entries] == [request.id]
