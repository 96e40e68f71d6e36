"""The fee ladder: what was traded in 30 UTC days decides, before the fill it is asked for."""

from __future__ import annotations

import msgspec
import pytest
import yaml
from pydantic import ValidationError

from tests.execution.world import BTC, CONFIG, START, D, World
from tradeterm.execution.fees import Fees, FeesState
from tradeterm.model.timing import DAY
from tradeterm.model.vocabulary import Liquidity, Purpose, Side
from tradeterm.settings.market import FeeSchedule

SHIPPED = FeeSchedule.model_validate(
    yaml.safe_load((CONFIG / "market.yaml").read_text(encoding="utf-8"))["fees"]
)


@pytest.mark.parametrize(
    ("volume", "maker", "taker"),
    [
        ("0", "0.0025", "0.0040"), ("9999.99", "0.0025", "0.0040"), ("10000", "0.0020", "0.0035"),
        ("50000", "0.0014", "0.0024"), ("100000", "0.0012", "0.0022"),
        ("250000", "0.0010", "0.0020"), ("9999999", "0.0002", "0.0012"),
        ("10000000", "0", "0.0010"),
    ],
)  # fmt: skip
def test_the_shipped_ladder(volume: str, maker: str, taker: str) -> None:
    fees = Fees(SHIPPED)
    fees.traded(D(volume), START)
    assert fees.share(Liquidity.MAKER, START) == D(maker)
    assert fees.share(Liquidity.TAKER, START) == D(taker)


def test_a_day_counts_for_thirty_days_and_not_for_one_more() -> None:
    fees = Fees(SHIPPED)
    fees.traded(D(6000), START + DAY - 1)
    fees.traded(D(5000), START + DAY)
    assert fees.volume(START + 29 * DAY) == D(11000)
    assert fees.volume(START + 30 * DAY - 1) == D(11000)
    assert fees.volume(START + 30 * DAY) == D(5000)
    assert fees.volume(START + 31 * DAY) == 0
    assert fees.volume(START + 29 * DAY) == D(11000)  # looking ahead forgot nothing
    fees.traded(D(1), START + 30 * DAY)
    assert fees.volume(START + 30 * DAY) == D(5001)


def test_a_fill_pays_the_tier_before_it_and_a_restart_keeps_the_volume() -> None:
    world = World(ladder=SHIPPED, deposit="100000")
    world.book(BTC, ((64999.0, 9.0),), ((65000.0, 9.0),))
    for _ in range(3):
        world = world.reborn(lambda: World(ladder=SHIPPED, deposit="100000"))
        world.send(world.execution.requests.spot(
            BTC, Side.BUY, D("0.1"), Purpose.REBALANCE, world.now, "verdict-1"
        ))  # fmt: skip
        world.wait(1)
    # 6,500 each: 0.40 % until 10,000 is passed by the second, then 0.35 %
    assert [event.fill.fee for event in world.fills] == [D(26), D(26), D("22.75")]
    assert world.execution.fees.volume(world.now) == D(19500)


def test_dump_is_a_copy_that_travels() -> None:
    fees = Fees(SHIPPED)
    fees.traded(D(12000), START)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(fees.dump()), type=FeesState)
    fees.traded(D(90000), START)
    other = Fees(SHIPPED)
    other.load(state)
    assert other.tier(START).volume == D(10000)


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([(5, 1, 1)], "must begin at volume 0"),
        ([(0, 1, 1), (0, 1, 1)], "must ascend"),
        ([(0, 1, 1), (10, 2, 1)], "dearer than the one before"),
    ],
)
def test_a_ladder_must_lead_down(tiers: list[tuple[int, int, int]], message: str) -> None:
    rows = [{"volume": v, "maker": m, "taker": t} for v, m, t in tiers]
    with pytest.raises(ValidationError, match=message):
        FeeSchedule.model_validate({"tiers": rows})
