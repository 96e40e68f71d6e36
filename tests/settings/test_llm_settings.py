"""Addresses of models: nothing goes out in clear, nothing to nobody knows whom."""

from __future__ import annotations

import pytest

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
