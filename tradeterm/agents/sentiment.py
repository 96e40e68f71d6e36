"""Sentiment, rule version: headlines scored by a lexicon, weighed by age. Text yields only numbers."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from tradeterm.agents.context import AgentContext
from tradeterm.agents.lexicon import lean
from tradeterm.model.market import News
from tradeterm.model.opinions import SentimentOpinion
from tradeterm.model.outputs import SentimentView
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import Bias
from tradeterm.settings.agents import SentimentSettings

#: Headlines that name no asset concern every one of them, a little.
GENERAL_WEIGHT: Final = 0.3
#: Weight of headlines after which more of them add little certainty (about two fresh ones).
ENOUGH: Final = 2.0


class SentimentAgent:
    """Score and bias of one symbol from what was written about its assets."""

    def __init__(self, settings: SentimentSettings) -> None:
        self._settings = settings
        self._window = settings.window * SECOND
        self._half_life = settings.half_life * SECOND

    def run(self, ctx: AgentContext) -> SentimentView | None:
        """None while nothing was written about it inside the window."""
        base, _, quote = ctx.symbol.partition("/")
        since = ctx.now - self._window
        total = mass = certain = 0.0
        items = 0
        newest = 0
        for news in ctx.news:
            if not since <= news.ts <= ctx.now:
                continue
            moved = concern(news, base, quote)
            if not moved:
                continue
            weight = abs(moved) * 0.5 ** ((ctx.now - news.ts) / self._half_life)
            value = lean(news.text) * (1.0 if moved > 0 else -1.0)
            total += weight * value
            certain += weight * abs(value)
            mass += weight
            items += 1
            newest = max(newest, news.ts)
        if not items:
            return None
        score = total / mass
        agreement = abs(total) / certain if certain else 0.0
        confidence = 0.25 + 0.4 * abs(score) + 0.3 * agreement * min(1.0, mass / ENOUGH)
        bias = self._bias(score)
        age = (ctx.now - newest) / SECOND
        return SentimentView(
            ctx.symbol, score, bias, confidence, items,
            {"score": score, "weight": mass, "agreement": agreement, "newest_age": age},
            f"{bias.value} {score:+.2f} from {items} headlines, newest {age / 60:.0f} min old, "
            f"agreement {agreement:.0%}",
        )  # fmt: skip

    def spoken(self, ctx: AgentContext, said: SentimentOpinion) -> SentimentView | None:
        """A model's scores; what they mean is said by the rule."""
        view = self.run(ctx)
        if view is None:
            return None
        return replace(
            view, score=said.score, bias=self._bias(said.score), confidence=said.confidence,
            reasoning=said.reasoning,
        )  # fmt: skip

    def window(self, ctx: AgentContext) -> list[News]:
        """What was written about the pair and still counts, newest first."""
        base, _, quote = ctx.symbol.partition("/")
        since = ctx.now - self._window
        found = [n for n in ctx.news if since <= n.ts <= ctx.now and concern(n, base, quote)]
        return found[::-1]

    def _bias(self, score: float) -> Bias:
        if abs(score) < self._settings.bias_threshold:
            return Bias.NEUTRAL
        return Bias.LONG if score > 0 else Bias.SHORT


def concern(news: News, base: str, quote: str) -> float:
    """How much a headline moves the pair: good news for the quote asset is bad for the pair."""
    if not news.assets:
        return GENERAL_WEIGHT
    return (1.0 if base in news.assets else 0.0) - (1.0 if quote in news.assets else 0.0)
