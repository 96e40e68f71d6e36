"""Sentiment: numbers from words, younger ones first, and nothing but numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.world import BTC, SETTINGS, START, context
from tradeterm.agents.lexicon import lean
from tradeterm.agents.sentiment import SentimentAgent
from tradeterm.model.market import News
from tradeterm.model.outputs import SentimentView
from tradeterm.model.timing import HOUR, MINUTE
from tradeterm.model.vocabulary import Bias

AGENT = SentimentAgent(SETTINGS.agents.sentiment_analysis)
GOOD, BAD = "Bitcoin surges to record gains", "Bitcoin plunges on hack fears"


def news(text: str, age: int = MINUTE, *assets: str) -> News:
    return News(START - age, "Wire", text, assets or ("BTC",))


def view(*items: News, symbol: str = BTC) -> SentimentView:
    found = AGENT.run(context(symbol=symbol, news=items))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (GOOD, 1), (BAD, -1), ("Bitcoin little changed", 0), ("No rally for Bitcoin", -1),
        ("Exchange denies hack", 1), ("gains and losses", 0), ("", 0),
        ("drops below short-term support", -1), ("falls on profit taking", -1),
    ],
)  # fmt: skip
def test_words_lean(text: str, sign: int) -> None:
    assert (lean(text) > 0) - (lean(text) < 0) == sign


def test_good_news_is_long_and_bad_news_short() -> None:
    assert view(news(GOOD)).bias is Bias.LONG
    assert view(news(BAD)).bias is Bias.SHORT
    assert view(news("Bitcoin little changed")).bias is Bias.NEUTRAL


def test_younger_news_weighs_more() -> None:
    assert view(news(GOOD, MINUTE), news(BAD, 3 * HOUR)).bias is Bias.LONG
    assert view(news(BAD, MINUTE), news(GOOD, 3 * HOUR)).bias is Bias.SHORT


def test_agreement_makes_it_surer() -> None:
    assert view(news(GOOD), news(GOOD)).confidence > view(news(GOOD), news(BAD)).confidence


def test_nothing_recent_means_nothing_to_say() -> None:
    old = SETTINGS.agents.sentiment_analysis.window
    assert AGENT.run(context(news=())) is None
    assert AGENT.run(context(news=(news(GOOD, (old + 1) * 1_000_000_000),))) is None
    assert AGENT.run(context(news=(news(GOOD, -MINUTE),))) is None
    assert AGENT.run(context(news=(news(GOOD, MINUTE, "XRP"),))) is None


def test_good_news_for_the_quote_asset_is_bad_for_the_pair() -> None:
    assert view(news(GOOD, MINUTE, "BTC"), symbol="XRP/BTC").bias is Bias.SHORT


@given(st.lists(st.text(max_size=80), min_size=1, max_size=20))
def test_no_text_breaks_it_or_gets_through(texts: list[str]) -> None:
    found = view(*(news(text) for text in texts))
    assert -1.0 <= found.score <= 1.0
    assert 0.0 <= found.confidence <= 0.95
    assert found.reasoning.isascii()
    assert found == view(*(news(text) for text in texts))
