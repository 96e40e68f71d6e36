"""Trading decision, rule version: weighs the analysts against what is held and what it costs."""

from __future__ import annotations

from typing import Final

from tradeterm.agents.context import AgentContext
from tradeterm.agents.plan import Multipliers, entry_of, entry_signal, flat_signal, hold
from tradeterm.model.money import total
from tradeterm.model.opinions import DecisionOpinion
from tradeterm.model.outputs import RegimeView, SentimentView, TechnicalView, TradeSignal
from tradeterm.model.vocabulary import Action, Bias, PositionSide
from tradeterm.settings.agents import TradingDecisionSettings

#: Weight of each analyst's signed confidence; shared out among those who were heard.
TECHNICAL, REGIME, SENTIMENT = 0.5, 0.3, 0.2
SIGN: Final = {Bias.LONG: 1.0, Bias.SHORT: -1.0, Bias.NEUTRAL: 0.0}
MAX_CONFIDENCE: Final = 0.95


CLOSES: Final = {
    Action.CLOSE_LONG: PositionSide.LONG,
    Action.CLOSE_SHORT: PositionSide.SHORT,
}


def weighed(
    technical: TechnicalView, regime: RegimeView | None, sentiment: SentimentView | None
) -> dict[str, float]:
    """Signed confidence of each analyst heard, and the ``score`` they come to together."""
    figures = {"technical": SIGN[technical.bias] * technical.confidence}
    weight, score = TECHNICAL, TECHNICAL * figures["technical"]
    if regime is not None:
        figures["regime"] = SIGN[regime.bias] * regime.confidence
        weight, score = weight + REGIME, score + REGIME * figures["regime"]
    if sentiment is not None:
        figures["sentiment"] = SIGN[sentiment.bias] * sentiment.confidence
        weight, score = weight + SENTIMENT, score + SENTIMENT * figures["sentiment"]
    figures["score"] = score / weight
    return figures


class TradingAgent:
    """BUY, SELL, HOLD or CLOSE_* for one symbol (rule ``consensus``)."""

    def __init__(self, settings: TradingDecisionSettings) -> None:
        self._settings = settings

    def run(self, ctx: AgentContext) -> TradeSignal | None:
        """None until technical analysis has spoken."""
        technical, regime, sentiment = ctx.technical_view, ctx.regime_view, ctx.sentiment_view
        if technical is None or ctx.snapshot is None:
            return None
        figures = weighed(technical, regime, sentiment)
        score = figures["score"]
        heard = ", ".join(f"{name} {value:+.2f}" for name, value in figures.items())
        advice = Multipliers()
        if regime is not None:
            advice = Multipliers(regime.size_multiplier, regime.stop_multiplier)
        return self._decide(ctx, score, figures, heard, advice)

    def spoken(self, ctx: AgentContext, said: DecisionOpinion) -> TradeSignal | None:
        """A decision of models, which its bounds have passed, at this moment's price."""
        technical, instrument = ctx.technical_view, ctx.instruments.get(ctx.symbol)
        if technical is None or ctx.snapshot is None:
            return None
        figures = weighed(technical, ctx.regime_view, ctx.sentiment_view)
        if said.action in CLOSES:
            side = CLOSES[said.action]
            held = [p for p in ctx.account.positions if p.symbol == ctx.symbol and p.side is side]
            size = total(p.size for p in held if p.is_open)
            return flat_signal(ctx, said.action, said.confidence, size, figures, said.reasoning)
        if said.action is Action.HOLD or instrument is None:
            return hold(ctx, said.reasoning, figures)
        return entry_of(ctx, instrument, said, figures)

    def _decide(
        self, ctx: AgentContext, score: float, figures: dict[str, float], heard: str,
        advice: Multipliers,
    ) -> TradeSignal:  # fmt: skip
        settings, account = self._settings, ctx.account
        side = PositionSide.LONG if score > 0 else PositionSide.SHORT
        held = [p for p in account.positions if p.symbol == ctx.symbol and p.is_open]
        pending = any(order.request.symbol == ctx.symbol for order in account.entries)
        against = [p for p in held if p.side is not side]
        confidence = min(MAX_CONFIDENCE, 0.5 + 0.5 * abs(score))
        if pending:
            return hold(ctx, f"an entry is working: {heard}", figures)
        if abs(score) >= settings.entry_threshold and len(against) == len(held):
            action = Action.BUY if side is PositionSide.LONG else Action.SELL
            verb = "turn" if against else "enter"
            reasoning = f"{verb} {side.value}: {heard}"
            return entry_signal(ctx, settings, action, confidence, advice, figures, reasoning)
        if abs(score) >= settings.exit_threshold and against:
            action = Action.CLOSE_SHORT if side is PositionSide.LONG else Action.CLOSE_LONG
            size = total(p.size for p in against)
            reasoning = f"the case for {against[0].side.value} is gone: {heard}"
            return flat_signal(ctx, action, confidence, size, figures, reasoning)
        if held and not against:
            return hold(ctx, f"already {side.value}: {heard}", figures)
        return hold(ctx, f"no case (needs {settings.entry_threshold:.2f}): {heard}", figures)
