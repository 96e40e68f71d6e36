"""What the screen is given while a story goes on, and the turns a story can take besides."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.wired.advisors import Arbiter, arbiter
from tests.wired.stage import BTC, EVERY, RISE, START, Record, Stage, kinds_of, request
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import ClosePosition, EnableTask, Halt
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ResolutionAction

D = Decimal


async def last_view(
    stage: Stage, *overrides: str, until: str, approve: str = "none"
) -> ConsoleView:
    """The picture on the screen at the end of a session."""
    views: list[ConsoleView] = []
    desk = await Desk.open(stage.request(*overrides, until=until, approve=approve), views.append)
    try:
        await desk.run()
    finally:
        await desk.close()
    assert [view.version for view in views] == sorted(view.version for view in views)
    return views[-1]


def market(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 30 * 60, 60_010.0)


async def test_losses_are_those_of_the_equity_beside_them(stage: Stage) -> None:
    """Between two marks, which are a minute apart, the market falls."""
    market(stage)
    stage.tape.hold(30 * 60 + 5, 30 * 60 + 20, 59_700.0)
    view = await last_view(stage, EVERY, until="30m12s", approve="all")
    assert view.positions
    used = {limit.name: limit.used for limit in view.risk.limits}
    assert view.status.drawdown > 0.1
    assert used["drawdown"] == pytest.approx(view.status.drawdown)
    assert used["daily loss"] >= -view.status.day_pnl > 0


async def test_a_waiting_card_shows_everything_the_key_will_do(stage: Stage) -> None:
    market(stage)
    view = await last_view(stage, EVERY, until="21m10s")
    (card,) = view.cards
    assert (card.state, card.symbol, card.action) == (
        "pending", BTC, "buy 0.03332963 BTC/USDT at market",
    )  # fmt: skip
    # 900.1 away, and 0.4 % of both ends: (900.1 + 240.04 + 236.4396) × size.
    assert card.risk_at_stop == D("0.03332963") * D("1376.5796")
    assert card.exposure_after == pytest.approx(20.0, abs=0.01)
    assert len(card.rules) > 25
    assert view.status.data_age is not None


async def test_a_decided_card_and_a_position_being_closed_are_shown_as_such(stage: Stage) -> None:
    market(stage)
    view = await last_view(stage, EVERY, until="21m10s", approve="all")
    assert [card.state for card in view.cards] == ["approved"]
    (position,) = view.positions
    assert (position.side, position.closing) == ("long", False)
    assert position.unrealised < 0
    assert {order.purpose for order in view.orders} == {"entry", "stop", "target"}

    views: list[ConsoleView] = []
    desk = await Desk.open(stage.request(EVERY, until="21m10s", approve="all"), views.append)
    await desk.apply(ClosePosition(position_id="pos-1"))
    await desk.apply(EnableTask(task="trading_decision", enabled=False))
    await desk.apply(Halt(reason="done"))
    await desk.close()
    assert views[-1].positions[0].closing
    assert views[-1].status.state == "halted"
    agents = {agent.name: agent.state for agent in views[-1].agents}
    assert agents["trading_decision"] == "off"
    assert [line.kind for line in views[-1].events][-1] == "CMD"


async def test_every_line_of_the_event_log_names_the_row_its_story_begins_with(
    stage: Stage,
) -> None:
    market(stage)
    await last_view(stage, EVERY, until="25m", approve="all")
    views: list[ConsoleView] = []
    desk = await Desk.open(stage.request(EVERY, until="25m", approve="all"), views.append)
    await desk.apply(Halt(reason="enough"))
    await desk.close()
    events = views[-1].events
    assert {"FILL", "POS", "CONF", "CMD", "STATE"} <= {line.kind for line in events}
    record = Record(desk.store.paths.db, {})
    for line in events:
        assert any(link.id == line.subject for link in record.explain(line.subject)), line
    fill = next(line for line in events if line.kind == "FILL")
    assert {"proposal", "verdict", "order"} <= set(kinds_of(record.explain(fill.subject)))


async def test_the_regimes_of_a_symbol_are_shown_also_after_a_restart(tmp_path: Path) -> None:
    asked = request("sim", tmp_path / "run.db", until="3h")
    views: list[ConsoleView] = []
    desk = await Desk.open(asked, views.append)
    await desk.run()
    await desk.close()
    shown = views[-1].regimes
    record = Record(tmp_path / "run.db", {})
    for symbol in shown:
        spoken = [
            row.data["output"]["regime"]
            for row in record.rows("agent_output")
            if row.data["agent"] == "regime_detection" and row.data["output"]["symbol"] == symbol
        ]
        changes = [name for at, name in enumerate(spoken) if spoken[:at][-1:] != [name]]
        assert [spell.regime for spell in shown[symbol]] == changes
    assert any(len(spells) > 1 for spells in shown.values()), "some regime changed"

    again = await Desk.open(asked, views.append)
    await again.apply(Halt(reason="look"))
    await again.close()
    assert views[-1].status.state == "halted"
    assert views[-1].regimes == shown


def turn(stage: Stage) -> None:
    """A long at 00:21, whose opposite is signalled at 00:23."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 24 * 60, 59_900.0)


