"""Models in the agents' place: the whole desk, from the question to what follows from the answer."""

from __future__ import annotations

import asyncio
import json
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.model_server import ModelServer, hang
from tests.shell import command, tradeterm
from tests.terminal.screen import child_environment
from tests.wired.panels import CALM, MODEL, Member, asked, bullish, entry, says, seat
from tests.wired.stage import START, Record, play, request
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.opinions import DecisionOpinion, Opinion, SentimentOpinion, TimingOpinion
from tradeterm.model.ports import AgentQuestion, Answer, Question
from tradeterm.model.timing import SECOND, iso
from tradeterm.model.vocabulary import Action, AgentName, Route, Timing

ALL = tuple(AgentName)
BUY, SELL, HOLD = Action.BUY, Action.SELL, Action.HOLD
TRADING, MOOD = AgentName.TRADING, AgentName.SENTIMENT
#: Headlines come often and are read at once; a decision every two minutes.
BRISK = (
    "market.simulation.news_interval=15",
    "orchestration.schedule.sentiment_analysis.interval=60",
    "orchestration.schedule.trading_decision.interval=120",
)


async def run(folder: Path, *overrides: str, name: str = "run", **changes: Any) -> Record:
    """A few minutes of the simulated market on BTC alone."""
    changes.setdefault("until", "3m")
    changes.setdefault("symbols", ("BTC/USDT",))
    return await play(request("sim", folder / f"{name}.db", *BRISK, *overrides, **changes))


def deciding(*members: Member) -> dict[AgentName, list[Member]]:
    return {**CALM, TRADING: list(members)}


def outputs(record: Record, agent: AgentName) -> list[dict[str, Any]]:
    return [body for body in record.bodies("agent_output") if body["agent"] == agent]


def windows(record: Record, row_id: str) -> list[tuple[str, ...]]:
    """Kinds of three links in a row of the chain behind something."""
    kinds = [link.kind for link in record.explain(row_id)]
    return list(zip(kinds, kinds[1:], kinds[2:], strict=False))


async def test_all_five_agents_speak_through_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = seat(monkeypatch, CALM)
    record = (await run(tmp_path, *asked(*ALL))).sound()
    counts = record.summary["agents"]
    for agent in ALL:
        assert counts[agent]["llm"] >= 1, (agent, counts[agent])
        assert counts[agent]["invalid"] == counts[agent]["errors"] == 0
        spoken = next(one for one in outputs(record, agent) if one["by"] != "RULES")
        assert spoken["by"] == "openai/test-model-0"
        assert "why" not in spoken
    order = [question.agent for question in questions]
    assert order[:4] == [AgentName.TECHNICAL, AgentName.REGIME, TRADING, AgentName.PORTFOLIO]
    decision = next(question for question in questions if question.agent is TRADING)
    named = {fact.name for fact in decision.facts}
    assert {"price", "technical_analysis", "regime_detection", "account"} <= named
    # Judgement is the model's, arithmetic stays with the rules.
    chart = outputs(record, AgentName.TECHNICAL)[0]["output"]
    assert (chart["bias"], chart["reasoning"]) == ("long", "up it goes")
    assert chart["figures"]["rsi"] > 0
    # From the output to the answer and the question: each link names its parent.
    row = next(r for r in record.rows("agent_output") if r.data["agent"] == TRADING)
    assert ("agent_question", "agent_answer", "agent_output") in windows(record, row.id)


async def test_an_invalid_answer_leaves_the_rules_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(monkeypatch, {**CALM, MOOD: [says(None)]})
    record = (await run(tmp_path, *asked(*ALL))).sound()
    counts = record.summary["agents"][MOOD]
    assert (counts["llm"], counts["rule"]) == (0, 0)
    assert counts["invalid"] >= 1
    spoken = outputs(record, MOOD)[0]
    assert (spoken["by"], spoken["why"]) == (
        "RULES", "no valid answer: text before the JSON object",
    )  # fmt: skip


