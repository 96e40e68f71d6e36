"""Advisor settings (config/llm.yaml): which models answer for a role, and what that may cost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal
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
PromptForm = Literal["full", "short"]
_LOOPBACK = ("127.0.0.1", "::1")


class EndpointSettings(Section):
    """One model at one address."""

    model: str = Field(max_length=80, pattern=r"^[a-z_]+/[A-Za-z0-9._:/@-]+$")
    """Provider/model, as litellm spells it."""
    api_base: str = ""
    """Empty: the provider's own address."""
    api_key_env: str = Field(default="", pattern=r"^[A-Z0-9_]*$")
    """Variable (or name in .env or the keyring) that holds the key; empty: none is needed."""
    input_price: Decimal | None = Field(default=None, ge=0)
    """USD per million tokens, here and below; None: litellm's own table."""
    output_price: Decimal | None = Field(default=None, ge=0)
    answer_format: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    """How it is held to the schema; ``auto``: by the table of what each model family takes."""
    pin: str = Field(default="", max_length=80)
    """The name its answers must carry; empty: any. Providers put other models behind an alias."""

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
        if provider and not self.api_base and provider not in HOMES:
            raise ValueError(
                f"model {self.model}: nothing is known about {provider}; write its api_base "
                f"(known: {', '.join(HOMES)})"
            )
        return self

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.api_base or HOMES.get(self.model.partition("/")[0], "")

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine: no key and no price is asked for."""
        return urlsplit(self.address).hostname in _LOOPBACK


class OptionalEndpoint(EndpointSettings):
    """One model at one address, or none, and how it is asked."""

    model: str = Field(default="", max_length=80, pattern=r"^$|^[a-z_]+/[A-Za-z0-9._:/@-]+$")
    """Provider/model, as litellm spells it; empty: nobody."""
    prompt: PromptForm = "full"
    """``short``: at most 300 tokens a request, for models that read slowly; what had no room is
    named in the journal."""


class RoleSettings(OptionalEndpoint):
    """Who answers for a role: this model, then the others, under one deadline. Empty: the rules."""

    fallback: tuple[EndpointSettings, ...]
    """Asked in this order when the ones before gave no valid answer."""
    deadline: float = Field(gt=0, le=300)
    """Seconds for all tries together."""
    temperature: float = Field(ge=0, le=2)
    max_tokens: int = Field(ge=50, le=8000)
    """Longest answer."""
    daily_cap: Decimal | None = Field(ge=0)
    """USD per wall-clock UTC day for this role alone; null: only the cap of all together."""

    @property
    def panel(self) -> tuple[tuple[EndpointSettings, ...], ...]:
        """Those asked side by side, each with its fallbacks in order."""
        return ((self, *self.fallback),) if self.model else ()

    @property
    def endpoints(self) -> Iterator[EndpointSettings]:
        """Everybody who may be asked."""
        return (one for chain in self.panel for one in chain)


class ArbiterSettings(RoleSettings):
    """The role that settles conflicts."""

    otherwise: Literal["rules", "fallback"]
    """When no model gave a valid answer: the rule arbiter, or orchestration.conflicts.fallback."""


class PanelSettings(RoleSettings):
    """A role for which several models are asked in parallel."""

    members: tuple[EndpointSettings, ...]
    """Asked beside the first, which alone has the fallbacks."""

    @property
    def panel(self) -> tuple[tuple[EndpointSettings, ...], ...]:
        """The first with its fallbacks, then each member by itself."""
        return (*super().panel, *((member,) for member in self.members))


class RolesSettings(Section):
    """The roles that a model can play."""

    arbiter: ArbiterSettings
    technical_analysis: RoleSettings
    regime_detection: RoleSettings
    sentiment_analysis: RoleSettings
    trading_decision: PanelSettings
    portfolio_rebalance: RoleSettings


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
    """Seconds of market time an address that failed is left alone."""
    every_role: OptionalEndpoint
    """One model for every role, alone: in the place of all that ``roles`` name."""
    roles: RolesSettings

    @model_validator(mode="after")
    def _has_cassette(self) -> LlmSettings:
        if self.provider == "cassette" and not self.cassette:
            raise ValueError("provider is cassette; name the file in cassette")
        return self

    def role(self, name: str) -> RoleSettings:
        """Who answers for a role: its own models, or the one for every role."""
        found: RoleSettings = getattr(self.roles, name)
        if not self.every_role.model:
            return found
        alone: dict[str, Any] = {**dict(self.every_role), "fallback": ()}
        if isinstance(found, PanelSettings):
            alone["members"] = ()
        return found.model_copy(update=alone)

    def role_names(self) -> tuple[str, ...]:
        """Every role, the arbiter's first."""
        return tuple(RolesSettings.model_fields)

    def members(self, name: str) -> int:
        """How many models are asked for a role; 0: the rules speak."""
        return 0 if self.provider == "rules" else len(self.role(name).panel)