async def test_a_close_that_waits_says_what_it_closes_and_what_follows(stage: Stage) -> None:
    turn(stage)
    view = await last_view(stage, until="23m10s")
    (card,) = view.cards
    (position,) = view.positions
    assert (card.state, card.action, card.closing) == ("pending", "close pos-1 at market", True)
    assert card.follows == "then a SHORT on BTC/USDT is proposed anew, with a card of its own"
    assert (card.size, card.risk_at_stop) == (position.size, D(0))
    assert card.notional == position.size * D("59900")
    assert card.exposure_after == pytest.approx(0.0, abs=1e-9)


async def test_a_decided_card_does_not_change_with_the_market(stage: Stage) -> None:
    turn(stage)
    early = await last_view(stage, EVERY, until="21m10s", approve="all")
    late = await last_view(stage, EVERY, until="22m50s", approve="all")
    (before,), (after,) = early.cards, late.cards
    assert early.positions[0].mark != late.positions[0].mark
    assert before == after
    assert (before.state, before.price_now, before.exposure_after) == ("approved", None, None)
    assert before.notional == D("0.03332963") * D("60010")


async def test_a_decided_close_keeps_no_figure_of_a_position_that_is_gone(stage: Stage) -> None:
    turn(stage)
    view = await last_view(stage, until="23m10s", approve="all")
    close = next(card for card in view.cards if card.closing)
    assert (close.state, close.action) == ("approved", "close pos-1 at market")
    assert (close.size, close.notional, close.follows) == (None, None, "")


async def test_agents_that_lack_history_are_warming(stage: Stage) -> None:
    market(stage)
    view = await last_view(
        stage, "orchestration.schedule.technical_analysis.enabled=true", until="5m"
    )
    agents = {agent.name: agent.state for agent in view.agents}
    assert agents["technical_analysis"] == "warming"
    assert agents["regime_detection"] == "off"


async def test_a_plan_for_the_whole_portfolio_comes_without_an_invented_confidence(
    stage: Stage,
) -> None:
    market(stage)
    view = await last_view(
        stage, "orchestration.schedule.portfolio_rebalance.enabled=true", until="21m10s"
    )
    (agent,) = [agent for agent in view.agents if agent.name == "portfolio_rebalance"]
    assert list(agent.votes) == ["*"]
    assert agent.confidences == {}


