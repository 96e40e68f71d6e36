"""DCA plans on written tapes: batches, pauses, cancels, crashes, every amount worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import pytest

from tests.wired.stage import BTC, EVERY, RISE, XRP, Record, Stage, minute
from tests.wired.test_runs import run_and_crash

D = Decimal
STEP = D("0.00000001")
ALLOCATING = "orchestration.schedule.portfolio_rebalance.enabled=true"
HOUR = 3600
#: The books stand still: BTC around 60,000, XRP around 0.5.
ASK = {BTC: D("60000.1"), XRP: D("0.5001")}
BID = {BTC: D("59999.9"), XRP: D("0.4999")}
FEE = D("0.004")
#: 33.33 % of 10,000 each; a sixth of it is 555.50.
BATCH = D("555.5")


def up(value: Decimal) -> Decimal:
    return value.quantize(STEP, ROUND_CEILING)


def down(value: Decimal) -> Decimal:
    return value.quantize(STEP, ROUND_FLOOR)


def standing(stage: Stage, *hours: float, btc: float = 60_000.0, xrp: float = 0.5) -> None:
    """Prints around these hours; in between nothing is heard of the market."""
    for hour in hours:
        begin = max(hour * HOUR - 20, 0)
        stage.tape.hold(begin, hour * HOUR + 20, btc, BTC)
        stage.tape.hold(begin, hour * HOUR + 20, xrp, XRP, spread=0.0002, size=1e6, decimals=4)


def allocated(stage: Stage, *hours: float) -> Stage:
    stage.overrides.append(ALLOCATING)
    standing(stage, *hours)
    return stage


def told(record: Record) -> list[str]:
    return [body["what"] for body in record.bodies("plan")]


def last(record: Record) -> dict[str, Any]:
    plan: dict[str, Any] = record.bodies("plan")[-1]["plan"]
    return plan


def bought(symbol: str, amounts: Sequence[Decimal]) -> tuple[list[Decimal], Decimal, Decimal]:
    """(sizes, cost, fees) when each batch asks for its amount and what the lots cut off before."""
    ask, spent, due = ASK[symbol], D(0), D(0)
    sizes, cost, fees = [], D(0), D(0)
    for amount in amounts:
        due += amount
        size = down((due - spent) / ask)
        spent += down(size * ask)
        cost += up(size * ask)
        fees += up(size * ask * FEE)
        sizes.append(size)
    return sizes, cost, fees


def sizes_of(record: Record, symbol: str) -> list[Decimal]:
    orders = [order for order in record.orders("dca") if order["symbol"] == symbol]
    return [D(order["filled"]) for order in orders]


def assert_balances(record: Record, batches: Sequence[Decimal]) -> None:
    """The whole account, to the last digit."""
    btc, btc_cost, btc_fees = bought(BTC, batches)
    xrp, xrp_cost, xrp_fees = bought(XRP, batches)
    assert sizes_of(record, BTC) == btc
    assert sizes_of(record, XRP) == xrp
    with record.reader() as reader:
        trading = reader.balances()["trading"]
    fees = btc_fees + xrp_fees
    assert trading == {
        "BTC": sum(btc),
        "XRP": sum(xrp),
        "USDT": 10_000 - btc_cost - xrp_cost - fees,
    }
    worth = sum(btc) * 60_000 + sum(xrp) * D("0.5") + trading["USDT"]
    assert abs(D(record.summary["equity"]) - worth) < D("0.000001")


SLOTS = (0, 4, 8, 12, 16, 20)
ENDS = {"cancelled": 0, "expired": 0, "short_of_cash": 0, "failed": 0}


async def test_a_large_rebalance_is_spread_over_six_batches(stage: Stage) -> None:
    record = (await allocated(stage, *SLOTS, 24).play()).sound()
    assert told(record) == ["created", *["batch_sent", "batch_filled"] * 6, "completed"]
    created = record.bodies("plan")[0]["plan"]
    for leg in created["legs"]:
        assert leg["batches"] == ["555.50"] * 6
    assert_balances(record, [BATCH] * 6)
    # one second after the start, and every four hours from there
    moments = {row.ts for row in record.rows("plan") if row.data["what"] == "batch_sent"}
    assert moments == set(created["slots"])
    assert record.summary["plans"] == {**ENDS, "created": 1, "completed": 1, "open": 0}
    assert record.summary["rebalances"] == 1


async def test_an_order_of_a_plan_can_be_explained(stage: Stage) -> None:
    record = await allocated(stage, 0).play()
    links = {link.id: link for link in record.explain("fill-1")}
    chain = ["fill-1"]
    while parents := links[chain[-1]].parents:
        chain.append(parents[0])
    assert [links[link].kind for link in chain] == [
        "fill", "order", "verdict", "plan", "agent_output",
    ]  # fmt: skip


@pytest.mark.parametrize("until", ["1s", "2025-06-02T00:00:01.050Z", "4h", "14401s", "10h"])
async def test_a_plan_goes_on_after_a_stop_in_the_middle(stage: Stage, until: str) -> None:
    allocated(stage, *SLOTS)
    whole = await stage.play()
    db = stage.folder / "parts.db"
    await stage.play(db=db, until=until)
    parts = (await stage.play(db=db)).sound()
    assert parts.summary["state_hash"] == whole.summary["state_hash"]
    assert parts.trading() == whole.trading()


@pytest.mark.parametrize("writes", [1, 2, 4])
async def test_a_plan_goes_on_after_a_crash(
    stage: Stage, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradeterm.inflow.CHUNK", 16)
    monkeypatch.setattr("tradeterm.driver.Driver._slice_may_grow", lambda _: False)
    allocated(stage, *SLOTS)
    whole = await stage.play()
    db = stage.folder / "crashed.db"
    assert await run_and_crash(stage.request(db=db), writes) == writes
    crashed = (await stage.play(db=db)).sound()
    assert crashed.summary["state_hash"] == whole.summary["state_hash"]
    assert crashed.trading() == whole.trading()


async def test_a_cancelled_plan_keeps_what_it_bought(stage: Stage) -> None:
    allocated(stage, 0, 4, 5, 8, 12)
    stage.key(5 * HOUR, "cancel_plan", plan_id="plan-1")
    stage.key(5 * HOUR + 1, "cancel_plan", plan_id="plan-1")
    record = (await stage.play()).sound()
    assert told(record)[-1] == "cancelled"
    assert_balances(record, [BATCH] * 2)
    assert record.summary["plans"]["cancelled"] == 1
    # The next one waits its day.
    assert record.summary["rebalances"] == 1
    assert record.rows("policy")[0].id == record.rows("plan")[-1].parent


async def test_a_halt_pauses_and_a_resume_sends_what_fell_due(stage: Stage) -> None:
    allocated(stage, 0, 3, 4, 8, 9, 12, 16, 20)
    stage.key(3 * HOUR, "halt")
    stage.key(9 * HOUR, "resume")
    record = (await stage.play()).sound()
    assert told(record) == [
        "created", "batch_sent", "batch_filled", "paused", "resumed",
        *["batch_sent", "batch_filled"] * 4, "completed",
    ]  # fmt: skip
    assert_balances(record, [BATCH, 2 * BATCH, BATCH, BATCH, BATCH])


async def test_a_resume_between_two_slots_waits_for_the_next(stage: Stage) -> None:
    allocated(stage, 0, 1, 2, 4)
    stage.key(1 * HOUR, "pause")
    stage.key(2 * HOUR, "resume")
    record = (await stage.play()).sound()
    assert told(record)[2:] == ["batch_filled", "paused", "resumed", "batch_sent", "batch_filled"]
    assert_balances(record, [BATCH] * 2)
    assert record.summary["plans"]["open"] == 1


async def test_a_plan_halted_for_too_long_is_stale(stage: Stage) -> None:
    allocated(stage, 0, 3, 23, 25)
    stage.key(3 * HOUR, "halt")
    stage.key(25 * HOUR, "resume")
    record = (await stage.play("portfolio.rebalance_interval=200000")).sound()
    assert told(record)[-2:] == ["paused", "expired"]
    assert last(record)["reason"] == "stale after batch 1"
    assert_balances(record, [BATCH])
    assert record.summary["plans"]["expired"] == 1


async def test_orders_that_are_out_arrive_although_the_system_halts(stage: Stage) -> None:
    allocated(stage, 0, 1, 4)
    stage.key(1.002, "halt")
    stage.key(1 * HOUR, "resume")
    record = (await stage.play()).sound()
    assert told(record)[:5] == ["created", "batch_sent", "paused", "batch_filled", "resumed"]
    assert_balances(record, [BATCH] * 2)


async def test_orders_that_wait_for_the_rate_limit_do_not_leave_after_a_halt(stage: Stage) -> None:
    """One order fits into each minute: BTC leaves at once, XRP would have at 00:01:01."""
    allocated(stage, 0, 0.02, 1, 4)
    stage.key(5, "halt")
    stage.key(1 * HOUR, "resume")
    one = "{count: 2, seconds: 60, reserved: 1}"
    record = (await stage.play(
        f"execution.rate_limit.orders={one}", "execution.rate_limit.max_wait=300"
    )).sound()  # fmt: skip
    first, unsent, again = record.orders("dca")[:3]
    assert (first["symbol"], first["status"]) == (BTC, "filled")
    assert (unsent["symbol"], unsent["status"], unsent["reason"]) == (XRP, "cancelled", "halted")
    assert again["symbol"] == XRP
    assert again["created"] >= minute(60)
    assert (again["status"], D(again["filled"])) == ("filled", down(BATCH / ASK[XRP]))
    assert told(record)[:5] == ["created", "batch_sent", "paused", "resumed", "batch_sent"]


async def test_a_failed_batch_is_tried_again_until_the_plan_is_short_of_cash(stage: Stage) -> None:
    """A position takes a tenth of the account as collateral: the last batch cannot be paid."""
    stage.overrides += [
        ALLOCATING, "portfolio.targets.BTC=100", "portfolio.targets.XRP=0",
        "portfolio.targets.USDT=0",
    ]  # fmt: skip
    stage.tape.rise()
    for hour in (*SLOTS[1:], 24, 28, 32, 36):
        stage.tape.hold(hour * HOUR - 20, hour * HOUR + 20, 60_010.0)
    record = (await stage.play()).sound()
    assert told(record) == [
        "created", *["batch_sent", "batch_filled"] * 5, *["batch_sent", "batch_failed"] * 4,
        "short_of_cash",
    ]  # fmt: skip
    (leg,) = last(record)["legs"]
    assert (leg["failures"], leg["reason"]) == (4, "short of cash")
    assert D(leg["filled"]) < sum(map(D, leg["batches"]))
    assert "cash" in record.codes()
    with record.reader() as reader:
        assert reader.balances()["trading"].get("USDT", 0) < 20
    assert record.summary["plans"]["short_of_cash"] == 1


async def test_a_plan_gives_way_to_a_pending_decision(stage: Stage) -> None:
    """The second slot falls a second after the signal at 00:21, while its card waits."""
    stage.overrides += [ALLOCATING, f"portfolio.dca.interval={RISE * 60}", EVERY]
    stage.tape.rise()
    stage.tape.hold(RISE * 60, 30 * 60, 60_010.0)
    record = (await stage.play()).sound()
    assert record.cards()
    assert told(record)[:7] == [
        "created", "batch_sent", "batch_filled", "paused", "resumed", "batch_sent", "batch_filled",
    ]  # fmt: skip
    paused, resumed = [
        row for row in record.rows("plan") if row.data["what"] in ("paused", "resumed")
    ]
    assert paused.data["plan"]["reason"] == "a trading decision on BTC/USDT is pending"
    assert resumed.ts - paused.ts == 300 * 10**9


AT_ONCE = "portfolio.dca.least=100000"


async def test_a_forced_look_that_finds_nothing_does_not_shorten_the_day(stage: Stage) -> None:
    stage.overrides += [ALLOCATING, AT_ONCE]
    standing(stage, 0, 0.5)
    stage.key(0.5 * HOUR, "force_run", task="portfolio_rebalance")  # all is where it should be
    standing(stage, 1, 2, btc=90_000.0)
    record = (await stage.play()).sound()
    assert record.summary["rebalances"] == 1


async def test_a_rebalance_sells_before_it_buys_and_only_once_a_day(stage: Stage) -> None:
    """BTC rises by half: it is sold, and XRP bought of what that brought, when it is forced."""
    stage.overrides += [ALLOCATING, AT_ONCE, "portfolio.targets.USDT=0",
                        "portfolio.targets.BTC=50", "portfolio.targets.XRP=50"]  # fmt: skip
    standing(stage, 0)
    standing(stage, 1, 2, btc=90_000.0)
    stage.key(2 * HOUR, "force_run", task="portfolio_rebalance")
    record = (await stage.play()).sound()
    assert record.bodies("plan") == []
    assert record.summary["plans"]["created"] == 0
    assert record.summary["rebalances"] == 2
    orders = record.orders("rebalance")
    assert [(o["symbol"], o["side"], o["status"]) for o in orders] == [
        (BTC, "buy", "filled"), (XRP, "buy", "filled"),
        (BTC, "sell", "filled"), (XRP, "buy", "filled"),
    ]  # fmt: skip
    # Nothing at 01:00, though 60 % was in BTC by then; at 02:00 because it was forced.
    sell, buy = orders[2:]
    assert sell["created"] > orders[1]["created"] + 7100 * 10**9
    sold = next(fill for fill in record.fills() if fill["order_id"] == sell["id"])
    assert buy["created"] >= sold["ts"]
    # The cash before was not enough to pay for it.
    paid = next(fill for fill in record.fills() if fill["order_id"] == buy["id"])
    assert D(paid["size"]) * D(paid["price"]) > 1000


async def test_a_halt_between_the_sells_and_the_buys_holds_the_buys(stage: Stage) -> None:
    stage.overrides += [ALLOCATING, AT_ONCE, "portfolio.targets.USDT=0", "portfolio.targets.BTC=50",
                        "portfolio.targets.XRP=50", "portfolio.rebalance_interval=0"]  # fmt: skip
    standing(stage, 0)
    standing(stage, 1, 2, btc=90_000.0)
    stage.key(1 * HOUR + 0.002, "halt")
    stage.key(2 * HOUR - 5, "resume")
    record = (await stage.play(until="2h")).sound()
    sell, buy = record.orders("rebalance")[2:]
    assert (sell["side"], buy["side"]) == ("sell", "buy")
    assert sell["status"] == buy["status"] == "filled"
    assert (buy["created"] - sell["created"]) // 10**9 == HOUR - 5
    told_then = [body["what"] for body in record.bodies("rebalance")[4:]]
    assert told_then == [
        "created", "batch_sent", "paused", "resumed", "batch_sent", "batch_filled", "completed",
    ]  # fmt: skip


async def test_one_failed_leg_does_not_stop_the_others(stage: Stage) -> None:
    """XRP has a book of 200 only when the second batch is due; BTC goes on."""
    stage.overrides.append(ALLOCATING)
    standing(stage, 0, 8)
    around = (4 * HOUR - 20, 4 * HOUR + 20)
    stage.tape.hold(*around, 60_000.0, BTC)
    stage.tape.hold(*around, 0.5, XRP, spread=0.0002, size=100, decimals=4)
    record = (await stage.play()).sound()
    assert told(record)[3:] == ["batch_sent", "batch_failed", "batch_sent", "batch_filled"]
    assert sizes_of(record, BTC) == bought(BTC, [BATCH] * 3)[0]
    first, second, third = sizes_of(record, XRP)
    assert second == 200
    spent = down(first * ASK[XRP]) + 100 * ASK[XRP] + 100 * (ASK[XRP] + D("0.0001"))
    assert third == down((3 * BATCH - spent) / ASK[XRP])
    failed = next(body for body in record.bodies("plan") if body["what"] == "batch_failed")
    assert [leg["failures"] for leg in failed["plan"]["legs"]] == [0, 1]


async def test_a_rebalance_that_came_to_nothing_does_not_use_up_the_day(stage: Stage) -> None:
    """The ask stands 2.5 % above the mid: beyond risk's collar of 2 %."""
    stage.overrides += [ALLOCATING, AT_ONCE]
    stage.tape.hold(0, 20, 60_000.0, spread=3000.0)
    standing(stage, 1, 2)
    record = (await stage.play("portfolio.targets.XRP=0", "portfolio.targets.USDT=66.67")).sound()
    ends = [body["plan"] for body in record.bodies("rebalance") if body["plan"]["reason"]]
    assert [plan["reason"] for plan in ends] == ["BTC/USDT buy: 0 of 3333, price_collar"]
    assert record.summary["rebalances"] == 2
    assert [order["status"] for order in record.orders("rebalance")] == ["filled"]


async def test_batches_below_the_minimum_are_merged(stage: Stage) -> None:
    allocated(stage, *SLOTS)
    record = (await stage.play("portfolio.min_order=1500")).sound()
    (plan, *_) = record.bodies("plan")
    assert [leg["batches"] for leg in plan["plan"]["legs"]] == [
        ["1666.50", "0", "0", "1666.50", "0", "0"]
    ] * 2
    moments = [row.ts for row in record.rows("plan") if row.data["what"] == "batch_sent"]
    assert [(ts - moments[0]) // (HOUR * 10**9) for ts in moments] == [0, 12]
    assert_balances(record, [D("1666.5")] * 2)
    assert record.summary["plans"]["completed"] == 1
