"""Technical analysis follows the candles it was shown."""

from __future__ import annotations

import msgspec
import pytest

from tests.agents.world import BTC, SETTINGS, context, drift, market, snapshot
from tradeterm.agents.technical import TechnicalAgent
from tradeterm.model.outputs import TechnicalView
from tradeterm.model.vocabulary import Bias


def view(closes: list[float], timeframe: int = 300) -> TechnicalView:
    agent = TechnicalAgent(SETTINGS.agents.technical_analysis)
    found = agent.run(context(snapshot(market(closes, timeframe))))
    assert found is not None
    return found


@pytest.mark.parametrize("timeframe", [60, 300, 3600])
def test_any_single_timeframe_is_enough(timeframe: int) -> None:
    assert view(drift(300, 0.001), timeframe).bias is Bias.LONG
    assert view(drift(300, -0.001), timeframe).bias is Bias.SHORT


def test_a_standing_market_has_no_bias() -> None:
    assert view([65_000.0] * 300).bias is Bias.NEUTRAL


def test_changing_one_candle_changes_the_figures() -> None:
    closes = drift(300, 0.0005)
    other = [*closes[:-1], closes[-1] * 0.98]
    assert view(closes).figures != view(other).figures
    assert view(closes).confidence > view(other).confidence


def test_the_reasoning_names_its_figures() -> None:
    found = view(drift(300, 0.001))
    assert f"RSI {found.figures['rsi']:.0f}" in found.reasoning
    assert f"ADX {found.figures['adx']:.0f}" in found.reasoning


@pytest.mark.parametrize("rising", [True, False])
def test_the_timeframes_that_point_its_way_are_counted(rising: bool) -> None:
    """The hour outweighs the five minutes: 1.5 to 1."""
    step = 0.001 if rising else -0.001
    up, down = (snapshot(market(drift(300, way), 300)).by_timeframe[300] for way in (step, -step))
    shown = snapshot(market(drift(300, step)))
    agent = TechnicalAgent(SETTINGS.agents.technical_analysis)
    for sets, aligned in (({300: down, 3600: up}, 0.5), ({300: up, 3600: up}, 1.0)):
        found = agent.run(context(msgspec.structs.replace(shown, by_timeframe=sets)))
        assert found is not None
        assert (found.figures["score"] > 0.0) is rising
        assert found.trend_alignment == aligned
        assert f"{2 * aligned:.0f} of 2 timeframes agree" in found.reasoning


def test_levels_enclose_the_price() -> None:
    found = view(drift(300, 0.001))
    assert found.support < found.figures["close"] < found.resistance


def test_it_is_silent_until_something_is_warm() -> None:
    agent = TechnicalAgent(SETTINGS.agents.technical_analysis)
    assert agent.run(context(snapshot(market(drift(30, 0.001))))) is None
    assert agent.run(context(None)) is None


def test_a_kept_reading_never_outlives_its_candle() -> None:
    """The agent that saw every bar says the same as one that saw only the last."""
    agent = TechnicalAgent(SETTINGS.agents.technical_analysis)
    closes = [*drift(300, 0.001), *drift(60, -0.002, first=80_000.0)]
    for count in range(300, len(closes), 7):
        made = market(closes[:count])
        assert agent.run(context(snapshot(made))) == view(closes[:count])
    assert BTC in agent.run(context(snapshot(market(closes)))).symbol  # type: ignore[union-attr]
