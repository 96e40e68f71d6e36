"""The scores: every measure worked out by hand, and the whole of them from runs."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Shell
from tradeterm.adapters.store.rows import StoredRow
from tradeterm.lab.gates import Calls, approval
from tradeterm.lab.measures import ENOUGH, calibration, rate, reliability, wilson
from tradeterm.lab.opinions import Opinion, Prices, judged, scores, votes
from tradeterm.lab.outcomes import Outcome
from tradeterm.lab.scorecard import Section
from tradeterm.model.timing import MINUTE, SECOND

D = Decimal
BTC = "BTC/USDT"


# -- measures ----------------------------------------------------------------------------------


def test_wilsons_interval_as_in_the_literature() -> None:
    """R. G. Newcombe (1998), table I: 81 of 263 and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_rate_and_stays_a_share(case: tuple[int, int]) -> None:
    low, high = wilson(*case)
    assert 0 <= low <= case[0] / case[1] + 1e-12
    assert case[0] / case[1] - 1e-12 <= high <= 1


def test_a_rate_says_when_it_rests_on_too_little() -> None:
    assert not rate([True] * (ENOUGH - 1)).enough
    assert rate([True] * ENOUGH).enough
    assert rate([]).rate is None


def test_a_brier_score_and_what_it_is_measured_against() -> None:
    found = calibration([(0.8, True), (0.8, True), (0.6, False), (0.6, True)])
    # (0.04 + 0.04 + 0.36 + 0.16) / 4; three of four came: 0.75 × 0.25
    assert found.brier == pytest.approx(0.15)
    assert found.reference == pytest.approx(0.1875)
    assert found.skill == pytest.approx(0.2)
    assert calibration([(0.9, True)]).skill is None


def test_reliability_puts_a_certain_forecast_into_the_last_bin() -> None:
    low, high = reliability([(0.62, True), (0.68, False), (1.0, True)])
    assert (low.above, low.confidence, low.came.count, low.came.hits) == (0.6, 0.65, 2, 1)
    assert (high.above, high.to, high.came.count) == (0.9, 1.0, 1)


# -- opinions ----------------------------------------------------------------------------------


def prices(*closes: float | None) -> Prices:
    """One every quarter of an hour from 00:15 on."""
    return Prices([{"step": 15 * MINUTE, "first": 15 * MINUTE, "prices": {BTC: closes}}])


def leaning(minutes: float, sign: int = 1, confidence: float = 0.7) -> Opinion:
    ts = int(minutes * MINUTE)
    return Opinion(ts, "technical_analysis", "RULES", "output", BTC, sign, confidence)


def test_an_opinion_is_judged_from_the_price_after_it_never_before() -> None:
    known = prices(100.0, 110.0, 110.0, 110.0, 110.0, 121.0)
    (one,) = judged([leaning(16)], known, 1)
    assert one.points == pytest.approx(1000.0)  # 110 at 00:30 to 121 at 01:30; not from 100
    assert judged([leaning(31)], known, 1) == []  # 01:45 is not known yet


