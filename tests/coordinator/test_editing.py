"""An edit only ever makes an order more careful; a refusal is undone once and in time."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeterm.coordinator.editing import edited
from tradeterm.errors import IllegalStage
from tradeterm.model.commands import EditCard
from tradeterm.model.instruments import Instrument
from tradeterm.model.proposals import TradeIntent
from tradeterm.model.stages import STEPS, Stage, step
from tradeterm.model.vocabulary import PositionSide

D = Decimal
BTC = Instrument("BTC/USDT", "BTC", "USDT", D("0.1"), D("0.0001"), D("0.0001"), D(5), D("0.001"))
SIZE, LEVERAGE, ENTRY = D("0.05"), D(3), D(60_000)
AMOUNTS = st.none() | st.decimals(
    min_value=D("-100000"), max_value=D("100000"), places=4, allow_nan=False, allow_infinity=False
)


def intent(side: PositionSide) -> TradeIntent:
    stop = ENTRY - 600 * side.sign
    return TradeIntent(
        "BTC/USDT", side, SIZE, ENTRY, D(stop), ENTRY + 1800 * side.sign, LEVERAGE, D("0.7")
    )


@given(st.sampled_from(PositionSide), AMOUNTS, AMOUNTS, AMOUNTS)
def test_nothing_is_ever_raised(
    side: PositionSide, size: Decimal | None, leverage: Decimal | None, stop: Decimal | None
) -> None:
    before = intent(side)
    edit = EditCard(card_id="card-1", size=size, leverage=leverage, stop=stop)
    after, refusal = edited(before, edit, BTC)
    if refusal:
        assert after == before
        return
    assert after.stop is not None
    assert before.stop is not None
    assert D(0) < after.size <= before.size
    assert D(1) <= after.leverage <= before.leverage
    assert abs(after.entry - after.stop) <= abs(before.entry - before.stop)
    assert (after.entry - after.stop) * side.sign > 0
    assert after.size % BTC.lot == 0
    assert after.stop % BTC.tick == 0
    unchanged = (after.entry, after.target, after.side) == (before.entry, before.target, side)
    assert unchanged
    assert after.content_hash() != before.content_hash()


@given(st.sampled_from(Stage) | st.none(), st.sampled_from(Stage))
def test_an_illegal_step_raises(before: Stage | None, after: Stage) -> None:
    if after in (STEPS[before] if before else {Stage.DETECTED}):
        assert step("proposal-1", before, after) is after
    else:
        with pytest.raises(IllegalStage, match="proposal-1 went from"):
            step("proposal-1", before, after)


def test_every_stage_can_be_reached_and_most_end() -> None:
    reached = {after for steps in STEPS.values() for after in steps}
    assert reached | {Stage.DETECTED} == set(Stage) == set(STEPS)
