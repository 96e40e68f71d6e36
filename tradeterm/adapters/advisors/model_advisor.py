"""The advisor behind language models: whom a question goes to, and what is made of what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from tradeterm.adapters.advisors.conversation import (
    LEAST_LATENCY,
    Heard,
    Topic,
    converse,
    interrupted,
)
from tradeterm.adapters.advisors.gate import Gate
from tradeterm.adapters.advisors.opinions import agent_prompt, opinion
from tradeterm.adapters.advisors.prompting import arbiter_prompt
from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.advisors.settlement import arbiter_answer
from tradeterm.adapters.advisors.unanswered import RESTARTED, unasked, unsettled
from tradeterm.model.opinions import Opinion
from tradeterm.model.ports import (
    AgentAnswer,
    AgentQuestion,
    Answer,
    ArbiterAnswer,
    ArbiterQuestion,
    MemberVote,
    Question,
)
from tradeterm.model.text import clean
from tradeterm.model.vocabulary import ResolutionAction, Route
from tradeterm.settings.llm import EndpointSettings, LlmSettings

ARBITER: Final = "arbiter"
Chains = Sequence[Sequence[EndpointSettings]]


class ModelAdvisor:
    """Puts questions to the models of their role."""

    def __init__(self, settings: LlmSettings, gate: Gate) -> None:
        """Everything a model is asked passes the ``gate``."""
        self._settings = settings
        self._arbiter = settings.roles.arbiter
        self._role = settings.role(ARBITER)
        self._gate = gate
        self._rules = RulesAdvisor(settings)
        self.name = self._role.model or self._rules.name
        self.repeatable = gate.repeatable

    async def settle(self, question: Question) -> Answer:
        """Answer one question; whatever the models do, there is an answer in time."""
        if isinstance(question, AgentQuestion):
            return await self._polled(question)
        return await self._settled(question)

    async def interrupted(self, question: Question, latency: int) -> Answer:
        """For a question that was out when the program ended: nothing is asked again silently."""
        if isinstance(question, AgentQuestion):
            return await self._interrupted_poll(question, latency)
        if question.route not in (Route.ADVISOR, Route.PROBE) or not self._role.panel:
            return unsettled(question, self.name, RESTARTED, latency, unasked=RESTARTED)
        topic = self._settlement(question)
        tries = await interrupted(self._gate, topic, self._role.panel[0])
        return replace(
            unsettled(question, self.name, RESTARTED, latency),
            tries=tries, prompt=topic.prompt.name, day=self._gate.today(),
        )  # fmt: skip

    def begin(self) -> None:
        """Load what takes time."""
        self._gate.begin()

    def finish(self) -> None:
        """The run has reached its end; raises CassetteError."""
        self._gate.finish()

    # -- the arbiter -----------------------------------------------------------------------

    async def _settled(self, question: ArbiterQuestion) -> ArbiterAnswer:
        if not self._role.panel:
            return self._rules.answer(question)
        if question.route is Route.RULES:
            return self._by_rule(question, "by level or settings the rules decide this")
        if question.route is Route.WAIT:
            why = "at this level models settle regime conflicts only, the others wait"
            return self._by_rule(question, why)
        opening = await self._gate.open(question.id, ARBITER, question.ts)
        if opening.unasked:
            return self._by_rule(question, opening.unasked)
        topic = self._settlement(question)
        heard = await converse(self._gate, opening, topic, self._role.panel[0])
        found, latency = heard.found, heard.latency
        if found is None:
            found = self._unanswered(question, heard)
            latency = max(latency, found.latency)
        else:
            found = replace(found, model=heard.model)
        return replace(
            found, latency=latency, tries=heard.tries, prompt=topic.prompt.name,
            left_out=topic.prompt.left_out, day=opening.day,
        )  # fmt: skip

    def _settlement(self, question: ArbiterQuestion) -> Topic[ArbiterAnswer]:
        return Topic(
            question.id,
            question.ts,
            ARBITER,
            self._role,
            arbiter_prompt(question, self._role.prompt),
            lambda text: arbiter_answer(text, question),
            single=question.route is Route.PROBE,
        )

    def _by_rule(self, question: ArbiterQuestion, why: str) -> ArbiterAnswer:
        answer = replace(self._rules.answer(question), unasked=why)
        if question.route is Route.WAIT:
            return replace(answer, action=ResolutionAction.WAIT, reasoning=why, size_reduction=0.0)
        return replace(answer, reasoning=f"{answer.reasoning} ({why})")

    def _unanswered(self, question: ArbiterQuestion, heard: Heard[ArbiterAnswer]) -> ArbiterAnswer:
        """No model gave a valid answer: the rule arbiter's, or none."""
        what = "no model answered" if heard.was_sent else "no model can be asked"
        why = f"{what}: {heard.fault}"
        answer = self._rules.answer(question)
        if self._arbiter.otherwise == "rules":
            answer = replace(answer, reasoning=f"{answer.reasoning} ({clean(why, 200)})")
        else:
            answer = unsettled(question, self.name, why, answer.latency)
        return answer if heard.was_sent else replace(answer, unasked=why)

    # -- agents ----------------------------------------------------------------------------

    async def _polled(self, question: AgentQuestion) -> AgentAnswer:
        """Every member of the role's panel, side by side, each for itself."""
        poll = self._poll(question)
        opening = await self._gate.open(question.id, question.agent, question.ts)
        if opening.unasked or not poll.chains:
            why = opening.unasked or "no model is configured"
            return unasked(question, why, LEAST_LATENCY, opening.day)
        heard = await asyncio.gather(
            *(converse(self._gate, opening, poll.topic, chain) for chain in poll.chains)
        )
        if not any(one.was_sent for one in heard):
            why = f"no model can be asked: {heard[0].fault}"
            return unasked(question, why, LEAST_LATENCY, opening.day)
        return _answer(question, poll.topic, tuple(map(_vote, heard)), opening.day)

    async def _interrupted_poll(self, question: AgentQuestion, latency: int) -> AgentAnswer:
        poll = self._poll(question)
        if question.route not in (Route.ADVISOR, Route.PROBE) or not poll.chains:
            return unasked(question, RESTARTED, latency)
        votes = []
        for chain in poll.chains:
            tries = await interrupted(self._gate, poll.topic, chain)
            votes.append(MemberVote(chain[0].model, None, 0, tries, RESTARTED))
        answer = _answer(question, poll.topic, tuple(votes), self._gate.today())
        return replace(answer, latency=latency)

    def _poll(self, question: AgentQuestion) -> _Poll:
        role = self._settings.role(question.agent)
        topic = Topic(
            question.id,
            question.ts,
            question.agent,
            role,
            agent_prompt(question, role.prompt),
            lambda text: opinion(text, question),
            single=question.route is Route.PROBE,
        )
        return _Poll(topic, role.panel[: question.members or None])


@dataclass(frozen=True, slots=True)
class _Poll:
    """What a panel is asked, and who is on it."""

    topic: Topic[Opinion]
    chains: Chains


def _vote(heard: Heard[Opinion]) -> MemberVote:
    return MemberVote(heard.model, heard.found, heard.latency, heard.tries, heard.fault)


def _answer(
    question: AgentQuestion, topic: Topic[Opinion], votes: tuple[MemberVote, ...], day: str
) -> AgentAnswer:
    return AgentAnswer(
        question_id=question.id,
        agent=question.agent,
        latency=max(vote.latency for vote in votes),
        votes=votes,
        prompt=topic.prompt.name,
        left_out=topic.prompt.left_out,
        day=day,
    )
