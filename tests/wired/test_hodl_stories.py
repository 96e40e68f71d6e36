"""A part of each profit is put aside: earmarked, bought, moved, never sold."""

from __future__ import annotations

from decimal import Decimal

from tests.wired.stage import BTC, RISE, Record, Stage
from tests.wired.test_plan_stories import FEE, down, up
from tests.wired.test_position_stories import ASK, SIZE, balances

D = Decimal
#: The market jumps over the target, and stands there.
TOP_BID, TOP_ASK, TOP = D("63999.9"), D("64000.1"), 64_000.0
ALL_BTC = ("portfolio.hodl.split.BTC=100", "portfolio.hodl.split.XRP=0")
#: The taker fee, and 0.025 % for opening a leveraged position.
ENTRY_FEE = up(SIZE * ASK * FEE) + up(SIZE * ASK * D("0.00025"))
EXIT_FEE = up(SIZE * TOP_BID * FEE)
PROFIT = down((TOP_BID - ASK) * SIZE) - ENTRY_FEE - EXIT_FEE
CASH = 10_000 + PROFIT
SHARE = down(PROFIT / 10)


def won(stage: Stage) -> Stage:
    """The long of 00:21 takes its target at 00:23."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 23 * 60, 60_010.0)
    stage.tape.hold(23 * 60, 26 * 60, TOP)
    return stage


def bag(record: Record) -> dict[str, Decimal]:
    return balances(record).get("hodl", {})


async def test_a_tenth_of_a_profit_becomes_bitcoin_for_good(stage: Stage) -> None:
    record = (await won(stage).play(*ALL_BTC)).sound()
    (settled,) = record.bodies("settled")
    assert D(settled["pnl"]) == PROFIT

    # The purchase pays its fee out of the share.
    size = down(SHARE / (TOP_ASK * (1 + FEE)))
    paid, fee = up(size * TOP_ASK), up(size * TOP_ASK * FEE)
    assert balances(record) == {
        "external": {"USDT": D(-10_000)},
        "market": {"BTC": -size, "USDT": paid},
        "fees": {"USDT": ENTRY_FEE + EXIT_FEE + fee},
        "pnl": {"USDT": -(PROFIT + ENTRY_FEE + EXIT_FEE)},
        "trading": {"USDT": CASH - paid - fee},
        "hodl": {"BTC": size},
    }
    # Not in the equity, and the bases of losses moved with it.
    assert D(record.summary["equity"]) == CASH - paid - fee
    (order,) = record.orders("hodl")
    assert (order["side"], order["status"]) == ("buy", "filled")
    moved = next(row for row in record.rows("entry") if row.data["kind"] == "hodl")
    fill = next(fill for fill in record.fills() if fill["order_id"] == order["id"])
    assert moved.parent == fill["id"]
    (earmarked,) = record.bodies("hodl")
    assert {asset: D(amount) for asset, amount in earmarked["shares"].items()} == {"BTC": SHARE}


async def test_the_purchase_can_be_explained_back_to_the_profit(stage: Stage) -> None:
    record = await won(stage).play(*ALL_BTC)
    (order,) = record.orders("hodl")
    kinds = [link.kind for link in record.explain(order["id"])]
    assert {"position", "hodl", "verdict", "order", "fill"} <= set(kinds)


async def test_a_share_below_the_threshold_waits(stage: Stage) -> None:
    record = (await won(stage).play(*ALL_BTC, "portfolio.hodl.threshold.BTC=50")).sound()
    assert bag(record) == {}
    assert balances(record)["trading"] == {"USDT": CASH}
    assert record.orders("hodl") == []
    (earmarked,) = record.bodies("hodl")
    assert D(earmarked["earmarks"]["BTC"]) == SHARE


async def test_the_share_in_account_currency_moves_at_once(stage: Stage) -> None:
    stage.overrides += ["portfolio.hodl.split.USDT=100", "portfolio.hodl.split.BTC=0",
                        "portfolio.hodl.split.XRP=0"]  # fmt: skip
    record = (await won(stage).play()).sound()
    assert balances(record)["hodl"] == {"USDT": SHARE}
    assert balances(record)["trading"] == {"USDT": CASH - SHARE}
    assert D(record.summary["equity"]) == CASH - SHARE


async def test_a_cap_leaves_the_share_in_trading_and_says_so_once(stage: Stage) -> None:
    record = (await won(stage).play(*ALL_BTC, "portfolio.hodl.cap.BTC=0")).sound()
    assert balances(record)["trading"] == {"USDT": CASH}
    assert record.rows("hodl") == []
    (said,) = [event for event in record.bodies("system") if event["code"] == "C-HODL-STAYS"]
    assert "cap of 0" in said["text"]


async def test_an_asset_that_is_not_traded_here_gets_nothing(stage: Stage) -> None:
    record = (await won(stage).play("portfolio.hodl.share=20")).sound()
    (earmarked,) = record.bodies("hodl")
    assert set(earmarked["shares"]) == {"BTC"}
    assert set(bag(record)) == {"BTC"}
    (said,) = [event for event in record.bodies("system") if event["code"] == "C-HODL-STAYS"]
    assert "XRP/USDT is not in this run" in said["text"]


async def test_a_share_of_nothing_switches_it_off(stage: Stage) -> None:
    record = (await won(stage).play("portfolio.hodl.share=0")).sound()
    assert record.rows("hodl") == []
    assert balances(record)["trading"] == {"USDT": CASH}


async def test_a_halt_holds_the_purchase_back_until_the_system_runs_again(stage: Stage) -> None:
    won(stage)
    stage.key(22 * 60, "halt")
    stage.key(50 * 60, "resume")
    stage.tape.hold(50 * 60, 85 * 60, TOP)
    db = stage.folder / "parts.db"
    record = (await stage.play(*ALL_BTC)).sound()
    (order,) = record.orders("hodl")
    closed = record.rows("settled")[0].ts
    assert order["created"] - closed == 3600 * 10**9
    assert set(bag(record)) == {"BTC"}
    await stage.play(*ALL_BTC, db=db, until="40m")
    parts = await stage.play(*ALL_BTC, db=db)
    assert parts.summary["state_hash"] == record.summary["state_hash"]
    assert parts.trading() == record.trading()


async def test_the_bag_is_never_rebalanced(stage: Stage) -> None:
    """All targets are cash: spot holdings are sold, the bag is not."""
    stage.overrides += ["orchestration.schedule.portfolio_rebalance.enabled=true",
                        "orchestration.schedule.portfolio_rebalance.interval=60",
                        "portfolio.targets.USDT=100", "portfolio.targets.BTC=0",
                        "portfolio.targets.XRP=0"]  # fmt: skip
    record = (await won(stage).play(*ALL_BTC)).sound()
    assert bag(record)["BTC"] > 0
    assert record.summary["rebalances"] == 0
    weights = record.bodies("agent_output")[-1]["output"]["weights"]
    assert weights == {"BTC": 0.0, "USDT": 100.0} or weights["USDT"] == 100.0
    assert [order["symbol"] for order in record.orders("hodl")] == [BTC]
