"""Several models, one decision: quorum, majority, medians."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.questions import D, decision, question, scope, vote
from tradeterm.agents.bounds import flaw
from tradeterm.agents.votes import counted
from tradeterm.model.opinions import DecisionOpinion, SentimentOpinion
from tradeterm.model.ports import MemberVote
from tradeterm.model.vocabulary import Action, AgentName

BOTH = question(bounds=scope(Action.BUY, Action.SELL))
HOLD = DecisionOpinion(Action.HOLD, 0.5, "wait")
BUY, SELL = decision(Action.BUY), decision(Action.SELL)


def outcome(votes: Sequence[DecisionOpinion | None], quorum: int = 60) -> str:
    cast = [vote(one, number) for number, one in enumerate(votes)]
    ballot = counted(BOTH, cast, len(votes), quorum)
    if ballot.opinion is None:
        return "rules"
    assert isinstance(ballot.opinion, DecisionOpinion)
    return ballot.opinion.action


@pytest.mark.parametrize(
    ("votes", "action"),
    [
        ([BUY], "BUY"),
        ([None], "rules"),
        ([BUY, BUY, SELL], "BUY"),
        ([BUY, SELL, HOLD], "HOLD"),
        ([BUY, SELL], "HOLD"),
        ([BUY, BUY, None], "BUY"),
        ([BUY, None, None], "rules"),  # 60 % of 3 are 2
        ([BUY, BUY, SELL, SELL], "HOLD"),
        ([BUY, BUY, SELL, None, None], "BUY"),  # 3 of 5 is enough
        ([BUY, SELL, None, None, None], "rules"),
    ],
)
def test_the_outcome(votes: list[DecisionOpinion | None], action: str) -> None:
    assert outcome(votes) == action


def test_the_order_of_the_votes_changes_nothing() -> None:
    assert outcome([BUY, SELL, HOLD]) == outcome([HOLD, SELL, BUY]) == "HOLD"


def test_figures_are_the_medians_of_the_majority() -> None:
    votes = [
        decision(size=D("0.01"), confidence=0.9, leverage=D(1)),
        decision(size=D("0.03"), confidence=0.7, leverage=D(3)),
        decision(size=D("0.02"), confidence=0.8, leverage=D(2)),
        SELL,
    ]
    ballot = counted(BOTH, [vote(one, n) for n, one in enumerate(votes)], 4, 60)
    said = ballot.opinion
    assert isinstance(said, DecisionOpinion)
    assert (said.size, said.confidence, said.leverage) == (D("0.02"), 0.8, D(2))
    assert said.reasoning == "BUY 3, SELL 1: x"
    assert ballot.by == "m/0, m/1, m/2, m/3"
    assert ballot.valid == 4


def test_an_answer_out_of_bounds_is_no_vote() -> None:
    votes = [vote(BUY), vote(decision(size=D(9)), 1), vote(None, 2)]
    ballot = counted(BOTH, votes, 3, 60)
    assert ballot.opinion is None
    assert ballot.why == "1 of 3 answers are valid and in time, 2 needed"
    assert ballot.valid == 1


def test_nobody_in_time_is_no_decision() -> None:
    assert counted(BOTH, [], 3, 60).why == "no valid answer: no model answered in time"


@given(st.lists(st.sampled_from([BUY, SELL, HOLD, None]), min_size=1, max_size=9))
def test_no_minority_ever_trades(votes: list[DecisionOpinion | None]) -> None:
    action = outcome(votes)
    if action in {"BUY", "SELL"}:
        valid = [one for one in votes if one is not None]
        assert sum(one.action == action for one in valid) * 2 > len(valid)
        assert len(valid) * 100 >= 60 * len(votes)


@given(
    st.lists(
        st.builds(
            decision,
            size=st.decimals("0.001", "0.1", places=4), stop=st.decimals(58_200, 59_700, places=0),
        ),
        min_size=1, max_size=7,
    )
)  # fmt: skip
def test_a_combined_decision_is_inside_the_bounds_of_each(votes: list[DecisionOpinion]) -> None:
    ballot = counted(BOTH, [vote(one, n) for n, one in enumerate(votes)], len(votes), 1)
    if ballot.opinion is not None:
        assert flaw(ballot.opinion, BOTH) == ""


def test_one_answer_of_an_analyst_is_its_word() -> None:
    mood = SentimentOpinion(0.2, 0.5, "x")
    cast: list[MemberVote] = [vote(mood)]
    ballot = counted(question(AgentName.SENTIMENT), cast, 1, 60)
    assert (ballot.opinion, ballot.by) == (mood, "m/0")


def test_amounts_stay_exact() -> None:
    ballot = counted(BOTH, [vote(decision(size=Decimal("0.012345678901")))], 1, 60)
    assert isinstance(ballot.opinion, DecisionOpinion)
    assert ballot.opinion.size == Decimal("0.012345678901")
