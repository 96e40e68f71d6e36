"""Puts an agent's models in its place: who is asked, what they are told, what their votes come to."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from tradeterm.agents.briefing import Briefing, allocation_facts
from tradeterm.agents.context import AgentContext
from tradeterm.agents.votes import Ballot, counted
from tradeterm.coordinator.degradation import Permission
from tradeterm.engine.core import Core
from tradeterm.engine.scoping import Scoping
from tradeterm.engine.trading import Trading
from tradeterm.model.outputs import AllocationView
from tradeterm.model.ports import AgentAnswer, AgentQuestion, Fact
from tradeterm.model.vocabulary import AgentName, Route

TRADING, PORTFOLIO = AgentName.TRADING, AgentName.PORTFOLIO
#: Why the rule version speaks although a model is configured.
LEVEL_FORBIDS: Final = "no model at this level"
#: Seconds past its role's deadline that the last word of a request may take.
GRACE: Final = 0.5
NOTHING_TO_ASK: Final = "the facts are missing or too old"


class ConsultingState(msgspec.Struct):
    """What is out, and who waits for it."""

    out: dict[str, AgentQuestion]
    waiting: list[tuple[AgentName, str]]
    newest: AgentQuestion | None


class Consulting:
    """Questions to the models of agents, one at a time per agent and symbol."""

    def __init__(self, core: Core, trading: Trading, briefing: Briefing) -> None:
        self._core = core
        self._trading = trading
        self._briefing = briefing
        self._scoping = Scoping(core, trading.judging)
        self._schedule = core.settings.orchestration.schedule
        llm = core.settings.llm
        self._members = {name: llm.members(name.value) for name in AgentName}
        self.possible = any(self._members.values())
        """Whether any agent has a model: where none has, nothing here is looked at."""
        self._out: dict[str, AgentQuestion] = {}
        self._waiting: list[tuple[AgentName, str]] = []
        """Runs that wait for the answer of an agent they depend on."""
        self._newest: AgentQuestion | None = None

    # -- before ----------------------------------------------------------------------------

    def holds_back(self, name: AgentName, symbol: str) -> bool:
        """Whether this run must wait: its own question is out, or one it depends on is."""
        if not self._out:
            return False
        if self._asked(name, symbol):
            return True
        if not self._awaits(name, symbol):
            return False
        if (name, symbol) not in self._waiting:
            self._waiting.append((name, symbol))
        return True

    def _awaits(self, name: AgentName, symbol: str) -> bool:
        """Whether somebody it depends on has not spoken yet."""
        return any(
            self._asked(other, symbol)
            or any(who is other and symbol in (what, "*") for who, what in self._waiting)
            for other in self._schedule[name].after
        )

    def _asked(self, name: AgentName, symbol: str) -> bool:
        """A run for the whole portfolio (``*``) depends on every symbol."""
        return any(
            question.agent is name and symbol in (question.symbol, "*")
            for question in self._out.values()
        )

    def refusal(self, name: AgentName) -> str | None:
        """Why no model speaks for this agent now; None when one may (empty: none is configured)."""
        if not self._members[name]:
            return ""
        return None if self._trading.permits(Permission.LLM) else LEVEL_FORBIDS

    def ask(
        self, name: AgentName, ctx: AgentContext, inputs: tuple[str, ...],
        due: AllocationView | None = None,
    ) -> bool:  # fmt: skip
        """Put the question; False when there is nothing a model could go by.

        ``due``: the orders of a rebalance that is to be timed.
        """
        core = self._core
        facts = self._facts(name, ctx, due)
        if not facts:
            return False
        fan_out = self._trading.permits(Permission.MODEL_FAN_OUT)
        question = AgentQuestion(
            core.journal.new_id("ask"), core.now, name, ctx.symbol, facts,
            self._briefing.texts(name, ctx), inputs, self._patience(name),
            members=0 if fan_out else 1,
            scope=self._scoping.of(ctx) if name is TRADING else None,
        )  # fmt: skip
        self._newest = question
        self._send(question)
        return True

    def _patience(self, name: AgentName) -> float:
        """How long an answer counts: by default as long as its role takes for one."""
        timeout = self._schedule[name].timeout
        if timeout is None:
            return self._core.settings.llm.role(name.value).deadline + GRACE
        return timeout

    def _facts(
        self, name: AgentName, ctx: AgentContext, due: AllocationView | None
    ) -> tuple[Fact, ...]:
        if due is not None:
            return allocation_facts(due, ctx)
        if name is TRADING and self._core.market.stale(ctx.symbol, ctx.now):
            return ()  # a price that is too old is no price
        return self._briefing.facts(name, ctx)

    def _send(self, question: AgentQuestion) -> None:
        core = self._core
        parent = question.inputs[0] if question.inputs else ""
        core.journal.write("agent_question", question.id, parent, question)
        self._out[question.id] = question
        core.effects.append(question)

    def probe(self) -> bool:
        """The newest question once more, to learn whether models answer again."""
        if self._newest is None or self._out:
            return False
        core = self._core
        self._send(
            replace(
                self._newest, id=core.journal.new_id("ask"), ts=core.now, members=1,
                route=Route.PROBE,
            )
        )  # fmt: skip
        return True

    # -- after -----------------------------------------------------------------------------

    def take(self, answer: AgentAnswer, row_id: str) -> tuple[AgentQuestion, Ballot] | None:
        """Book what it cost; the question and what its votes come to, where they count."""
        self._trading.asking.account(answer, row_id)
        self._count_cost(answer)
        question = None if answer.late else self._out.pop(answer.question_id, None)
        if question is None:
            return None
        ballot = self._ballot(question, answer)
        self._judge(question, answer, ballot)
        return None if question.route is Route.PROBE else (question, ballot)

    def _ballot(self, question: AgentQuestion, answer: AgentAnswer) -> Ballot:
        if answer.unasked:
            return Ballot(None, "", answer.unasked, asked=False)
        quorum = self._core.settings.agents.trading_decision.quorum
        asked = question.members or self._members[question.agent]
        return counted(question, answer.votes, asked, quorum)

    def _count_cost(self, answer: AgentAnswer) -> None:
        counts = self._core.counters.agents[answer.agent.value]
        counts.cost += answer.cost
        if answer.votes:
            counts.latency = answer.latency
            counts.model = ", ".join(dict.fromkeys(vote.model for vote in answer.votes))

    def _judge(self, question: AgentQuestion, answer: AgentAnswer, ballot: Ballot) -> None:
        """Whether asking worked feeds the level; where nobody was asked, or we ended, nothing did."""
        if answer.unasked or answer.is_interrupted:
            return
        degradation = self._trading.coordinator.degradation
        if ballot.valid:
            degradation.succeeded()
        else:
            degradation.failed(question.agent.value)
        self._trading.show_judgement()

    def released(self) -> list[tuple[AgentName, str]]:
        """Runs that need not wait any longer, in the order they came."""
        if not self._waiting:
            return []
        free = [one for one in self._waiting if not self._awaits(*one)]
        self._waiting = [one for one in self._waiting if one not in free]
        return free

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> ConsultingState:
        """For a snapshot."""
        return ConsultingState(dict(self._out), list(self._waiting), self._newest)

    def load(self, state: ConsultingState) -> None:
        """Continue as the dumped one would."""
        self._out, self._waiting = dict(state.out), list(state.waiting)
        self._newest = state.newest
