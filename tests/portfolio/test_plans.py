"""DCA plans are arithmetic: batches sum to the cent, merge, are tried again, and end."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.model.money import ZERO, total
from tradeterm.model.outputs import RebalanceLeg
from tradeterm.model.timing import HOUR, SECOND
from tradeterm.model.vocabulary import PlanStatus, Purpose, Side
from tradeterm.portfolio.plans import SHORT, Plan, draw_up, split
from tradeterm.settings.loading import load_settings
from tradeterm.settings.portfolio import DcaSettings

D = Decimal
START = 1_748_822_400 * SECOND
SETTINGS = load_settings().settings.portfolio
BTC, XRP = "BTC/USDT", "XRP/USDT"
LEAST = {BTC: D(10), XRP: D(10)}

cents = st.integers(1, 5_000_000).map(lambda n: D(n) / 100)


def plan(*legs: tuple[str, str], **changes: int) -> Plan:
    dca = DcaSettings.model_validate(SETTINGS.dca.model_dump() | changes)
    asked = [RebalanceLeg(symbol, D(amount)) for symbol, amount in legs]
    return draw_up("plan-1", START, "out-1", asked, dca, LEAST)


def batch(before: Plan, now: int, *filled: str, reason: str = "") -> tuple[Plan, list[int]]:
    """One batch in which the wanted legs fill these amounts."""
    tried = before.wanted(now, LEAST)
    after = before.begun(now, tried)
    for number, amount in zip(tried, filled, strict=True):
        after = after.sent(f"o-{number}", number).ended(f"o-{number}", D(amount), D(1), reason)
    return after.settled(now, LEAST)


@given(amount=cents, batches=st.integers(1, 24), least=cents)
def test_batches_sum_to_the_cent_and_none_is_too_small(
    amount: Decimal, batches: int, least: Decimal
) -> None:
    parts = split(amount, batches, least)
    assert len(parts) == batches
    assert total(parts) == amount
    real = [part for part in parts if part]
    assert parts[0] == real[0]
    assert len(set(real[:-1])) <= 1
    assert all(part == part.quantize(D("0.01")) for part in parts)
    assert real[-1] - real[0] < D("0.01") * len(real)
    assert all(part >= least for part in real) or real == [amount]
    # as many as there can be: one more would be too small
    assert len(real) == batches or amount / (len(real) + 1) < least


def test_small_batches_are_merged_and_spread() -> None:
    assert split(D("35.01"), 6, D(10)) == (D("11.67"), ZERO, D("11.67"), ZERO, D("11.67"), ZERO)
    assert split(D("100"), 6, D(10)) == (*[D("16.66")] * 5, D("16.70"))
    assert split(D("7"), 6, D(10)) == (D(7), *[ZERO] * 5)


def test_five_hundred_in_all_becomes_a_plan_of_six_batches_over_twenty_hours() -> None:
    spread = plan((BTC, "-250"), (XRP, "250"))
    assert spread.purpose is Purpose.DCA
    assert [(slot - START) / HOUR for slot in spread.slots] == [0, 4, 8, 12, 16, 20]
    assert [(leg.side, leg.amount) for leg in spread.legs] == [
        (Side.SELL, D(250)), (Side.BUY, D(250)),
    ]  # fmt: skip
    assert spread.expires == START + 24 * HOUR
    at_once = plan((BTC, "-249.99"), (XRP, "250"))
    assert (at_once.purpose, at_once.slots) == (Purpose.REBALANCE, (START,))


def test_what_a_batch_left_is_due_at_the_next_slot() -> None:
    first, failed = batch(plan((BTC, "600")), START, "40", reason="no depth")
    assert failed == [0]
    assert first.legs[0].due(first.passed(START + 4 * HOUR)) == 160
    second, failed = batch(first, START + 4 * HOUR, "160")
    assert failed == []
    assert (second.legs[0].failures, second.legs[0].reason) == (0, "")


def test_a_batch_is_tried_three_more_times_then_the_plan_is_short_of_cash() -> None:
    tried = plan((BTC, "600"), (XRP, "600"))
    for slot in range(4):
        now = START + slot * 4 * HOUR
        assert tried.outcome(LEAST) is None
        tried, failed = batch(tried, now, "0", "100", reason=SHORT)
        assert failed == [0]
    # BTC is given up, XRP goes on to its end.
    for slot in (4, 5):
        now = START + slot * 4 * HOUR
        assert tried.wanted(now, LEAST) == [1]
        assert tried.outcome(LEAST) is None
        tried, failed = batch(tried, now, "100")
        assert failed == []
    status, reason = tried.outcome(LEAST) or (None, "")
    assert status is PlanStatus.SHORT_OF_CASH
    assert reason == "BTC/USDT buy: 0 of 600, short of cash"


def test_the_last_batch_is_tried_after_the_last_slot_too() -> None:
    tried = plan((BTC, "600"))
    for slot in range(5):
        tried, _ = batch(tried, START + slot * 4 * HOUR, "100")
    tried, failed = batch(tried, START + 20 * HOUR, "0", reason="stale_data")
    assert failed == [0]
    assert tried.following == START + 24 * HOUR
    assert tried.expires == START + 28 * HOUR
    done, _ = batch(tried, START + 24 * HOUR, "100")
    assert done.outcome(LEAST) == (PlanStatus.COMPLETED, "")


def test_any_other_reason_makes_it_failed() -> None:
    tried = plan((BTC, "600"), retries=0)
    tried, _ = batch(tried, START, "0", reason="stale_data")
    assert tried.outcome(LEAST) == (
        PlanStatus.FAILED, "BTC/USDT buy: 0 of 600, stale_data",
    )  # fmt: skip


def test_sells_come_first() -> None:
    spread = plan((XRP, "300"), (BTC, "-300"))
    assert [spread.legs[n].side for n in spread.wanted(START, LEAST)] == [Side.SELL, Side.BUY]


@given(
    amount=st.integers(50_000, 900_000).map(lambda n: D(n) / 100),
    shares=st.lists(st.sampled_from(["0", "0.3", "1", "1.01"]), min_size=24, max_size=24),
)
def test_a_plan_ends_whatever_fills_and_leaves_less_than_an_order(
    amount: Decimal, shares: list[str]
) -> None:
    going = plan((BTC, str(amount)))
    now, left = START, iter(shares)
    while going.outcome(LEAST) is None:
        tried = going.wanted(now, LEAST)
        going = going.begun(now, tried)
        for number in tried:
            due = going.legs[number].due(going.batch)
            part = due * D(next(left))
            going = going.sent("o", number).ended("o", part, ZERO, "" if part >= due else "x")
        going, _ = going.settled(now, LEAST)
        now = going.following or now
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(going), type=Plan) == going
    status, _ = going.outcome(LEAST) or (None, "")
    leg = going.legs[0]
    if status is PlanStatus.COMPLETED:
        assert leg.amount - leg.filled < LEAST[BTC]
        # At most 1 % over what a batch asks for: its own slot, those that failed, a rest.
        most = max(leg.batches) * (SETTINGS.dca.retries + 1) + LEAST[BTC]
        assert leg.filled - leg.amount <= most / 100
    else:
        assert leg.given_up
        assert leg.failures == SETTINGS.dca.retries + 1


@pytest.mark.parametrize(("change", "message"), [
    ("portfolio.hodl.split.BTC=49", "split add up to 99 percent"),
    ("portfolio.hodl.threshold.ETH=5", "threshold.ETH has no share"),
    ("portfolio.hodl.cap.BTC=-1", "cap.BTC is -1"),
    ("portfolio.dca.batches=0", "batches"),
])  # fmt: skip
def test_settings_that_make_no_sense_stop_the_start(change: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        load_settings(None, [change])
