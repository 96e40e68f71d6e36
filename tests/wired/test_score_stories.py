"""Who was right in stories whose end is known: saved, cost, and what plain holding would have made.

The card of 00:21 and its ghost are those of ``test_ghost_stories.py``.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.wired.advisors import Arbiter, arbiter
from tests.wired.panels import CALM, MODEL, asked, entry, seat
from tests.wired.stage import EVERY, RISE, Record, Stage, play, request
from tradeterm.lab.scores import report
from tradeterm.model.vocabulary import Action, AgentName, ResolutionAction

D = Decimal


def scored(record: Record) -> dict[str, Any]:
    with record.reader() as reader:
        return report(reader)


async def test_an_operator_who_refused_a_loser_was_right(stage: Stage) -> None:
    """At 00:25 the price falls through the stop: −34.65 and 16.36 of costs were saved."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    stage.tape.hold(25 * 60, 50 * 60, 59_000.0)
    stage.key(RISE * 60 + 30, "reject", card_id="oldest")
    found = scored(await stage.play(EVERY))
    nobody, operator = [one for one in found["gates"] if one["kind"] == "operator"]
    assert (operator["name"], nobody["name"]) == ("script", "nobody (expired)")
    assert (operator["refused"]["hits"], operator["refused"]["count"]) == (1, 1)
    assert operator["saved"] == D("51.01182947")
    (resolver,) = [one for one in found["gates"] if one["kind"] == "resolver"]
    assert (resolver["let_through"]["hits"], resolver["let_through"]["count"]) == (0, 1)
    rejected, expired, every = found["outcomes"]
    assert (rejected["name"], rejected["pnl"]) == ("rejected", D("-51.01182947"))
    assert (expired["count"], expired["closed"], every["count"]) == (1, 0, 2)  # of 00:25, open yet
    assert rejected["bp"] == pytest.approx(-255.044, abs=1e-3)  # of 2,000.11


async def test_an_arbiter_that_halved_a_loser_saved_half_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Arbiter(ResolutionAction.MODIFY, size_reduction=0.5)
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(answer))
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    stage.tape.hold(25 * 60, 50 * 60, 59_000.0)
    found = scored(await stage.play(EVERY, approve="all"))
    resolver, _, risk = found["gates"]
    assert resolver["saved"] == D("51.01182947") / 2
    assert risk["name"] == "all rules"
    assert risk["saved"] == 0
    assert (found["approval"]["count"], found["approval"]["seconds"]) == (2, 2.0)


async def test_plain_holding_pays_its_fee_once(stage: Stage) -> None:
    """From 60,005 at 00:15 to 66,005.5, ten percent more, all of it or the third in BTC."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 31 * 60, 66_005.5)
    found = scored(await stage.play("portfolio.targets={BTC: 25, XRP: 0, USDT: 75}"))
    btc, targets = found["baselines"]
    assert btc["earned"] == (D(11_000) / D("1.004")).quantize(D("0.01")) - 10_000
    assert targets["earned"] == (D(2_750) / D("1.004")).quantize(D("0.01")) - 2_500
    assert btc["from"].startswith("2025-06-02T00:15")


async def test_an_operator_who_made_a_loser_smaller_saved_that_part(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    stage.tape.hold(25 * 60, 50 * 60, 59_000.0)
    stage.key(RISE * 60 + 5, "edit", card_id="oldest", size="0.01")
    stage.key(RISE * 60 + 10, "approve", card_id="oldest")
    found = scored(await stage.play(EVERY))
    by_name = {one["name"]: one for one in found["gates"]}
    share = (D("0.03332963") - D("0.01")) / D("0.03332963")
    pnl = next(one["pnl"] for one in found["outcomes"] if one["name"] == "cut")
    assert by_name["script"]["saved"] == -pnl * share > 0
    assert by_name["all rules"]["saved"] == 0


async def test_every_member_of_a_panel_is_judged_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two buy in time, one sells too late: where the two are right the third is wrong."""
    trading = AgentName.TRADING
    late = entry(Action.SELL, seconds=25)
    seat(monkeypatch, {**CALM, trading: [entry(Action.BUY), entry(Action.BUY), late]})
    settings = (
        *asked(trading, members=3), "orchestration.schedule.trading_decision.timeout=15",
        "orchestration.schedule.trading_decision.interval=1800",
    )  # fmt: skip
    record = await play(request("sim", tmp_path / "run.db", *settings, until="3h"))
    found = [one for one in scored(record)["opinions"] if one["agent"] == trading]
    first = {(one["by"], one["vote"]): one for one in found if one["hours"] == 1}
    one, two, three = (f"{MODEL}-{number}" for number in range(3))
    in_time, late_one = first[one, "vote"], first[three, "late"]
    assert first[two, "vote"] == {**in_time, "by": two}
    assert (in_time["count"], in_time["hits"]) == (4, 4)
    assert (late_one["count"], late_one["hits"], late_one["bp"]) == (4, 0, -in_time["bp"])
    assert (f"{one}, {two}", "output") in first
