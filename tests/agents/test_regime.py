"""Regimes: seven of them, believed only after being seen several times."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.agents.world import SETTINGS, context, drift, market, snapshot
from tradeterm.agents.regime import ADVICE, RegimeAgent, RegimeMemory
from tradeterm.market.recipes import IndicatorSet
from tradeterm.model.outputs import RegimeView
from tradeterm.model.vocabulary import Bias, Regime, VolatilityClass

CALM = {
    "adx": 15.0, "plus_di": 25.0, "minus_di": 15.0, "choppiness": 50.0,
    "atr": 1.0, "atr_mean": 1.0, "squeeze": False,
}  # fmt: skip


def figures(**changes: float | bool | None) -> IndicatorSet:
    return msgspec.convert({"ts": 1, "close": 100.0, **CALM, **changes}, IndicatorSet)


def agent() -> RegimeAgent:
    return RegimeAgent(SETTINGS.agents.regime_detection)


@pytest.mark.parametrize(
    ("changes", "regime"),
    [
        ({}, Regime.RANGING),
        ({"adx": 25.0}, Regime.TRENDING_BULL),
        ({"adx": 24.9}, Regime.RANGING),
        ({"adx": 30.0, "minus_di": 30.0}, Regime.TRENDING_BEAR),
        ({"adx": 30.0, "choppiness": 61.8}, Regime.CHOPPY),
        ({"choppiness": 61.8}, Regime.CHOPPY),
        ({"atr": 1.5}, Regime.VOLATILE_BULL),
        ({"atr": 1.49}, Regime.RANGING),
        ({"atr": 1.5, "minus_di": 30.0}, Regime.VOLATILE_BEAR),
        ({"squeeze": True}, Regime.BREAKOUT_POTENTIAL),
        ({"choppiness": None}, Regime.RANGING),
    ],
)
def test_the_figures_decide(changes: dict[str, float | bool | None], regime: Regime) -> None:
    seen = agent().classify(figures(**changes))
    assert seen is not None
    assert seen[0] is regime
    assert 0.0 < seen[1] <= 0.95


def test_a_market_nearer_to_its_trend_threshold_ranges_less_surely() -> None:
    late = RegimeAgent(SETTINGS.agents.regime_detection.model_copy(update={"adx_trend": 40.0}))
    far, near = (late.classify(figures(adx=adx)) for adx in (26.0, 39.0))
    assert far is not None
    assert near is not None
    assert (far[0], near[0]) == (Regime.RANGING, Regime.RANGING)
    assert far[1] == pytest.approx(0.78)
    assert near[1] == pytest.approx(0.52)


@pytest.mark.parametrize("missing", ["adx", "plus_di", "minus_di", "atr", "atr_mean"])
def test_what_is_not_warm_gives_no_regime(missing: str) -> None:
    assert agent().classify(figures(**{missing: None})) is None


def run(detector: RegimeAgent, **changes: float | bool | None) -> RegimeView:
    shown = snapshot(market(drift(3, 0.0)))
    shown = msgspec.structs.replace(shown, by_timeframe={300: figures(**changes)})
    found = detector.run(context(shown))
    assert found is not None
    return found


def test_a_new_regime_needs_confirmation() -> None:
    detector = agent()
    assert run(detector).regime is Regime.RANGING
    first = run(detector, adx=40.0)
    assert (first.regime, first.previous) == (Regime.RANGING, None)
    assert "sees trending_bull 1/2" in first.reasoning
    second = run(detector, adx=40.0)
    assert (second.regime, second.previous) == (Regime.TRENDING_BULL, Regime.RANGING)
    assert run(detector, adx=40.0).previous is None


def test_a_glimpse_of_something_else_starts_the_count_again() -> None:
    detector = agent()
    run(detector)
    run(detector, adx=40.0)
    run(detector)
    assert run(detector, adx=40.0).regime is Regime.RANGING
    run(detector, atr=2.0)
    assert run(detector, adx=40.0).regime is Regime.RANGING


@pytest.mark.parametrize(
    ("ratio", "volatility"),
    [(0.5, VolatilityClass.LOW), (1.0, VolatilityClass.NORMAL), (1.5, VolatilityClass.HIGH),
     (3.0, VolatilityClass.EXTREME)],
)  # fmt: skip
def test_volatility_in_words(ratio: float, volatility: VolatilityClass) -> None:
    assert run(agent(), atr=ratio).volatility is volatility


def test_wild_markets_mean_smaller_trades_and_wider_stops() -> None:
    assert set(ADVICE) == set(Regime)
    calm, wild = run(agent(), adx=40.0), run(agent(), atr=2.0)
    assert wild.size_multiplier < calm.size_multiplier
    assert wild.stop_multiplier > calm.stop_multiplier
    assert run(agent(), choppiness=70.0).bias is Bias.NEUTRAL


def test_real_candles_make_a_trend() -> None:
    found = agent().run(context(snapshot(market(drift(300, 0.002)))))
    assert found is not None
    assert found.regime is Regime.TRENDING_BULL
    assert agent().run(context(snapshot(market(drift(20, 0.002))))) is None


def test_hysteresis_survives_a_snapshot_at_any_point() -> None:
    draw = random.Random(5)
    changes = [draw.choice([{}, {"adx": 40.0}, {"atr": 2.0}, {"choppiness": 70.0}])
               for _ in range(60)]  # fmt: skip
    whole = agent()
    expected = [run(whole, **change) for change in changes]
    for cut in draw.sample(range(60), 10):
        first = agent()
        for change in changes[:cut]:
            run(first, **change)
        encoded = msgspec.msgpack.encode(first.dump())
        second = agent()
        second.load(msgspec.msgpack.decode(encoded, type=dict[str, RegimeMemory]))
        assert [run(second, **change) for change in changes[cut:]] == expected[cut:]
        dumped = second.dump()
        run(second, adx=40.0)
        second.load(dumped)
