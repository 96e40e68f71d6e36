"""The performance report: every figure worked out by hand, and the whole of it from a run."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from tests.shell import tradeterm
from tradeterm.lab.performance import daily_returns, drawdown, ratios, report, trades, without
from tradeterm.model.timing import DAY, HOUR, parse_instant

D = Decimal
START = parse_instant("2025-06-02T00:00:00Z")


def curve(*equities: int) -> list[tuple[int, Decimal]]:
    """One mark a day."""
    return [(START + n * DAY, D(equity)) for n, equity in enumerate(equities)]


def closed(symbol: str, realised: str, fees: str, hour: int, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "side": "long", "agent": "trading_decision", "exit_reason": "stop",
        "opened": START + hour * HOUR, "closed": START + (hour + 3) * HOUR,
        "realised": realised, "fees": fees, "carry": "1", **changes,
    }  # fmt: skip


def test_a_days_return_is_the_change_over_what_it_began_with() -> None:
    found = daily_returns(curve(10_000, 10_100, 9_999))
    assert [day for day, _ in found] == [START, START + DAY]
    assert [one for _, one in found] == pytest.approx([0.01, -0.01])


def test_a_day_without_a_mark_has_no_return() -> None:
    marks = [*curve(10_000), (START + 2 * DAY, D(10_500))]
    assert [one for _, one in daily_returns(marks)] == pytest.approx([0.0, 0.05])


def test_what_is_put_aside_is_no_loss() -> None:
    marks, flows = curve(10_000, 10_900, 10_900), [(START + HOUR, D(-100))]
    assert [one for _, one in daily_returns(marks, flows)] == pytest.approx([0.10, 0.0])
    assert [equity for _, equity in without(marks, flows)] == [D(10_000), D(11_000), D(11_000)]


def test_the_largest_drawdown_has_its_peak_its_trough_and_its_recovery() -> None:
    found = drawdown(curve(100, 120, 90, 110, 120, 119))
    assert found is not None
    assert found.percent == pytest.approx(25.0)
    days = [(ts - START) // DAY for ts in (found.peak, found.trough, found.recovered or 0)]
    assert days == [1, 2, 4]


def test_a_curve_that_only_rises_has_no_drawdown() -> None:
    assert drawdown(curve(100, 100, 101)) is None


def test_the_ratios_are_those_of_their_formulas() -> None:
    returns = [0.02, -0.01] * 15
    found = ratios(returns, 10.0)
    spread = sqrt(30 * 0.015**2 / 29)
    assert found["sharpe"] == pytest.approx(0.005 / spread * sqrt(365))
    assert found["sortino"] == pytest.approx(0.005 / sqrt(0.01**2 / 2) * sqrt(365))
    assert found["calmar"] == pytest.approx(100 * ((1.02 * 0.99) ** (365 / 2) - 1) / 10)


def test_ratios_of_a_few_days_are_not_given() -> None:
    assert set(ratios([0.01] * 29, 5.0).values()) == {None}


def test_trades_are_counted_after_all_costs() -> None:
    found = trades(
        [
            closed("BTC/USDT", "31", "10", 1),  # +20
            closed("BTC/USDT", "5", "9", 2),  # -5: the costs made it a loser
            closed("XRP/USDT", "-30", "4", 25, side="short"),  # -35
        ]
    )
    everything = found[0]
    assert (everything.count, everything.wins) == (3, 1)
    assert (everything.pnl, everything.costs) == (D(-20), D(26))
    assert everything.profit_factor == pytest.approx(0.5)
    assert (everything.mean_win, everything.mean_loss) == (D(20), D(-20))
    assert everything.hours == 3.0
    by = {(one.group, one.name): one.pnl for one in found}
    assert by["symbol", "BTC/USDT"] == D(15)
    assert by["side", "short"] == D(-35)
    assert by["hour", "01"] == D(-15), "01:00 of two days"
    assert by["exit", "stop"] == D(-20)


def test_an_empty_run_has_a_report() -> None:
    found = report([], [], [], D(0))
    assert found["from"] is None
    assert found["trades"][0]["count"] == 0


def test_the_command_adds_up(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    ran = tradeterm(
        "run", "--headless", "--seed", "7", "--until", "2d", "--approve", "all", "--db", db,
        "--json", home=tmp_path,
    )  # fmt: skip
    found = tradeterm("performance", "--json", "--db", db, home=tmp_path).json
    assert float(found["equity"]["end"]) == pytest.approx(float(ran.json["equity"]), rel=0.02)
    groups = found["trades"]
    for group in ("symbol", "side", "hour", "agent", "exit"):
        parts = [one for one in groups if one["group"] == group]
        assert sum(one["count"] for one in parts) == groups[0]["count"] > 0
        assert sum(D(one["pnl"]) for one in parts) == D(groups[0]["pnl"])
    told = tradeterm("performance", "--db", db, home=tmp_path).out
    assert "not enough data below 30 whole days" in told
