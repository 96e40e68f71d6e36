"""Short prompts: what is told is true, what is not told is named, strangers' words stay data."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.agents.questions import allowed, question
from tests.agents.world import BTC, SETTINGS, account, context, drift, market, position, snapshot
from tests.coordinator.test_briefing import question as contradiction
from tests.injections import CORPUS
from tradeterm.adapters.advisors.opinions import agent_prompt
from tradeterm.adapters.advisors.prompting import Prompt, arbiter_prompt, repairing
from tradeterm.adapters.advisors.shortening import MOST_TOKENS, TEMPLATE_TOKENS, tokens
from tradeterm.agents.briefing import Briefing
from tradeterm.agents.digest import digest
from tradeterm.agents.sentiment import SentimentAgent
from tradeterm.coordinator.digest import digest as digest_of_conflict
from tradeterm.model.outputs import TechnicalView
from tradeterm.model.ports import AgentQuestion, Quotation, Scope
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import Action, AgentName, Bias, PositionSide

D = Decimal
BRIEFING = Briefing(SentimentAgent(SETTINGS.agents.sentiment_analysis))
VIEW = TechnicalView(
    BTC, Bias.LONG, 0.8, 0.5, 1.0, 0.3, "neutral", "rising", 64_000.0, 66_000.0, {}, "up it goes"
)  # fmt: skip


def asked(name: AgentName, scope: Scope | None = None) -> AgentQuestion:
    """On a warm chart, with a position held and an analyst heard."""
    made = market(drift(400, 0.001))
    ctx = context(
        snapshot(made), now=made.symbol(BTC).ts, views={AgentName.TECHNICAL: VIEW},
        view=account(positions=[position(PositionSide.LONG)]),
    )  # fmt: skip
    return AgentQuestion(
        "ask-1", ctx.now, name, BTC, BRIEFING.facts(name, ctx), BRIEFING.texts(name, ctx), (), 20.0,
        scope=scope,
    )  # fmt: skip


def told(prompt: Prompt) -> dict[str, object]:
    text = prompt.messages[1][1].removeprefix("<facts>\n").removesuffix("\n</facts>")
    found: dict[str, object] = json.loads(text)
    return found


BOTH = Scope((Action.CLOSE_LONG,), (allowed(), allowed(Action.SELL)), {}, D("0.05"))


def test_a_decision_hears_what_it_may_do_before_what_analysts_say() -> None:
    prompt = agent_prompt(question(AgentName.TRADING, BOTH), "short")
    assert prompt.id == "trading_decision-short-1"
    assert told(prompt)["allowed"] == (
        "HOLD, CLOSE_LONG, BUY or SELL: price 60000, size to 0.1, leverage 1-3, stop 0.5-3 %, loss "
        "at it to 100, gain from 1.5x that, sure from 0.6"
    )


def test_who_holds_something_hears_of_it_and_the_analysts_first() -> None:
    prompt = agent_prompt(asked(AgentName.TRADING, BOTH), "short")
    assert told(prompt)["held"] == "long 0.1 at 65000, stop 64000, target 68000"
    assert str(told(prompt)["analysts"]).startswith("technical long 0.8")
    assert str(told(prompt)["allowed"]).startswith("HOLD, CLOSE_LONG")
    assert {"account", "price"} <= {name.partition(":")[0] for name in prompt.left_out}


@pytest.mark.parametrize("name", [AgentName.TECHNICAL, AgentName.REGIME, AgentName.TRADING])
def test_what_is_not_told_is_named(name: AgentName) -> None:
    """Every figure of every fact is in the prompt or among those left out."""
    one = asked(name)
    prompt = agent_prompt(one, "short")
    words = told(prompt)
    whole = {text for text in prompt.left_out if ": " not in text}
    parts = {
        (fact, value)
        for text in prompt.left_out
        if ": " in text
        for fact, _, values in [text.partition(": ")]
        for value in values.split(", ")
    }
    for piece in digest(one):
        named = piece.fact in whole or (piece.fact, piece.name) in parts
        assert named is not (piece.words in str(words.get(piece.key, "")))


def test_what_an_arbiter_is_not_told_is_named() -> None:
    prompt = arbiter_prompt(contradiction(), "short")
    facts = told(prompt)
    assert facts["contradictions"] == "ta_sentiment, regime_choppy"
    assert facts["technical_analysis"] == "long, sure 0.62, 10s old"
    assert list(facts).index("sentiment_analysis") < list(facts).index("technical_analysis")
    known = {piece.fact for piece in digest_of_conflict(contradiction())}
    assert {text.partition(":")[0] for text in prompt.left_out} <= known
    assert "severity" in prompt.left_out


amounts = st.decimals("0.00000001", "99999999", places=8)


@given(amounts, amounts, st.decimals(1, 5, places=2))
def test_no_bound_is_told_larger_than_it_is(
    size: Decimal, loss: Decimal, leverage: Decimal
) -> None:
    """Whoever takes all of what is told stays inside."""
    bounds = replace(allowed(), max_size=size, max_loss=loss, max_leverage=leverage)
    scope = Scope((), (bounds,), {"SELL": "exposure"}, D("0.05"))
    pieces = digest(question(AgentName.TRADING, scope))
    words = next(piece.words for piece in pieces if piece.name == "BUY")
    assert D(words.partition("size to ")[2].partition(",")[0]) <= size
    assert D(words.partition("loss at it to ")[2].partition(",")[0]) <= loss
    assert D(words.partition("leverage 1-")[2].partition(",")[0]) <= leverage


def test_strangers_words_neither_leave_their_place_nor_fill_the_prompt() -> None:
    plain = question(AgentName.SENTIMENT)
    system = agent_prompt(plain, "short").messages[0]
    for _, text in CORPUS:
        quotes = tuple(Quotation(f"n{n}", "wire", 12.0, clean(text, 240)) for n in range(12))
        prompt = agent_prompt(replace(plain, texts=quotes), "short")
        assert prompt.messages[0] == system
        user = prompt.messages[1][1]
        assert user.count("<") == user.count(">") == 2  # the delimiters' own
        assert set(told(prompt)) <= {"symbol", "quoted"}
        assert sum(tokens(words) for _, words in prompt.messages) + TEMPLATE_TOKENS <= MOST_TOKENS
        assert len(prompt.left_out) == 1
        assert "<" not in repairing(prompt, text, "x")[1][1].partition("</facts>")[2]
