"""Breakers: what trips them, and that nothing but an operator's reset loosens one."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.risk.accounts import D
from tests.risk.accounts import settings as shipped
from tradeterm.engine.approver import Approver
from tradeterm.engine.engine import Engine
from tradeterm.model.commands import Command, Halt, Pause, ResetBreaker, Resume
from tradeterm.model.timing import DAY, HOUR, MINUTE, day_start, parse_instant, week_start
from tradeterm.model.vocabulary import Breaker, MarketMode, RunState
from tradeterm.portfolio.marks import Marks
from tradeterm.risk.breakers import Bases, floor_equity, readings
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings

LIMITS = shipped()
START = parse_instant("2025-06-05T10:00:00Z")  # a Thursday
FLAT = {
    "equity": D(10000), "day_start": D(10000), "high": D(10000), "week_start": D(10000),
    "peak": D(10000), "losses": 0,
}  # fmt: skip


def reached(**changes: Any) -> set[str]:
    bases = Bases(**{**FLAT, **changes})
    found = {reading.breaker.value for reading in readings(bases, LIMITS) if reading.reached}
    assert (bases.equity <= floor_equity(bases, LIMITS)) is bool(found - {"losses"})
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"equity": D("9500.01")}, set()),
        ({"equity": D(9500)}, {"daily"}),
        ({"equity": D("9499.99"), "day_start": D(9000)}, {"daily"}),  # by the high of 24 hours
        ({"equity": D("9499.99"), "high": D(9000)}, {"daily"}),  # by the start of the day
        ({"equity": D("9000.01")}, {"daily"}),
        ({"equity": D(9000)}, {"daily", "weekly"}),
        ({"equity": D("8000.01")}, {"daily", "weekly"}),
        ({"equity": D(8000)}, {"daily", "weekly", "drawdown"}),
        ({"equity": D(8000), "day_start": D(8000), "high": D(8000), "week_start": D(8000)},
         {"drawdown"}),
        ({"losses": 4}, set()), ({"losses": 5}, {"losses"}), ({"losses": 9}, {"losses"}),
        ({"equity": D(0)}, {"daily", "weekly", "drawdown"}),
        ({"equity": D(-50)}, {"daily", "weekly", "drawdown"}),
        ({"day_start": D(0), "high": D(0)}, {"daily"}),  # without a base all is lost, not nothing
    ],
)  # fmt: skip
def test_reaching_the_limit_is_enough(changes: dict[str, Any], expected: set[str]) -> None:
    if changes.get("day_start") == 0:
        assert {r.breaker.value for r in readings(Bases(**{**FLAT, **changes}), LIMITS)
                if r.reached} == expected  # fmt: skip
    else:
        assert reached(**changes) == expected


STEPS = st.lists(
    st.tuples(st.integers(1, 30 * HOUR), st.integers(5_000, 15_000), st.booleans()), max_size=40
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_bases_are_what_the_marks_say_also_after_restarts(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Worked out a second time from the whole list of marks."""
    marks, seen, now = Marks(), list[tuple[int, Decimal]](), START
    for after, amount, restart in steps:
        now += after
        seen.append((now, D(amount)))
        marks.note(*seen[-1])
        if restart:
            before, marks = marks, Marks()
            marks.load(before.dump())
        assert marks.high(now) == max(e for ts, e in seen if ts >= now - DAY)
        assert marks.peak == max(e for _, e in seen)
        assert marks.day_start == next(e for ts, e in seen if ts >= day_start(now))
        assert marks.week_start == next(e for ts, e in seen if ts >= week_start(now))


# -- nothing loosens -----------------------------------------------------------------------


@cache
def plain() -> Settings:
    return load_settings().settings


class Life:
    """An engine whose equity is what the test says."""

    def __init__(self) -> None:
        self.equity = D(10000)
        self.engine = self._new()
        self.engine.begin(START, "run")

    def _new(self) -> Engine:
        chosen = plain()
        steps = {s: i for s in ("BTC/USDT",) if (i := chosen.market.instrument(s))}
        engine = Engine(chosen, steps, ("BTC/USDT",), MarketMode.REPLAY, 7, Approver())
        engine.books.portfolio.equity = lambda positions: self.equity  # type: ignore[method-assign]
        return engine

    def mark(self, after: int, equity: int) -> None:
        self.equity = D(equity)
        self.engine.core.stamp.now += after
        self.engine.books.marking.mark()

    def timer(self) -> None:
        self.engine.core.stamp.now += HOUR
        self.engine.breaking.timer()

    def lose(self, count: int) -> None:
        self.engine.books.portfolio.marks.loss_streak = count
        self.mark(MINUTE, int(self.equity))

    def restart(self) -> None:
        body = self.engine.dump()
        self.engine = self._new()
        self.engine.load(body)
        assert self.engine.dump() == body

    def order(self, command: Command) -> bool:
        return self.engine.command(command, self.engine.now + 1).accepted


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.integers(1, 60 * HOUR), st.integers(7_000, 11_000)),
        st.tuples(st.just("lose"), st.integers(0, 7)),
        st.tuples(st.sampled_from(["timer", "restart", "halt", "pause", "resume"])),
        st.tuples(st.just("reset"), st.sampled_from(list(Breaker))),
    ),
    max_size=25,
)
_ORDERS = {"halt": Halt(), "pause": Pause(), "resume": Resume()}


@settings(max_examples=60, deadline=None)
@given(DEEDS)
def test_no_restart_midnight_or_gain_loosens_a_halt_or_somebodys_pause(
    deeds: list[tuple[Any, ...]],
) -> None:
    life, somebodys = Life(), False
    for name, *details in deeds:
        core = life.engine.core
        before, tripped = core.state, set(core.tripped)
        if name == "reset":
            if life.order(ResetBreaker(breaker=details[0], reason="looked")):
                tripped.discard(details[0])
        elif name in _ORDERS:
            accepted = life.order(_ORDERS[name])
            somebodys = name == "pause" if accepted else somebodys
            if name == "resume" and accepted:
                assert not core.tripped
                before = RunState.RUNNING
        else:
            getattr(life, name)(*details)
        core = life.engine.core
        if before is RunState.HALTED:
            assert core.state is RunState.HALTED
        if before is RunState.PAUSED and somebodys:
            assert core.state is not RunState.RUNNING
        manual = {Breaker.WEEKLY, Breaker.DRAWDOWN}
        assert tripped & manual <= set(core.tripped), "only a reset ends these"
        if Breaker.DRAWDOWN in core.tripped:
            assert core.state is RunState.HALTED
        if core.tripped:
            assert core.state is not RunState.RUNNING


def test_losses_of_open_positions_during_the_pause_trip_nothing_anew() -> None:
    """They lengthen its cool-down; when that is over, only a new loss counts."""
    life = Life()
    life.lose(5)
    assert set(life.engine.core.tripped) == {Breaker.LOSSES}
    life.lose(6)
    life.mark(2 * HOUR, 10_000)
    assert not life.engine.core.tripped
    life.mark(MINUTE, 10_000)
    assert life.engine.core.state is RunState.RUNNING
    life.lose(7)
    assert set(life.engine.core.tripped) == {Breaker.LOSSES}
