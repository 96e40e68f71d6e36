"""What each kind of position earns or costs, to the last digit, calculated by hand beside it.

Taker fee 0.4 %; a long with leverage pays 0.025 % of notional at opening and every four hours, a
short 0.01 %. Everything starts with 10,000 USDT and ends in ``trading``.
"""

from __future__ import annotations

from decimal import Decimal

from tests.execution.world import BTC, CROSS, D, World, btc_world
from tradeterm.model.account import FEES, PNL, TRADING
from tradeterm.model.orders import Charged, Position
from tradeterm.model.timing import HOUR
from tradeterm.model.vocabulary import ExitReason, PositionSide

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
RATES = {"long": "0.025", "short": "0.010"}
MARGIN: dict[str, object] = {"opening": RATES, "rollover": RATES, "interval": 14_400, "call": 80}
TRAILING = {"enabled": True, "activation": 1, "distance": "1.5", "step": "0.1"}
FOUR_HOURS = 4 * 3600


def market(**changes: object) -> World:
    """BTC at 64,999 / 65,000, one coin on each side; borrowing costs what it costs."""
    return btc_world(margin=MARGIN, **changes)


def settled(world: World, cash: str) -> Position:
    """The position that is closed now; all its money is back in trading, to the last digit."""
    assert not world.execution.positions
    assert not world.execution.working
    assert world.balance(TRADING) == D(cash)
    after = world.fills[-1].after
    assert after is not None
    assert world.balance(f"margin:{after.id}") == 0
    deposit = -world.balance("external")
    assert D(cash) == deposit + after.pnl == deposit - world.balance(PNL) - world.balance(FEES)
    return after


def move(world: World, bid: float, ask: float) -> None:
    """The book stands elsewhere; nothing prints."""
    world.book(BTC, ((bid, 1.0),), ((ask, 1.0),))


def test_a_long_without_leverage_borrows_nothing() -> None:
    world = market()
    world.enter(BTC, LONG, "0.1", "64000", "67000")
    world.wait(9 * 3600)
    move(world, 67010.0, 67011.0)
    world.trade(BTC, 67010.0)
    # (67,010 − 65,000) × 0.1 = 201; fees 6,500 × 0.4 % = 26 and 6,701 × 0.4 % = 26.804
    position = settled(world, "10148.196")
    assert (position.carry, position.exit_reason) == (D(0), ExitReason.TARGET)


def test_a_long_with_leverage_five_pays_at_opening_and_every_four_hours() -> None:
    world = market()
    world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    world.wait(1)
    # collateral 6,500 ÷ 5 = 1,300; fee 26; opening 6,500 × 0.025 % = 1.625
    assert world.balance(TRADING) == D("8672.375")
    opened = world.position.opened
    world.wait(FOUR_HOURS)
    # at mark 64,999.5: 6,499.95 × 0.025 % = 1.6249875
    assert world.balance(TRADING) == D("8670.7500125")
    move(world, 66000.0, 66001.0)
    world.wait(FOUR_HOURS)
    # at mark 66,000.5: 6,600.05 × 0.025 % = 1.6500125
    assert world.position.carry == D("4.9")
    assert [e.ts for e in world.events if isinstance(e, Charged)] == [
        opened + 4 * HOUR, opened + 8 * HOUR,
    ]  # fmt: skip
    world.close(world.position)
    world.wait(1)
    # + 100 − 26 − 26.4 of fees − 4.9 of carry; leverage multiplies nothing
    position = settled(world, "10042.7")
    assert (position.realised, position.fees, position.carry) == (D(100), D("52.4"), D("4.9"))


def test_a_short_borrows_even_without_leverage() -> None:
    world = market()
    world.enter(BTC, SHORT, "0.1", "66000", leverage=1)
    world.wait(FOUR_HOURS + 1)
    world.close(world.position)
    world.wait(1)
    # sold at 64,999, bought at 65,000: − 0.1; fees 25.9996 and 26
    # opening 6,499.9 × 0.01 % = 0.64999; rollover 6,499.95 × 0.01 % = 0.649995
    position = settled(world, "9946.600415")
    assert position.carry == D("1.299985")


def test_a_gap_through_the_stop_of_a_short_fills_where_the_market_is() -> None:
    world = market()
    world.enter(BTC, SHORT, "0.1", "66000", leverage=5)
    world.wait(1)
    move(world, 66999.0, 67000.0)
    world.trade(BTC, 67000.0)
    # (64,999 − 67,000) × 0.1 = − 200.1; fees 25.9996 and 26.8; opening 0.64999
    position = settled(world, "9746.45041")
    assert (position.exit, position.exit_reason) == (D(67_000), ExitReason.STOP)


