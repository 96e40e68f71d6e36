"""The five agents by name."""

from __future__ import annotations

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import Averages, Cross, CrossRule
from tradeterm.agents.rebalance import RebalanceAgent
from tradeterm.agents.regime import RegimeAgent, RegimeMemory
from tradeterm.agents.sentiment import SentimentAgent
from tradeterm.agents.technical import TechnicalAgent
from tradeterm.agents.trading import TradingAgent
from tradeterm.model.outputs import AgentOutput, TradeSignal
from tradeterm.model.vocabulary import AgentName
from tradeterm.settings.agents import AgentSettings
from tradeterm.settings.portfolio import PortfolioSettings


class RosterState(msgspec.Struct):
    """What the agents remember."""

    regimes: dict[str, RegimeMemory]
    crosses: dict[str, bool]


class Roster:
    """Runs an agent by its name; rule versions."""

    def __init__(self, agents: AgentSettings, portfolio: PortfolioSettings) -> None:
        self._technical = TechnicalAgent(agents.technical_analysis)
        self._regime = RegimeAgent(agents.regime_detection)
        self._sentiment = SentimentAgent(agents.sentiment_analysis)
        self._trading = TradingAgent(agents.trading_decision)
        self._rebalance = RebalanceAgent(portfolio)
        self.cross = CrossRule(agents.trading_decision)
        self._on_bar = agents.trading_decision.rule == "ema_cross"
        self.crossed = self.cross.crossed
        """``crossed(symbol, market)``: the hot path of ``ema_cross``."""

    def run(self, name: AgentName, ctx: AgentContext) -> AgentOutput | None:
        """One run; None while the agent is not warm or has nothing to say."""
        match name:
            case AgentName.TECHNICAL:
                return self._technical.run(ctx)
            case AgentName.REGIME:
                return self._regime.run(ctx)
            case AgentName.SENTIMENT:
                return self._sentiment.run(ctx)
            case AgentName.TRADING:
                return None if self._on_bar else self._trading.run(ctx)
            case AgentName.PORTFOLIO:
                return self._rebalance.run(ctx)

    def cross_signal(self, cross: Cross, ctx: AgentContext) -> TradeSignal:
        """The entry that follows a cross."""
        return self.cross.signal(cross, ctx)

    def dump(self) -> RosterState:
        """For a snapshot."""
        return RosterState(self._regime.dump(), self.cross.dump())

    def load(self, state: RosterState) -> None:
        """Continue as the dumped agents would."""
        self._regime.load(state.regimes)
        self.cross.load(state.crosses)


__all__ = ["Averages", "Cross", "Roster", "RosterState"]
