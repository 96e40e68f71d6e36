"""Ports: what the engine asks of the edge. Adapters implement them; the engine never awaits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from tradeterm.model.market import Candle, MarketEvent
from tradeterm.model.opinions import Opinion
from tradeterm.model.orders import ApprovedOrder, VenueReport
from tradeterm.model.proposals import Conflict, Proposal
from tradeterm.model.reconciling import VenueSnapshot
from tradeterm.model.vocabulary import (
    Action,
    AgentName,
    Regime,
    ResolutionAction,
    ResolvedBy,
    Route,
    TryOutcome,
)


class ArbiterQuestion(msgspec.Struct, frozen=True, gc=False, tag="arbiter"):
    """Everything an arbiter may look at. Facts only; no prose from outside."""

    id: str
    ts: int
    proposal: Proposal
    conflict: Conflict
    regime: Regime | None
    ta_confidence: float
    sentiment_confidence: float
    ta_age: float
    """Seconds since the technical output; the next field likewise for sentiment."""
    sentiment_age: float
    regime_age: float
    order: tuple[str, ...] = ()
    """The analysts in the order a model hears them: shuffled, so that none is always first."""
    route: Route = Route.ADVISOR


class ModelTry(msgspec.Struct, frozen=True):
    """One request to a model and what became of it."""

    model: str
    echoed: str
    """The model that the provider says answered; empty when it does not say."""
    outcome: TryOutcome
    latency: int
    """Nanoseconds."""
    cost: Decimal
    """USD; the reservation where a request was sent and nobody told its price."""
    tokens_in: int
    tokens_out: int
    fault: str = ""
    said: str = ""
    """What came back when it was no valid answer, cleaned."""


def _were_interrupted(tries: tuple[ModelTry, ...]) -> bool:
    return bool(tries) and all(one.outcome is TryOutcome.INTERRUPTED for one in tries)


class ArbiterAnswer(msgspec.Struct, frozen=True, gc=False, tag="arbiter"):
    """A settled question; ``latency`` in nanoseconds of market time. Numbers are unchecked."""

    question_id: str
    action: ResolutionAction
    by: ResolvedBy
    model: str
    confidence: float
    reasoning: str
    size_reduction: float
    leverage: float | None
    entry: float | None
    latency: int
    valid: bool = True
    tries: tuple[ModelTry, ...] = ()
    """Every request to a model, in order."""
    prompt: str = ""
    """Id and hash of what the models were asked."""
    left_out: tuple[str, ...] = ()
    """Facts that its short form had no room for."""
    day: str = ""
    """Wall-clock UTC day on which the cost was incurred."""
    unasked: str = ""
    """Why no model was asked although one is configured."""

    @property
    def cost(self) -> Decimal:
        """USD for all tries."""
        return sum((one.cost for one in self.tries), Decimal(0))

    @property
    def is_interrupted(self) -> bool:
        """The program ended while it was out: that says nothing about any model."""
        return _were_interrupted(self.tries)


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Something an agent is told: whence it is, and how old. Figures and words of ours only."""

    name: str
    source: str
    age: float
    """Seconds."""
    values: dict[str, float | str]


class Quotation(msgspec.Struct, frozen=True, gc=False):
    """Words that nobody here wrote, cleaned and capped: data, never an instruction."""

    id: str
    """The headline's, or the row's they stand in."""
    source: str
    age: float
    """Seconds."""
    text: str


class Allowed(msgspec.Struct, frozen=True, gc=False):
    """What risk leaves of an entry in one direction, worked out before anybody is asked."""

    action: Action
    """BUY or SELL."""
    price: Decimal
    """The touch: what the entry would pay now."""
    max_size: Decimal
    """Base currency."""
    max_leverage: Decimal
    min_stop: Decimal
    """Percent of the price; the next field too."""
    max_stop: Decimal
    max_loss: Decimal
    """Quote currency, from price to stop at the size chosen."""
    min_reward: Decimal
    """Gain at the target over loss at the stop, fees of both sides paid."""
    min_confidence: float
    max_collar: Decimal
    """Percent an entry may lie away from the price."""
    fee: Decimal
    """Taker fee of one side, a fraction of notional."""


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What a decision may be: an answer outside is invalid, never cut to fit."""

    closes: tuple[Action, ...]
    """CLOSE_LONG and CLOSE_SHORT where something is held."""
    entries: tuple[Allowed, ...]
    refused: dict[str, str]
    """BUY or SELL → why it is not among the entries."""
    slippage: Decimal
    """Expected per side, percent."""


class AgentQuestion(msgspec.Struct, frozen=True, gc=False, tag="agent"):
    """What an agent's models are asked in one run; everything they may look at."""

    id: str
    ts: int
    agent: AgentName
    symbol: str
    """``"*"``: the portfolio."""
    facts: tuple[Fact, ...]
    texts: tuple[Quotation, ...]
    inputs: tuple[str, ...]
    """Ids of the rows it follows from."""
    patience: float
    """Seconds; a vote that takes longer comes too late to count."""
    members: int = 0
    """How many of the role's models may be asked; 0: all of them."""
    scope: Scope | None = None
    """Of a trading decision."""
    route: Route = Route.ADVISOR
    """ADVISOR or PROBE: where no model may be asked, nobody is."""


class MemberVote(msgspec.Struct, frozen=True, gc=False):
    """What one of a role's models said, all its tries and fallbacks included."""

    model: str
    """Who answered; when nobody did, who was asked first."""
    opinion: Opinion | None
    """None: no valid answer (``fault`` says why)."""
    latency: int
    """Nanoseconds from the question to its last word."""
    tries: tuple[ModelTry, ...] = ()
    fault: str = ""


