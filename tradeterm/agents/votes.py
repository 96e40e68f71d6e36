"""Many answers, one opinion: who voted in time, whether they are enough, what they come to.

The rule: a quorum of those asked must have answered validly; the action needs more than half of
the valid votes, otherwise the decision is HOLD; figures are the (lower) medians of the majority's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from statistics import median_low

import msgspec

from tradeterm.agents.bounds import flaw
from tradeterm.model.opinions import DecisionOpinion, Opinion
from tradeterm.model.ports import AgentQuestion, MemberVote
from tradeterm.model.vocabulary import Action


class Ballot(msgspec.Struct, frozen=True):
    """What came of a vote; ``opinion`` None means that the rule version speaks, and ``why``."""

    opinion: Opinion | None
    by: str
    """The models behind it."""
    why: str = ""
    valid: int = 0
    """Answers that were valid and in time."""
    asked: bool = True
    """Whether anybody was."""


def counted(
    question: AgentQuestion, votes: Sequence[MemberVote], asked: int, quorum: int
) -> Ballot:
    """The outcome of the votes that came in time; ``quorum`` in percent of those ``asked``."""
    faults = [_fault(question, vote) for vote in votes]
    valid = [vote for vote, fault in zip(votes, faults, strict=True) if not fault]
    if not valid:
        why = next((fault for fault in faults if fault), "no model answered in time")
        return Ballot(None, "", f"no valid answer: {why}")
    needed = max(1, -(-asked * quorum // 100))
    if len(valid) < needed:
        short = f"{len(valid)} of {asked} answers are valid and in time, {needed} needed"
        return Ballot(None, "", short, len(valid))
    by = ", ".join(dict.fromkeys(vote.model for vote in valid))
    opinions = [vote.opinion for vote in valid]
    decisions = [one for one in opinions if isinstance(one, DecisionOpinion)]
    if len(decisions) > 1:
        return Ballot(combined(decisions, question), by, valid=len(valid))
    return Ballot(opinions[0], by, valid=len(valid))


def _fault(question: AgentQuestion, vote: MemberVote) -> str:
    if vote.opinion is None:
        return vote.fault or "no answer"
    return flaw(vote.opinion, question)


def combined(votes: Sequence[DecisionOpinion], question: AgentQuestion) -> DecisionOpinion:
    """The decision of several valid votes."""
    tally = Counter(vote.action for vote in votes)
    action, most = max(tally.items(), key=lambda item: item[1])
    said = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    if 2 * most <= len(votes):
        return DecisionOpinion(Action.HOLD, 0.5, f"no majority ({said})")
    majority = [vote for vote in votes if vote.action is action]
    decision = DecisionOpinion(
        action,
        median_low([vote.confidence for vote in majority]),
        f"{said}: {majority[0].reasoning}",
        _middle([vote.stop for vote in majority]),
        _middle([vote.target for vote in majority]),
        _middle([vote.size for vote in majority]),
        _middle([vote.leverage for vote in majority]),
        _middle([vote.entry for vote in majority]),
    )
    wrong = flaw(decision, question)
    if wrong:  # each was inside its bounds, the medians together are not
        return DecisionOpinion(Action.HOLD, 0.5, f"{said}, but not on one order ({wrong})")
    return decision


def _middle(values: Sequence[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return median_low(known) if known else None
