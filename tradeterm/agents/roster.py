"""The five agents by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tradeterm.agents.briefing import Briefing
from tradeterm.agents.context import AgentContext
from tradeterm.agents.cross import Averages, Cross, CrossRule
from tradeterm.agents.rebalance import RebalanceAgent
from tradeterm.agents.regime import RegimeAgent, RegimeMemory
from tradeterm.agents.sentiment import SentimentAgent
from tradeterm.agents.technical import TechnicalAgent
from tradeterm.agents.trading import TradingAgent
from tradeterm.market.series import Stretch
from tradeterm.model.opinions import Opinion
from tradeterm.model.outputs import AgentOutput, TradeSignal
from tradeterm.model.vocabulary import AgentName
from tradeterm.settings.agents import AgentSettings
from tradeterm.settings.portfolio import PortfolioSettings

#: ``along(symbol, stretch, places)``: what an analyst says on some bars of a stretch.
Along = Callable[[str, Stretch, range], Sequence[AgentOutput | None]]


class RosterState(msgspec.Struct):
    """What the agents remember."""

    regimes: dict[str, RegimeMemory]
    crosses: dict[str, bool]


class Roster:
    """Runs an agent by its name: its rule version, or what a model said in its place."""

    def __init__(self, agents: AgentSettings, portfolio: PortfolioSettings) -> None:
        self._regime = RegimeAgent(agents.regime_detection)
        technical = TechnicalAgent(agents.technical_analysis)
        sentiment = SentimentAgent(agents.sentiment_analysis)
        trading = TradingAgent(agents.trading_decision)
        rebalance = RebalanceAgent(portfolio)
        self._on_bar = on_bar = agents.trading_decision.rule == "ema_cross"
        self._runs: dict[AgentName, Callable[[AgentContext], AgentOutput | None]] = {
            AgentName.TECHNICAL: technical.run,
            AgentName.REGIME: self._regime.run,
            AgentName.SENTIMENT: sentiment.run,
            AgentName.TRADING: _nothing if on_bar else trading.run,
            AgentName.PORTFOLIO: rebalance.run,
        }
        self._alongs: dict[AgentName, Along] = {
            AgentName.TECHNICAL: technical.along,
            AgentName.REGIME: self._regime.along,
        }
        self._spoken: dict[AgentName, Callable[[AgentContext, Any], AgentOutput | None]] = {
            AgentName.TECHNICAL: technical.spoken,
            AgentName.REGIME: self._regime.spoken,
            AgentName.SENTIMENT: sentiment.spoken,
            AgentName.TRADING: trading.spoken,
            AgentName.PORTFOLIO: rebalance.spoken,
        }
        self.briefing = Briefing(sentiment)
        self.cross = CrossRule(agents.trading_decision)
        self.crossed = self.cross.crossed
        """``crossed(symbol, market)``: the hot path of ``ema_cross``."""

    def run(self, name: AgentName, ctx: AgentContext) -> AgentOutput | None:
        """One run; None while the agent is not warm or has nothing to say."""
        return self._runs[name](ctx)

    def rule(self, name: AgentName) -> Callable[[AgentContext], AgentOutput | None]:
        """What ``run`` calls."""
        return self._runs[name]

    def along(self, name: AgentName) -> Along:
        """The same on some bars of a stretch, for an analyst that looks at closed bars."""
        return self._alongs[name]

    def spoken(self, name: AgentName, ctx: AgentContext, said: Opinion) -> AgentOutput | None:
        """What a model's opinion (inside its bounds) comes to at this moment."""
        return self._spoken[name](ctx, said)

    def foreseen(self, name: AgentName, ctx: AgentContext) -> AgentOutput | None:
        """What the rules would say, without remembering it; None: there is nothing to judge."""
        return self._regime.glance(ctx) if name is AgentName.REGIME else self.run(name, ctx)

    def needs(self) -> dict[AgentName, int]:
        """Closed bars of one timeframe without which an agent has nothing to say."""
        needs = {AgentName.TECHNICAL: TechnicalAgent.NEEDS, AgentName.REGIME: RegimeAgent.NEEDS}
        if self._on_bar:
            needs[AgentName.TRADING] = self.cross.slow
        return needs

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


def _nothing(_ctx: AgentContext) -> None:
    """The decision rule that runs on every bar does not run by the clock."""


__all__ = ["Along", "Averages", "Cross", "Roster", "RosterState"]
