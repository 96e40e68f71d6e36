"""All settings in one frozen tree; each section is one file in config/ and one type beside this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import model_validator

from tradeterm.model.vocabulary import AgentName
from tradeterm.settings.agents import AgentSettings
from tradeterm.settings.console import ConsoleSettings
from tradeterm.settings.execution import ExecutionSettings
from tradeterm.settings.live import LiveSettings
from tradeterm.settings.llm import LlmSettings
from tradeterm.settings.market import MarketSettings
from tradeterm.settings.orchestration import OrchestrationSettings
from tradeterm.settings.portfolio import PortfolioSettings
from tradeterm.settings.recording import RecordingSettings
from tradeterm.settings.risk import RiskSettings
from tradeterm.settings.section import Section


class Settings(Section):
    """Everything that can be configured."""

    market: MarketSettings
    agents: AgentSettings
    orchestration: OrchestrationSettings
    portfolio: PortfolioSettings
    risk: RiskSettings
    execution: ExecutionSettings
    llm: LlmSettings
    live: LiveSettings
    console: ConsoleSettings
    recording: RecordingSettings

    @model_validator(mode="after")
    def _one_decides(self) -> Settings:
        """A rule that runs on every bar cannot stand in for a model that runs by the clock."""
        on_bar = self.agents.trading_decision.rule == "ema_cross"
        if on_bar and self.llm.members(AgentName.TRADING.value):
            raise ValueError(
                "agents.trading_decision.rule is ema_cross, which decides on every bar, and "
                "llm.roles.trading_decision has a model: write rule: consensus, or leave the "
                "model empty"
            )
        return self

    def effective(self) -> dict[str, Any]:
        """The values in force as plain JSON data, exact: decimals are strings."""
        return self.model_dump(mode="json")

    @classmethod
    def from_effective(cls, data: Mapping[str, Any]) -> Settings:
        """The settings a run was recorded with."""
        return cls.model_validate(data)


def leaves(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(Dotted key, value) of everything in effective settings; an empty mapping is a value."""
    if isinstance(values, Mapping) and values:
        for name, inner in values.items():
            yield from leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, values
