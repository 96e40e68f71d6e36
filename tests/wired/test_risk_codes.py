"""Every reason risk can give, once through the whole desk; the few it cannot give there, and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.wired.advisors import Arbiter, arbiter
from tests.wired.stage import EVERY, RISE, Stage
from tradeterm.risk.codes import RiskCode

Scene = Callable[[Stage], None]
SLOWLY = "execution.latency={least: 60, most: 60}"
ROOMY = (
    "risk.max_position=100", "risk.max_exposure=500", "risk.max_correlated=500",
    "risk.max_margin=100", "risk.max_risk=100",
)  # fmt: skip


def one_signal(stage: Stage) -> None:
    """A BUY at 00:21."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 40, 60_010.0)


def second_signal(stage: Stage) -> None:
    """A BUY at 00:21 that fills, a SELL at 00:23 that nobody approves, another BUY at 00:25."""
    one_signal(stage)
    stage.tape.hold(RISE * 60 + 40, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 23 * 60, 59_950.0)
    stage.tape.hold(23 * 60, 24 * 60, 59_900.0)
    stage.tape.hold(24 * 60, 25 * 60 + 10, 60_100.0)


def second_after_a_loss(stage: Stage) -> None:
    """The first position is stopped out before the second BUY."""
    one_signal(stage)
    stage.tape.hold(RISE * 60 + 40, 22 * 60, 60_010.0)
    stage.tape.hold(22 * 60, 24 * 60, 59_050.0)
    stage.tape.hold(24 * 60, 25 * 60 + 10, 60_100.0)


def sell_behind_a_buy(stage: Stage) -> None:
    """A BUY still on its way to the venue when the market turns."""
    one_signal(stage)
    stage.tape.hold(RISE * 60 + 40, 22 * 60 - 1, 59_900.0)
    stage.tape.hold(22 * 60, 22 * 60 + 10, 59_900.0)


def turned_around(stage: Stage) -> None:
    """The SELL at 00:23 is approved: the long is closed, and a short is proposed at once."""
    second_signal(stage)
    stage.key(23 * 60 + 3, "approve", card_id="oldest")


def jump(stage: Stage) -> None:
    """The bar before the signal goes up 4.1 %."""
    stage.tape.rise(by=2_500.0)
    stage.tape.hold(RISE * 60, RISE * 60 + 10, 62_500.0)