def test_an_opinion_that_lasts_counts_once_an_hour() -> None:
    known = prices(*[100.0 + number for number in range(13)])
    said = [leaning(minutes) for minutes in range(15, 195)]
    assert [one.opinion.ts // MINUTE for one in judged(said, known, 1)] == [15, 61, 121]


def test_a_short_is_right_when_it_falls_and_a_standstill_is_no_hit() -> None:
    known = prices(100.0, 99.0, 99.0, 99.0, 98.0, 99.0)
    said = [leaning(15, -1), leaning(20, 1)._replace(by="model")]
    found = {one["by"]: one for one in scores(said, known) if one["hours"] == 1}
    assert (found["RULES"]["hits"], found["RULES"]["bp"]) == (1, pytest.approx(200.0))
    assert (found["model"]["hits"], found["model"]["bp"]) == (0, 0.0)


def test_where_no_price_was_recorded_nothing_is_judged() -> None:
    assert judged([leaning(15)], prices(100.0, None, None, None, None, None, 101.0), 1) == []
    assert judged([leaning(15)._replace(symbol="ETH/USDT")], prices(100.0), 1) == []


def row(kind: str, row_id: str, parent: str, body: dict[str, Any]) -> StoredRow:
    return StoredRow(1, 0, kind, row_id, parent, 1, json.dumps(body).encode(), b"")


def test_every_member_of_a_panel_is_scored_the_late_ones_apart() -> None:
    asked = row("agent_question", "ask-1", "", {"ts": 15 * MINUTE, "symbol": BTC})
    said = [
        {"model": "a", "opinion": {"type": "decision", "action": "BUY", "confidence": 0.8}},
        {"model": "b", "opinion": {"type": "regime", "regime": "choppy", "confidence": 0.8}},
        {"model": "c", "opinion": {"type": "sentiment", "score": -0.4, "confidence": 0.5}},
        {"model": "d", "opinion": None},
    ]
    body = {"agent": "trading_decision", "votes": said[:1], "late": True}
    late = row("agent_answer", "reply-2", "ask-1", body)
    in_time = row("agent_answer", "reply-1", "ask-1", {**body, "votes": said[1:], "late": False})
    found = [(one.by, one.vote, one.sign) for one in votes([asked], [in_time, late])]
    assert found == [("c", "vote", -1), ("a", "late", 1)]


# -- gates -------------------------------------------------------------------------------------


def outcome(pnl: str | None, *, offered: str | None = "1", **changes: Any) -> Outcome:
    ghost = {"asked": "2", "offered": offered, "side": "long", **changes}
    end: dict[str, Any] = {"reason": "stop", "pnl": pnl, "notional": "1000", "marks": []}
    return Outcome(ghost, end=None if pnl is None else end)


def test_refusing_a_loser_saves_what_would_have_been_sent_of_it() -> None:
    calls = Calls()
    calls.add(outcome("-30"), through=False, confidence=0.9)
    calls.add(outcome("10", offered=None), through=False, confidence=0.6)
    calls.add(outcome("5"), through=True)
    calls.add(outcome(None), through=True)
    told = calls.told("operator", "you")
    assert told["saved"] == 15 - 10  # half of 30 was offered; nobody said less than all of the 10
    assert (told["refused"]["hits"], told["refused"]["count"]) == (1, 2)
    assert (told["right"]["hits"], told["right"]["count"]) == (2, 3)
    assert told["bp_refused"] == pytest.approx((-300 + 100) / 2)
    assert told["brier"] == pytest.approx((0.1**2 + 0.6**2) / 2)


def test_waiting_costs_what_the_price_ran_ahead() -> None:
    card = {
        "proposal": {"id": "p"}, "state": "approved", "ts": 0, "decided": 4 * SECOND,
        "price": "100",
    }  # fmt: skip
    long = outcome("1", price="99", mid="101")
    found = approval([card], {"p": long})
    assert (found["seconds"], found["bp"]) == (4.0, pytest.approx(100.0))
    assert found["bp_since_proposal"] == pytest.approx(202.02, abs=0.01)
    short = outcome("1", price="99", mid="101", side="short")
    assert approval([card], {"p": short})["bp"] == pytest.approx(-100.0)


# -- from runs ---------------------------------------------------------------------------------


def test_the_command_adds_up(shell: Shell, six_hours: Path) -> None:
    said = shell("scores", "--db", six_hours, "--json")
    found = said.json
    assert said.code == 0
    *ends, every = found["outcomes"]
    assert sum(one["count"] for one in ends) == every["count"] == found["ghosts"]["opened"] > 0
    assert found["ghosts"]["opened"] + found["ghosts"]["not_followed"] == found["proposals"]
    assert every["pnl"] == str(sum(D(one["pnl"]) for one in ends))
    assert sum(one["count"] for one in found["decisions"]) == every["closed"] - every["unfilled"]
    for one in (*found["decisions"], *found["opinions"]):
        assert sum(each["came"]["count"] for each in one["reliability"]) == one["count"]
        assert sum(each["came"]["hits"] for each in one["reliability"]) == one["hits"]
    assert {one["name"] for one in found["baselines"]} == {"hold BTC", "hold the targets"}
    summary = shell("performance", "--db", six_hours, "--json").json
    assert found["pnl"]["earned"] == summary["equity"]["earned"]


def test_the_text_says_what_it_cannot_say_yet(shell: Shell, six_hours: Path) -> None:
    told = shell("scores", "--db", six_hours).out
    for part in ("Who let through", "not enough data", "stop-target-time/1", "hold BTC"):
        assert part in told
    only = shell("scores", "--agent", "sentiment", "--db", six_hours).out
    assert "sentiment_analysis" in only
    assert "technical_analysis" not in only
    assert "hold BTC" not in only


def test_a_run_without_anything_to_judge(shell: Shell, tmp_path: Path) -> None:
    db = tmp_path / "short.db"
    assert shell("run", "--headless", "--until", "1s", "--db", db).code == 0
    found = shell("scores", "--db", db)
    assert found.code == 0
    assert "none yet" in found.out
    assert "no card was approved yet" in found.out


names = st.text("abcdefghij/-_ ", min_size=1, max_size=60).map(str.strip).filter(bool)


@given(
    st.integers(2, 7).flatmap(
        lambda count: st.lists(
            st.lists(names, min_size=count, max_size=count), min_size=1, max_size=4
        )
    ),
    st.integers(30, 160),
)
def test_a_table_is_never_wider_than_the_page_and_loses_no_letter(
    rows: list[list[str]], width: int
) -> None:
    """Eighty columns, long names of models: more tables and more lines instead."""
    columns = [f"c{number}" for number in range(len(rows[0]))]
    blocks = Section("", columns, rows).blocks(width)
    assert max(len(line) for block in blocks for line in block) <= width
    shown = Counter("".join(line for block in blocks for line in block))
    told = Counter("".join(cell for row in (columns, *rows) for cell in row))
    del told[" "]
    assert all(shown[letter] >= count for letter, count in told.items())


def test_rows_of_one_name_are_told_apart_in_every_table() -> None:
    rows = [["chart", "openai/one", "0.1"], ["chart", "deepseek/another", "0.2"]]
    blocks = Section("", ["agent", "by", "Brier"], rows).blocks(26)
    assert blocks == [
        ["agent     by", "#1 chart  openai/one", "#2 chart  deepseek/ano", "          ther"],
        ["agent     Brier", "#1 chart    0.1", "#2 chart    0.2"],
    ]
