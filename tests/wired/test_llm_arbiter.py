"""A language model settles the conflicts: the whole desk against a real HTTP server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Any

from tests.adapters.model_server import Act, ModelServer, hang, http, say, settle
from tests.living import Stopwatch
from tests.wired.stage import EVERY, RISE, Record, Stage
from tradeterm.adapters.feeds.opening import open_feed
from tradeterm.adapters.store.recovery import recover
from tradeterm.desk import Desk
from tradeterm.lab import scores
from tradeterm.lab.performance import run_report
from tradeterm.model.commands import Halt
from tradeterm.model.timing import SECOND
from tradeterm.rerun import Rerun
from tradeterm.sessions import RUN_ROW, new_engine, recorded_settings

D = Decimal

#: Risk takes more than a quarter away: a contradiction, with a fallback of its own.
CONTRADICTED = ("orchestration.approval.mode=conflicts", "risk.max_risk=0.2")


def models(server: ModelServer, *more: str) -> tuple[str, ...]:
    """The settings of a run whose arbiter is the server."""
    role = "llm.roles.arbiter"
    return (
        EVERY, "llm.provider=litellm", f"{role}.model=openai/test-model",
        f"{role}.api_base={server.base}", f'{role}.api_key_env=""', f"{role}.fallback=[]",
        f"{role}.input_price=1", f"{role}.output_price=2", f"{role}.deadline=5",
        "llm.cooldown=0", *more,
    )  # fmt: skip


def waiting(stage: Stage, *, end: float = 24 * 60) -> None:
    """The signal falls at 00:21."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, end, 60_010.0)


async def settled(stage: Stage, *acts: Act, more: tuple[str, ...] = (), **changes: Any) -> Record:
    """The story under a model that acts like this."""
    waiting(stage)
    with ModelServer.running(*acts) as server:
        return (await stage.play(*models(server, *more), approve="all", **changes)).sound()


async def asked(server: ModelServer) -> None:
    """Until the request has arrived."""
    assert await asyncio.to_thread(server.arrived.wait, 20)


async def test_a_model_settles_a_conflict_and_its_cost_is_booked(stage: Stage) -> None:
    record = await settled(
        stage, settle(action="modify", size_reduction=0.5, reasoning="Half of 0.70 will do.")
    )
    (answer,), (resolution,), (card,) = (
        record.bodies("answer"), record.bodies("resolution"), record.cards(),
    )  # fmt: skip
    (one,) = answer["tries"]
    assert (one["model"], one["echoed"], one["outcome"]) == (
        "openai/test-model", "test-model", "valid",
    )  # fmt: skip
    assert answer["prompt"].startswith("arbiter-1 ")
    assert (resolution["by"], resolution["model"]) == ("llm", "openai/test-model")
    (order,) = record.orders("entry")
    half = D(card["proposal"]["intent"]["size"]) / 2
    assert order["size"] == str(half.quantize(D("1e-8"), ROUND_FLOOR))
    # 700 tokens at $1 and 100 at $2 a million.
    assert record.summary["llm"] == {"calls": 1, "invalid": 0, "cost": "0.0009"}
    assert record.summary["balances"]["llm"] == {"USDT": "0.0009"}
    (memo,) = [entry for entry in record.bodies("entry") if entry["kind"] == "llm"]
    assert record.explain(memo["id"])[0].kind
    question = record.rows("question")[0]
    entered = record.rows("answer")[0].ts - question.ts
    assert entered == answer["latency"] > 0


async def test_the_cost_is_no_loss(stage: Stage) -> None:
    record = await settled(stage, settle(action="abort"))
    assert record.summary["equity"] == "10000"
    assert record.orders() == []


async def test_what_is_earned_is_told_net_of_what_models_cost(stage: Stage) -> None:
    """Half a position is opened and its fee paid; the settlement cost $0.0009 besides."""
    record = await settled(stage, settle(action="modify", size_reduction=0.5))
    with record.reader() as reader:
        pnl, performance = scores.report(reader)["pnl"], run_report(reader)
    assert pnl["earned"] < 0
    assert pnl["llm_cost"] == D("0.0009")
    assert pnl["net_of_llm"] == performance["net_of_llm"] == pnl["earned"] - D("0.0009")
    (model,) = pnl["models"]
    assert (model["model"], model["calls"], model["valid"]) == ("openai/test-model", 1, 1)
    assert model["cost"] == D("0.0009")


