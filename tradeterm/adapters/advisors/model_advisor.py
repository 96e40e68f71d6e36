"""The advisor behind language models: asks them within the policy, checks, falls back to rules."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from tradeterm.adapters.advisors.prompting import Prompt, arbiter_prompt, repairing
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.advisors.settlement import Unusable, arbiter_answer
from tradeterm.engine.gateway import REPAIRABLE, Budget, Cooldowns, Round, Step
from tradeterm.model.money import ZERO
from tradeterm.model.ports import (
    ArbiterAnswer,
    ArbiterQuestion,
    ModelCall,
    ModelReply,
    Models,
    ModelTry,
)
from tradeterm.model.text import clean
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy, Route, TryOutcome
from tradeterm.settings.llm import LlmSettings

ROLE: Final = "arbiter"
#: Of an answer that was none, kept in the journal (characters).
SAID_LIMIT: Final = 64 * 1024
#: An answer never enters at the question's own moment: commands given meanwhile come first.
LEAST_LATENCY: Final = SECOND // 1000


class ModelAdvisor:
    """Settles questions with the models of the arbiter's role."""

    repeatable = False

    def __init__(
        self,
        settings: LlmSettings,
        models: Models,
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
        day: Callable[[], str] = lambda: time.strftime("%Y-%m-%d", time.gmtime()),
    ) -> None:
        """``budget`` knows what earlier sessions of today have spent; ``clock`` is in seconds."""
        self.name = settings.roles.arbiter.model
        self._settings = settings
        self._role = settings.roles.arbiter
        self._models = models
        self._rules = RulesAdvisor(settings)
        self._budget = budget
        self._cooldowns = Cooldowns(settings.cooldown)
        self._clock = clock
        self._day = day

    async def settle(self, question: ArbiterQuestion) -> ArbiterAnswer:
        """Answer one question; whatever the models do, there is an answer in time."""
        unasked = self._unasked(question) or await self._models.ready()
        if unasked:
            return self._by_rule(question, unasked)
        return await self._consulted(question)

    def begin(self) -> None:
        """Load what takes time."""
        self._models.begin()

    def finish(self) -> None:
        """The run has reached its end; raises CassetteError."""
        self._models.finish()

    def _unasked(self, question: ArbiterQuestion) -> str:
        """Why no model may be asked; empty when one may."""
        self._budget.turn(self._day())
        if question.route is Route.RULES:
            return "no model at this level"
        if question.route is Route.WAIT:
            return "at this level models settle regime conflicts only, the others wait"
        if self._budget.exhausted:
            return f"the day's budget of ${self._settings.daily_cap:f} is spent"
        return ""

    def _by_rule(self, question: ArbiterQuestion, why: str) -> ArbiterAnswer:
        answer = replace(self._rules.answer(question), unasked=why)
        if question.route is Route.WAIT:
            return replace(answer, action=ResolutionAction.WAIT, reasoning=why, size_reduction=0.0)
        return replace(answer, reasoning=f"{answer.reasoning} ({why})")

    # -- asking ----------------------------------------------------------------------------

    async def _consulted(self, question: ArbiterQuestion) -> ArbiterAnswer:
        role, prompt, started = self._role, arbiter_prompt(question), self._clock()
        able = [one for one in role.endpoints if self._cooldowns.ready(one, started)]
        single = self._budget.throttled or question.route is Route.PROBE
        asking = Round(able, role.deadline, single=single)
        tries: list[ModelTry] = []
        found, said = None, ""
        while found is None:
            step = asking.next(self._clock() - started)
            if step is None:
                break
            call = self._call(step, prompt, said)
            reply, found, one = await self._try(step, call, question, tries)
            tries.append(one)
            if found is None:
                said = reply.text
                asking.unanswered(step, one.outcome, one.fault)
                if one.outcome.was_sent and one.outcome not in REPAIRABLE:
                    self._cooldowns.failed(step.endpoint, self._clock(), reply.retry_after)
        latency = max(LEAST_LATENCY, sum(one.latency for one in tries))
        if found is None:
            found = self._unanswered(question, tries)
            latency = max(latency, found.latency)
        return replace(
            found, latency=latency, tries=tuple(tries), prompt=prompt.name, day=self._budget.day
        )

    async def _try(
        self,
        step: Step,
        call: ModelCall,
        question: ArbiterQuestion,
        before: list[ModelTry],
    ) -> tuple[ModelReply, ArbiterAnswer | None, ModelTry]:
        """One request: reserved, sent, settled, looked at."""
        estimate = self._models.estimate(call)
        if estimate is None and step.endpoint.is_local:
            estimate = ZERO
        refusal = self._unaffordable(estimate, sum((one.cost for one in before), ZERO))
        if estimate is None or refusal:
            reply = ModelReply(TryOutcome.NO_PRICE, "", 0, fault=refusal)
            return reply, None, _recorded(call, reply, reply.outcome, ZERO, refusal)
        reply = await self._models.ask(call, step.seconds)
        # Where nobody says what it cost, it cost what was reserved.
        cost = estimate if reply.cost is None else reply.cost
        self._budget.settle(estimate, cost)
        if reply.outcome is not TryOutcome.VALID:
            return reply, None, _recorded(call, reply, reply.outcome, cost, reply.fault)
        try:
            found = arbiter_answer(reply.text, question, _author(call, reply), reply.latency)
        except Unusable as error:
            return reply, None, _recorded(call, reply, TryOutcome.INVALID, cost, str(error))
        return reply, found, _recorded(call, reply, TryOutcome.VALID, cost, "")

    def _unaffordable(self, estimate: Decimal | None, decision: Decimal) -> str:
        if estimate is None:
            return "its price is not known: set input_price and output_price"
        if not self._budget.reserve(estimate, decision):
            return f"it may cost ${estimate:f}, more than the budget has left"
        return ""

    def _call(self, step: Step, prompt: Prompt, said: str) -> ModelCall:
        """The question; once more with what was ``said`` when that is to be repaired."""
        endpoint, messages = step.endpoint, prompt.messages
        if step.repair:
            messages = repairing(messages, said, step.repair)
        return ModelCall(
            role=ROLE,
            prompt=prompt.id,
            model=endpoint.model,
            address=endpoint.address,
            key_name=endpoint.api_key_env,
            messages=messages,
            schema=prompt.schema,
            temperature=self._role.temperature,
            max_tokens=self._role.max_tokens,
            local=endpoint.is_local,
            prices=(endpoint.input_price, endpoint.output_price),
        )

    def _unanswered(self, question: ArbiterQuestion, tries: list[ModelTry]) -> ArbiterAnswer:
        """No model gave a valid answer: the rule arbiter's, or none."""
        if tries and not any(one.outcome.was_sent for one in tries):
            return self._by_rule(question, f"no model can be asked: {tries[-1].fault}")
        why = f"no model answered: {tries[-1].fault}" if tries else "every model is cooling down"
        answer = self._rules.answer(question)
        if self._role.otherwise == "rules":
            return replace(answer, reasoning=f"{answer.reasoning} ({clean(why, 200)})")
        return replace(
            answer,
            action=ResolutionAction.WAIT,
            by=ResolvedBy.FALLBACK,
            model=self.name,
            confidence=0.0,
            reasoning=why,
            size_reduction=0.0,
            valid=False,
        )


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
        fault=fault,
        said="" if outcome is TryOutcome.VALID else clean(reply.text, SAID_LIMIT),
    )
