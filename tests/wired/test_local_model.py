"""A real model on loopback in every role: the whole path, from prompt to journal."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from tests import local_model
from tests.adapters.model_clerk import clerk, everywhere, role_of
from tests.adapters.model_server import ModelServer, say
from tests.agents.questions import question
from tests.injections import CORPUS
from tests.wired.stage import play, request
from tradeterm.adapters.advisors.opinions import agent_prompt
from tradeterm.adapters.advisors.prompting import repairing
from tradeterm.adapters.advisors.shortening import MOST_TOKENS, TEMPLATE_TOKENS
from tradeterm.cli import cli
from tradeterm.model.ports import Quotation
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import AgentName, TryOutcome

#: Headlines and decisions come often, every proposal needs a key, failures do not matter.
BUSY = (
    "market.simulation.news_interval=5",
    "orchestration.schedule.sentiment_analysis.interval=60",
    "orchestration.schedule.trading_decision.interval=60",
    "orchestration.degradation.failures=[100, 200, 300]",
    "orchestration.approval.mode=all",
    "risk.max_risk=0.2",
    "llm.cooldown=0",
)
ANALYSTS = frozenset({AgentName.TECHNICAL, AgentName.REGIME, AgentName.SENTIMENT})
pytestmark = [
    pytest.mark.local_llm,
    pytest.mark.skipif(local_model.weights() is None, reason="the local-llm extra is absent"),
]


@pytest.fixture(scope="module")
def settings() -> Iterator[tuple[str, ...]]:
    """One line puts it into every role; it is paid for, so that costs can be seen."""
    with local_model.served() as base:
        told = f"model: openai/smollm2, api_base: '{base}', input_price: 0.1, output_price: 0.2"
        yield ("llm.provider=litellm", f"llm.every_role={{{told}}}")


def test_the_doctor_asks_every_role(settings: tuple[str, ...]) -> None:
    arguments = [part for text in settings for part in ("--set", text)]
    words = ["doctor", "--llm", "--json", *arguments]
    said = CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=False)
    checks = [one for one in json.loads(said.output)["checks"] if "model" in one]
    assert [one["what"] for one in checks] == ["arbiter", *AgentName]
    assert all(one["ok"] and one["seconds"] > 0 and Decimal(one["cost"]) > 0 for one in checks)


async def test_it_reads_the_short_prompt_of_every_role(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    """Cut off after 50 tokens: only its reading is looked at, and the rules speak."""
    record = await play(
        request(
            "sim",
            tmp_path / "run.db",
            settings[0],
            f"{settings[1][:-1]}, prompt: short}}",
            *(f"llm.roles.{role}.max_tokens=50" for role in ("arbiter", *AgentName)),
            *(f"llm.roles.{role}.deadline=120" for role in ("arbiter", *AgentName)),
            *BUSY,
            "llm.throttle=0.000001",  # one try a question
            "orchestration.degradation.holds.budget=NORMAL",
            until="70s",
            symbols=("BTC/USDT",),
            approve="all",
        )
    )
    record.sound()
    answers = [*record.bodies("agent_answer"), *record.bodies("answer")]
    answers = [answer for answer in answers if not answer["unasked"]]
    assert {answer.get("agent", "arbiter") for answer in answers} == {"arbiter", *AgentName}
    for answer in answers:
        tries = answer.get("tries") or [t for vote in answer["votes"] for t in vote["tries"]]
        assert all(100 < one["tokens_in"] <= MOST_TOKENS for one in tries)
        assert answer["prompt"].partition(" ")[0].endswith("-short-1")


async def test_no_request_with_a_short_prompt_is_beyond_300_of_its_tokens(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    """Three symbols, positions held, headlines, everybody's opinions, repairs: each one counted.

    A quick clerk answers; the local model's own tokenizer counts what the clerk was asked.
    """
    symbols = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
    acts = [clerk(), say("{}"), clerk(), clerk(), clerk()] * 60
    with ModelServer.running(*acts) as server:
        asked = everywhere(server)
        short = (asked[0], f"{asked[1][:-1]}, prompt: short}}", *asked[2:])
        record = await play(
            request(
                "sim", tmp_path / "run.db", *short, *BUSY, until="4m", symbols=symbols,
                approve="all",
            )
        )  # fmt: skip
    record.sound()
    decisions = [
        row for row in record.bodies("agent_question") if row["agent"] == AgentName.TRADING
    ]
    facts = [{fact["name"].partition(" ")[0] for fact in row["facts"]} for row in decisions]
    assert {row["symbol"] for row in decisions} == set(symbols)
    assert any({*ANALYSTS, "account", "position"} <= names for names in facts)
    told = [[message["content"] for message in body["messages"]] for body in server.asked]
    assert {role_of(body) for body in server.asked} == {"arbiter", *AgentName}
    assert any("Not usable" in words[-1] for words in told)
    counts = [
        sum(len(tokenised(settings, text)) for text in words) + TEMPLATE_TOKENS for words in told
    ]
    assert len(counts) > 40
    assert 250 < max(counts) <= MOST_TOKENS


def test_whatever_strangers_write_a_short_prompt_stays_in_its_budget(
    settings: tuple[str, ...],
) -> None:
    """Injections in all scripts and encodings, as headlines: the model's tokenizer counts."""
    longest = 0
    for _, text in CORPUS:
        quotes = tuple(Quotation(f"n{n}", "wire", 12.0, clean(text, 240)) for n in range(12))
        asked = replace(question(AgentName.SENTIMENT), texts=quotes)
        prompt = agent_prompt(asked, "short")
        messages = repairing(prompt, "{", "score: Input should be greater than or equal to -1")
        longest = max(longest, sum(len(tokenised(settings, words)) for _, words in messages))
    assert 200 < longest + TEMPLATE_TOKENS <= MOST_TOKENS