async def test_failures_in_a_row_lower_the_level_which_silences_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REDUCED after two: sentiment is off and one member decides; LIMITED after three: nobody."""
    questions = seat(monkeypatch, {agent: [says(None), says(None)] for agent in ALL})
    record = (
        await run(tmp_path, *asked(*ALL, members=2), "orchestration.degradation.failures=[2, 3, 9]")
    ).sound()
    levels = [change["level"] for change in record.summary["degradation"]]
    assert levels == ["REDUCED", "LIMITED"]
    (decision,) = [question for question in questions if question.agent is TRADING]
    assert decision.members == 1
    assert all(question.agent is not MOOD for question in questions)
    assert outputs(record, TRADING)[-1]["why"] == "no model at this level"


async def test_a_majority_of_those_in_time_decides_and_the_late_vote_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = entry(SELL, seconds=25)
    seat(monkeypatch, deciding(entry(BUY, part="0.2"), entry(BUY, part="0.4"), late))
    in_time = "orchestration.schedule.trading_decision.timeout=15"
    record = (await run(tmp_path, *asked(TRADING, members=3), in_time, until="90s")).sound()
    (signal, *_) = outputs(record, TRADING)
    assert signal["output"]["action"] == "BUY"
    assert signal["output"]["reasoning"] == "BUY 2: BUY it is"
    assert signal["by"] == "openai/test-model-0, openai/test-model-1"
    (question,) = record.bodies("agent_question")
    (buy,) = [one for one in question["scope"]["entries"] if one["action"] == "BUY"]
    size = Decimal(signal["output"]["size"])  # the lower median of the two
    assert size == (Decimal(buy["max_size"]) / 5).quantize(size, ROUND_FLOOR)
    early, afterwards = record.rows("agent_answer")
    assert [vote["model"][-1] for vote in early.data["votes"]] == ["0", "1"]
    assert [vote["model"][-1] for vote in afterwards.data["votes"]] == ["2"]
    assert (early.data["late"], afterwards.data["late"]) == (False, True)
    assert early.ts - question["ts"] == 15 * 10**9  # the decision's time-out
    assert afterwards.ts - question["ts"] == 25 * 10**9
    assert record.summary["agents"][TRADING]["llm"] == 1
    votes = record.votes()
    assert [(v["model"][-1], v["says"], v["late"]) for v in votes] == [
        ("0", "BUY", 0), ("1", "BUY", 0), ("2", "SELL", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((says(None), says(None), entry(BUY)), "1 of 3 answers are valid and in time, 2 needed"),
        ((entry(BUY), entry(BUY, seconds=25), says(None)),
         "1 of 3 answers are valid and in time, 2 needed"),
        ((entry(BUY, part="1.01"),), "no valid answer: size"),
        ((entry(BUY, leverage="6"),), "no valid answer: leverage 6"),
        ((entry(BUY, stop="9"),), "no valid answer: stop is 9.00 % away"),
        ((entry(BUY, stop="-2"),), "no valid answer: stop must be below"),
        ((says(DecisionOpinion(Action.CLOSE_LONG, 0.9, "x")),), "no valid answer: CLOSE_LONG"),
        ((says(SentimentOpinion(1.0, 1.0, "x")),), "no valid answer: SentimentOpinion"),
    ],
)  # fmt: skip
async def test_what_is_no_decision_leaves_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: tuple[Member, ...], why: str
) -> None:
    """Without a quorum, or outside what was allowed: invalid, never cut to fit."""
    seat(monkeypatch, deciding(*members))
    record = (await run(tmp_path, *asked(TRADING, members=len(members)), until="1m")).sound()
    (signal,) = outputs(record, TRADING)
    assert signal["by"] == "RULES"
    assert signal["why"].startswith(why)
    counts = record.summary["agents"][TRADING]
    assert (counts["invalid"], counts["llm"], counts["rule"]) == (1, 0, 0)


async def test_a_tie_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seat(monkeypatch, deciding(entry(BUY), entry(SELL)))
    record = (await run(tmp_path, *asked(TRADING, members=2), until="1m")).sound()
    (signal,) = outputs(record, TRADING)
    assert signal["output"]["action"] == "HOLD"
    assert signal["output"]["reasoning"] == "no majority (BUY 1, SELL 1)"
    assert signal["by"] == "openai/test-model-0, openai/test-model-1"


async def test_a_decision_of_models_trades_inside_the_size_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of the largest size passes risk; nothing it was given has to be cut."""
    questions = seat(monkeypatch, deciding(entry(BUY, part="1")))
    record = (await run(tmp_path, *asked(TRADING), approve="all", until="6m")).sound()
    (order, *_) = record.orders("entry")
    (allowed,) = [one for one in questions[0].scope.entries if one.action is BUY]  # type: ignore[union-attr]
    assert Decimal(order["size"]) <= allowed.max_size
    # Once it is held, the next question tells its exit plan and allows to close it.
    later = next(q for q in questions if q.scope is not None and q.scope.closes)
    held = next(fact for fact in later.facts if fact.name.startswith("position "))
    assert {"stop", "target", "entry", "held_s"} <= held.values.keys()
    assert later.scope is not None
    assert later.scope.closes == (Action.CLOSE_LONG,)


