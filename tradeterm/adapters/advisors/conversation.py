"""One conversation with the models of a role: in order, checked, repaired once, on one deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, TypeVar

from tradeterm.adapters.advisors.formats import answer_format
from tradeterm.adapters.advisors.gate import Attempt, Gate, Opening
from tradeterm.adapters.advisors.prompting import Prompt, repairing
from tradeterm.adapters.advisors.settlement import Unusable
from tradeterm.engine.gateway import Round, endpoint_key
from tradeterm.model.money import ZERO
from tradeterm.model.ports import ModelCall, ModelReply, ModelTry
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import TryOutcome
from tradeterm.settings.llm import EndpointSettings, RoleSettings

#: Of an answer that was none, kept in the journal (characters).
SAID_LIMIT: Final = 64 * 1024
#: An answer never enters at the question's own moment: commands given meanwhile come first.
LEAST_LATENCY: Final = SECOND // 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """What came of it."""

    found: T | None
    """A valid answer."""
    model: str
    """Who gave it; when nobody did, who was asked first."""
    tries: tuple[ModelTry, ...]
    deadline: float
    """Seconds that were granted."""

    @property
    def latency(self) -> int:
        """Nanoseconds, all tries together; what ran into the deadline took just as long."""
        taken = sum(one.latency for one in self.tries)
        return min(max(LEAST_LATENCY, taken), int(self.deadline * SECOND))

    @property
    def was_sent(self) -> bool:
        """Whether anybody was asked at all."""
        return any(one.outcome.was_sent for one in self.tries)

    @property
    def fault(self) -> str:
        """Why there is no answer."""
        if self.found is not None:
            return ""
        return self.tries[-1].fault if self.tries else "every model is cooling down"


@dataclass(frozen=True, slots=True)
class Topic(Generic[T]):
    """What is asked, by which role, and what an answer has to be."""

    question: str
    asked: int
    """Market time, ns."""
    name: str
    """Of the role."""
    role: RoleSettings
    prompt: Prompt
    check: Callable[[str], T]
    """Makes something of an answer's text; raises Unusable."""
    single: bool = False
    """One try and no more."""

    def call(
        self, endpoint: EndpointSettings, said: str = "", repair: str = "", *, elapsed: int = 0
    ) -> ModelCall:
        """The question; once more with what was ``said`` when that is to be repaired.

        ``elapsed`` (ns) by the tries before it: what is measured counts as market time.
        """
        messages = self.prompt.messages
        if repair:
            messages = repairing(self.prompt, said, repair)
        return ModelCall(
            role=self.name,
            prompt=self.prompt.id,
            model=endpoint.model,
            address=endpoint.address,
            key_name=endpoint.api_key_env,
            messages=messages,
            schema=self.prompt.schema,
            temperature=self.role.temperature,
            max_tokens=self.role.max_tokens,
            local=endpoint.is_local,
            prices=(endpoint.input_price, endpoint.output_price),
            answer_format=answer_format(endpoint),
            question=self.question,
            ts=self.asked + elapsed,
        )

    def judge(self, call: ModelCall, attempt: Attempt, pin: str) -> tuple[T | None, ModelTry]:
        """What came back, looked at and written down."""
        reply, cost = attempt.reply, attempt.cost
        if reply.outcome is not TryOutcome.VALID:
            return None, _recorded(call, reply, reply.outcome, cost, reply.fault)
        if pin and reply.echoed != pin:
            fault = f"pinned to {pin}, but {reply.echoed or 'nobody by name'} answered"
            return None, _recorded(call, reply, TryOutcome.FAILED, cost, fault)
        try:
            found = self.check(reply.text)
        except Unusable as error:
            return None, _recorded(call, reply, TryOutcome.INVALID, cost, str(error))
        return found, _recorded(call, reply, TryOutcome.VALID, cost, "")


async def converse(
    gate: Gate, opening: Opening, topic: Topic[T], chain: Sequence[EndpointSettings]
) -> Heard[T]:
    """Ask one after the other until somebody gives a valid answer, or the deadline is over."""
    able = [one for one in chain if endpoint_key(one.model, one.address) not in opening.resting]
    deadline = topic.role.deadline
    asking = Round(able, deadline, single=opening.single or topic.single)
    tries: list[ModelTry] = []
    said, elapsed = "", 0
    while (step := asking.next(elapsed / SECOND)) is not None:
        call = topic.call(step.endpoint, said, step.repair, elapsed=elapsed)
        spent = sum((one.cost for one in tries), ZERO)
        attempt = await gate.attempt(call, step.seconds, spent)
        found, one = topic.judge(call, attempt, step.endpoint.pin)
        tries.append(one)
        elapsed += one.latency
        if found is not None:
            return Heard(found, _author(call, attempt.reply), tuple(tries), deadline)
        said = attempt.reply.text
        asking.unanswered(step, one.outcome, one.fault)
    return Heard(None, chain[0].model, tuple(tries), deadline)


async def interrupted(
    gate: Gate, topic: Topic[T], chain: Sequence[EndpointSettings]
) -> tuple[ModelTry, ...]:
    """The request that was out when the program ended: it costs what was reserved for it."""
    call = topic.call(chain[0])
    fault = "the program ended while it was out"
    reply = ModelReply(TryOutcome.INTERRUPTED, "", 0)
    return (_recorded(call, reply, reply.outcome, await gate.reservation(call), fault),)


def _author(call: ModelCall, reply: ModelReply) -> str:
    """The model asked; where the provider says that another one answered, that one as well."""
    asked = call.model.rpartition("/")[2]
    same = not reply.echoed or reply.echoed.rpartition("/")[2].startswith(asked)
    return call.model if same else f"{call.model} as {reply.echoed}"


def _recorded(
    call: ModelCall, reply: ModelReply, outcome: TryOutcome, cost: Decimal, fault: str
) -> ModelTry:
    return ModelTry(
        model=call.model,
        echoed=reply.echoed,
        outcome=outcome,
        latency=reply.latency,
        cost=cost,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        fault=clean(fault, 300),
        said="" if outcome is TryOutcome.VALID else clean(reply.text, SAID_LIMIT),
    )
