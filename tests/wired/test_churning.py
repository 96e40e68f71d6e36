"""Entries over and over: alarmed, stopped, and stopped until a person says otherwise (FAULTS L15, L16)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.wired.panels import CALM, Member, asked, entry, says, seat
from tests.wired.stage import PLAIN, START, Record, play, request
from tradeterm.desk import Desk
from tradeterm.model.commands import EnableTask
from tradeterm.model.opinions import (
    DecisionOpinion,
    Opinion,
    RegimeOpinion,
    SentimentOpinion,
    TechnicalOpinion,
)
from tradeterm.model.ports import AgentQuestion
from tradeterm.model.timing import MINUTE, SECOND
from tradeterm.model.vocabulary import Action, AgentName, Bias, Regime, VolatilityClass

D = Decimal
BTC, XRP = "BTC/USDT", "XRP/USDT"
TRADING = AgentName.TRADING
#: A decision every two minutes, without the pauses between entries that have stories of their own.
BRISK = (
    "orchestration.schedule.trading_decision.interval=120",
    "orchestration.schedule.portfolio_rebalance.enabled=false",
    "orchestration.conflicts.settle.open_position=rule",
    "risk.cooldown={trade: 0, loss: 0, volatility: 0, unusual_move: 0, rebalance: 0}",
    "risk.streak_cooldown=[]",
    "risk.max_losses=50",
    "risk.max_daily_loss=50",
    "risk.max_weekly_loss=60",
    "risk.max_drawdown=70",
)  # fmt: skip


def turning() -> Member:
    """A model that closes what it opened when it is asked again, then opens the other side."""
    sides = [Action.SELL]

    def member(question: AgentQuestion) -> tuple[Opinion | None, float]:
        assert question.scope is not None
        if closes := question.scope.closes:
            return DecisionOpinion(closes[0], 0.9, "I was wrong"), 0.5
        sides.append(Action.BUY if sides[-1] is Action.SELL else Action.SELL)
        return entry(sides[-1], part="0.2")(question)

    return member


def run(folder: Path, *overrides: str, until: str = "1h", symbols: tuple[str, ...] = (BTC,)) -> Any:
    return request(
        "sim", folder / "run.db", *BRISK, *asked(*AgentName), *overrides,
        until=until, symbols=symbols, approve="all",
    )  # fmt: skip


def alarms(record: Record) -> list[dict[str, Any]]:
    return [body for body in record.bodies("system") if body["code"] == "R-CHURN"]


def entered(record: Record) -> list[int]:
    """When entries left, each once."""
    first: dict[str, int] = {}
    for row in record.rows("order"):
        if row.data["request"]["purpose"] == "entry":
            first.setdefault(row.id, row.ts)
    return sorted(first.values())


async def test_a_model_that_turns_around_each_time_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fourth turn is the last; positions keep their stops; nothing but a person begins again."""
    seat(monkeypatch, {**CALM, TRADING: [turning()]})
    limit = "risk.throttle.turns_per_day=4"
    before = await play(run(tmp_path, limit, until="9m"))  # a restart forgets none of them
    assert len(entered(before)) == 3
    record = (await play(run(tmp_path, limit))).sound()
    (alarm,) = alarms(record)
    assert alarm["severity"] == "error"
    assert alarm["text"].startswith(
        f"{BTC} turned around 4 times within 24 hours: {TRADING} is off"
    )
    sent = entered(record)
    assert len(sent) == 5
    (row,) = [one for one in record.rows("system") if one.data["code"] == "R-CHURN"]
    assert row.ts == sent[-1]
    decisions = [one.ts for one in record.rows("agent_output") if one.data["agent"] == TRADING]
    assert max(decisions) <= row.ts
    (position,) = [one for one in record.positions() if one["closed"] is None]
    working = {order["purpose"] for order in record.orders() if order["status"] == "open"}
    assert position["stop"]
    assert working >= {"stop"}
    # A restart does not switch it on.
    longer = (await play(run(tmp_path, limit, until="2h"))).sound()
    assert len(entered(longer)) == 5
    # A person does, and the count begins anew.
    desk = await Desk.open(run(tmp_path, limit, until="3h"))
    try:
        assert (await desk.apply(EnableTask(task=TRADING, enabled=True, actor="operator"))).accepted
        await desk.run()
    finally:
        await desk.close()
    assert len(entered(longer)) == 10
    assert len(alarms(longer)) == 2