@pytest.mark.parametrize(
    ("timing", "purposes"),
    [(Timing.NOW, {"rebalance"}), (Timing.BATCHES, {"dca"}), (Timing.WAIT, set())],
)
async def test_a_model_times_the_rebalance_of_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timing: Timing, purposes: set[str]
) -> None:
    seat(monkeypatch, {**CALM, AgentName.PORTFOLIO: [says(TimingOpinion(timing, 0.6, "so"))]})
    alone = "orchestration.schedule.trading_decision.enabled=false"
    record = (await run(tmp_path, *asked(AgentName.PORTFOLIO), alone, until="1m")).sound()
    assert {order["purpose"] for order in record.orders()} == purposes
    (view,) = outputs(record, AgentName.PORTFOLIO)
    assert bool(view["output"]["legs"]) is bool(purposes)


async def test_a_recorded_run_lives_again_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One member invalid, one late, orders sent: the same rows, the same hash, nobody asked."""
    panel = {**deciding(entry(BUY), entry(BUY, seconds=30), says(None)), MOOD: [says(None)]}
    seat(monkeypatch, panel)
    more = ("agents.trading_decision.quorum=30",)
    record = (await run(tmp_path, *asked(*ALL, members=3), *more, approve="all")).sound()
    assert record.orders()
    done = tradeterm("replay", "--db", record.db, "--json", home=tmp_path)
    assert done.code == 0, done.err
    assert done.json["ok"]
    assert done.json["state_hash"] == record.summary["state_hash"]
    assert done.json["different"] == 0


async def test_a_question_in_flight_at_the_end_of_a_process_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = seat(monkeypatch, CALM)
    thinking = asyncio.Event()

    async def think(_self: object, question: Question) -> Answer:
        thinking.set()
        await asyncio.Event().wait()
        raise AssertionError(question)

    with monkeypatch.context() as patch:
        patch.setattr("tests.wired.panels.Panels.settle", think)
        asking = request(
            "sim", tmp_path / "run.db", *BRISK, *asked(TRADING), until="1m",
            symbols=("BTC/USDT",),
        )  # fmt: skip
        desk = await Desk.open(asking)
        running = asyncio.create_task(desk.run())
        await asyncio.wait_for(thinking.wait(), 20)
        desk.driver.stop()
        await running
        await desk.close()
    record = (await play(asking)).sound()
    (answer,) = record.bodies("agent_answer")
    assert answer["unasked"] == "interrupted by a restart"
    (signal,) = outputs(record, TRADING)
    assert (signal["by"], signal["why"]) == ("RULES", "interrupted by a restart")
    assert heard == []  # not asked again


async def test_where_nobody_may_be_asked_the_rules_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(monkeypatch, CALM, unasked="the day's budget of $5 is spent")
    record = (await run(tmp_path, *asked(*ALL))).sound()
    for agent in ALL:
        counts = record.summary["agents"][agent]
        assert counts["llm"] == counts["invalid"] == 0
    assert outputs(record, TRADING)[0]["why"] == "the day's budget of $5 is spent"
    assert record.summary["degradation"] == []


def keys(folder: Path, *pressed: tuple[float, dict[str, Any]]) -> str:
    """The operator's keys, by second of the run."""
    path = folder / "keys.jsonl"
    lines = [{"at": iso(START + int(second * SECOND)), **key} for second, key in pressed]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return f"script:{path}"


