"""Questions to the arbiter: who may answer them at this level, what is out, what answers cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tradeterm.coordinator.coordinator import Coordinator
from tradeterm.coordinator.degradation import Permission, Source
from tradeterm.engine.answers import paid_name
from tradeterm.engine.core import Core
from tradeterm.engine.degrading import Degrading
from tradeterm.model.commands import BookModelCosts, CommandResult
from tradeterm.model.money import ZERO, plain
from tradeterm.model.ports import Answer, ArbiterAnswer, ArbiterQuestion
from tradeterm.model.proposals import Conflict, Consensus, Proposal
from tradeterm.model.settling import Settle
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ConflictType, Route, TryOutcome
from tradeterm.portfolio.portfolio import Portfolio

PROBE_TIMER = "probe"
#: What counts as an invalid answer: something came back, and it was none.
_INVALID = frozenset(
    {
        TryOutcome.INVALID,
        TryOutcome.CUT,
        TryOutcome.EMPTY,
        TryOutcome.REFUSED,
        TryOutcome.TOO_LARGE,
    }
)
_CAREFUL_FIRST = tuple(Settle)
_REGIME = frozenset({ConflictType.REGIME_CHOPPY, ConflictType.REGIME_CHANGE})


class AskingState(msgspec.Struct):
    """What is out, and what a probe would ask."""

    questions: dict[str, ArbiterQuestion]
    newest: ArbiterQuestion | None
    booked: set[str]


class Asking:
    """Puts questions out as effects and takes the answers in."""

    def __init__(
        self, core: Core, portfolio: Portfolio, coordinator: Coordinator, degrading: Degrading
    ) -> None:
        self._core = core
        self._portfolio = portfolio
        self._coordinator = coordinator
        self._degrading = degrading
        self._questions: dict[str, ArbiterQuestion] = {}
        self._newest: ArbiterQuestion | None = None
        self._booked: set[str] = set()
        """Questions whose cost was booked before their answer entered."""
        self.rehearsing = False
        """Whether a drill has models fail: probes show it even while nothing else asks."""
        self.ask_agent: Callable[[], bool] = _nobody
        """Probes with an agent's question while no conflict ever came up; set by the agents."""

    @property
    def _models(self) -> bool:
        """Whether models are asked at all."""
        return self._core.settings.llm.provider != "rules"

    def symbols(self) -> set[str]:
        """Symbols with a question out."""
        return {question.proposal.symbol for question in self._questions.values()}

    def ask(self, question: ArbiterQuestion) -> None:
        """Journal it and hand it to whoever carries out effects."""
        core = self._core
        if self._models:
            question = replace(question, order=self._order(question), route=self._route(question))
        core.journal.write("question", question.id, question.conflict.id, question)
        self._questions[question.id] = self._newest = question
        core.effects.append(question)

    def _order(self, question: ArbiterQuestion) -> tuple[str, ...]:
        """The analysts heard, shuffled by seed and question: no place in the list is always one's."""

        def draw(name: str) -> bytes:
            return hashlib.sha256(
                f"{self._core.seed}:opinions:{question.id}:{name}".encode()
            ).digest()

        return tuple(sorted(question.proposal.consensus.heard, key=draw))

    def _route(self, question: ArbiterQuestion) -> Route:
        """DESIGN §6: LIMITED asks models about regimes only, EMERGENCY about nothing.

        What the settings leave to the rules no level gives to a model.
        """
        if self.settled_by(question.conflict) is Settle.RULE:
            return Route.RULES
        permits = self._coordinator.degradation.permits
        if permits(Permission.LLM):
            return Route.ADVISOR
        if not permits(Permission.LLM_FOR_REGIME):
            return Route.RULES
        types = frozenset(question.conflict.types)
        return Route.ADVISOR if types and types <= _REGIME else Route.WAIT

    def settled_by(self, conflict: Conflict) -> Settle:
        """Who may settle it: of its types the most careful one decides."""
        settle = self._core.settings.orchestration.conflicts.settle
        kinds = [settle[kind] for kind in conflict.types]
        return next((one for one in _CAREFUL_FIRST if one in kinds), Settle.LLM)

    def take(self, answer: ArbiterAnswer, answer_id: str) -> ArbiterQuestion | None:
        """Book what it cost; the question it settles, or None: a probe's, or one that has ended."""
        self.account(answer, answer_id)
        question = self._questions.pop(answer.question_id, None)
        if question is not None and question.route is Route.PROBE:
            self._coordinator.judge(question, answer)
            return None
        return question

    def account(self, answer: Answer, answer_id: str) -> None:
        """Count an answer's tries and book what they cost, whoever was asked."""
        counts, name = self._core.counters.llm, paid_name(answer)
        counts.calls += sum(one.outcome.was_sent for one in answer.tries)
        counts.invalid += sum(one.outcome in _INVALID for one in answer.tries)
        if name in self._booked:
            self._booked.remove(name)
        else:
            self._book(answer.cost, answer.day, answer_id)

    def book(self, command: BookModelCosts, command_id: str) -> CommandResult:
        """The run ends before these answers enter: what they cost is spent all the same."""
        costs = {name: cost for name, cost in command.costs.items() if name not in self._booked}
        self._booked |= costs.keys()
        self._book(sum(costs.values(), ZERO), command.day, command_id)
        return CommandResult(True, f"${plain(sum(costs.values(), ZERO))} for answers under way")

    def _book(self, cost: Decimal, day: str, parent: str) -> None:
        core, counts = self._core, self._core.counters.llm
        counts.cost += cost
        if day:
            counts.day_cost = cost + (counts.day_cost if day == counts.day else 0)
            counts.day = day
        if cost:
            entry = self._portfolio.note_model_cost(core.now, cost, parent)
            core.journal.write("entry", entry.id, parent, entry)

    def forget(self) -> list[ArbiterQuestion]:
        """A halt ends every argument; what was out is returned."""
        ended = [one for one in self._questions.values() if one.route is not Route.PROBE]
        self._questions.clear()
        return ended

    # -- recovery --------------------------------------------------------------------------

    def plan_probe(self) -> None:
        """While failures keep the level down, ask again now and then."""
        timers = self._core.timers
        lowered = self._coordinator.degradation.is_lowered(Source.LLM)
        if not (lowered or self._degrading.budget_holds or self.rehearsing):
            timers.cancel(PROBE_TIMER)
        elif timers.due(PROBE_TIMER) is None:
            pause = self._core.settings.orchestration.degradation.probe
            timers.set(PROBE_TIMER, self._core.now + pause * SECOND)

    def probe(self) -> None:
        """The newest question once more; the answer drives nothing but recovery."""
        newest = self._newest
        if newest is not None:
            if not self._questions:
                self._send_probe(newest, newest.conflict.id)
        elif not self.ask_agent() and not self._questions:
            self._send_probe(self._imagined(), "")
        self.plan_probe()

    def _send_probe(self, question: ArbiterQuestion, parent: str) -> None:
        core = self._core
        probe = replace(
            question, id=core.journal.new_id("question"), ts=core.now, route=Route.PROBE
        )
        core.journal.write("question", probe.id, parent, probe)
        self._questions[probe.id] = probe
        core.effects.append(probe)

    def _imagined(self) -> ArbiterQuestion:
        """What is asked after a drill, where no conflict ever came up: about nothing at all."""
        now, symbol = self._core.now, self._core.market.symbols[0]
        nobody = Consensus(0.0, 1.0, {})
        proposal = Proposal("", now, now, "", (), "", None, symbol, (), nobody)
        conflict = Conflict("", now, "", symbol, (), 0.0, ("a drill: does anybody answer?",))
        return ArbiterQuestion("", now, proposal, conflict, None, 0.0, 0.0, -1.0, -1.0, -1.0)

    # -- snapshot --------------------------------------------------------------------------

    def dump(self) -> AskingState:
        return AskingState(dict(self._questions), self._newest, set(self._booked))

    def load(self, state: AskingState) -> None:
        self._questions, self._newest = dict(state.questions), state.newest
        self._booked = set(state.booked)


def _nobody() -> bool:
    """Before the agents are there."""
    return False
