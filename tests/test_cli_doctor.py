"""``tradeterm doctor --llm``: one tiny request to each model, and a remedy for what fails."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.adapters.model_server import ModelServer, http, say
from tests.shell import tradeterm
from tradeterm.cli import cli

ROLE = "llm.roles.arbiter"


def doctor(*overrides: str) -> tuple[int, list[dict[str, object]]]:
    arguments = [part for text in overrides for part in ("--set", text)]
    result = CliRunner().invoke(cli, ["doctor", "--llm", "--offline", "--json", *arguments],
                                standalone_mode=False)  # fmt: skip
    assert result.exception is None
    told = json.loads(result.output)
    assert told["ok"] is (result.return_value == 0)
    return result.return_value, told["checks"]


def test_a_model_that_answers_shows_its_latency_and_price() -> None:
    with ModelServer.running(say('{"ok": true}')) as server:
        code, checks = doctor(
            f"{ROLE}.model=openai/x", f"{ROLE}.api_base={server.base}", f"{ROLE}.fallback=[]",
            f"{ROLE}.input_price=1", f"{ROLE}.output_price=2",
        )  # fmt: skip
    assert code == 0
    (model,) = [one for one in checks if one["what"] == "arbiter"]
    assert model["cost"] == "0.00090000"
    assert float(str(model["seconds"])) > 0
    assert len(server.asked) == 1
    assert server.asked[0]["max_tokens"] <= 50


def test_a_price_of_the_settings_counts_beside_one_of_the_table() -> None:
    with ModelServer.running(say('{"ok": true}')) as server:
        costs = [
            Decimal(str(doctor(
                f"{ROLE}.model=openai/gpt-4o", f"{ROLE}.api_base={server.base}",
                f"{ROLE}.fallback=[]", *prices,
            )[1][-1]["cost"]))
            for prices in ((), (f"{ROLE}.input_price=1000",), (f"{ROLE}.output_price=2000",))
        ]  # fmt: skip
    assert costs[0] < Decimal("0.1")
    assert costs[1] > Decimal("0.7"), "700 tokens in"
    assert costs[2] > Decimal("0.2"), "100 tokens out"


def test_a_model_that_says_too_much_is_not_sent_to_a_setting_that_does_not_count_here() -> None:
    with ModelServer.running(say("Well, let me think", finish="length")) as server:
        _, checks = doctor(
            f"{ROLE}.model=openai/x", f"{ROLE}.api_base={server.base}", f"{ROLE}.fallback=[]"
        )
    assert "needs more than 50 tokens" in str(checks[-1]["remedy"])
    assert "max_tokens" not in str(checks[-1]["remedy"])


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "the key is wrong"), (429, "quota"), (500, "api_base")]
)
def test_what_fails_comes_with_a_remedy(status: int, remedy: str) -> None:
    with ModelServer.running(http(b"{}", status)) as server:
        code, checks = doctor(
            f"{ROLE}.model=openai/x", f"{ROLE}.api_base={server.base}", f"{ROLE}.fallback=[]"
        )
    assert code == 1
    assert remedy in str(checks[-1]["remedy"])


def test_an_absent_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    code, checks = doctor(f"{ROLE}.fallback=[]")
    assert code == 1
    assert "DEEPSEEK_API_KEY is neither in the environment" in str(checks[-1]["found"])


def test_another_model_than_the_pinned_one_fails() -> None:
    with ModelServer.running(say('{"ok": true}')) as server:
        code, checks = doctor(
            f"{ROLE}.model=openai/x", f"{ROLE}.api_base={server.base}", f"{ROLE}.fallback=[]",
            f"{ROLE}.input_price=1", f"{ROLE}.output_price=2", f"{ROLE}.pin=x-2025-01-01",
        )  # fmt: skip
    assert code == 1
    assert "says it is test-model" in str(checks[-1]["found"])
    assert "pinned to x-2025-01-01" in str(checks[-1]["remedy"])


def test_a_dirty_directory_leads_no_request_astray(tmp_path: Path) -> None:
    """``.env`` names other addresses and a proxy: of what it holds only the named key is taken."""
    wrong = "http://127.0.0.1:9"
    names = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "HTTP_PROXY", "ALL_PROXY", "OPENAI_API_KEY")
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={wrong}\n" for name in names) + "MY_KEY=the-named-key\n")
    file.chmod(0o600)
    with ModelServer.running(say('{"ok": true}')) as server:
        told = [
            f"{ROLE}.model=openai/x", f"{ROLE}.api_base={server.base}", f"{ROLE}.fallback=[]",
            f"{ROLE}.api_key_env=MY_KEY", f"{ROLE}.input_price=1", f"{ROLE}.output_price=2",
        ]  # fmt: skip
        sets = [part for text in told for part in ("--set", text)]
        said = tradeterm("doctor", "--llm", "--offline", *sets, home=tmp_path)
    assert len(server.asked) == 1, said.out
    assert "bearer the-named-key" in server.headers[0].lower()
    assert "the-named-key" not in said.out + said.err
    assert "answers in" in said.out
