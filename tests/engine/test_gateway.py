"""The gateway's policy: no cap is passed, whoever reserves what in which order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.engine.gateway import Budget, Cooldowns
from tradeterm.model.timing import SECOND
from tradeterm.settings.loading import load_settings

D = Decimal
ARBITER, MOOD = "arbiter", "sentiment_analysis"
LLM = load_settings(
    None, ["llm.daily_cap=1", "llm.decision_cap=0.4", f"llm.roles.{MOOD}.daily_cap=0.3"]
).settings.llm

cents = st.integers(0, 60).map(lambda number: D(number) / 100)
#: Who asks, for how much, what the decision has cost so far, and which part of it is billed.
requests = st.lists(st.tuples(st.sampled_from([ARBITER, MOOD]), cents, cents, st.integers(0, 100)))


@given(requests, st.data())
def test_what_is_spent_and_promised_never_passes_a_cap(
    asked: list[tuple[str, Decimal, Decimal, int]], data: st.DataObject
) -> None:
    budget = Budget(LLM)
    budget.turn("2025-06-02")
    under_way: list[tuple[str, Decimal, int]] = []
    for role, amount, before, part in asked:
        if budget.reserve(role, amount, before):
            assert amount + before <= LLM.decision_cap
            under_way.append((role, amount, part))
        over: bool = data.draw(st.booleans())
        if under_way and over:
            of, reserved, billed = under_way.pop(0)
            budget.settle(of, reserved, reserved * billed / 100)
        used = {
            role: budget.spent.get(role, D(0)) + budget.reserved.get(role, D(0))
            for role in (ARBITER, MOOD)
        }
        assert sum(used.values()) <= LLM.daily_cap
        assert used[MOOD] <= D("0.3")
        assert sum(budget.reserved.values()) == sum(amount for _, amount, _ in under_way)


@pytest.mark.parametrize(
    ("spent", "throttled", "exhausted"),
    [("0.23", False, ""), ("0.24", True, ""),
     ("0.30", True, "the day's budget of $0.3 for sentiment_analysis is spent")],
)  # fmt: skip
def test_a_role_is_throttled_at_its_own_eighty_percent(
    spent: str, throttled: bool, exhausted: str
) -> None:
    budget = Budget(LLM, "2025-06-02", {MOOD: D(spent)})
    assert (budget.throttled(MOOD), budget.exhausted(MOOD)) == (throttled, exhausted)
    assert (budget.throttled(ARBITER), budget.exhausted(ARBITER)) == (False, "")


def test_what_one_role_spent_is_missing_from_the_budget_of_all() -> None:
    budget = Budget(LLM, "2025-06-02", {ARBITER: D("0.8")})
    assert budget.throttled(MOOD)
    budget.spent[ARBITER] = D(1)
    assert budget.exhausted(MOOD) == "the day's budget of $1 is spent"
    budget.turn("2025-06-03")
    assert not budget.exhausted(MOOD)


def test_an_address_that_failed_rests_in_market_time_and_as_long_as_its_provider_asks() -> None:
    """Whatever the speed: thirty seconds of the market, and the provider's own by the wall."""
    rest, failed = Cooldowns(30), 100 * SECOND
    rest.failed("a", failed, 1000.0, 0.0)
    rest.failed("b", failed, 1000.0, 90.0)
    rest.failed("c", failed, 1000.0, 1e9)
    assert rest.resting(129 * SECOND, 1000.1) == ("a", "b", "c")
    assert rest.resting(131 * SECOND, 1000.2) == ("b", "c")
    assert rest.resting(131 * SECOND, 1091.0) == ("c",)
    assert rest.resting(129 * SECOND, 1091.0) == ("a", "b", "c")
    assert rest.resting(131 * SECOND, 1000.0 + 3601) == ()
