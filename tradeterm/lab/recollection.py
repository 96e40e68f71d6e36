"""What models answered in a recorded run, found again by what they were asked."""

from __future__ import annotations

import msgspec

from tradeterm.adapters.advisors.unanswered import unasked, unsettled
from tradeterm.adapters.store.reader import Reader
from tradeterm.model.ports import Advisor, AgentAnswer, AgentQuestion, Answer, Question

_answer = msgspec.json.Decoder(Answer).decode
_question = msgspec.json.Decoder(AgentQuestion).decode
_encode = msgspec.json.Encoder().encode
#: What a question is about: a row of the recorded run that must read the same.
_ABOUT = ("proposal", "conflict", "agent_question")
UNHEARD = "nobody was asked this in the recorded run"


class Recollection:
    """Answers as the journal has them."""

    def __init__(self, recorded: Reader, *, strict: bool) -> None:
        """``strict``: the run is lived as it was, so the same id is the same question."""
        self.unheard = 0
        """Questions without a recorded answer that no rule could settle."""
        self._strict = strict
        first, last = recorded.span()
        self._answers: dict[str, Answer] = {}
        self._late: dict[str, AgentAnswer] = {}
        self._end = 0
        self._facts: dict[tuple[str, str], bytes] = {}
        for row in recorded.rows_after(first - 1, last):
            self._end = row.ts
            if row.kind in ("answer", "agent_answer"):
                self._remember(_answer(row.body))
            elif row.kind in _ABOUT and not strict:
                self._facts[row.kind, row.id] = row.body

    def _remember(self, answer: Answer) -> None:
        if isinstance(answer, AgentAnswer) and answer.late:
            self._late[answer.question_id] = answer
        else:
            self._answers[answer.question_id] = answer

    def late(self, question: Question) -> AgentAnswer | None:
        """Votes that were recorded after the answer."""
        return self._late.get(question.id) if self._strict else None

    async def answer(self, question: Question, rules: Advisor | None) -> Answer:
        """The rules' where they answer, else the recorded one, else none: the fallback applies."""
        if rules is not None:
            return await rules.settle(question)
        recorded = self._answers.get(question.id)
        if recorded is not None and (self._strict or self._same(question)):
            return recorded
        self.unheard += 1
        # Lived as it was, it had not come when the record ends.
        latency = max(0, self._end - question.ts) + 1 if self._strict else 0
        if isinstance(question, AgentQuestion):
            return unasked(question, UNHEARD, latency)
        return unsettled(question, "replay", UNHEARD, latency)

    def _same(self, question: Question) -> bool:
        """Whether it is about the same things, word for word."""
        if isinstance(question, AgentQuestion):
            recorded = self._facts.get(("agent_question", question.id))
            return recorded is not None and _told(_question(recorded)) == _told(question)
        return all(
            self._facts.get((kind, fact.id)) == _encode(fact)
            for kind, fact in (("proposal", question.proposal), ("conflict", question.conflict))
        )


def _told(question: AgentQuestion) -> tuple[object, ...]:
    """What an agent's models were told: the time they were asked at is none of it."""
    return question.agent, question.symbol, question.facts, question.texts, question.scope
