"""Advisor settings (config/llm.yaml): who settles conflicts, and what that may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from tradeterm.settings.section import Section


class LlmSettings(Section):
    """The advisor and its caps (USD)."""

    provider: Literal["rules"]
    latency: float = Field(ge=0, le=60)
    """Seconds of market time the rule arbiter takes for an answer."""
    daily_cap: Decimal = Field(ge=0)