async def test_no_valid_answer_is_recorded_and_the_rules_answer(stage: Stage) -> None:
    record = await settled(stage, say("I would rather {not} say."))
    (answer,) = record.bodies("answer")
    assert [one["outcome"] for one in answer["tries"]] == ["invalid", "invalid"]  # one repair
    assert answer["tries"][0]["said"] == "I would rather {not} say."
    assert (answer["by"], answer["valid"]) == ("rules", True)
    assert record.summary["llm"]["invalid"] == record.summary["llm"]["calls"] == 2
    assert "no model answered: text before the JSON object" in answer["reasoning"]


async def test_without_rules_the_fallback_of_the_conflict_applies(stage: Stage) -> None:
    record = await settled(
        stage, say("no"), more=("llm.roles.arbiter.otherwise=fallback",
                                "orchestration.degradation.failures=[1, 2, 3]",
                                "risk.max_risk=0.2"),
    )  # fmt: skip
    (resolution,) = record.bodies("resolution")
    assert (resolution["by"], resolution["action"]) == ("fallback", "wait")
    assert [change["level"] for change in record.summary["degradation"]] == ["REDUCED"]


async def test_the_spent_budget_leaves_the_rules(stage: Stage) -> None:
    record = await settled(stage, settle(), more=("llm.daily_cap=0",))
    (answer,) = record.bodies("answer")
    assert (answer["by"], answer["tries"]) == ("rules", [])
    assert answer["unasked"] == "the day's budget of $0 is spent"
    assert record.summary["degradation"] == []


