"""Levels by failures in a row, recovery by successes, conditions that hold, what each permits."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.coordinator.scenes import NOW, answer, question, settings
from tradeterm.coordinator.degradation import Degradation, DegradationState, Permission
from tradeterm.model.vocabulary import Level

SETTINGS = settings().degradation
N, R, L, E = Level.NORMAL, Level.REDUCED, Level.LIMITED, Level.EMERGENCY


@pytest.mark.parametrize(
    ("failures", "level"),
    [
        (0, N),
        (2, N),
        (3, R),
        (5, R),
        (6, L),
        (8, L),
        (9, E),
        (50, E),
    ],
)
def test_failures_in_a_row_lower_the_level(failures: int, level: Level) -> None:
    health = Degradation(SETTINGS)
    for _ in range(failures):
        health.failed("arbiter")
    assert health.level is level
    assert ("arbiter" in health.cause) is (level is not N)


def test_a_success_breaks_the_row() -> None:
    health = Degradation(SETTINGS)
    for _ in range(4):
        health.failed("arbiter")
        health.failed("arbiter")
        health.succeeded()
    assert health.level is N


def test_three_successes_recover_one_level_each() -> None:
    health = Degradation(SETTINGS)
    for _ in range(9):
        health.failed("arbiter")
    levels = [health.succeeded() for _ in range(9)]
    assert levels == [E, E, L, L, L, R, R, R, N]
    assert health.cause == ""


def test_recovery_is_broken_by_a_failure_and_worsens_from_where_it_stands() -> None:
    health = Degradation(SETTINGS)
    for _ in range(6):
        health.failed("arbiter")
    health.succeeded()
    health.succeeded()
    health.failed("arbiter")
    assert [health.succeeded() for _ in range(3)] == [L, L, R]
    assert [health.failed("arbiter") for _ in range(3)] == [R, R, L]


def test_conditions_hold_the_level_while_they_last() -> None:
    health = Degradation(SETTINGS)
    assert health.hold("journal", E) is E
    assert health.hold("stale data", R) is E
    assert health.cause == "journal, stale data"
    assert [health.succeeded() for _ in range(5)] == [E] * 5
    assert health.release("journal") is R
    assert health.release("stale data") is N
    assert health.release("never held") is N


@pytest.mark.parametrize(
    ("level", "permitted"),
    [
        (N, set(Permission)),
        (R, {Permission.LLM, Permission.LLM_FOR_REGIME, Permission.NEW_EXPOSURE}),
        (L, {Permission.LLM_FOR_REGIME, Permission.NEW_EXPOSURE}),
        (E, set()),
    ],
)
def test_what_each_level_permits(level: Level, permitted: set[Permission]) -> None:
    health = Degradation(SETTINGS)
    health.hold("drill", level)
    assert {one for one in Permission if health.permits(one)} == permitted


STEPS = st.lists(st.sampled_from(["fail", "succeed", "hold", "release"]), max_size=30)


@given(STEPS, STEPS)
def test_a_restart_between_any_two_steps_changes_nothing(
    before: list[str], after: list[str]
) -> None:
    def run(health: Degradation, steps: list[str]) -> list[tuple[Level, str]]:
        moves: dict[str, Callable[[], Level]] = {
            "fail": lambda: health.failed("x"),
            "succeed": health.succeeded,
            "hold": lambda: health.hold("data", L),
            "release": lambda: health.release("data"),
        }
        return [(moves[step](), health.cause) for step in steps]

    one, two = Degradation(SETTINGS), Degradation(SETTINGS)
    run(one, before)
    raw = msgspec.msgpack.encode(one.dump())
    two.load(msgspec.msgpack.decode(raw, type=DegradationState))
    assert run(one, after) == run(two, after)


def test_the_coordinator_counts_invalid_answers_as_failures() -> None:
    keeper, asked = question()
    for _ in range(3):
        keeper.resolve(asked, answer(leverage=1000.0), NOW)
    assert keeper.degradation.level is R
    for _ in range(3):
        keeper.resolve(asked, answer(), NOW)
    assert keeper.degradation.level is N