class AgentAnswer(msgspec.Struct, frozen=True, gc=False, tag="agent"):
    """The votes of the models that were asked; ``latency`` in nanoseconds of market time."""

    question_id: str
    agent: AgentName
    latency: int
    """Of the slowest vote."""
    votes: tuple[MemberVote, ...] = ()
    prompt: str = ""
    """Id and hash of what the models were asked."""
    left_out: tuple[str, ...] = ()
    """Facts that its short form had no room for."""
    day: str = ""
    """Wall-clock UTC day on which the cost was incurred."""
    unasked: str = ""
    """Why no model was asked although one is configured."""
    late: bool = False
    """Votes that came too late to count: kept for the record."""

    @property
    def tries(self) -> tuple[ModelTry, ...]:
        """Every request to a model."""
        return tuple(one for vote in self.votes for one in vote.tries)

    @property
    def cost(self) -> Decimal:
        """USD for all tries."""
        return sum((one.cost for one in self.tries), Decimal(0))

    @property
    def is_interrupted(self) -> bool:
        """The program ended while it was out: that says nothing about any model."""
        return _were_interrupted(self.tries)


Question = ArbiterQuestion | AgentQuestion
Answer = ArbiterAnswer | AgentAnswer


class Advisor(Protocol):
    """Who settles conflicts and speaks for agents: rules, a cassette, or language models."""

    name: str
    repeatable: bool
    """True when asking again after a crash gives the same answer."""

    async def settle(self, question: Question) -> Answer:
        """Answer one question; raises nothing: an invalid answer says so."""
        ...

    async def interrupted(self, question: Question, latency: int) -> Answer:
        """The answer to one that was out when the program ended: none, at its reserved cost."""
        ...

    def begin(self) -> None:
        """The market is about to move: load what takes time, without waiting for it."""
        ...

    def finish(self) -> None:
        """The run has reached its end; a recording that was not used up raises CassetteError."""
        ...


class ModelCall(msgspec.Struct, frozen=True, gc=False):
    """One request to a model; the key is looked up where it is sent, never carried."""

    role: str
    prompt: str
    """Id and version of the prompt, e.g. ``arbiter-1``."""
    model: str
    address: str
    key_name: str
    messages: tuple[tuple[str, str], ...]
    """(role, text) in order."""
    schema: Mapping[str, Any]
    """JSON schema of the answer."""
    temperature: float
    max_tokens: int
    local: bool = False
    """It stays on this machine: a key is sent when there is one, and not asked for."""
    prices: tuple[Decimal | None, Decimal | None] = (None, None)
    """USD per million tokens in and out; None: the adapter's own table."""
    answer_format: str = "text"
    """How the model is held to the schema: json_schema, json_object or (by the prompt only) text."""
    question: str = ""
    """Id of what it is asked for; the model is not told, here and below."""
    ts: int = 0
    """Market time (ns) at which it leaves."""


class ModelReply(msgspec.Struct, frozen=True, gc=False):
    """What a model's provider sent; VALID only says that there is a whole text to look at."""

    outcome: TryOutcome
    text: str
    latency: int
    """Nanoseconds."""
    echoed: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal | None = None
    """USD; None when nobody knows."""
    retry_after: float = 0.0
    """Seconds the provider asks for before the next request."""
    fault: str = ""


class Models(Protocol):
    """Language models behind one call."""

    async def ready(self) -> str:
        """Return when requests can be sent without delay: empty, or why they never can."""
        ...

    def estimate(self, call: ModelCall) -> Decimal | None:
        """The most a request can cost, USD; None when nobody knows."""
        ...

    async def ask(self, call: ModelCall, seconds: float) -> ModelReply:
        """Send one request, once; never longer than ``seconds``.

        Whatever happens is a reply; only a recording that does not fit raises (CassetteError).
        """
        ...

    def begin(self) -> None:
        """The market is about to move: load what takes time, without waiting for it."""
        ...

    def finish(self) -> None:
        """The run has reached its end; a recording that was not used up raises CassetteError."""
        ...


class Venue(Protocol):
    """Where orders go. Takes only what the risk engine approved; speaks in reports."""

    def submit(self, order: ApprovedOrder, now: int) -> None:
        """Send an order; what becomes of it arrives as reports."""
        ...

    def cancel(self, order_ids: Sequence[str], now: int) -> None:
        """Ask in one call for the rest of orders to be cancelled."""
        ...

    def amend(self, order: ApprovedOrder, now: int) -> None:
        """Send other terms for a working order (``request.revision`` is one higher)."""
        ...

    def on_market(self, event: MarketEvent) -> list[VenueReport]:
        """What a market event did to resting orders, in order."""
        ...

    def advance(self, now: int) -> list[VenueReport]:
        """What happened up to ``now`` (orders and cancels leaving latency, expiry)."""
        ...

    def snapshot(self) -> VenueSnapshot:
        """What the venue holds now: working orders, position sizes, balances."""
        ...


__all__ = [
    "Advisor",
    "AgentAnswer",
    "AgentQuestion",
    "Allowed",
    "Answer",
    "ArbiterAnswer",
    "ArbiterQuestion",
    "Candle",
    "Fact",
    "MemberVote",
    "ModelCall",
    "ModelReply",
    "ModelTry",
    "Models",
    "Question",
    "Quotation",
    "Scope",
    "Venue",
]
