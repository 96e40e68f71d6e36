"""Every execution setting changes what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tests.execution.world import BTC, D, World
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
    world, _ = entered(time_exit=100, liquidation=D(90))
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
