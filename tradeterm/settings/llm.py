"""Advisor settings (config/llm.yaml): who settles conflicts, and what that may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tradeterm.settings.section import Section

#: Where a provider lives when ``api_base`` is empty. Never asked of the environment, which can
#: be poisoned (``OPENAI_BASE_URL``). From the providers' API references, 2025-11.
HOMES = {
    "openai": "https://api.openai.com/v1",
    "deepseek": "https://api.deepseek.com",
    "anthropic": "https://api.anthropic.com",
    "openrouter": "https://openrouter.ai/api/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}
_LOOPBACK = ("127.0.0.1", "::1")


class EndpointSettings(Section):
    """One model at one address."""

    model: str = Field(min_length=3, max_length=80, pattern=r"^[a-z_]+/[A-Za-z0-9._:/@-]+$")
    """Provider/model, as litellm spells it."""
    api_base: str = ""
    """Empty: the provider's own address."""
    api_key_env: str = Field(default="", pattern=r"^[A-Z0-9_]*$")
    """Variable (or name in .env or the keyring) that holds the key; empty: none is needed."""
    input_price: Decimal | None = Field(default=None, ge=0)
    """USD per million tokens, here and below; None: litellm's own table."""
    output_price: Decimal | None = Field(default=None, ge=0)

    @field_validator("api_base")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"api_base {url!r} is no address; write https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("api_base holds a name or password; put the key in the environment")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                f"api_base {url!r} would send the key in clear; write https:// "
                "(plain http is for 127.0.0.1 and [::1] only)"
            )
        return url

    @model_validator(mode="after")
    def _has_home(self) -> EndpointSettings:
        provider = self.model.partition("/")[0]
        if not self.api_base and provider not in HOMES:
            raise ValueError(
                f"model {self.model}: nothing is known about {provider}; write its api_base "
                f"(known: {', '.join(HOMES)})"
            )
        return self

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.api_base or HOMES[self.model.partition("/")[0]]

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine: no key and no price is asked for."""
        return urlsplit(self.address).hostname in _LOOPBACK


class RoleSettings(EndpointSettings):
    """Who answers for a role: this model, then the others, under one deadline."""

    fallback: tuple[EndpointSettings, ...]
    """Asked in this order when the ones before gave no valid answer."""
    deadline: float = Field(gt=0, le=300)
    """Seconds for all tries together."""
    temperature: float = Field(ge=0, le=2)
    max_tokens: int = Field(ge=50, le=8000)
    """Longest answer."""
    otherwise: Literal["rules", "fallback"]
    """When no model gave a valid answer: the rule arbiter, or orchestration.conflicts.fallback."""

    @property
    def endpoints(self) -> tuple[EndpointSettings, ...]:
        """In the order in which they are asked."""
        return (self, *self.fallback)


class RolesSettings(Section):
    """The roles that a model can play."""

    arbiter: RoleSettings


class LlmSettings(Section):
    """The advisor and its caps (USD)."""

    provider: Literal["rules", "litellm", "cassette"]
    """``cassette``: the recorded answers in ``cassette``, and nothing else."""
    latency: float = Field(ge=0, le=60)
    """Seconds of market time the rule arbiter takes for an answer."""
    cassette: str
    """File of recorded requests and answers; with ``litellm`` they are appended to it."""
    daily_cap: Decimal = Field(ge=0)
    """From here on rules only, until the next wall-clock UTC day."""
    decision_cap: Decimal = Field(ge=0)
    """For all tries of one question."""
    throttle: Decimal = Field(gt=0, le=100)
    """Percent of ``daily_cap`` from which a question gets one try only."""
    cooldown: float = Field(ge=0, le=3600)
    """Seconds an address that failed is left alone."""
    roles: RolesSettings

    @model_validator(mode="after")
    def _has_cassette(self) -> LlmSettings:
        if self.provider == "cassette" and not self.cassette:
            raise ValueError("provider is cassette; name the file in cassette")
        return self
