"""How positions end and how their protection moves, through the wired desk, worked out by hand.

One long of 0.03332963 BTC at 60010.1 (leverage 2), stop 59109.9, target 62709.3; see
``test_position_stories``. Trailing: armed 1 % above the entry, 1.5 % behind the best print.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.wired.stage import RISE, Record, Stage, minute
from tradeterm.desk import Desk
from tradeterm.engine.view import ConsoleView
from tradeterm.model.commands import ClosePosition, MoveTarget

D = Decimal
SIZE, STOP, TARGET, ASK = D("0.03332963"), D("59109.9"), D("62709.3"), D("60010.1")
AFTER = 22 * 60
"""The second at which the market may move."""


def opened(stage: Stage) -> None:
    """A long opens a moment after 00:21 and the market stands still until 00:22."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, AFTER, 60_010.0)


def stops(record: Record) -> list[tuple[Decimal, str]]:
    """The stop in every position row, with what a close at it would be; repeats left out."""
    found: list[tuple[Decimal, str]] = []
    for row in record.bodies("position"):
        state = D(row["position"]["stop"]), row["position"]["stop_kind"]
        if not found or found[-1] != state:
            found.append(state)
    return found


def said(record: Record) -> list[str]:
    return [row["code"] for row in record.bodies("system")]


async def test_a_trailing_stop_is_armed_at_once_and_follows_in_steps(stage: Stage) -> None:
    opened(stage)
    at = AFTER
    # 60610.2 is 1 % above 60010.1 = 60610.201: not yet. 60610.3 arms: × 0.985 = 59701.1455.
    for price in (60_610.2, 60_610.3, 60_660.0, 60_672.0, 60_600.0, 59_760.0):
        stage.tape.show(at, price)
        at += 5
    # One step is 0.1 % of the stop: 59701.1 → 59760.8011, so from 59760.9 / 0.985 = 60670.97 on.
    # 60660 is not worth a step; 60672 is: × 0.985 = 59761.92. And 59760 is below that.
    stage.tape.hold(at, at + 30, 59_760.0)
    record = (await stage.play()).sound()
    assert stops(record) == [
        (STOP, "stop"), (D("59701.1"), "trailing"), (D("59761.9"), "trailing"),
    ]  # fmt: skip
    (position,) = record.positions()
    assert position["exit_reason"] == "trailing"
    assert record.summary["exits"]["trailing"] == 1
    (stop,) = record.orders("stop")
    assert (D(stop["trigger_price"]), stop["status"]) == (D("59761.9"), "filled")
    assert D(position["exit"]) == D("59759.9")


async def test_trailing_can_be_switched_per_position_and_keeps_the_stop(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_700.0)
    stage.key(AFTER + 7, "trailing", position_id="pos-1", on=False)
    stage.tape.hold(AFTER + 20, AFTER + 40, 61_500.0)
    stage.key(AFTER + 33, "trailing", position_id="pos-1", on=True)
    stage.tape.hold(AFTER + 40, AFTER + 60, 61_500.0)
    record = (await stage.play()).sound()
    # 60700 × 0.985 = 59789.5; nothing at 61500 while it is off; 61500 × 0.985 = 60577.5.
    assert stops(record) == [
        (STOP, "stop"), (D("59789.5"), "trailing"), (D("60577.5"), "trailing"),
    ]  # fmt: skip
    moved = [row for row in record.rows("position") if row.data["what"] == "protected"]
    assert moved[-1].ts == minute((AFTER + 35) / 60)  # the first print after the key


async def test_a_trailing_stop_is_only_loosened_once_it_no_longer_trails(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 40, 60_700.0)
    stage.key(AFTER + 7, "move_stop", position_id="pos-1", price="59500")
    stage.key(AFTER + 17, "trailing", position_id="pos-1", on=False)
    stage.key(AFTER + 18, "move_stop", position_id="pos-1", price="59400")
    record = (await stage.play()).sound()
    assert stops(record) == [(STOP, "stop"), (D("59789.5"), "trailing"), (D(59_400), "stop")]


async def test_trailing_off_by_default_never_moves_a_stop(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 62_000.0)
    record = (await stage.play("execution.trailing.enabled=false")).sound()
    assert stops(record) == [(STOP, "stop")]