async def test_half_of_the_budget_is_said_once(stage: Stage) -> None:
    """$0.0009 a settlement, two of them: of 0.003 that is 30 and 60 %."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 25 * 60, 60_010.0)
    stage.tape.hold(25 * 60, 31 * 60, 59_990.0)
    stage.tape.hold(31 * 60, 40 * 60, 60_020.0)
    with ModelServer.running(settle(action="abort")) as server:
        asked_of = models(server, "llm.daily_cap=0.0033", "llm.roles.arbiter.max_tokens=50")
        record = (await stage.play(*asked_of)).sound()
    assert len(record.rows("answer")) >= 2
    (warned,) = [row for row in record.rows("system") if row.data["code"] == "L-BUDGET"]
    assert warned.data["text"] == "models have cost 55 % of the day's $0.0033"
    assert warned.data["severity"] == "warning"
    second = record.rows("answer")[1]
    assert warned.ts == second.ts


async def test_what_one_decision_may_cost_is_kept(stage: Stage) -> None:
    """The prompt and 500 tokens at $2000 a million are a dollar: nothing is sent."""
    record = await settled(stage, settle(), more=("llm.roles.arbiter.output_price=2000",))
    (answer,) = record.bodies("answer")
    assert [one["outcome"] for one in answer["tries"]] == ["no_price"]
    assert answer["unasked"].startswith("no model can be asked: it may cost $1.0")
    assert record.summary["degradation"] == []
    assert record.summary["llm"]["calls"] == 0
    assert record.summary["llm"]["cost"] == "0"


async def test_a_fresh_run_does_not_forget_what_the_day_has_cost(stage: Stage) -> None:
    """$0.0009 are spent; the next request may cost some $0.0019, and 0.0025 is the cap."""
    waiting(stage)
    with ModelServer.running(settle(action="abort")) as server:
        asked_of = models(server, "llm.daily_cap=0.0025")
        first = await stage.play(*asked_of)
        second = await stage.play(*asked_of, fresh=True)
    assert first.summary["llm"]["cost"] == "0.0009"
    assert second.summary["llm"]["calls"] == 0
    (answer,) = second.bodies("answer")
    assert "more than the budget has left" in answer["unasked"]


async def test_a_halt_works_while_the_model_thinks(stage: Stage) -> None:
    waiting(stage)
    with ModelServer.running(hang) as server:
        desk = await Desk.open(
            stage.request(*models(server, "llm.roles.arbiter.deadline=2"), approve="all")
        )
        try:
            running = asyncio.create_task(desk.run())
            await asked(server)
            watch = Stopwatch()
            result = await desk.submit(Halt())
            assert result.accepted
            assert watch.seconds < 1
            assert desk.engine.effects  # the model is still thinking
            await running
        finally:
            await desk.close()
        record = Record(stage.folder / "run.db", desk.summary()).sound()
    assert record.cards() == []
    assert record.orders() == []
    (answer,) = record.bodies("answer")
    assert answer["tries"][0]["outcome"] == "timeout"
    # It may have been answered, and billed: the reservation counts.
    assert D(answer["tries"][0]["cost"]) > 0


async def test_a_stop_while_the_model_thinks_is_an_interruption(stage: Stage) -> None:
    waiting(stage)
    with ModelServer.running(hang, settle()) as server:
        desk = await Desk.open(stage.request(*models(server, *CONTRADICTED), approve="all"))
        running = asyncio.create_task(desk.run())
        await asked(server)
        desk.driver.stop()
        await running
        await desk.close()
        record = (await stage.play(*models(server, *CONTRADICTED), approve="all")).sound()
    (answer,) = record.bodies("answer")
    assert (answer["by"], answer["valid"]) == ("fallback", False)
    assert answer["reasoning"] == "interrupted by a restart"
    assert len(server.asked) == 1  # not asked again
    assert record.cards() == []


async def test_a_recorded_run_is_executed_again_without_a_network(stage: Stage) -> None:
    record = await settled(stage, settle(reasoning="Nothing."))
    with record.reader() as reader:
        info = reader.run_info()
        recovered = recover(reader.paths)
    assert recovered is not None
    whole = replace(recovered, snapshot=None, snapshot_seq=info["first_seq"] - 1)
    request = stage.request()
    feed = open_feed(request.feed, request.settings.market, seed=None, symbols=None, on_bad="skip")
    engine = new_engine(request, feed, recorded_settings(info["session"]), "all")
    rerun = Rerun(engine, feed, None, RUN_ROW)
    await rerun.catch_up(whole)
    while batch := feed.take():  # what came after the last row
        index = 0
        while index < len(batch):
            index = engine.run(batch, index, len(batch))
    assert engine.state_hash() == record.summary["state_hash"]
    assert rerun.rechecked > 10


async def test_failures_lower_the_level_and_probes_bring_it_back(stage: Stage) -> None:
    """One failure each level; then three good answers to probes, five minutes apart."""
    waiting(stage, end=60 * 60)
    bad = http(b"", 500)
    with ModelServer.running(bad, settle()) as server:
        record = (
            await stage.play(
                *models(server, "orchestration.degradation.failures=[1, 6, 9]"), approve="none"
            )
        ).sound()
    levels = [(change["level"]) for change in record.summary["degradation"]]
    assert levels == ["REDUCED", "NORMAL"]
    probes = [q for q in record.bodies("question") if q["route"] == "probe"]
    assert len(probes) == 3
    gaps = {b["ts"] - a["ts"] for a, b in pairwise(probes)}
    assert gaps == {300 * SECOND}
    assert len(record.bodies("resolution")) == len(record.bodies("question")) - 3


async def test_who_rests_was_not_asked_and_has_not_failed_again(stage: Stage) -> None:
    """After "429, again in an hour" the probes find nobody to ask: the level stays where it was."""
    waiting(stage, end=60 * 60)
    with ModelServer.running(http(b"", 429, retry_after="3600")) as server:
        levels = models(server, "orchestration.degradation.failures=[1, 2, 3]")
        record = (await stage.play(*levels, approve="none")).sound()
    assert len(server.asked) == 1
    failed, *resting = record.bodies("answer")
    assert failed["unasked"] == ""
    assert len(resting) >= 3
    assert {(one["unasked"], len(one["tries"])) for one in resting} == {
        ("no model can be asked: every model is cooling down", 0)
    }
    assert [change["level"] for change in record.summary["degradation"]] == ["REDUCED"]


async def test_the_console_sees_who_is_asked_and_what_the_day_cost(
    stage: Stage,
) -> None:
    waiting(stage)
    views: list[Any] = []
    with ModelServer.running(settle(reasoning="Confidence is 0.123, they say.")) as server:
        request = stage.request(*models(server), headless=False, speed=float("inf"), until="21m2s")
        desk = await Desk.open(request, publish=views.append)
        try:
            await desk.run()
        finally:
            await desk.close()
    assert any(view.status.advisor == "asking openai/test-model" for view in views)
    status = views[-1].status
    assert status.llm_cost == D("0.0009")
    (card,) = views[-1].cards
    assert (card.by, card.model) == ("llm", "openai/test-model")
    assert card.misquoted == ("0.123",)
    assert card.reasoning == "Confidence is 0.123, they say."
    (line,) = [event.text for event in views[-1].events if event.kind == "LLM"]
    assert line.startswith("question-1 openai/test-model valid (")
    assert line.endswith(" s, $0.0009)")
