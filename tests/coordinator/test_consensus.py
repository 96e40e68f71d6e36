"""The consensus formula of DESIGN §6, figure by figure."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from tests.coordinator.scenes import BTC, D, mood, regime, ta
from tradeterm.coordinator.consensus import boosted, consensus, multiplier
from tradeterm.coordinator.evidence import Evidence, Heard, within
from tradeterm.model.vocabulary import Bias, PositionSide


@pytest.mark.parametrize(
    ("agreeing", "factor"),
    [
        (1.0, 1.3),
        (0.9, 1.24),
        (2 / 3, 1.1),
        (0.66, 1.096),
        (0.6599, 1.0),
        (0.5, 1.0),
        (1 / 3, 1.0),
        (0.33, 1.0),
        (0.3299, 0.99995),
        (0.2, 0.94091),
        (0.0, 0.85),
    ],
)
def test_the_multiplier_follows_the_formula(agreeing: float, factor: float) -> None:
    assert multiplier(agreeing) == pytest.approx(factor, abs=1e-4)


LONG, SHORT, NEUTRAL = Bias.LONG, Bias.SHORT, Bias.NEUTRAL


@pytest.mark.parametrize(
    ("biases", "agreeing"),
    [
        ((LONG, LONG, LONG), 1.0),
        ((LONG, LONG, SHORT), 2 / 3),
        ((LONG, NEUTRAL, SHORT), 1 / 3),
        ((NEUTRAL, NEUTRAL, NEUTRAL), 0.0),
        ((SHORT, SHORT, SHORT), 0.0),
    ],
)
def test_the_agreeing_share_counts_who_leans_the_same_way(
    biases: tuple[Bias, Bias, Bias], agreeing: float
) -> None:
    technical, climate, news = biases
    evidence = Evidence(ta(technical), regime(bias=climate), mood(news))
    found = consensus(PositionSide.LONG, evidence)
    assert found.agreeing == pytest.approx(agreeing)
    assert list(found.heard.values()) == [bias.value for bias in biases]


def test_short_signals_count_short_leanings() -> None:
    evidence = Evidence(ta(SHORT), regime(bias=SHORT), mood(LONG))
    assert consensus(PositionSide.SHORT, evidence).agreeing == pytest.approx(2 / 3)


def test_nobody_heard_changes_nothing() -> None:
    found = consensus(PositionSide.LONG, Evidence())
    assert (found.multiplier, found.heard) == (1.0, {})


WINDOWS = {"technical_analysis": 120, "regime_detection": 600, "sentiment_analysis": 3600}


@pytest.mark.parametrize(("age", "heard"), [(120.0, True), (120.5, False)])
def test_views_older_than_their_window_are_not_heard(age: float, *, heard: bool) -> None:
    evidence = within(Evidence(technical=ta(age=age)), WINDOWS)
    assert (evidence.technical is not None) is heard


def test_held_regimes_have_the_regime_window() -> None:
    evidence = within(Evidence(held_regimes=(regime(age=601), regime(age=600))), WINDOWS)
    assert len(evidence.held_regimes) == 1


def test_an_output_of_the_wrong_kind_is_not_read() -> None:
    wrong = Heard(regime().published, 0.0)
    assert Evidence(technical=wrong, sentiment=wrong, regime=ta()).analysts() == ()
    assert wrong.published.output.symbol == BTC


@pytest.mark.parametrize(
    ("confidence", "factor", "expected"),
    [
        (0.7, 1.3, "0.91"),
        (0.8, 1.3, "0.95"),
        (0.99, 1.0, "0.95"),
        (0.7, 0.85, "0.595"),
    ],
)
def test_confidence_is_boosted_and_capped(confidence: float, factor: float, expected: str) -> None:
    assert boosted(confidence, factor, D("0.95")) == Decimal(expected)


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf])
def test_a_confidence_that_is_no_number_stays_one_for_risk_to_refuse(confidence: float) -> None:
    assert boosted(confidence, 1.0, D("0.95")).is_nan()