async def test_on_bars_the_old_stop_is_judged_first_then_the_extreme_moves_it(
    stage: Stage,
) -> None:
    """The bar reaches 61000 and closes at 60050, below the 60085 its own high has led to."""
    for number in range(24):
        price = 60_020.0 - number if number < 20 else 60_010.0
        high, close = (61_000.0, 60_050.0) if number == 22 else (price + 1, price)
        stage.tape.lines.append({
            "ts": minute(number + 1), "s": "BTC/USDT", "t": "candle", "tf": 60, "o": f"{price}",
            "h": f"{high}", "l": f"{price - 1}", "c": f"{close}", "v": "1",
        })  # fmt: skip
    record = (await stage.play()).sound()
    assert stops(record)[-1] == (D("60085.0"), "trailing")
    (position,) = record.positions()
    assert position["exit_reason"] == "trailing"
    # At its level, less 0.05 % slippage: 60054.9575, down to the tick.
    assert D(position["exit"]) == D("60054.9")
    assert position["closed"] == minute(23)


async def test_break_even_counts_both_fees_and_what_borrowing_cost(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_490.0)
    stage.key(AFTER + 7, "break_even", position_id="pos-1")  # 60490 is not enough
    stage.tape.hold(AFTER + 20, AFTER + 40, 60_560.0)
    stage.key(AFTER + 27, "break_even", position_id="pos-1")
    stage.key(AFTER + 28, "break_even", position_id="pos-1")  # it is there already
    stage.tape.hold(AFTER + 40, AFTER + 60, 60_500.0)
    record = (await stage.play()).sound()
    # 60010.1 × (1 + 0.4 % + 0.025 %) / (1 − 0.4 %) = 60507.17...; up to the tick
    level = ASK * D("1.00425") / D("0.996")
    assert D("60507.1") < level < D("60507.2")
    assert stops(record) == [(STOP, "stop"), (D("60507.2"), "break_even")]
    (position,) = record.positions()
    assert position["exit_reason"] == "break_even"
    assert record.summary["exits"]["break_even"] == 1
    assert D(position["exit"]) == D("60499.9")  # the print was below the level: slippage is ours


async def test_a_stop_moves_to_break_even_by_itself_when_config_says_so(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 10, 60_500.0)
    stage.tape.hold(AFTER + 10, AFTER + 30, 60_550.0)
    record = (await stage.play("execution.break_even=0.5")).sound()
    # 0.5 % is gained at 60310.2, but only beyond 60507.2 a stop there waits for anything.
    assert stops(record) == [(STOP, "stop"), (D("60507.2"), "break_even")]
    (move,) = [row for row in record.rows("position") if row.data["what"] == "protected"]
    assert move.ts == minute((AFTER + 10) / 60)


@pytest.mark.parametrize(
    ("price", "taken", "words"),
    [
        ("59500", True, "at 59500"),  # tighter: always
        ("59000", True, "at 59000"),  # 1.68 % from the entry, within 3 % and the risk limit
        ("57800", False, "3.68 % from the entry"),  # BTC: 3 % at most
        ("60010", False, "would fire at once"),
        ("60500", False, "would fire at once"),
        ("59500.05", False, "not on the tick"),
        ("1e40", False, "not on the tick"),  # beyond what Decimal divides
        ("-1", False, "no price"),
    ],
)
async def test_a_stop_is_tightened_freely_and_loosened_only_as_risk_allows(
    stage: Stage, price: str, taken: bool, words: str
) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_010.0)
    stage.key(AFTER + 7, "move_stop", position_id="pos-1", price=price)
    desk = await Desk.open(stage.request())
    try:
        await desk.run()
        (answer,) = (line.text for line in desk.engine.core.events.lines if line.kind == "CMD")
    finally:
        await desk.close()
    assert words in answer
    record = Record(stage.folder / "run.db", {}).sound()
    assert stops(record)[-1] == (D(price) if taken else STOP, "stop")
    (stop,) = record.orders("stop")
    assert D(stop["trigger_price"]) == (D(price) if taken else STOP)


async def test_a_halt_lets_a_stop_be_tightened_but_not_loosened(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_010.0)
    stage.key(AFTER + 1, "halt")
    stage.key(AFTER + 7, "move_stop", position_id="pos-1", price="59100")
    stage.key(AFTER + 8, "move_stop", position_id="pos-1", price="59200")
    record = (await stage.play()).sound()
    assert stops(record) == [(STOP, "stop"), (D(59_200), "stop")]


async def test_a_trail_goes_on_through_a_halt(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_010.0)
    stage.key(AFTER + 7, "halt")
    stage.tape.hold(AFTER + 20, AFTER + 40, 61_000.0)
    stage.tape.hold(AFTER + 40, AFTER + 60, 60_000.0)
    record = (await stage.play()).sound()
    assert stops(record) == [(STOP, "stop"), (D(60_085), "trailing")]
    assert record.positions()[0]["exit_reason"] == "trailing"
    assert record.summary["state"] == "halted"