def test_a_cross_converts_every_amount_at_the_rate_of_its_moment() -> None:
    world = World(margin=MARGIN)
    move(world, 64999.0, 65001.0)
    world.book(CROSS, ((0.00000839, 50_000.0),), ((0.00000840, 50_000.0),))
    world.enter(CROSS, LONG, "10000", "0.00000800", leverage=5)
    world.wait(1)
    # 0.084 BTC × 65,000 = 5,460; collateral 1,092; fee 21.84; opening 1.365
    assert world.balance(TRADING) == D("8884.795")
    move(world, 65999.0, 66001.0)
    world.book(CROSS, ((0.00000860, 50_000.0),), ((0.00000861, 50_000.0),))
    world.wait(FOUR_HOURS)
    # at mark 0.000008605 × 10,000 × 66,000 = 5,679.3; × 0.025 % = 1.419825
    assert world.position.carry == D("2.784825")
    world.close(world.position)
    world.wait(1)
    # 0.002 BTC × 66,000 = 132; fee 0.086 × 66,000 × 0.4 % = 22.704
    settled(world, "10084.671175")
    assert world.balance(TRADING, "BTC") == 0


def test_partial_fills_and_partial_closes_add_up() -> None:
    world = World(margin=MARGIN)
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 0.004), (65010.0, 0.006)))
    world.enter(BTC, LONG, "0.01", "64000", leverage=5)
    world.wait(1)
    # entry 65,006; fees 1.04 + 1.56024; opening 0.065 + 0.097515
    assert world.position.entry == 65_006
    assert world.position.carry == D("0.162515")
    move(world, 66000.0, 66001.0)
    world.close(world.position, "0.003")
    world.wait(1)
    stop, _ = world.execution.protective(world.position.id)
    assert stop is not None
    assert stop.remaining == world.position.size == D("0.007")
    move(world, 63000.0, 63001.0)
    world.trade(BTC, 63000.0)
    # 994 × 0.003 = 2.982, fee 0.792; − 2,006 × 0.007 = − 14.042, fee 1.764
    settled(world, "9983.621245")


def test_rollover_comes_out_of_the_collateral_when_trading_is_short() -> None:
    world = market(deposit="1328")
    world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    world.wait(FOUR_HOURS + 1)
    # 1,328 − 1,300 − 26 − 1.625 = 0.375; the fee is 1.6249875, so 1.2499875 are missing
    assert world.balance(TRADING) == 0
    assert world.position.collateral == D("1298.7500125")
    assert world.balance(f"margin:{world.position.id}") == D("1298.7500125")
    world.close(world.position)
    world.wait(1)
    # 1,298.7500125 − 0.1 − 6,499.9 × 0.4 %
    settled(world, "1272.6504125")


def test_liquidation_comes_with_the_mid_at_forty_percent_left() -> None:
    world = market()
    world.enter(BTC, LONG, "0.1", "50000", leverage=5)
    world.wait(1)
    # collateral 1,300; 40 % left is a loss of 780, 7,800 per coin: a mid of 57,200
    move(world, 57199.2, 57201.0)
    assert world.position.stop_kind is ExitReason.STOP
    move(world, 57199.0, 57201.0)
    # sold at 57,199: − 780.1; fees 26 and 22.8796; opening 1.625
    position = settled(world, "9169.3954")
    assert position.exit_reason is ExitReason.LIQUIDATION


def test_liquidation_has_no_collar_and_never_costs_more_than_the_collateral() -> None:
    world = market()
    world.enter(BTC, LONG, "0.1", "50000", leverage=5)
    world.wait(1)
    world.book(BTC, ((57199.0, 0.04), (40000.0, 1.0)), ((57201.0, 1.0),))
    # 0.04: − 7,801 × 0.04 = − 312.04, fee 9.15184; its collateral was 520
    # 0.06: − 1,500 and a fee of 9.6 against 780 of collateral: 780 are gone, no more
    position = settled(world, "8871.18316")
    assert position.realised == D("-312.04") - D("770.4")
    assert position.exit_reason is ExitReason.LIQUIDATION


def test_a_trailing_stop_locks_a_gain_in() -> None:
    world = market(trailing=TRAILING)
    world.enter(BTC, SHORT, "0.1", "66000", leverage=5)
    world.wait(1)
    world.trade(BTC, 64349.1)
    assert world.position.stop == 66_000  # 1 % below 64,999 is 64,349.01
    world.trade(BTC, 64349.0)
    # × 1.015 = 65,314.235, away from the market: 65,314.3
    assert (world.position.stop, world.position.stop_kind) == (
        D("65314.3"), ExitReason.TRAILING,
    )  # fmt: skip
    world.trade(BTC, 63000.0)
    assert world.position.stop == D(63_945)
    move(world, 63949.0, 63950.0)
    world.trade(BTC, 63944.9)
    world.trade(BTC, 63945.0)
    # (64,999 − 63,950) × 0.1 = 104.9; fees 25.9996 and 25.58; opening 0.64999
    position = settled(world, "10052.67041")
    assert position.exit_reason is ExitReason.TRAILING


def test_a_close_at_the_break_even_level_costs_nothing() -> None:
    world = market()
    world.enter(BTC, LONG, "0.1", "64000", leverage=5)
    world.wait(FOUR_HOURS + 1)
    level = world.execution.break_even(world.position)
    # 65,000 × (1 + 0.4 % + 3.2499875 ÷ 6,500) ÷ (1 − 0.4 %) = 65,554.718…
    assert level == D("65554.8")
    move(world, float(level), 65560.0)
    world.close(world.position)
    world.wait(1)
    position = settled(world, str(D(10_000) + world.fills[-1].after.pnl))  # type: ignore[union-attr]
    assert Decimal(0) <= position.pnl < D("0.01")
