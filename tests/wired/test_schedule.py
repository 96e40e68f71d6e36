"""Every agent runs on its cadence; one that fails is seen and does not stop the others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.wired.stage import RISE, START, Record, Stage, play, request
from tradeterm.agents.technical import TechnicalAgent
from tradeterm.desk import Desk
from tradeterm.engine.trading import Trading
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import Command, EnableTask, ForceRun
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import AgentName

INTERVALS = {
    "technical_analysis": 60, "regime_detection": 300, "sentiment_analysis": 1800,
    "trading_decision": 3600, "portfolio_rebalance": 3600,
}  # fmt: skip
HOURS = 5


def sim(folder: Path, *overrides: str, **changes: Any) -> Any:
    changes = {"seed": 7, "approve": "all", "until": f"{HOURS}h"} | changes
    return request("sim", folder / "run.db", *overrides, **changes)


def runs(record: Record) -> dict[str, int]:
    """Without the extra look of a rebalance that gave way to trading."""
    found = {name: agent["runs"] for name, agent in record.summary["agents"].items()}
    gave_way = [e for e in record.bodies("system") if e["code"] == "C-REBALANCE-WAITS"]
    found["portfolio_rebalance"] -= len(gave_way)
    return found


def expected(seconds: int, symbols: int = 3) -> dict[str, int]:
    """The run on start, and one at each full interval since."""
    return {
        name: (1 + seconds // interval) * (1 if name == "portfolio_rebalance" else symbols)
        for name, interval in INTERVALS.items()
    }


async def test_every_agent_ran_on_its_cadence(tmp_path: Path) -> None:
    record = (await play(sim(tmp_path))).sound()
    assert runs(record) == expected(HOURS * 3600)
    agents = record.summary["agents"].values()
    assert all(agent["errors"] == 0 and agent["rule"] > 0 for agent in agents)
    by_agent: dict[str, list[int]] = {}
    for row in record.rows("agent_output"):
        by_agent.setdefault(row.data["agent"], []).append(row.ts)
    for name, interval in INTERVALS.items():
        late = [ts for ts in by_agent[name] if ts > START + SECOND]
        if name != "portfolio_rebalance":
            assert all(ts % (interval * SECOND) == 0 for ts in late), name


async def test_a_restart_keeps_the_schedule(tmp_path: Path) -> None:
    """Stopped at odd times, no run is missed and none is made twice."""
    for until in ("29m59s", "30m1s", "1h7m", "3h"):
        await play(sim(tmp_path, until=until))
    record = (await play(sim(tmp_path))).sound()
    assert runs(record) == expected(HOURS * 3600)


async def apply(asked: Any, *commands: Command) -> None:
    desk = await Desk.open(asked)
    try:
        for command in commands:
            assert (await desk.apply(command)).accepted
    finally:
        await desk.close()


async def test_a_task_can_be_switched_off_and_on_and_forced(tmp_path: Path) -> None:
    off, on = (EnableTask(task="technical_analysis", enabled=flag) for flag in (False, True))
    asked = sim(tmp_path, until="10m")
    await play(asked)
    await apply(asked, off, ForceRun(task="sentiment_analysis"))
    quiet = await play(sim(tmp_path, until="20m"))
    assert runs(quiet)["technical_analysis"] == expected(600)["technical_analysis"]
    assert runs(quiet)["sentiment_analysis"] == expected(600)["sentiment_analysis"] + 3
    await apply(sim(tmp_path, until="20m"), on)
    record = (await play(sim(tmp_path, until="30m"))).sound()
    assert runs(record)["technical_analysis"] == expected(600)["technical_analysis"] + 3 * 10


async def test_a_disabled_agent_never_runs(tmp_path: Path) -> None:
    off = "orchestration.schedule.sentiment_analysis.enabled=false"
    record = await play(sim(tmp_path, off, until="1h"))
    assert runs(record)["sentiment_analysis"] == 0


async def test_without_a_first_run_an_agent_waits_for_its_interval(tmp_path: Path) -> None:
    later = "orchestration.schedule.regime_detection.run_on_start=false"
    record = await play(sim(tmp_path, later, until="16m"))
    assert runs(record)["regime_detection"] == 3 * 3
    first = next(r for r in record.rows("agent_output") if r.data["agent"] == "regime_detection")
    assert first.ts == START + 300 * SECOND


# -- failures --------------------------------------------------------------------------------


async def test_an_agent_that_raises_is_isolated_counted_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Technical analysis breaks on one symbol; the others and the other agents go on."""
    original = TechnicalAgent.run

    def broken(self: TechnicalAgent, ctx: Any) -> Any:
        if ctx.symbol == "XRP/USDT":
            raise ZeroDivisionError("no range")
        return original(self, ctx)

    monkeypatch.setattr(TechnicalAgent, "run", broken)
    views: list[ConsoleView] = []
    desk = await Desk.open(sim(tmp_path, until="30m"), views.append)
    await desk.run()
    summary = desk.summary()
    await desk.close()
    record = Record(tmp_path / "run.db", summary).sound()

    technical = summary["agents"]["technical_analysis"]
    assert technical["errors"] == 31
    assert technical["runs"] == 3 * 31
    assert technical["rule"] == 2 * 31
    assert summary["failures"] == 31
    assert summary["agents"]["regime_detection"]["errors"] == 0
    alerts = [event for event in record.bodies("system") if event["code"] == "E-HANDLER"]
    assert len(alerts) == 31
    assert alerts[0] == {
        "code": "E-HANDLER", "severity": "error",
        "text": "technical_analysis XRP/USDT failed: ZeroDivisionError: no range",
    }  # fmt: skip
    shown = views[-1]
    assert any("no range" in line.text and line.kind == "ERROR" for line in shown.events)
    agent = next(agent for agent in shown.agents if agent.name == "technical_analysis")
    assert agent.errors == 31
    assert shown.status.alarms >= 31
    # Alone on its symbol, the signal is not followed there; elsewhere it is.
    heard = {row["output"]["symbol"] for row in record.bodies("agent_output")
             if row["agent"] == "technical_analysis"}  # fmt: skip
    assert heard == {"BTC/USDT", "XRP/BTC"}


