"""Risk and orchestration settings that do not add up are refused, naming the key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.coordinator.scenes import settings as orchestration
from tests.risk.accounts import D, settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regime_leverage": {"choppy": 1}}, "regime_leverage lacks trending_bull"),
        (
            {"regime_leverage": {**settings().model_dump()["regime_leverage"], "choppy": 6}},
            "regime_leverage.choppy is 6",
        ),
        ({"by_symbol": {"BTC": {"max_stop": 9}}}, "by_symbol.BTC.max_stop is 9, looser than"),
        ({"by_symbol": {"BTC": {"min_stop": "0.1"}}}, "by_symbol.BTC.min_stop is 0.1, looser"),
        ({"by_symbol": {"BTC": {"max_stop": "0.2"}}}, "by_symbol.BTC.max_stop is 0.2; write 0.5"),
        ({"regime_strictness": {"choppy": "strict"}}, "regime_strictness lacks trending_bull"),
        ({"strictness": {"normal": 0}}, "strictness.strict is missing"),
        ({"correlations": {"A/B": {"C/D": 2}}}, "correlations.A/B.C/D is 2"),
        (
            {"correlations": {"A/B": {"C/D": "0.5"}, "C/D": {"A/B": "0.4"}}},
            "a pair is listed once",
        ),
        ({"max_leverage": 6}, "max_leverage"),
        ({"max_risk": float("nan")}, "max_risk"),
        ({"no_such_limit": 1}, "no_such_limit"),
    ],
)
def test_risk_limits(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_correlations_are_symmetric_and_signed() -> None:
    limits = settings(correlations={"A/B": {"C/D": "-0.3"}}, unlisted_correlation="0.9")
    assert limits.correlation("A/B", "C/D") == limits.correlation("C/D", "A/B") == D("-0.3")
    assert limits.correlation("A/B", "A/B") == 1
    assert limits.correlation("A/B", "E/F") == D("0.9")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ttl": {"ta_signals": 119}}, "ttl.ta_signals is 119; write at least 120"),
        ({"lookback": {"trading_decision": 5}}, "lookback names trading_decision"),
        ({"degradation": {"failures": [3, 3, 9]}}, "failures must ascend"),
        ({"approval": {"mode": "none"}}, "mode"),
    ],
)
def test_orchestration(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        orchestration(**changes)


def test_every_task_and_topic_is_named() -> None:
    data = orchestration().model_dump()
    for key in ("schedule", "ttl", "lookback"):
        smaller = dict(list(data[key].items())[1:])
        with pytest.raises(ValidationError, match=f"{key} lacks"):
            type(orchestration()).model_validate({**data, key: smaller})


def test_lookback_stretches_to_two_intervals() -> None:
    slow = orchestration(
        schedule={
            "technical_analysis": {
                "interval": 300,
                "enabled": True,
                "run_on_start": True,
                "after": [],
                "timeout": 20,
            }
        },
        ttl={"ta_signals": 600},
    )
    assert slow.windows["technical_analysis"] == 600
    assert slow.windows["regime_detection"] == 600
