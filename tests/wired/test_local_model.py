"""A real model on loopback in every role: the whole path, from prompt to journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import local_model
from tests.wired.stage import play, request
from tradeterm.cli import cli
from tradeterm.model.vocabulary import AgentName, TryOutcome

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
