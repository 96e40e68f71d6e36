"""The border for an agent's models: a prompt out, a checked opinion in, or the reason why not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, Field

from tradeterm.adapters.advisors.prompting import Prompt, prompt_of, short_prompt_of
from tradeterm.adapters.advisors.settlement import STRICT, Unusable, checked
from tradeterm.agents.bounds import flaw
from tradeterm.agents.briefing import quoted, told
from tradeterm.agents.digest import digest
from tradeterm.model.money import exact
from tradeterm.model.opinions import (
    DecisionOpinion,
    Opinion,
    RegimeOpinion,
    SentimentOpinion,
    TechnicalOpinion,
    TimingOpinion,
)
from tradeterm.model.ports import AgentQuestion
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import (
    Action,
    AgentName,
    Bias,
    Regime,
    Timing,
    VolatilityClass,
)
from tradeterm.settings.llm import PromptForm

REASONING_LIMIT: Final = 400
#: No price or size in any market is larger; what is, is nonsense.
MOST: Final = 1e12


class _Said(BaseModel):
    """What every agent says. The schema in the prompt is generated from here."""

    model_config = STRICT

    reasoning: str = Field(min_length=1, max_length=REASONING_LIMIT)
    """One or two sentences."""
    confidence: float = Field(ge=0, le=1)

    @property
    def words(self) -> str:
        """The reasoning as it may be kept and shown."""
        return clean(self.reasoning, REASONING_LIMIT)


class ChartReading(_Said):
    """Technical analysis."""

    bias: Bias = Field(strict=False)
    trend_strength: float = Field(ge=0, le=1)
    trend_alignment: float = Field(ge=0, le=1)
    """Share of the timeframes that point the way of bias."""
    support: float = Field(gt=0, le=MOST)
    resistance: float = Field(gt=0, le=MOST)

    def opinion(self) -> Opinion:
        """In the house's terms."""
        return TechnicalOpinion(
            self.bias, self.confidence, self.trend_strength, self.trend_alignment, self.support,
            self.resistance, self.words,
        )  # fmt: skip


class RegimeReading(_Said):
    """Regime detection."""

    regime: Regime = Field(strict=False)
    volatility: VolatilityClass = Field(strict=False)

    def opinion(self) -> Opinion:
        """In the house's terms."""
        return RegimeOpinion(self.regime, self.confidence, self.volatility, self.words)


class Mood(_Said):
    """Sentiment."""

    score: float = Field(ge=-1, le=1)
    """-1 is as bad as can be for the pair, 1 as good."""

    def opinion(self) -> Opinion:
        """In the house's terms."""
        return SentimentOpinion(self.score, self.confidence, self.words)


class Decision(_Said):
    """A trading decision."""

    action: Action = Field(strict=False)
    stop: float | None = Field(default=None, gt=0, le=MOST)
    target: float | None = Field(default=None, gt=0, le=MOST)
    size: float | None = Field(default=None, gt=0, le=MOST)
    """Base currency."""
    leverage: float | None = Field(default=None, ge=1, le=5)
    entry: float | None = Field(default=None, gt=0, le=MOST)
    """Leave it out to enter at the price."""

    def opinion(self) -> Opinion:
        """In the house's terms."""
        return DecisionOpinion(
            self.action, self.confidence, self.words, _money(self.stop), _money(self.target),
            _money(self.size), _money(self.leverage), _money(self.entry),
        )  # fmt: skip


class Schedule(_Said):
    """The timing of a rebalance."""

    timing: Literal["now", "batches", "wait"]

    def opinion(self) -> Opinion:
        """In the house's terms."""
        return TimingOpinion(Timing(self.timing), self.confidence, self.words)


class Speech(NamedTuple):
    """An agent's prompts and the type its answer must fit."""

    prompt: str
    short: str
    answer: type[ChartReading | RegimeReading | Mood | Decision | Schedule]


#: Id and version of each prompt: a changed text is a new version.
SPEECHES: Final = {
    AgentName.TECHNICAL: Speech("technical_analysis-1", "technical_analysis-short-1", ChartReading),
    AgentName.REGIME: Speech("regime_detection-1", "regime_detection-short-1", RegimeReading),
    AgentName.SENTIMENT: Speech("sentiment_analysis-1", "sentiment_analysis-short-1", Mood),
    AgentName.TRADING: Speech("trading_decision-1", "trading_decision-short-1", Decision),
    AgentName.PORTFOLIO: Speech("portfolio_rebalance-1", "portfolio_rebalance-short-1", Schedule),
}


def agent_prompt(question: AgentQuestion, form: PromptForm = "full") -> Prompt:
    """What an agent's models are asked: its facts, and apart from them what others wrote."""
    speech = SPEECHES[question.agent]
    if form == "short":
        return short_prompt_of(speech.short, speech.answer, question.symbol, digest(question))
    facts: dict[str, Any] = told(question)
    if question.texts:
        facts["quoted"] = quoted(question)
    return prompt_of(speech.prompt, speech.answer, facts)


def opinion(text: str, question: AgentQuestion) -> Opinion:
    """The opinion in ``text``, inside the question's bounds; raises Unusable."""
    said = checked(text, SPEECHES[question.agent].answer).opinion()
    wrong = flaw(said, question)
    if wrong:
        raise Unusable(wrong)
    return said


def _money(value: float | None) -> Decimal | None:
    return None if value is None else exact(value)
