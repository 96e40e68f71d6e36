"""Addresses of models: nothing goes out in clear, nothing to nobody knows whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradeterm.adapters.advisors.formats import answer_format
from tradeterm.errors import ConfigError
from tradeterm.settings.loading import load_settings

ROLE = "llm.roles.arbiter"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([f"{ROLE}.api_base=http://models.example/v1"], "plain http is for 127.0.0.1 and [::1]"),
        ([f"{ROLE}.api_base=http://localhost:1/v1"], "would send the key in clear"),
        ([f"{ROLE}.api_base=https://me:pw@models.example"], "put the key in the environment"),
        ([f"{ROLE}.api_base=ftp://models.example"], "is no address"),
        ([f"{ROLE}.model=mystery/model"], "nothing is known about mystery; write its api_base"),
        ([f"{ROLE}.model=gpt"], "pattern"),
        ([f"{ROLE}.model=openai/a b"], "pattern"),
        ([f"{ROLE}.fallback=[{{model: openai/x, api_base: 'http://10.0.0.1'}}]"], "in clear"),
        ([f"{ROLE}.deadline=0"], "must be above 0"),
        ([f"{ROLE}.api_key_env=sk-123"], "pattern"),
        (["llm.roles.judge.model=openai/x"], "unknown key; valid: arbiter"),
        (["llm.provider=cassette"], "name the file in cassette"),
        (["llm.provider=gpt"], "is not one of rules, litellm, cassette"),
    ],
)
def test_a_mistake_is_named(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, overrides)
    assert words in str(caught.value)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000/v1", "http://[::1]:8000/v1"])
def test_a_server_on_this_machine_needs_no_tls(base: str) -> None:
    role = load_settings(None, [f"{ROLE}.api_base='{base}'"]).settings.llm.roles.arbiter
    assert role.address == base
    assert role.is_local


def test_a_provider_has_a_home_that_no_variable_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://evil.example")
    role = load_settings(None, [f"{ROLE}.model=openai/x"]).settings.llm.roles.arbiter
    assert role.address == "https://api.openai.com/v1"
    assert not role.is_local


def test_one_model_for_every_role_stands_alone() -> None:
    every = "llm.every_role={model: openai/x, api_base: 'http://127.0.0.1:8000/v1'}"
    panel = "llm.roles.trading_decision={model: openai/a, members: [{model: openai/b}]}"
    llm = load_settings(None, ["llm.provider=litellm", panel, every]).settings.llm
    for name in llm.role_names():
        assert [one.model for one in llm.role(name).endpoints] == ["openai/x"]
        assert llm.members(name) == 1
        assert llm.role(name).deadline == 20


def test_as_shipped_no_agent_has_a_model() -> None:
    llm = load_settings(None, ["llm.provider=litellm"]).settings.llm
    assert [name for name in llm.role_names() if llm.members(name)] == ["arbiter"]
    assert load_settings().settings.llm.members("arbiter") == 0


def test_a_panel_is_the_first_with_its_fallbacks_and_every_member() -> None:
    told = "{model: openai/a, members: [{model: openai/b}], fallback: [{model: openai/c}]}"
    llm = load_settings(None, ["llm.provider=litellm", f"llm.roles.trading_decision={told}"])
    panel = llm.settings.llm.role("trading_decision").panel
    assert [[one.model for one in chain] for chain in panel] == [
        ["openai/a", "openai/c"], ["openai/b"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "form"),
    [
        ("model: openai/gpt-4o-mini", "json_schema"),
        ("model: openai/gpt-4-turbo", "json_object"),
        ("model: openai/davinci-002", "text"),
        ("model: deepseek/deepseek-chat", "json_object"),
        ("model: deepseek/deepseek-reasoner", "text"),
        ("model: anthropic/claude-sonnet-4-5", "text"),
        ("model: openrouter/openai/gpt-4o", "json_schema"),
        ("model: openrouter/meta-llama/llama-3.3-70b-instruct", "text"),
        ("model: ollama/qwen3", "json_schema"),
        ("model: openai/anything, api_base: 'http://127.0.0.1:8000/v1'", "json_schema"),
        ("model: openai/anything, api_base: 'http://127.0.0.1:8000/v1', answer_format: text",
         "text"),
    ],
)  # fmt: skip
def test_a_table_says_how_a_model_is_held_to_the_schema(endpoint: str, form: str) -> None:
    llm = load_settings(None, [f"llm.every_role={{{endpoint}}}"]).settings.llm
    assert answer_format(llm.role("arbiter")) == form


def test_the_examples_of_the_documentation_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 4
    found = []
    for example in examples:
        (tmp_path / "llm.yaml").write_text(example)
        found.append(load_settings(tmp_path).settings.llm)
    assert [llm.members("trading_decision") for llm in found] == [1, 3, 1, 1]
    assert found[-1].role("arbiter").address == "http://127.0.0.1:8080/v1"
