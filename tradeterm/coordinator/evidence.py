"""What the coordinator knows when it looks at a signal: same-symbol views with their ages."""

from __future__ import annotations

import msgspec

from tradeterm.model.outputs import Published, RegimeView, SentimentView, TechnicalView
from tradeterm.model.vocabulary import AgentName, Bias


class Heard(msgspec.Struct, frozen=True, gc=False):
    """An analyst's newest output; ``age`` in seconds since it last said so."""

    published: Published
    age: float


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """Everything around one symbol. What is too old or absent is None."""

    technical: Heard | None = None
    regime: Heard | None = None
    sentiment: Heard | None = None
    held_regimes: tuple[Heard, ...] = ()
    """Regimes of the symbols with open positions."""
    rebalance_pending: bool = False

    @property
    def silent(self) -> bool:
        """Whether no analyst was heard at all."""
        return not (self.technical or self.regime or self.sentiment or self.held_regimes)

    @property
    def technical_view(self) -> TechnicalView | None:
        output = self.technical.published.output if self.technical else None
        return output if isinstance(output, TechnicalView) else None

    @property
    def regime_view(self) -> RegimeView | None:
        output = self.regime.published.output if self.regime else None
        return output if isinstance(output, RegimeView) else None

    @property
    def sentiment_view(self) -> SentimentView | None:
        output = self.sentiment.published.output if self.sentiment else None
        return output if isinstance(output, SentimentView) else None

    def analysts(self) -> tuple[tuple[AgentName, Heard, Bias, float], ...]:
        """(who, output, bias, confidence) of those heard, in the house's order."""
        found = []
        for name, heard, view in (
            (AgentName.TECHNICAL, self.technical, self.technical_view),
            (AgentName.REGIME, self.regime, self.regime_view),
            (AgentName.SENTIMENT, self.sentiment, self.sentiment_view),
        ):
            if heard is not None and view is not None:
                found.append((name, heard, view.bias, view.confidence))
        return tuple(found)


def within(evidence: Evidence, windows: dict[str, int]) -> Evidence:
    """The evidence without what is older than its look-back window (seconds)."""
    if evidence.silent:
        return evidence

    def young(heard: Heard | None, name: AgentName) -> Heard | None:
        return heard if heard is not None and heard.age <= windows[name] else None

    oldest = windows[AgentName.REGIME]
    return Evidence(
        technical=young(evidence.technical, AgentName.TECHNICAL),
        regime=young(evidence.regime, AgentName.REGIME),
        sentiment=young(evidence.sentiment, AgentName.SENTIMENT),
        held_regimes=tuple(h for h in evidence.held_regimes if h.age <= oldest),
        rebalance_pending=evidence.rebalance_pending,
    )
