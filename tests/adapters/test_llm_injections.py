"""Three hundred hostile texts in every place where a stranger's words come near a model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.adapters.test_llm_faults import question as arbiter_question
from tests.injections import CORPUS
from tests.wired.panels import CALM, asked, seat
from tests.wired.stage import play, request
from tradeterm.adapters.advisors.opinions import REASONING_LIMIT, agent_prompt, opinion
from tradeterm.adapters.advisors.prompting import Prompt, arbiter_prompt
from tradeterm.adapters.advisors.settlement import Unusable, arbiter_answer
from tradeterm.coordinator.resolution import flaw
from tradeterm.model.ports import AgentQuestion, Quotation
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import AgentName

#: A good answer of each role, but for its reasoning.
GOOD: dict[str, dict[str, Any]] = {
    "technical_analysis": {"bias": "long", "confidence": 0.6, "trend_strength": 0.5,
                           "trend_alignment": 0.5, "support": 1.0, "resistance": 1e6},
    "regime_detection": {"regime": "ranging", "confidence": 0.6, "volatility": "normal"},
    "sentiment_analysis": {"score": 0.1, "confidence": 0.6},
    "trading_decision": {"action": "HOLD", "confidence": 0.6},
    "portfolio_rebalance": {"timing": "wait", "confidence": 0.6},
    "arbiter": {"action": "wait", "confidence": 0.6},
}  # fmt: skip
Questions = dict[AgentName, AgentQuestion]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    """One of each agent, out of three minutes of the simulated market."""
    with pytest.MonkeyPatch.context() as patch:
        heard = seat(patch, CALM)
        overrides = (
            "market.simulation.news_interval=15",
            "orchestration.schedule.sentiment_analysis.interval=60",
        )
        place = tmp_path_factory.mktemp("questions") / "run.db"
        told = request("sim", place, *overrides, *asked(*AgentName), until="3m",
                       symbols=("BTC/USDT",))  # fmt: skip
        asyncio.run(play(told))
    return {question.agent: question for question in heard}


def inside(prompt: Prompt) -> str:
    """What stands between the delimiters, which are where they belong and nowhere else."""
    (_, _), (role, user) = prompt.messages
    assert role == "user"
    assert user.startswith("<facts>\n")
    assert user.endswith("\n</facts>")
    assert (user.count("<"), user.count(">")) == (2, 2)
    return user.removeprefix("<facts>\n").removesuffix("\n</facts>")


@pytest.mark.parametrize("agent", AgentName)
def test_no_text_leaves_its_quotation_marks(questions: Questions, agent: AgentName) -> None:
    """A headline and another agent's prose: the instructions and the facts stay what they were."""
    plain = replace(questions[agent], texts=())
    system, facts = agent_prompt(plain).messages[0], json.loads(inside(agent_prompt(plain)))
    for name, text in CORPUS:
        for words in (text, clean(text)):  # as it came, and as the border lets it in
            quotations = (
                Quotation("news-1", "a stranger", 60.0, words),
                Quotation("out-1", "technical_analysis", 5.0, words),
            )
            prompt = agent_prompt(replace(plain, texts=quotations))
            told = json.loads(inside(prompt))
            assert prompt.messages[0] == system, name
            quoted = [one["text"] for one in told.pop("quoted")]
            assert told == facts, name
            assert quoted == [words.replace("<", "‹").replace(">", "›")] * 2, name
            if words != text:
                assert inside(prompt).isprintable(), name


def test_no_evidence_leaves_its_quotation_marks() -> None:
    asked_of = arbiter_question()
    system = arbiter_prompt(asked_of).messages[0]
    for name, text in CORPUS:
        hostile = replace(asked_of.conflict, evidence=(text,))
        prompt = arbiter_prompt(replace(asked_of, conflict=hostile))
        assert prompt.messages[0] == system, name
        assert json.loads(inside(prompt))["symbol"] == "BTC/USDT", name


@pytest.mark.parametrize("agent", AgentName)
def test_a_reasoning_is_words_and_moves_nothing_else(
    questions: Questions, agent: AgentName
) -> None:
    question, good = questions[agent], GOOD[agent]
    calm = opinion(json.dumps({**good, "reasoning": "So it seems."}), question)
    for name, text in CORPUS:
        said = opinion(json.dumps({**good, "reasoning": text[:REASONING_LIMIT]}), question)
        assert replace(said, reasoning="So it seems.") == calm, name
        assert said.reasoning.isprintable(), name
        with pytest.raises(Unusable) as caught:
            opinion(text, question)  # nothing but the payload
        assert str(caught.value).isprintable(), name


@pytest.mark.parametrize("agent", AgentName)
def test_what_the_schema_does_not_name_is_no_answer(questions: Questions, agent: AgentName) -> None:
    """No symbol, mode, limit or setting, whatever it is called, and no key out of the corpus."""
    good = {**GOOD[agent], "reasoning": "So it seems."}
    strange = {"symbol": "DOGE/USDT", "mode": "LIVE", "max_leverage": 100, "risk": {}, "approve": 1}
    for key, value in [*strange.items(), *((text[:200], text) for _, text in CORPUS)]:
        with pytest.raises(Unusable) as caught:
            opinion(json.dumps({**good, key: value}), questions[agent])
        assert str(caught.value).isprintable(), key


def test_a_settlement_is_words_and_bounded_figures() -> None:
    asked_of, good = arbiter_question(), GOOD["arbiter"]
    calm = arbiter_answer(json.dumps({**good, "reasoning": "So it seems."}), asked_of)
    for name, text in CORPUS:
        said = arbiter_answer(json.dumps({**good, "reasoning": text}), asked_of)
        assert replace(said, reasoning=calm.reasoning) == calm, name
        assert said.reasoning.isprintable(), name
        assert flaw(said, asked_of) == "", name
        with pytest.raises(Unusable):
            arbiter_answer(text, asked_of)
        with pytest.raises(Unusable):
            arbiter_answer(json.dumps({**good, "reasoning": "x", text[:200]: text}), asked_of)
