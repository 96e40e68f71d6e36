"""Changing a setting while a run goes on: whatever is typed is a valid value or a reason why not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeterm.errors import ConfigError
from tradeterm.settings.changing import Tighter, changed, is_looser, value_of, way, why_fixed
from tradeterm.settings.loading import load_settings
from tradeterm.settings.settings import Settings, leaves

LOADED = load_settings().settings
KEYS = [key for key, _ in leaves(LOADED.effective())]
MAY_CHANGE = [key for key in KEYS if way(key) is not None]
TYPED = st.one_of(
    st.text(max_size=20),
    st.decimals().map(str),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(
        ["nan", "inf", "-0", "1e999999", "1E-999999", "null", "true", "[]", "{}", "5 "]
    ),
)


@settings(max_examples=300, deadline=None)
@given(key=st.one_of(st.sampled_from(KEYS), st.text(max_size=20)), text=TYPED)
def test_anything_typed_is_taken_whole_or_refused(key: str, text: str) -> None:
    try:
        found = changed(LOADED, {key: text})
    except ConfigError:
        return
    assert key in MAY_CHANGE
    again = Settings.from_effective(found.effective())  # what a file may say, and nothing else
    assert again == found
    was, now = value_of(LOADED, key), value_of(found, key)
    assert not (is_looser(key, was, now) and is_looser(key, now, was))
    others = [each for each in KEYS if each != key]
    assert [value_of(found, each) for each in others] == [value_of(LOADED, each) for each in others]


@pytest.mark.parametrize(
    ("key", "tighter", "looser"),
    [
        ("risk.max_leverage", "2", "5"),
        ("risk.min_confidence", "0.9", "0.1"),
        ("risk.min_reward_risk", "3", "1"),
        ("risk.max_losses", "3", "9"),
        ("risk.cooldown.loss", "900", "1"),
        ("risk.regime_leverage.ranging", "1", "5"),
        ("risk.by_symbol.BTC.max_stop", "2", "4"),
        ("risk.throttle.entries_per_minute", "1", "999"),
        ("risk.throttle.repeat", "3600", "0"),
        ("risk.volatility.ratio", "2", "4"),
        ("console.stale_after", "5", "60"),
    ],
)
def test_which_way_is_tighter(key: str, tighter: str, looser: str) -> None:
    was = value_of(LOADED, key)
    assert (is_looser(key, was, tighter), is_looser(key, was, looser)) == (False, looser != was)


def test_every_limit_says_which_way_is_tighter_and_every_other_key_why_it_is_fixed() -> None:
    assert {way(key) for key in MAY_CHANGE if key.startswith("risk.max_")} == {Tighter.LESS}
    assert {way(key) for key in MAY_CHANGE if key.startswith("risk.min_")} == {Tighter.MORE}
    for key in set(KEYS) - set(MAY_CHANGE):
        assert "is fixed while a run goes on: " in why_fixed(key)
