"""What analysts say on bars they were shown together is what they say on each of them."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agents.world import BTC, SETTINGS, context
from tradeterm.agents.regime import RegimeAgent
from tradeterm.agents.technical import TechnicalAgent
from tradeterm.market.bars import Bars
from tradeterm.market.market import Snapshot
from tradeterm.market.series import Stretch
from tradeterm.market.symbol import BARS, SymbolMarket
from tradeterm.model.outputs import AgentOutput
from tradeterm.model.timing import SECOND

BEGIN = 1_700_006_400
Analyst = TechnicalAgent | RegimeAgent


def bars(count: int, span: int, seed: int, still: int) -> Bars:
    """A random walk that stands still for some bars in the middle."""
    draw = np.random.default_rng(seed)
    steps = draw.normal(0, 0.002, count)
    steps[count // 2 : count // 2 + still] = 0.0
    closes = 100 * np.exp(np.cumsum(steps))
    opens = np.concatenate(([100.0], closes[:-1]))
    reach = np.abs(draw.normal(0, 0.001, count)) * (steps != 0.0)
    highs, lows = np.maximum(opens, closes) * (1 + reach), np.minimum(opens, closes) * (1 - reach)
    stamps = (BEGIN + span * (1 + np.arange(count, dtype=np.int64))) * SECOND
    return Bars.of(BTC, span, stamps, (opens, highs, lows, closes, draw.gamma(2.0, 3.0, count)))


def singly(analyst: Analyst, stretch: Stretch, places: range) -> list[AgentOutput | None]:
    said: list[AgentOutput | None] = []
    for place in places:
        (now, price), sets = stretch.closed(place), stretch.figures(place)
        snapshot = Snapshot(BTC, now, price, price, price, sets, lambda _: None)
        said.append(analyst.run(context(snapshot, now=now)))
    return said


@settings(max_examples=25, deadline=None)
@given(
    span=st.sampled_from([60, 300, 3600]), seed=st.integers(0, 99), still=st.integers(0, 80),
    strides=st.lists(st.integers(1, 40), min_size=1, max_size=8), step=st.integers(1, 4),
)  # fmt: skip
def test_bars_seen_together_or_one_by_one(
    span: int, seed: int, still: int, strides: list[int], step: int
) -> None:
    found = bars(700, span, seed, still)
    market = SymbolMarket(BTC, (span, 5 * span, 20 * span), 120)
    market.mode = BARS
    technical = partial(TechnicalAgent, SETTINGS.agents.technical_analysis)
    regime = partial(RegimeAgent, SETTINGS.agents.regime_detection)
    pairs: list[tuple[Analyst, Analyst]] = [(technical(), technical()), (regime(), regime())]
    at = turn = heard = 0
    while at < len(found):
        market.ahead = found, at
        end = market.along(found, at, min(len(found), at + strides[turn % len(strides)]))
        if end == at:
            market.close(found[at])
            at += 1
            continue
        stretch = market.close_along(found, at, end)
        places = range(turn % step, end - at, step)
        for one, other in pairs:
            said = singly(one, stretch, places)
            assert list(other.along(BTC, stretch, places)) == said
            heard += sum(view is not None for view in said)
            if isinstance(one, RegimeAgent) and isinstance(other, RegimeAgent):
                assert other.dump() == one.dump()
        at, turn = end, turn + 1
    assert heard > 100
