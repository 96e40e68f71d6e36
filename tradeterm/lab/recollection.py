"""What models answered in a recorded run, found again by what they were asked."""

from __future__ import annotations

import msgspec

from tradeterm.adapters.advisors.rules import RulesAdvisor
from tradeterm.adapters.store.reader import Reader
from tradeterm.model.ports import ArbiterAnswer, ArbiterQuestion
from tradeterm.model.vocabulary import ResolutionAction, ResolvedBy

_answer = msgspec.json.Decoder(ArbiterAnswer).decode
_encode = msgspec.json.Encoder().encode
#: What a question is about: a row of the recorded run that must read the same.
_ABOUT = ("proposal", "conflict")


class Recollection:
    """Answers as the journal has them."""

    def __init__(self, recorded: Reader, *, strict: bool) -> None:
        """``strict``: the run is lived as it was, so the same id is the same question."""
        self.unheard = 0
        """Questions without a recorded answer that no rule could settle."""
        self._strict = strict
        first, last = recorded.span()
        self._answers: dict[str, ArbiterAnswer] = {}
        self._facts: dict[tuple[str, str], bytes] = {}
        self._end = 0
        for row in recorded.rows_after(first - 1, last):
            self._end = row.ts
            if row.kind == "answer":
                answer = _answer(row.body)
                self._answers[answer.question_id] = answer
            elif row.kind in _ABOUT and not strict:
                self._facts[row.kind, row.id] = row.body

    async def answer(self, question: ArbiterQuestion, rules: RulesAdvisor | None) -> ArbiterAnswer:
        """The rules' where they answer, else the recorded one, else none: the fallback applies."""
        if rules is not None:
            return await rules.settle(question)
        recorded = self._answers.get(question.id)
        if recorded is not None and (self._strict or self._same(question)):
            return recorded
        self.unheard += 1
        return ArbiterAnswer(
            question.id,
            ResolutionAction.WAIT,
            ResolvedBy.FALLBACK,
            "replay",
            0.0,
            "nobody was asked this in the recorded run",
            0.0,
            None,
            None,
            max(0, self._end - question.ts) + 1 if self._strict else 0,
            valid=False,
        )  # lived as it was, it had not come when the record ends

    def _same(self, question: ArbiterQuestion) -> bool:
        """Whether it is about the same proposal and the same conflict, word for word."""
        return all(
            self._facts.get((kind, fact.id)) == _encode(fact)
            for kind, fact in (("proposal", question.proposal), ("conflict", question.conflict))
        )
