"""A stop moves away from the market only as far as an entry's stop could lie."""

from __future__ import annotations

from typing import Any

import pytest

from tests.risk.accounts import INSTRUMENTS, D, account, position, settings
from tradeterm.model.vocabulary import PositionSide, RunState
from tradeterm.risk.engine import RiskEngine

SHORT: dict[str, Any] = {"side": PositionSide.SHORT, "stop": D(51_000)}


@pytest.mark.parametrize(
    ("held", "stop", "view", "words"),
    [
        # BTC allows 3 % of the entry
        ({}, "48500", {}, ""),
        ({}, "48499.9", {}, "3.00 % from the entry"),
        (SHORT, "51500", {}, ""),
        (SHORT, "51500.1", {}, "3.00 % from the entry"),
        # 2 % of 10,000: (1,500 + 0.4 % of 98,500) × 0.1055 = 199.82, × 0.1056 = 200.01
        ({"size": D("0.1055")}, "48500", {}, ""),
        ({"size": D("0.1056")}, "48500", {}, "200.01 USDT would be lost there"),
        ({}, "48500", {"equity": D(0)}, "risk allows 0.00"),
        ({}, "48500", {"equity": D("NaN")}, "would be lost there"),
        ({}, "48500", {"state": RunState.HALTED}, "halted"),
        ({}, "48500", {"state": RunState.PAUSED}, ""),
        ({}, "48500", {"rates": {}}, "no rate for USDT"),
    ],
)
def test_the_way_a_stop_may_go_back(
    held: dict[str, Any], stop: str, view: dict[str, Any], words: str
) -> None:
    risk = RiskEngine(settings(), INSTRUMENTS)
    said = risk.refusal_to_loosen(position(**held), D(stop), account(**view))
    assert words in said
    assert bool(said) is bool(words)
