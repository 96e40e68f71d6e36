"""Every execution setting changes what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tests.execution.world import BTC, FREE, D, World
from tradeterm.model.orders import OrderRequest
from tradeterm.model.timing import SECOND
from tradeterm.model.vocabulary import ExitReason, OrderStatus, PositionSide
from tradeterm.settings.execution import ExecutionSettings
from tradeterm.settings.portfolio import PortfolioSettings

ENTRY: dict[str, object] = {"type": "market", "post_only": False, "expiry": 86_400}
CONFIG = Path(__file__).parents[2] / "config"


def entered(**changes: object) -> tuple[World, OrderRequest]:
    world = World(**changes)  # type: ignore[arg-type]
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 0.01), (66000.0, 1.0)))
    return world, world.enter(BTC, PositionSide.LONG, "0.02", "60000", leverage=5)


def test_the_shipped_files_are_valid() -> None:
    for name, section in (("execution", ExecutionSettings), ("portfolio", PortfolioSettings)):
        section.model_validate(yaml.safe_load((CONFIG / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(
    ("section", "key", "value", "complaint"),
    [
        ("margin", "call", 40, "the call would never come"),
        ("entry", "post_only", True, "others only take"),
    ],
)
def test_settings_without_effect_are_refused(
    section: str, key: str, value: object, complaint: str
) -> None:
    shipped = yaml.safe_load((CONFIG / "execution.yaml").read_text())
    shipped[section][key] = value
    with pytest.raises(ValidationError, match=complaint):
        ExecutionSettings.model_validate(shipped)


@pytest.mark.parametrize(("slippage", "filled"), [("1", "0.01"), ("2", "0.02")])
def test_max_slippage_decides_how_far_a_market_order_walks(slippage: str, filled: str) -> None:
    world, request = entered(max_slippage=D(slippage))
    world.wait(1)
    assert world.last(request.id).filled == D(filled)


@pytest.mark.parametrize(("slippage", "price"), [("0.05", "65032.5"), ("0", "65000")])
def test_bar_slippage_is_added_on_bars(slippage: str, price: str) -> None:
    world = World(bar_slippage=D(slippage))
    world.bar(BTC, (65000, 65000, 65000, 65000))
    world.enter(BTC, PositionSide.LONG, "0.01", "60000")
    world.wait(1)
    assert world.position.entry == D(price)


def test_latency_decides_when_an_order_arrives() -> None:
    world, _ = entered(latency={"least": 2.0, "most": 2.0})
    assert world.execution.next_due == world.now + 2 * SECOND


def test_entry_expiry_bounds_an_entry_waiting_at_the_venue() -> None:
    world, request = entered(entry=ENTRY | {"expiry": 5}, latency={"least": 1.0, "most": 1.0})
    assert request.expires == world.now + 5 * SECOND
    world.wait(10)
    assert world.last(request.id).status is OrderStatus.CANCELLED  # its rest had no depth


def test_time_exit_and_liquidation_decide_what_is_closed() -> None:
    margin = {"opening": FREE, "rollover": FREE, "interval": 14_400, "call": 95}
    world, _ = entered(time_exit=100, liquidation=D(90), margin=margin)
    world.wait(1)
    # collateral 130; 90 % left = a loss of 13 = 1,300 per BTC: a mid of 63,700
    world.book(BTC, ((63699.2, 9.0),), ((63701.0, 9.0),))
    assert world.position.stop_kind is ExitReason.STOP
    world.book(BTC, ((63699.0, 9.0),), ((63701.0, 9.0),))
    assert world.fills[-1].exit_reason is ExitReason.LIQUIDATION
    world, _ = entered(time_exit=10)
    world.wait(9)
    assert world.execution.positions
    world.wait(2)
    assert world.fills[-1].exit_reason is ExitReason.TIME


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"BTC": 50, "USDT": 49}, "add up to 99 percent"),
        ({"BTC": 150, "USDT": -50}, "targets.BTC is 150"),
    ],
)
def test_targets_must_add_up(targets: dict[str, int], message: str) -> None:
    shipped = yaml.safe_load((CONFIG / "portfolio.yaml").read_text())
    with pytest.raises(ValidationError, match=message):
        PortfolioSettings.model_validate(shipped | {"targets": targets})


def test_latency_must_be_a_range() -> None:
    with pytest.raises(ValidationError, match="swap them"):
        entered(latency={"least": 2, "most": 1})


@pytest.mark.parametrize(("collar", "status"), [("5", "rejected"), ("10", "pending")])
def test_limit_collar_bounds_a_slip_of_the_hand(collar: str, status: str) -> None:
    world, _ = entered(
        limit_collar=D(collar), entry={"type": "limit", "post_only": False, "expiry": 60}
    )
    request = world.enter(BTC, PositionSide.LONG, "0.01", "60000", entry="70000")
    assert world.last(request.id).status.value == status


def test_the_rate_limit_decides_what_leaves_and_what_is_given_up() -> None:
    limits: dict[str, object] = {
        "model": "window", "calls": {"count": 60, "seconds": 60, "reserved": 25},
        "orders": {"count": 3, "seconds": 10, "reserved": 1}, "batch": 50, "max_wait": 4,
        "counter": {"threshold": 125, "decay": 2.34, "reserved": 65},
    }  # fmt: skip
    for change, waiting, rejected in (
        ({}, 3, 3),
        ({"max_wait": 30}, 3, 0),
        ({"orders": {"count": 5, "seconds": 10, "reserved": 1}}, 1, 1),
        # two at once, two after 2 s; after 4 s the fifth would go, a nanosecond too late
        ({"orders": {"count": 3, "seconds": 2, "reserved": 1}}, 3, 1),
        ({"calls": {"count": 2, "seconds": 60, "reserved": 1}}, 4, 4),
        ({"model": "counter"}, 0, 0),
        ({"model": "counter", "counter": {"threshold": 10, "decay": 0.01, "reserved": 6}}, 1, 1),
    ):
        world, _ = entered(rate_limit=limits | change)
        for _ in range(4):
            world.enter(BTC, PositionSide.LONG, "0.001", "60000", leverage=5)
        assert world.execution.headroom(world.now).waiting == waiting, change
        world.wait(9)
        found = [o for o in world.execution.recent if o.status is OrderStatus.REJECTED]
        assert len(found) == rejected, change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orders": {"count": 3, "seconds": 10, "reserved": 3}}, "leaves nothing of 3"),
        ({"counter": {"threshold": 10, "decay": 1, "reserved": 7}}, "leaves less than an entry"),
        ({"batch": 51}, "less than or equal to 50"),
    ],
)
def test_a_rate_limit_must_leave_room(change: dict[str, object], message: str) -> None:
    limits = yaml.safe_load((CONFIG / "execution.yaml").read_text())["rate_limit"]
    with pytest.raises(ValidationError, match=message):
        entered(rate_limit=limits | change)
