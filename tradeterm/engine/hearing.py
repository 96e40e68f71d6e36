"""What the analysts last said: look-ups on the bus by symbol, source and age."""

from __future__ import annotations

from collections.abc import Iterable

from tradeterm.coordinator.evidence import Evidence, Heard
from tradeterm.engine.core import Core
from tradeterm.model.messages import Message
from tradeterm.model.outputs import Published
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName, Topic

#: Where each analyst speaks.
ANALYSTS = {
    AgentName.TECHNICAL: Topic.TA_SIGNALS,
    AgentName.REGIME: Topic.REGIME_UPDATES,
    AgentName.SENTIMENT: Topic.SENTIMENT_UPDATES,
}


class Hearing:
    """The newest output of each analyst on each symbol, as long as it is young enough."""

    def __init__(self, core: Core) -> None:
        self._bus, self._stamp = core.bus, core.stamp
        windows = core.settings.orchestration.windows
        self._analysts = {
            agent: (topic, agent.value, windows[agent.value] * SECOND)
            for agent, topic in ANALYSTS.items()
        }

    def last(self, agent: AgentName, symbol: str) -> Published | None:
        """An analyst's newest output on this symbol; None when unheard or too old."""
        topic, source, window = self._analysts[agent]
        message = self._bus.latest(topic, symbol, source, self._stamp.now, window)
        return None if message is None else _published(message)

    def ages(self, symbol: str) -> dict[AgentName, float]:
        """Seconds since each analyst that is young enough last said so."""
        found = {agent: self._heard(agent, symbol) for agent in ANALYSTS}
        return {agent: heard.age for agent, heard in found.items() if heard is not None}

    def evidence(self, symbol: str, held: Iterable[str], *, rebalance_pending: bool) -> Evidence:
        """Everything around one symbol; ``held`` are the symbols with open positions."""
        regimes = (self._heard(AgentName.REGIME, name) for name in dict.fromkeys(held))
        return Evidence(
            technical=self._heard(AgentName.TECHNICAL, symbol),
            regime=self._heard(AgentName.REGIME, symbol),
            sentiment=self._heard(AgentName.SENTIMENT, symbol),
            held_regimes=tuple(heard for heard in regimes if heard is not None),
            rebalance_pending=rebalance_pending,
        )

    def _heard(self, agent: AgentName, symbol: str) -> Heard | None:
        """Age counts from when the analyst last said so, not from when it first did."""
        topic, source, window = self._analysts[agent]
        now = self._stamp.now
        message = self._bus.latest(topic, symbol, source, now, window)
        if message is None:
            return None
        return Heard(_published(message), (now - message.ts) / SECOND)


def _published(message: Message) -> Published:
    assert isinstance(message.payload, Published)
    return message.payload
