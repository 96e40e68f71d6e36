"""What a trading decision may be, asked of risk before anybody is: directions, sizes, bounds."""

from __future__ import annotations

from typing import Final

from tradeterm.agents.context import AgentContext
from tradeterm.agents.plan import atr_of, levels
from tradeterm.engine.core import Core
from tradeterm.engine.judging import Judging
from tradeterm.model.money import ONE, ZERO
from tradeterm.model.ports import Allowed, Scope
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.vocabulary import Action, PositionSide, RunState

#: Asked for in the what-if, so that the limits say how much: more equity than any of them allows.
EVERYTHING: Final = 1000
_SIDES: Final = {Action.BUY: PositionSide.LONG, Action.SELL: PositionSide.SHORT}
_CLOSES: Final = {
    PositionSide.LONG: Action.CLOSE_LONG,
    PositionSide.SHORT: Action.CLOSE_SHORT,
}


class Scoping:
    """Bounds of a decision on one symbol, by what-if verdicts that change nothing."""

    def __init__(self, core: Core, judging: Judging) -> None:
        self._core = core
        self._judging = judging

    def of(self, ctx: AgentContext) -> Scope:
        """What is allowed at this moment."""
        held = {p.side for p in ctx.account.positions if p.symbol == ctx.symbol and p.is_open}
        closes = tuple(_CLOSES[side] for side in PositionSide if side in held)
        entries: list[Allowed] = []
        refused: dict[str, str] = {}
        for action in _SIDES:
            found = self._entry(ctx, action)
            if isinstance(found, Allowed):
                entries.append(found)
            else:
                refused[action.value] = found
        return Scope(closes, tuple(entries), refused, self._core.settings.risk.expected_slippage)

    def _entry(self, ctx: AgentContext, action: Action) -> Allowed | str:
        """The bounds of an entry, or why there can be none."""
        core, account, symbol = self._core, ctx.account, ctx.symbol
        if core.state is not RunState.RUNNING:
            return core.state.value
        if any(order.request.symbol == symbol for order in account.entries):
            return "an entry is working"
        instrument, mid = ctx.instruments.get(symbol), account.mid(symbol)
        atr = atr_of(ctx.snapshot) if ctx.snapshot else None
        if instrument is None or mid is None or atr is None:
            return "no price or ATR yet"
        rate = account.rates.get(instrument.quote, ZERO)
        if rate <= 0 or mid <= 0:
            return "no rate to account currency yet"
        rules, risk = core.settings.agents.trading_decision, core.settings.risk
        price = instrument.price(mid)
        stop, target = levels(rules, instrument, price, atr, long=action is Action.BUY)
        most = risk.limit("max_leverage", symbol)
        wish = TradeIntent(
            symbol, _SIDES[action], instrument.size(account.equity * EVERYTHING / (price * rate)),
            price, stop, target, most, ONE,
        )  # fmt: skip
        verdict = self._judging.what_if(wish)
        if verdict.intent is None:
            return ", ".join(verdict.codes)
        size = verdict.intent.size
        return Allowed(
            action, price, size, verdict.intent.leverage, risk.limit("min_stop", symbol),
            risk.limit("max_stop", symbol), size * abs(price - stop), risk.min_reward_risk,
            float(risk.limit("min_confidence", symbol)), risk.limit("max_collar", symbol),
            instrument.taker_fee,
        )  # fmt: skip