async def test_a_damaged_line_is_told_and_skipped(stage: Stage) -> None:
    market(stage)
    feed = stage.tape.write()
    good = await stage.play()
    lines = feed.read_text().splitlines()
    lines.insert(
        400, '{"ts": 1, "s": "BTC/USDT", "t": "trade", "p": "nan", "q": "1", "side": "buy"}'
    )
    lines.insert(900, "not json at all")
    stage.tape.write = lambda: feed  # type: ignore[method-assign]
    feed.write_text("\n".join(lines))
    record = (await stage.play(db=stage.folder / "other.db")).sound()
    assert record.summary["inputs"]["notice"] == 2
    assert len([e for e in record.bodies("system") if e["code"].startswith("F-")]) == 2
    assert [f["price"] for f in record.fills()] == [f["price"] for f in good.fills()]


# -- other turns -----------------------------------------------------------------------------


async def told_to_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *overrides: str, end: float
) -> Record:
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(Arbiter(ResolutionAction.WAIT)))
    stage.tape.rise()
    stage.tape.hold(RISE * 60, end, 60_010.0)
    return (
        await stage.play(
            "risk.max_risk=0.2", "orchestration.schedule.technical_analysis.enabled=true",
            *overrides, approve="all",
        )
    ).sound()  # fmt: skip


async def test_three_times_told_to_wait_is_once_too_often(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await told_to_wait(
        stage, monkeypatch, "orchestration.conflicts.wait_ttl=7200", end=56 * 60
    )
    assert record.summary["conflicts"]["resolved"] == {"wait": 4}
    dropped = [event for event in record.bodies("system") if event["code"] == "C-DROPPED"]
    assert ["has waited long enough" in event["text"] for event in dropped] == [True]
    assert record.orders() == []


async def test_a_proposal_nobody_wakes_runs_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await told_to_wait(
        stage, monkeypatch, "orchestration.conflicts.wait_ttl=300", end=30 * 60
    )
    assert record.summary["conflicts"]["resolved"] == {"wait": 1}
    assert record.orders() == []


async def test_a_woken_proposal_of_a_paused_system_stays_where_it_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.key(30 * 60, "pause")
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(Arbiter(ResolutionAction.WAIT)))
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 54 * 60, 60_010.0)
    record = (
        await stage.play(
            "risk.max_risk=0.2", "orchestration.schedule.technical_analysis.enabled=true",
            "orchestration.conflicts.wait_ttl=7200",
        )
    ).sound()  # fmt: skip
    assert record.summary["conflicts"]["resolved"] == {"wait": 1}
    assert record.summary["agents"]["technical_analysis"]["rule"] > 0
    assert record.orders() == []


async def test_a_resolution_risk_refuses_opens_no_card(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arbiter leaves less than the venue takes."""
    monkeypatch.setattr(
        "tradeterm.desk.RulesAdvisor",
        arbiter(Arbiter(ResolutionAction.MODIFY, size_reduction=0.999)),
    )
    market(stage)
    record = (await stage.play(EVERY, approve="all")).sound()
    assert record.cards() == []
    assert record.codes() == {"below_minimum"}
    assert record.orders() == []


async def test_the_last_trades_are_kept_for_a_picture_alone_and_change_nothing(
    stage: Stage,
) -> None:
    market(stage)
    stage.tape.show(21 * 60 + 7, 60_011.0)
    views: list[ConsoleView] = []
    seen = await Desk.open(stage.request(until="21m10s", db=stage.folder / "seen.db"), views.append)
    blind = await Desk.open(stage.request(until="21m10s", db=stage.folder / "blind.db"))
    for desk in (seen, blind):
        await desk.run()
        await desk.close()
    trades = views[-1].books[BTC].trades
    assert len(trades) == 20
    assert [((each.ts - START) // SECOND, each.price) for each in trades[:4]] == [
        (1270, 60_010.0), (1267, 60_011.0), (1265, 60_010.0), (1260, 60_010.0),
    ]  # fmt: skip
    assert (trades[0].side, trades[0].size) == ("buy", 0.01)
    assert blind.engine.trades.last(BTC) == ()
    assert seen.engine.state_hash() == blind.engine.state_hash()