async def test_the_same_answer_for_ever_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It buys whenever it may; each position is closed by its own target or stop, and it buys."""
    seat(monkeypatch, {**CALM, TRADING: [entry(Action.BUY, part="0.1")]})
    record = (await play(run(tmp_path, "risk.throttle.entries_per_day=2"))).sound()
    (alarm,) = alarms(record)
    assert "entered 2 times within 24 hours" in alarm["text"]
    assert len(entered(record)) == 2


async def test_a_day_later_an_entry_no_longer_counts(tmp_path: Path) -> None:
    """The market turns every six and a half hours: four entries within any 24, never five."""
    bars, begun, price = tmp_path / "BTC_USDT-15m.csv", START // SECOND, 60_000.0
    rows = ["date,open,high,low,close,volume"]
    for number in range(10 * 26):
        opened, price = price, price + (10 if number // 26 % 2 else -10)
        low, high = sorted((opened, price))
        rows.append(f"{begun + 900 * number},{opened},{high + 1},{low - 1},{price},5")
    bars.write_text("\n".join([*rows, ""]), encoding="ascii")
    limit = "risk.throttle.entries_per_day="
    feed = f"replay:{bars}"
    ends = {}
    short = "execution.time_exit=3600"  # the last one is over when the next comes
    for most in (4, 5):
        db = tmp_path / f"{most}.db"
        ends[most] = await play(request(feed, db, *PLAIN, short, f"{limit}{most}", until="64h"))
    assert len(entered(ends[5].sound())) == 9
    assert alarms(ends[5]) == []
    assert len(entered(ends[4].sound())) == 4


EXTREME = {
    AgentName.TECHNICAL: [says(TechnicalOpinion(Bias.LONG, 1.0, 1.0, 1.0, 0.01, 1e9, "up"))],
    AgentName.REGIME: [
        says(RegimeOpinion(Regime.TRENDING_BULL, 1.0, VolatilityClass.LOW, "only up"))
    ],
    AgentName.SENTIMENT: [says(SentimentOpinion(1.0, 1.0, "everybody is glad"))],
    TRADING: [entry(Action.BUY, part="0.6", leverage="5")] * 3,
    AgentName.PORTFOLIO: CALM[AgentName.PORTFOLIO],
}


async def test_when_everybody_agrees_on_nonsense_the_limits_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in, every two minutes, on both symbols, each voice sure: one card says it stacks."""
    seat(monkeypatch, EXTREME)
    panel = asked(*AgentName, members=3)
    again = "orchestration.schedule.sentiment_analysis.interval=60"
    record = (await play(run(tmp_path, *panel, again, symbols=(BTC, XRP)))).sound()
    assert record.summary["conflicts"]["detected"]["correlated"] >= 1
    assert any("stacks on" in text for one in record.bodies("conflict") for text in one["evidence"])
    assert record.cards()
    equity = D(record.summary["equity"])
    opened = [one for one in record.positions() if one["closed"] is None]
    notional = {name: D(0) for name in (BTC, XRP)}
    for one in opened:
        notional[one["symbol"]] += D(one["size"]) * D(one["entry"])
    assert all(notional.values())
    # 40 % of equity, weighed by the table's correlation, as marked then.
    assert max(notional[BTC] + D("0.66") * notional[XRP],
               notional[XRP] + D("0.66") * notional[BTC]) <= equity * D("0.401")  # fmt: skip
    assert sum(D(one["collateral"]) for one in opened) <= equity / 2
    confident = [row["intent"]["confidence"] for row in record.bodies("proposal") if row["intent"]]
    assert max(map(D, confident)) <= D("0.95")  # boosted by nobody beyond the cap
    sent = entered(record)
    assert all(sum(ts > at - MINUTE for ts in sent if ts <= at) <= 5 for at in sent)
