"""Every rule's figure has its unit for people, and keeps its bare figure for scripts."""

from __future__ import annotations

import pytest

from tradeterm.model.units import UNITS, with_unit
from tradeterm.risk.rules import RULES
from tradeterm.risk.spot import SPOT_RULES


def test_no_rule_is_without_a_word_about_its_unit() -> None:
    assert {name for name, _, _ in RULES} == set(UNITS)
    assert {name for name, _ in SPOT_RULES} <= set(UNITS)


@pytest.mark.parametrize(
    ("rule", "figure", "said"),
    [
        ("exposure", "31.3204", "31.3204 %"), ("stop_distance", "0.5 - 3", "0.5 - 3 %"),
        ("leverage", "<= 5", "<= 5 x"), ("data_age", "<= 5", "<= 5 s"),
        ("stop", "0.00000872", "0.00000872 BTC"), ("cash", "2049.04", "2049.04 USDT"),
        ("minimum", "12", "12 XRP"), ("positions", "<= 5", "<= 5"),
        ("minimum", ">= 0.00005 and 0.5 USDT", ">= 0.00005 and 0.5 USDT"),
        ("volatility", "<= 3 for the whole size", "<= 3 for the whole size"),
        ("exposure", "unknown", "unknown"), ("exposure", "", ""), ("a_new_rule", "7", "7"),
    ],
)  # fmt: skip
def test_a_figure_gets_its_unit_and_words_stay_words(rule: str, figure: str, said: str) -> None:
    assert with_unit(rule, figure, "XRP/BTC", "USDT") == said


def test_without_a_symbol_nothing_is_guessed() -> None:
    assert with_unit("stop", "64000") == "64000"
