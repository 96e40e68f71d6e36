"""Questions that left the engine, and their answers on the way in.

An answer enters at its question's time plus its latency, never before the present. Votes of an
agent's models that took longer than the question's patience enter later and count for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from tradeterm.engine.core import Core
from tradeterm.model.ports import AgentAnswer, AgentQuestion, Answer, Question
from tradeterm.model.timing import SECOND

#: After the id of a question: its late votes.
LATE = ":late"


def paid_name(answer: Answer) -> str:
    """By which the cost of an answer is known: its question's, late votes apart."""
    late = isinstance(answer, AgentAnswer) and answer.late
    return f"{answer.question_id}{LATE}" if late else answer.question_id


class Answers:
    """Who was asked, who has answered, and when that enters."""

    def __init__(
        self, core: Core, inputs: dict[str, int], enter: Callable[[Answer, str], None]
    ) -> None:
        """``enter(answer, row id)`` hears of each answer at its time; ``inputs`` counts them."""
        self._core = core
        self._inputs = inputs
        self._enter = enter
        self._out: dict[str, Question] = {}
        """Carried out, not answered."""
        self._waiting: dict[str, Answer] = {}
        """Answered, not entered: by the timer's name."""

    def send_out(self) -> list[Question]:
        """Everything that is to be asked now; the engine goes on meanwhile."""
        effects = self._core.effects
        sent = list(effects)
        effects.clear()
        self._out.update((question.id, question) for question in sent)
        return sent

    def take(self, answer: Answer, late: AgentAnswer | None = None) -> None:
        """An answer is there; until now its question was open and in every snapshot.

        ``late``: the votes that came after it when this was recorded.
        """
        question, now = self._question(answer.question_id), self._core.now
        latency = max(answer.latency, now - question.ts)
        answer = replace(answer, latency=latency)
        if isinstance(question, AgentQuestion) and isinstance(answer, AgentAnswer):
            answer, slow = _parted(question, answer, now)
            late = late or slow
        self._set(question.id, answer, question.ts)
        if late is not None:
            self._set(question.id + LATE, late, question.ts)

    def _set(self, name: str, answer: Answer, asked: int) -> None:
        self._waiting[name] = answer
        self._core.timers.set(f"answer:{name}", asked + answer.latency)

    def _question(self, question_id: str) -> Question:
        found = self._out.pop(question_id, None)
        if found is not None:
            return found
        effects = self._core.effects
        found = next(one for one in effects if one.id == question_id)
        effects.remove(found)
        return found

    def due(self, name: str) -> None:
        """The timer of an answer fired: it enters."""
        answer, journal = self._waiting.pop(name), self._core.journal
        of_agent = isinstance(answer, AgentAnswer)
        row_id = journal.new_id("reply" if of_agent else "answer")
        self._inputs["answer"] += 1
        kind = "agent_answer" if of_agent else "answer"
        journal.write(kind, row_id, answer.question_id, answer)
        self._enter(answer, row_id)

    def open(self) -> list[Question]:
        """Questions without an answer, oldest first: after a restart they are asked by nobody."""
        return [*self._out.values(), *self._core.effects]

    def paid(self) -> dict[str, Answer]:
        """Answers that cost something and have not entered, by question (``LATE`` behind it)."""
        return {name: answer for name, answer in self._waiting.items() if answer.cost}

    def dump(self) -> dict[str, Answer]:
        """For a snapshot, beside ``open``."""
        return dict(self._waiting)

    def load(self, waiting: Mapping[str, Answer]) -> None:
        """Continue as the dumped ones would; open questions are effects again."""
        self._waiting = dict(waiting)
        self._out.clear()


def _parted(
    question: AgentQuestion, answer: AgentAnswer, now: int
) -> tuple[AgentAnswer, AgentAnswer | None]:
    """What counts, and the votes that took too long."""
    patience = int(question.patience * SECOND)
    late = tuple(vote for vote in answer.votes if vote.latency > patience)
    if not late:
        return answer, None
    early = tuple(vote for vote in answer.votes if vote.latency <= patience)
    first = max(patience, now - question.ts)
    return (
        replace(answer, votes=early, latency=first),
        replace(answer, votes=late, latency=max(answer.latency, first), late=True),
    )
