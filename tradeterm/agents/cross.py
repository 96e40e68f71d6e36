"""Trading decision by two EMAs (rule ``ema_cross``): long above, short below, decided every bar."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from tradeterm.agents.context import AgentContext
from tradeterm.agents.plan import Multipliers, entry_signal
from tradeterm.model.outputs import TradeSignal
from tradeterm.model.vocabulary import Action
from tradeterm.settings.agents import TradingDecisionSettings

#: The rule knows only above and below: one confidence for all of its signals.
CONFIDENCE: Final = 0.75


class Averages(Protocol):
    """The market as this rule sees it."""

    def emas(self, symbol: str, fast: int, slow: int) -> tuple[float, float] | None:
        """Two EMAs of the smallest timeframe's closes; None while not warm."""
        ...


class Cross(msgspec.Struct, frozen=True):
    """The fast average crossed the slow one."""

    symbol: str
    fast: float
    slow: float


class CrossRule:
    """Remembers per symbol on which side the fast average was; hot path of bar replays."""

    __slots__ = ("_above", "_settings", "fast", "slow")

    def __init__(self, settings: TradingDecisionSettings) -> None:
        self._settings = settings
        self.fast, self.slow = settings.fast, settings.slow
        self._above: dict[str, bool] = {}

    def crossed(self, symbol: str, market: Averages) -> Cross | None:
        """A cross at the bar that just closed; where it stood first is no cross."""
        averages = market.emas(symbol, self.fast, self.slow)
        if averages is None:
            return None
        fast, slow = averages
        if fast == slow:
            return None
        above = fast > slow
        before = self._above.get(symbol)
        if before is above:
            return None
        self._above[symbol] = above
        return None if before is None else Cross(symbol, fast, slow)

    def side(self, symbol: str) -> bool | None:
        """Whether the fast average was above; None before the first time."""
        return self._above.get(symbol)

    def signal(self, cross: Cross, ctx: AgentContext) -> TradeSignal:
        """The entry that follows; an open position on the other side is closed first."""
        up = cross.fast > cross.slow
        word = "above" if up else "below"
        return entry_signal(
            ctx, self._settings, Action.BUY if up else Action.SELL, CONFIDENCE, Multipliers(),
            {"fast": cross.fast, "slow": cross.slow},
            f"EMA {self.fast} at {cross.fast:.8g} crossed {word} EMA {self.slow} "
            f"at {cross.slow:.8g}",
        )  # fmt: skip

    def dump(self) -> dict[str, bool]:
        """For a snapshot."""
        return dict(self._above)

    def load(self, state: dict[str, bool]) -> None:
        """Continue as the dumped rule would."""
        self._above = dict(state)