async def test_a_target_moves_goes_and_comes_back(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 60, 60_010.0)
    stage.key(AFTER + 7, "move_target", position_id="pos-1", price="61000")
    stage.key(AFTER + 17, "move_target", position_id="pos-1", price=None)
    stage.key(AFTER + 27, "move_target", position_id="pos-1", price="60900")
    stage.key(AFTER + 28, "move_target", position_id="pos-1", price="60000")  # would fire
    record = (await stage.play()).sound()
    first, second = record.orders("target")
    assert (D(first["trigger_price"]), first["status"]) == (D(61_000), "cancelled")
    assert (D(second["trigger_price"]), second["status"]) == (D(60_900), "open")
    assert D(record.positions()[0]["target"]) == D(60_900)
    assert record.orders("stop")[0]["status"] == "open"


async def test_part_of_a_position_closes_and_its_protection_follows(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 60, 60_020.0)
    stage.key(AFTER + 7, "close", position_id="pos-1", size="0.01")
    stage.key(AFTER + 7.001, "close", position_id="pos-1", size="0.03")  # only 0.0233… is free
    record = (await stage.play()).sound()
    (position,) = record.positions()
    assert D(position["size"]) == SIZE - D("0.01")
    assert [D(o["filled"]) for o in record.orders("exit")] == [D("0.01")]
    for purpose in ("stop", "target"):
        (order,) = record.orders(purpose)
        assert (order["status"], D(order["size"])) == ("open", SIZE - D("0.01"))


async def test_odd_figures_are_refused_in_words(stage: Stage) -> None:
    opened(stage)
    desk = await Desk.open(stage.request())
    try:
        await desk.run()
        for command, words in (
            (ClosePosition(position_id="pos-1", limit=D("1e40")), "not on the tick of 0.1"),
            (ClosePosition(position_id="pos-1", size=D("1e-40")), "not on the lot"),
            (ClosePosition(position_id="pos-1", size=D("1e-8")), "close more, or all of it"),
            (ClosePosition(position_id="pos-1", size=D("1e40")), "is open and not being closed"),
            (MoveTarget(position_id="pos-1", price=D("1e40")), "not on the tick of 0.1"),
            (MoveTarget(position_id="pos-1", price=D("Infinity")), "not on the tick of 0.1"),
        ):
            result = await desk.apply(command)
            assert (result.accepted, words in result.text) == (False, True), result.text
    finally:
        await desk.close()


async def test_a_resting_close_gives_way_to_one_at_market(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 60, 60_020.0)
    stage.key(AFTER + 7, "close", position_id="pos-1", limit="60400", post_only=True)
    stage.key(AFTER + 20, "close", position_id="pos-1", size="0.01")  # nothing is free
    stage.key(AFTER + 30, "close", position_id="pos-1")
    record = (await stage.play()).sound()
    resting, market = record.orders("exit")
    assert (resting["status"], D(resting["filled"])) == ("cancelled", D(0))
    assert (market["status"], D(market["filled"])) == ("filled", SIZE)
    assert record.positions()[0]["exit_reason"] == "operator"


async def test_flatten_takes_back_closes_that_wait_for_the_rate_limit(stage: Stage) -> None:
    """The entry used the only order of ten minutes: two limit closes wait behind it."""
    stage.tape.rise()
    stage.tape.hold(RISE * 60, AFTER + 660, 60_010.0)
    for limit in ("60400", "60500"):
        stage.key(AFTER + 2, "close", position_id="pos-1", size="0.01", limit=limit)
    stage.key(AFTER + 120, "reconcile")  # what has not left is no difference
    stage.key(AFTER + 121, "flatten")
    orders = "execution.rate_limit.orders={count: 2, seconds: 600, reserved: 1}"
    taken = "execution.rate_limit.calls={count: 1, seconds: 600, reserved: 0}"
    record = (await stage.play(orders, taken)).sound()
    assert record.rows("difference") == []
    first, second, market = record.orders("exit")
    for waiting in (first, second):
        assert (waiting["status"], waiting["reason"]) == ("cancelled", "replaced: operator")
    assert (market["status"], D(market["filled"])) == ("filled", SIZE)
    assert record.summary["positions"] == []


async def test_only_losers_are_closed(stage: Stage) -> None:
    """At 60450 the price gain is 14.66 and both fees are 16.06: a loser. At 60560 it is none."""
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 60_560.0)
    stage.key(AFTER + 7, "close_losers")
    stage.tape.hold(AFTER + 20, AFTER + 60, 60_450.0)
    stage.key(AFTER + 27, "close_losers")
    record = (await stage.play("execution.trailing.enabled=false")).sound()
    (close,) = record.orders("exit")
    assert close["parent"] == "cmd-2"
    assert record.positions()[0]["exit_reason"] == "operator"