async def test_a_failing_coordinator_halts_instead_of_going_on_half_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)

    def broken(*_: Any) -> None:
        raise KeyError("consensus")

    monkeypatch.setattr(Trading, "_consider", broken)
    record = (await stage.play()).sound()
    assert record.summary["failures"] >= 1
    codes = [event["code"] for event in record.bodies("system")]
    assert {"E-HANDLER", "E-TRADING-HANDLER"} <= set(codes)
    assert record.summary["state"] == "halted"
    assert record.orders() == []


# -- the summary -----------------------------------------------------------------------------

TEXT, COUNT, NUMBER, TABLE, LIST = str, int, float, dict, list
CONTRACT: dict[str, type] = {
    "run": TEXT, "feed": TEXT, "market_time": TABLE, "seconds": NUMBER, "inputs": TABLE,
    "agents": TABLE, "signals": COUNT, "routed": COUNT, "conflicts": TABLE, "approvals": TABLE,
    "verdicts": TABLE, "orders": TABLE, "fills": COUNT, "exits": TABLE, "positions": LIST,
    "plans": TABLE, "rebalances": COUNT, "balances": TABLE, "equity": TEXT, "fees": TEXT,
    "realised_pnl": TEXT, "unrealised_pnl": TEXT, "llm": TABLE, "degradation": LIST,
    "breakers": LIST, "state": TEXT, "state_hash": TEXT,
}  # fmt: skip
INNER = {
    "market_time": {"from", "to"},
    "inputs": {"trade", "delta", "candle", "news", "command"},
    "agents": {name.value for name in AgentName},
    "conflicts": {"detected", "resolved"},
    "approvals": {"approved", "rejected", "expired", "drifted", "void"},
    "verdicts": {"approved", "modified", "rejected", "halted", "codes"},
    "orders": {"pending", "open", "partially_filled", "filled", "cancelled", "expired", "rejected",
               "error"},
    "exits": {"stop", "target", "trailing", "break_even", "time", "operator", "signal", "breaker",
              "liquidation"},
    "plans": {"created", "completed", "cancelled", "open"},
    "llm": {"calls", "invalid", "cost"},
}  # fmt: skip


async def test_the_summary_keeps_its_contract(tmp_path: Path) -> None:
    record = (await play(sim(tmp_path))).sound()
    summary = record.summary
    for key, kind in CONTRACT.items():
        assert isinstance(summary[key], kind), key
    for key, names in INNER.items():
        assert names <= set(summary[key]), key
    for agent in summary["agents"].values():
        assert {"runs", "errors", "rule", "llm", "invalid"} <= set(agent)
    # What it counts is what the book of record holds.
    assert summary["fills"] == len(record.fills()) > 0
    assert summary["signals"] == sum(
        row["agent"] == "trading_decision" and row["output"]["action"] != "HOLD"
        for row in record.bodies("agent_output")
    )
    assert sum(summary["orders"].values()) == len(record.orders())
    for status, number in summary["orders"].items():
        assert number == sum(order["status"] == status for order in record.orders())
    verdicts = record.bodies("verdict")
    for status in ("approved", "modified", "rejected", "halted"):
        assert summary["verdicts"][status] == sum(v["status"] == status for v in verdicts)
    assert summary["conflicts"]["detected"] == _types(record)
    cards = record.cards()
    for state, number in summary["approvals"].items():
        assert number == sum(card["state"] == state for card in cards)
    with record.reader() as reader:
        balances = reader.balances()
    assert {
        account: {asset: float(amount) for asset, amount in assets.items()}
        for account, assets in summary["balances"].items()
    } == {
        account: {asset: float(amount) for asset, amount in assets.items()}
        for account, assets in balances.items()
    }
    assert math.isclose(sum(float(a.get("USDT", 0)) for a in balances.values()), 0, abs_tol=1e-6)


def _types(record: Record) -> dict[str, int]:
    found: dict[str, int] = {}
    for conflict in record.bodies("conflict"):
        for kind in conflict["types"]:
            found[kind] = found.get(kind, 0) + 1
    told = sum(event["code"] == "C-REBALANCE-WAITS" for event in record.bodies("system"))
    if told:
        found["rebalance"] = found.get("rebalance", 0) + told
    return found


async def test_unattended_nothing_conflicted_trades_in_a_day_of_the_simulation(
    tmp_path: Path,
) -> None:
    record = (await play(sim(tmp_path, until="24h", approve="none"))).sound()
    conflicted = {conflict["parent"] for conflict in record.bodies("conflict")}
    verdicts = {verdict["id"]: verdict["parent"] for verdict in record.bodies("verdict")}
    assert conflicted
    assert record.summary["approvals"]["expired"] > 0
    assert record.summary["approvals"]["approved"] == 0
    assert not [o for o in record.orders() if verdicts.get(o["verdict_id"]) in conflicted]
    assert record.summary["fills"] > 0