def tokenised(settings: tuple[str, ...], text: str) -> list[int]:
    """By the tokenizer of the model in the settings."""
    base = settings[1].partition("api_base: '")[2].partition("/v1")[0]
    body = json.dumps({"content": text}).encode()
    kind = {"content-type": "application/json"}
    asked = urllib.request.Request(f"{base}/tokenize", body, kind)  # noqa: S310 - our own server
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        found: list[int] = json.load(answer)["tokens"]
    return found


async def test_its_answers_are_held_to_the_schema_priced_and_journaled(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    """Two roles with short facts: what it thinks is worth nothing, how it says it is."""
    asleep = ("technical_analysis", "sentiment_analysis", "trading_decision")
    record = await play(
        request(
            "sim",
            tmp_path / "run.db",
            *settings,
            *(f"orchestration.schedule.{name}.enabled=false" for name in asleep),
            "llm.roles.regime_detection.deadline=60",
            "llm.roles.portfolio_rebalance.deadline=60",
            "orchestration.schedule.regime_detection={timeout: 60, after: []}",
            "orchestration.schedule.portfolio_rebalance={timeout: 60, after: []}",
            until="50s",
            symbols=("BTC/USDT",),
        )
    )
    record.sound()
    answers = record.bodies("agent_answer")
    assert {answer["agent"] for answer in answers} == {"regime_detection", "portfolio_rebalance"}
    tries = [one for answer in answers for vote in answer["votes"] for one in vote["tries"]]
    for one in tries:
        assert one["outcome"] in {TryOutcome.VALID, TryOutcome.INVALID, TryOutcome.CUT}
        assert one["tokens_in"] > 100
        assert one["latency"] > 0
        assert Decimal(one["cost"]) > 0
        assert one["outcome"] == TryOutcome.VALID or one["said"]
    assert Decimal(record.summary["llm"]["cost"]) == sum(Decimal(one["cost"]) for one in tries)
    assert record.summary["llm"]["calls"] == len(tries)