async def test_the_time_exit_comes_at_its_very_moment(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, 30 * 60, 60_010.0)
    record = (await stage.play("execution.time_exit=100")).sound()
    (position,) = record.positions()
    (close,) = record.orders("exit")
    assert close["created"] == position["opened"] + 100 * 1_000_000_000
    assert (position["exit_reason"], said(record)) == ("time", ["R-TIME"])


async def test_the_time_exit_does_not_wait_for_a_resting_close(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, 30 * 60, 60_010.0)
    stage.key(AFTER + 7, "close", position_id="pos-1", limit="60400")
    record = (await stage.play("execution.time_exit=100")).sound()
    resting, market = record.orders("exit")
    assert (resting["status"], market["status"]) == ("cancelled", "filled")
    assert record.positions()[0]["exit_reason"] == "time"


async def test_margin_is_called_once_and_liquidation_needs_no_print(stage: Stage) -> None:
    """Of 1000.06 collateral 99 % are left at 59710: a loss of 10.00; 98.5 % at 59559.9."""
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 10, 59_700.0)
    stage.tape.hold(AFTER + 10, AFTER + 20, 59_720.0)
    stage.tape.hold(AFTER + 20, AFTER + 30, 59_700.0)
    stage.tape.hold(AFTER + 30, AFTER + 40, 59_550.0)
    quiet = [n for n, line in enumerate(stage.tape.lines) if line.get("p") == "59550.0"]
    for number in reversed(quiet):
        del stage.tape.lines[number]  # the book moves there, nothing prints
    record = (await stage.play("execution.margin.call=99", "execution.liquidation=98.5")).sound()
    assert said(record) == ["R-MARGIN-CALL", "R-LIQUIDATION"]
    (position,) = record.positions()
    assert position["exit_reason"] == "liquidation"
    assert D(position["exit"]) == D("59549.9")
    assert position["closed"] == minute((AFTER + 30) / 60)
    assert [o["status"] for o in record.orders("stop")] == ["filled"]
    assert not record.orders("exit")


async def test_rollover_falls_due_every_interval_from_opening(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 10, 60_010.0)
    stage.tape.hold(AFTER + 10, 26 * 60, 60_100.0)
    record = (await stage.play("execution.margin.interval=100")).sound()
    (position,) = record.positions()
    rolled = [row for row in record.rows("entry") if row.data["kind"] == "rollover"]
    assert [row.ts for row in rolled] == [
        position["opened"] + n * 100 * 1_000_000_000 for n in (1, 2)
    ]
    # 0.025 % of the opening notional 2000.1144… and twice of the mark's: 60100 × 0.03332963
    opening, each = D("0.50002861"), D("0.50077770")
    assert D(position["carry"]) == opening + 2 * each
    assert [leg["amount"] for leg in rolled[0].data["postings"]] == [
        f"-{each}", f"{each}",
    ]  # fmt: skip
    assert {row.data["parent"] for row in rolled} == {position["order_id"]}


async def test_a_restart_anywhere_in_a_trail_changes_nothing(stage: Stage) -> None:
    """Armed, moved, called, rolled over: each pause falls between two of these."""
    opened(stage)
    for n, price in enumerate((60_650.0, 60_800.0, 60_700.0, 60_900.0, 60_300.0, 59_900.0)):
        stage.tape.hold(AFTER + n * 30, AFTER + (n + 1) * 30, price)
    rules = ("execution.margin.interval=70", "execution.margin.call=99.9")
    whole = await stage.play(*rules, db=stage.folder / "whole.db")
    for cut in (AFTER + 5, AFTER + 42, AFTER + 100, AFTER + 145):
        db = stage.folder / f"cut-{cut}.db"
        await stage.play(*rules, db=db, until=f"{cut}s")
        parts = await stage.play(*rules, db=db)
        assert parts.trading() == whole.trading()
    assert [kind for _, kind in stops(whole)].count("trailing") >= 3
    assert said(whole) == ["R-MARGIN-CALL"]


async def test_the_screen_knows_how_much_collateral_is_left(stage: Stage) -> None:
    opened(stage)
    stage.tape.hold(AFTER, AFTER + 20, 59_700.0)
    views: list[ConsoleView] = []
    desk = await Desk.open(stage.request(), views.append)
    try:
        await desk.run()
    finally:
        await desk.close()
    (position,) = views[-1].positions
    # 1000.0572 of collateral (half of 60010.1 × 0.03332963) less 310.1 × 0.03332963 = 10.3355
    assert position.collateral_left == pytest.approx(98.9665, abs=0.0001)
    # 60 % of it are lost 30 % below the entry: 60010.1 × 0.7 = 42007.07
    assert position.liquidation == D("42007.1")
    assert (position.stop_kind, position.trailing) == ("stop", True)
