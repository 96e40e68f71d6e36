"""How far our clock is from the exchange's: stamps bound it, an answer brackets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.adapters.feeds.live.clock import SkewGauge
from tradeterm.model.timing import MILLISECOND, MINUTE, SECOND

NOON = 1_750_000_000 * SECOND


def test_before_anything_was_said_it_is_unknown() -> None:
    assert SkewGauge().skew() is None


def test_the_fastest_message_of_a_minute_says_most() -> None:
    gauge = SkewGauge()
    for number, latency in enumerate((900, 40, 350, 2000)):
        stamped = NOON + number * SECOND
        gauge.stamped(stamped, stamped + latency * MILLISECOND)
    assert gauge.skew() == pytest.approx(0.040)


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    gauge = SkewGauge()
    gauge.stamped(NOON, NOON + 10 * MILLISECOND)
    gauge.stamped(NOON + 2 * MINUTE, NOON + 2 * MINUTE + 5 * SECOND)
    assert gauge.skew() == pytest.approx(5.0)
    assert gauge.skew(NOON + 9 * MINUTE) is None, "silence says nothing about a clock"


def test_messages_that_all_queued_are_not_a_clock_that_is_off() -> None:
    gauge = SkewGauge()
    gauge.stamped(NOON, NOON + 8 * SECOND)
    gauge.asked(NOON + 8 * SECOND, NOON + 8100 * MILLISECOND, NOON + 8050 * MILLISECOND)
    assert gauge.skew() == pytest.approx(0.050)


@pytest.mark.parametrize("told", [0, 1], ids=["at the second", "a second ago"])
def test_an_exchange_that_rounds_to_seconds_does_not_make_us_wrong(told: int) -> None:
    gauge = SkewGauge()
    gauge.asked(NOON + 900 * MILLISECOND, NOON + 950 * MILLISECOND, NOON - told * SECOND)
    assert gauge.skew() == pytest.approx(0.0 if not told else 0.9)


@given(
    skew=st.integers(-3600 * 1000, 3600 * 1000),
    latencies=st.lists(st.integers(0, 3000), min_size=1, max_size=30),
    trip=st.tuples(st.integers(0, 500), st.integers(0, 500)),
)
def test_the_true_skew_is_met_to_within_the_journey(
    skew: int, latencies: list[int], trip: tuple[int, int]
) -> None:
    """Ours is ``skew`` ms ahead; messages take 0-3 s, a question there and back 0-1 s."""
    gauge, ahead = SkewGauge(), skew * MILLISECOND
    for number, latency in enumerate(latencies):
        sent = NOON + number * SECOND + 1
        gauge.stamped(sent, sent + latency * MILLISECOND + ahead)
    stamps_only = gauge.skew()
    assert stamps_only is not None
    assert stamps_only * 1000 >= skew - 0.001
    asked = NOON + len(latencies) * SECOND
    there, back = (part * MILLISECOND for part in trip)
    told = asked + there + 1  # never a whole second
    if told % SECOND:
        gauge.asked(asked + ahead, asked + there + back + ahead, told)
        found = gauge.skew()
        assert found is not None
        assert abs(found * 1000 - skew) <= sum(trip) + 0.001
