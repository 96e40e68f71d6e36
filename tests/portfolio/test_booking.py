"""What cannot be booked is an error, never a guess."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.execution.world import BTC, World
from tradeterm.errors import LedgerError
from tradeterm.model.vocabulary import PositionSide
from tradeterm.portfolio.booking import entry_of


def test_a_margin_fill_needs_its_position() -> None:
    world = World()
    world.book(BTC, ((64999.0, 1.0),), ((65000.0, 1.0),))
    world.enter(BTC, PositionSide.LONG, "0.01", "64000")
    world.wait(1)
    world.close(world.position)
    world.wait(1)
    opening, closing = world.fills
    assert entry_of(opening, "entry-9").kind == "open"
    assert entry_of(closing, "entry-9").parent == closing.fill.id
    with pytest.raises(LedgerError, match="touches no position"):
        entry_of(replace(opening, after=None), "entry-9")
    with pytest.raises(LedgerError, match="nobody had"):
        entry_of(replace(closing, before=None), "entry-9")
