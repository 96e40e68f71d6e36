"""What an agent may look at for one run: facts, frozen, already cleaned at the borders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tradeterm.market.market import Snapshot
from tradeterm.model.account import AccountView
from tradeterm.model.instruments import Instrument
from tradeterm.model.market import News
from tradeterm.model.outputs import Published, RegimeView, SentimentView, TechnicalView
from tradeterm.model.vocabulary import AgentName


class AgentContext(msgspec.Struct, frozen=True, gc=False):
    """One symbol at one moment (``"*"`` for the portfolio). ``None``: nothing heard, or too old.

    Holds what the agent it is for looks at; the account is built when it is asked for.
    """

    symbol: str
    now: int
    snapshot: Snapshot | None
    technical: Published | None
    regime: Published | None
    sentiment: Published | None
    news: tuple[News, ...]
    read_account: Callable[[], AccountView]
    instruments: Mapping[str, Instrument]
    ages: Mapping[AgentName, float] = {}
    """Seconds since each analyst last said so; here and below: only when a model is asked."""
    data_age: float = 0.0
    """Seconds since the market's last word on the symbol."""

    @property
    def account(self) -> AccountView:
        """The account at this moment."""
        return self.read_account()

    @property
    def technical_view(self) -> TechnicalView | None:
        """What technical analysis last said."""
        output = self.technical.output if self.technical else None
        return output if isinstance(output, TechnicalView) else None

    @property
    def regime_view(self) -> RegimeView | None:
        """What regime detection last said."""
        output = self.regime.output if self.regime else None
        return output if isinstance(output, RegimeView) else None

    @property
    def sentiment_view(self) -> SentimentView | None:
        """What sentiment analysis last said."""
        output = self.sentiment.output if self.sentiment else None
        return output if isinstance(output, SentimentView) else None
