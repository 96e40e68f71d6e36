"""Limit entries, amendments and fees through the whole desk: market, keys, book of record."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.wired.stage import BTC, RISE, START, Record, Stage, kinds_of
from tradeterm.desk import Desk
from tradeterm.model.commands import AmendOrder
from tradeterm.model.timing import SECOND

LIMIT = "execution.entry.type=limit"
STILL = "execution.trailing.enabled=false"
CALM = "execution.latency={least: 0.5, most: 0.5}"


def resting(folder: Path) -> Stage:
    """The rise of every story; its BUY waits as a limit at 60,010.0, the mid, from 00:21 on."""
    stage = Stage(folder)
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 40, 60_010.0)
    return stage


async def played(stage: Stage, *overrides: str) -> Record:
    return (await stage.play(LIMIT, STILL, CALM, *overrides)).sound()


async def test_a_limit_entry_rests_fills_as_a_maker_and_is_protected(tmp_path: Path) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 60, 60_009.0)
    record = await played(stage)
    (entry,) = record.orders("entry")
    (fill,) = record.fills()
    assert (entry["type"], entry["status"]) == ("limit", "filled")
    assert (fill["price"], fill["liquidity"], fill["evidence"]) == (
        "60010.0", "maker", "trade_through",
    )  # fmt: skip
    # maker fee: 0.25 % of the notional
    notional = float(fill["size"]) * 60_010
    assert float(fill["fee"]) == pytest.approx(notional * 0.0025, abs=1e-6)
    assert [order["purpose"] for order in record.orders()] == ["entry", "stop", "target"]
    kinds = kinds_of(record.explain(fill["id"]))
    assert [kind for kind in kinds if kind in ("proposal", "verdict", "fill")] == [
        "proposal", "verdict", "fill",
    ]  # fmt: skip


async def test_an_unfilled_limit_entry_expires(tmp_path: Path) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 120, 60_012.0)
    record = await played(stage, "execution.entry.expiry=30")
    (entry,) = record.orders("entry")
    assert (entry["status"], record.fills()) == ("expired", [])


async def test_an_entry_without_expiry_takes_what_there_is_at_once_or_nothing(
    tmp_path: Path,
) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 60, 60_009.0)
    record = await played(stage, "execution.entry.expiry=0")
    (entry,) = record.orders("entry")
    assert (entry["tif"], entry["expires"], entry["status"]) == ("IOC", None, "cancelled")
    assert entry["reason"] == "no depth within limit"
    assert record.fills() == []


async def test_the_operator_makes_an_entry_smaller_and_moves_it(tmp_path: Path) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 80, 60_012.0)
    stage.tape.hold(RISE * 60 + 80, RISE * 60 + 100, 60_010.5)
    stage.key(RISE * 60 + 12, "amend", order_id="PAPER-1", size="0.01")
    stage.key(RISE * 60 + 45, "amend", order_id="PAPER-1", limit="60011.0")
    record = await played(stage)
    (entry,) = record.orders("entry")
    (fill,) = record.fills()
    assert (fill["price"], fill["size"], entry["status"]) == ("60011.0", "0.01", "filled")
    asked = record.bodies("amendment")
    assert [(each["order"], each["revision"]) for each in asked] == [("PAPER-1", 1), ("PAPER-1", 2)]
    first, second = record.rows("amendment")
    commands = {row.id for row in record.rows("policy")}
    assert first.parent in commands  # less needs no verdict
    verdict = next(row for row in record.rows("verdict") if row.id == second.parent)
    assert verdict.parent in commands
    assert verdict.data["status"] in ("approved", "modified")
    # The order's story tells both what first allowed it and what changed it.
    told = [link.id for link in record.explain("PAPER-1")]
    assert {"verdict-1", "amend-1", "cmd-1", "amend-2", "verdict-2", "cmd-2"} <= set(told)


async def test_amendments_that_cannot_be_are_refused_in_words(tmp_path: Path) -> None:
    stage = resting(tmp_path)
    desk = await Desk.open(stage.request(LIMIT, STILL, CALM, until=f"{RISE * 60 + 12}s"))
    try:
        await desk.run()
        for terms, words in (
            (AmendOrder(order_id="PAPER-9"), "no working order PAPER-9"),
            (AmendOrder(order_id="PAPER-1"), "PAPER-1 has these terms already"),
            (AmendOrder(order_id="PAPER-1", size=Decimal(5)), "can only become smaller"),
            (AmendOrder(order_id="PAPER-1", size=Decimal("NaN")), "can only become smaller"),
            (AmendOrder(order_id="PAPER-1", size=Decimal(0)), "0 of PAPER-1 has filled"),
            (AmendOrder(order_id="PAPER-1", size=Decimal("0.0000001")), "below the minimum"),
            (AmendOrder(order_id="PAPER-1", limit=Decimal("60010.05")), "not on the tick of 0.1"),
            (AmendOrder(order_id="PAPER-1", limit=Decimal("-1")), "not on the tick of 0.1"),
            (AmendOrder(order_id="PAPER-1", limit=Decimal("1e40")), "not on the tick of 0.1"),
            (AmendOrder(order_id="PAPER-1", limit=Decimal(45_000)), "risk refuses PAPER-1"),
        ):
            result = await desk.apply(terms)
            assert (result.accepted, words in result.text) == (False, True), result.text
        accepted = await desk.apply(AmendOrder(order_id="PAPER-1", size=Decimal("0.01")))
        assert accepted.text == "amending PAPER-1 BTC/USDT buy: 0.01 at 60010"
        again = await desk.apply(AmendOrder(order_id="PAPER-1", size=Decimal("0.009")))
        assert "already being amended" in again.text
    finally:
        await desk.close()


async def test_a_restart_while_an_amendment_travels_changes_nothing(
    tmp_path: Path,
) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 80, 60_012.0)
    stage.tape.hold(RISE * 60 + 80, RISE * 60 + 100, 60_010.5)
    stage.key(RISE * 60 + 45, "amend", order_id="PAPER-1", limit="60011.0")
    whole = await played(stage)
    # Stop while the amendment is on its way (it takes 0.5 s), then go on.
    db = tmp_path / "parts.db"
    until = f"{RISE * 60 + 45}s"
    await stage.play(LIMIT, STILL, CALM, db=db, until=until)
    parts = (await stage.play(LIMIT, STILL, CALM, db=db)).sound()
    assert parts.summary["state_hash"] == whole.summary["state_hash"]


async def test_a_signal_the_other_way_withdraws_an_entry_that_still_waits(tmp_path: Path) -> None:
    stage = resting(tmp_path)
    stage.tape.hold(RISE * 60 + 40, RISE * 60 + 240, 60_030.0)
    stage.tape.hold(RISE * 60 + 240, RISE * 60 + 320, 60_012.0)
    record = await played(stage)
    entry, *others = record.orders("entry")
    assert (entry["status"], others, record.fills()) == ("cancelled", [], [])
    assert entry["reason"].startswith("against ")
    # The short is refused while the cancel is under way: never two sides of one symbol.
    assert "opposite_position" in record.codes()


def sold(stage: Stage, seconds: float, price: float, size: str) -> None:
    """Somebody sells this much at this price: what rests there to buy is served."""
    stage.tape.lines.append({
        "ts": START + int(seconds * SECOND), "s": BTC, "t": "trade", "p": f"{price:.1f}",
        "q": size, "side": "sell", "id": f"sold-{seconds}",
    })  # fmt: skip


async def test_closing_a_half_filled_entry_keeps_the_rest_from_opening_it_again(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 5, 60_010.0)
    stage.tape.hold(RISE * 60 + 5, RISE * 60 + 60, 60_012.0)
    sold(stage, RISE * 60 + 7.1, 60_010.0, "0.01")
    stage.key(RISE * 60 + 11, "close", position_id="pos-1")
    sold(stage, RISE * 60 + 30, 60_010.0, "0.01")
    record = await played(stage)
    (entry,) = record.orders("entry")
    assert (entry["status"], float(entry["filled"])) == ("cancelled", 0.01)
    assert entry["reason"] == "closing: operator"
    (position,) = record.positions()
    assert (position["exit_reason"], float(position["opened_size"])) == ("operator", 0.01)
    assert record.summary["positions"] == []