async def test_a_forced_run_asks_and_an_agent_switched_off_is_not_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers in ten seconds: switched off meanwhile, its answer is on record and no more."""
    questions = seat(monkeypatch, deciding(says(DecisionOpinion(HOLD, 0.5, "x"), 10)))
    off = {"command": "enable_task", "task": TRADING.value, "enabled": False}
    pressed = keys(
        tmp_path, (30, {"command": "force_run", "task": TRADING.value}), (125, off),
    )  # fmt: skip
    record = (await run(tmp_path, *asked(TRADING), approve=pressed, until="5m")).sound()
    assert [(q.ts - START) // SECOND for q in questions] == [1, 30, 120]
    assert [row["ts"] for row in outputs(record, TRADING)] == [
        START + 11 * SECOND, START + 40 * SECOND,
    ]  # fmt: skip
    assert len(record.bodies("agent_answer")) == 3


async def test_a_kill_while_a_model_thinks_leaves_the_rules_and_its_cost(tmp_path: Path) -> None:
    """Kill -9 with the request out: after the restart nobody is asked again for that run."""
    db = tmp_path / "run.db"
    with ModelServer.running(hang) as server:
        told = f"{{model: {MODEL}, api_base: '{server.base}', input_price: 1, output_price: 2}}"
        overrides = ("llm.provider=litellm", f"llm.roles.trading_decision={told}", *BRISK)
        sets = [word for one in overrides for word in ("--set", one)]
        line: tuple[str | Path, ...] = (
            "run", "--headless", "--feed", "sim", "--symbols", "BTC/USDT", "--until", "1m",
            "--db", db, "--json", *sets,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command(*line), env=child_environment(tmp_path), cwd=tmp_path,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await asyncio.to_thread(server.arrived.wait, 40)
        process.kill()
        await process.wait()
        done = await asyncio.to_thread(tradeterm, *line, home=tmp_path)
        assert done.code == 0, done.err
        assert len(server.asked) == 1
    record = Record(db, done.json).sound()
    (answer,) = record.bodies("agent_answer")
    (one,) = [one for vote in answer["votes"] for one in vote["tries"]]
    assert one["outcome"] == "interrupted"
    assert Decimal(record.summary["balances"]["llm"]["USDT"]) == Decimal(one["cost"]) > 0
    (signal,) = outputs(record, TRADING)
    assert (signal["by"], signal["why"]) == (
        "RULES", "no valid answer: interrupted by a restart",
    )  # fmt: skip


@pytest.mark.parametrize(("after", "tenths"), [("[]", 10), ("[technical_analysis]", 25)])
async def test_a_decision_waits_for_those_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, tenths: int
) -> None:
    """The chart takes a second and a half; nobody else is asked."""
    chart = CALM[AgentName.TECHNICAL][0]
    slow: Member = lambda question: (chart(question)[0], 1.5)  # noqa: E731
    questions = seat(monkeypatch, {**CALM, AgentName.TECHNICAL: [slow]})
    depends = f"orchestration.schedule.trading_decision.after={after}"
    both = asked(AgentName.TECHNICAL, TRADING)
    record = (await run(tmp_path, *both, depends, until="5s")).sound()
    told = [(q.ts - START) * 10 // SECOND for q in questions if q.agent is TRADING]
    # Unheard, there is nothing to decide on: without the dependency nobody is asked.
    assert told == ([tenths] if after != "[]" else [])
    assert record.summary["agents"][TRADING]["runs"] == 1


async def test_one_of_three_is_enough_where_the_quorum_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(monkeypatch, deciding(entry(BUY), says(None), says(None)))
    low = "agents.trading_decision.quorum=33"
    record = (await run(tmp_path, *asked(TRADING, members=3), low, until="1m")).sound()
    assert outputs(record, TRADING)[0]["by"] == "openai/test-model-0"


async def test_probes_of_agents_bring_the_models_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two failures: LIMITED. Three probes, five minutes apart, and REDUCED asks again."""
    tries: list[int] = []

    def recovering(question: AgentQuestion) -> tuple[Opinion | None, float]:
        tries.append(question.ts)
        return (None if len(tries) <= 2 else bullish(question)[0]), 0.5

    questions = seat(monkeypatch, {**CALM, AgentName.TECHNICAL: [recovering]})
    limits = "orchestration.degradation.failures=[1, 2, 9]"
    record = (await run(tmp_path, *asked(AgentName.TECHNICAL), limits, until="22m")).sound()
    levels = [change["level"] for change in record.summary["degradation"]]
    assert levels == ["REDUCED", "LIMITED", "REDUCED", "NORMAL"]
    probes = [question for question in questions if question.route is Route.PROBE]
    assert [later.ts - one.ts for one, later in pairwise(probes)] == [300 * SECOND] * 2
    between = [
        body for body in outputs(record, AgentName.TECHNICAL)
        if probes[0].ts <= body["ts"] < probes[-1].ts
    ]  # fmt: skip
    assert between
    assert {(body["by"], body["why"]) for body in between} == {("RULES", "no model at this level")}


async def test_the_screen_says_who_is_asked_and_what_each_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(monkeypatch, {**deciding(entry(BUY), says(None)), MOOD: [says(None)]})
    views: list[ConsoleView] = []
    desk = await Desk.open(
        request(
            "sim", tmp_path / "run.db", *BRISK, *asked(*ALL, members=2), until="70s",
            symbols=("BTC/USDT",), headless=False, speed=float("inf"),
        ),
        publish=views.append,
    )  # fmt: skip
    try:
        await desk.run()
    finally:
        await desk.close()
    told = [event.text for event in views[-1].events if event.kind == "LLM"]
    assert any(
        text.startswith("trading_decision ask-3: BUY; openai/test-model-1: text before")
        for text in told
    )
    assert any(text.startswith("sentiment_analysis ask-") for text in told)
    assert not any("technical_analysis" in text for text in told)  # valid, every minute
    mood = next(agent for agent in views[-1].agents if agent.name == MOOD)
    assert (mood.model, mood.why) == (
        "openai/test-model-0", "no valid answer: text before the JSON object",
    )  # fmt: skip