def silence(stage: Stage) -> None:
    """Ten seconds without a message before the bar closes by the clock."""
    stage.tape.rise()
    late = [line for line in stage.tape.lines if line["ts"] // 10**9 % 60 > 50]
    stage.tape.lines = [line for line in stage.tape.lines if line not in late]
    stage.tape.hold(RISE * 60 + 1, RISE * 60 + 10, 60_010.0)


def thin_book(spread: float) -> Scene:
    """The last quotes before the signal are this far apart."""

    def scene(stage: Stage) -> None:
        stage.tape.rise()
        stage.tape.show(RISE * 60 - 1, 60_010.0, spread=spread)
        stage.tape.hold(RISE * 60 + 1, RISE * 60 + 10, 60_010.0)

    return scene


def paused_card(stage: Stage) -> None:
    one_signal(stage)
    stage.key(RISE * 60 + 5, "pause")
    stage.key(RISE * 60 + 10, "approve", card_id="oldest")


def moved_card(stage: Stage) -> None:
    """Approved after a move of 0.2 %, which the card allows and a narrow collar does not."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 10, 60_010.0)
    stage.tape.hold(RISE * 60 + 10, RISE * 60 + 40, 60_130.0)
    stage.key(RISE * 60 + 20, "approve", card_id="oldest")


REACHED: dict[RiskCode, tuple[Scene, tuple[str, ...]]] = {
    RiskCode.PAUSED: (paused_card, (EVERY,)),
    RiskCode.STALE_DATA: (silence, ()),
    RiskCode.DAILY_LOSS: (second_signal, ("risk.max_daily_loss=0.05",)),
    RiskCode.DRAWDOWN: (second_signal, ("risk.max_drawdown=0.05",)),
    RiskCode.DAILY_LOSS_24H: (second_signal, ("risk.max_daily_loss=0.05",)),
    RiskCode.WEEKLY_LOSS: (second_signal, ("risk.max_weekly_loss=0.05",)),
    RiskCode.BREAKER: (second_signal, ("risk.max_weekly_loss=0.05",)),
    RiskCode.COOLDOWN: (second_signal, ("risk.cooldown.trade=300",)),
    RiskCode.REPEATED: (second_signal, ("risk.throttle.repeat=300",)),
    RiskCode.MESSAGE_RATE: (turned_around, ("risk.throttle.messages_per_minute=1",)),
    RiskCode.UNUSUAL_MOVE: (jump, ()),
    RiskCode.LOSSES: (
        second_after_a_loss, ("risk.max_losses=1", "risk.streak_cooldown=[{at: 1, seconds: 60}]"),
    ),
    RiskCode.SIZING: (one_signal, ("risk.sizing.confidence=[{at: 0, part: 10}]",)),
    RiskCode.COST: (one_signal, ("risk.max_cost=1",)),
    RiskCode.LEVERAGE_CONFIDENCE: (
        one_signal, ("risk.confidence_leverage=[{below: 0.8, leverage: 1.5}]",),
    ),
    RiskCode.CONFIDENCE: (one_signal, ("risk.min_confidence=0.8",)),
    RiskCode.STOP_SIDE: (thin_book(2_400), ("risk.max_collar=5",)),
    RiskCode.STOP_TOO_CLOSE: (one_signal, ("risk.min_stop=2",)),
    RiskCode.STOP_TOO_WIDE: (
        one_signal,
        ("risk.max_stop=1", "risk.by_symbol.BTC.max_stop=1", "risk.by_symbol.XRP.max_stop=1"),
    ),
    RiskCode.TARGET_SIDE: (thin_book(6_000), ()),
    RiskCode.REWARD_RISK: (one_signal, ("risk.min_reward_risk=5",)),
    RiskCode.COLLAR: (moved_card, (EVERY, "risk.max_collar=0.1")),
    RiskCode.LEVERAGE: (one_signal, ("risk.max_leverage=1.5",)),
    RiskCode.LEVERAGE_REGIME: (one_signal, ("risk.regime_leverage.choppy=1.5",)),
    RiskCode.LEVERAGE_DRAWDOWN: (
        second_signal, ("risk.drawdown_leverage=[{at: 0.05, leverage: 1}]",),
    ),
    RiskCode.LEVERAGE_STREAK: (
        second_after_a_loss, ("risk.streak_leverage=[{at: 1, leverage: 1}]",),
    ),
    RiskCode.OPPOSITE: (sell_behind_a_buy, (SLOWLY,)),
    RiskCode.POSITIONS_SYMBOL: (second_signal, ("risk.max_positions_per_symbol=1",)),
    RiskCode.POSITIONS: (second_signal, ("risk.max_positions=1",)),
    RiskCode.POSITION_SIZE: (one_signal, ("risk.max_position=9",)),
    RiskCode.RISK_AT_STOP: (one_signal, ("risk.max_risk=0.4",)),
    RiskCode.EXPOSURE: (one_signal, ("risk.max_exposure=19",)),
    RiskCode.CORRELATED: (one_signal, ("risk.max_correlated=19",)),
    RiskCode.MARGIN: (one_signal, ("risk.max_margin=9",)),
    RiskCode.CASH: (one_signal, (*ROOMY, "agents.trading_decision.risk_per_trade=10")),
    RiskCode.MINIMUM: (one_signal, ("market.account.deposit=10",)),
}  # fmt: skip

#: Reasons the desk keeps from ever arising; risk gives them all the same (tests/risk).
NOT_REACHED = {
    RiskCode.HALTED: "a halt voids cards and stops proposals before risk is asked",
    RiskCode.UNKNOWN_SYMBOL: "every symbol of a run has an instrument, or it does not start",
    RiskCode.BAD_NUMBER: "feeds refuse such prices; the rules compute nothing else from good ones",
    RiskCode.BAD_ACCOUNT: "nothing is entered without a rate, so nothing held is without a price",
    RiskCode.BAD_MARKET: "without a price or a rate the rule says HOLD; a crossed book is stale",
    RiskCode.STOP_MISSING: "every entry signal carries a stop: its type has no other form",
    RiskCode.STOP_SET: "likewise: only a what-if can come without one",
    RiskCode.TARGET_MISSING: "likewise a target",
    RiskCode.ENTRY_RATE: "a rule decides once a minute at most, so five in a minute take five symbols",
    RiskCode.VOLATILITY: "the mean of the ATR takes 64 bars: tests/wired/test_restraint_stories.py",
    RiskCode.NOT_JUDGED: "follows only from the figures above being missing",
    RiskCode.RULE_ERROR: "follows only from a bug in a rule",
}
ELSEWHERE = {
    RiskCode.EMERGENCY, RiskCode.UNRECONCILED, RiskCode.CLOCK_SKEW, RiskCode.JOURNAL,
    RiskCode.REDUCE_ONLY,
}  # fmt: skip
"""Have stories of their own: below, with the reconciliation, in test_health, test_drills and
test_restricting."""


def test_no_code_is_forgotten() -> None:
    lists = [set(REACHED), set(NOT_REACHED), ELSEWHERE]
    assert set().union(*lists) == set(RiskCode)
    assert sum(map(len, lists)) == len(RiskCode)


@pytest.mark.parametrize("code", REACHED, ids=str)
async def test_the_desk_gives_the_reason(stage: Stage, code: RiskCode) -> None:
    scene, overrides = REACHED[code]
    scene(stage)
    record = (await stage.play(*overrides)).sound()
    assert code in record.codes()
    assert record.summary["verdicts"]["codes"][code] >= 1
    told = [v for v in record.bodies("verdict") if code in v["codes"]]
    for verdict in told:
        rule = next(rule for rule in verdict["rules"] if rule["code"] == code)
        assert rule["outcome"] in ("fail", "reduced")
        if verdict["status"] in ("rejected", "halted"):
            assert not any(o["verdict_id"] == verdict["id"] for o in record.orders())


async def test_a_reduced_order_fits_the_limit_that_reduced_it(stage: Stage) -> None:
    """9.5 % collateral allowed, 10 wished: cut a little, nobody needs to be asked."""
    one_signal(stage)
    record = (await stage.play("risk.max_position=9.5")).sound()
    (verdict,) = record.bodies("verdict")
    assert (verdict["status"], verdict["codes"]) == ("modified", ["position_size"])
    (position,) = record.positions()
    assert 949 < float(position["collateral"]) <= 950
    assert record.summary["verdicts"]["modified"] == 1


async def test_an_emergency_allows_no_new_exposure_but_every_exit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long is open when the arbiter fails for the third time; its stop still works."""
    answers = Arbiter(valid=False)
    monkeypatch.setattr("tradeterm.desk.RulesAdvisor", arbiter(answers))
    second_signal(stage)
    stage.tape.hold(25 * 60 + 10, 26 * 60, 60_100.0)
    stage.tape.hold(26 * 60, 28 * 60, 59_950.0)
    stage.tape.hold(28 * 60, 29 * 60 + 10, 60_200.0)
    stage.tape.hold(29 * 60 + 10, 29 * 60 + 30, 59_000.0)
    record = (
        await stage.play(
            "orchestration.degradation.failures=[1, 2, 3]",
            "risk.max_correlated=35",
            "orchestration.conflicts.material_cut=5",
        )
    ).sound()
    levels = [change["level"] for change in record.summary["degradation"]]
    assert levels == ["REDUCED", "LIMITED", "EMERGENCY"]
    assert "emergency" in record.codes()
    assert record.summary["exits"]["stop"] == 1
    assert record.summary["positions"] == []
