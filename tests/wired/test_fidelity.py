"""Each paper fill is held against what the market printed in the seconds after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shell
from tests.wired.stage import BTC, RISE, Record, Stage
from tradeterm.errors import ConfigError
from tradeterm.lab.fidelity import report
from tradeterm.settings.loading import load_settings

ASK = 60_010.1
"""What the BUY of minute 21 pays; the mid is a tick of 0.1 below."""


def opened(stage: Stage, after: float) -> None:
    """A long opens a moment after 00:21; five seconds later the market stands at ``after``."""
    stage.tape.rise()
    stage.tape.show(RISE * 60, 60_010.0)
    stage.tape.hold(RISE * 60 + 5, 22 * 60 + 30, after)


def found(record: Record) -> dict[str, Any]:
    rows = [(row.parent, row.data) for row in record.rows("fidelity")]
    return report(rows, record.fills(), (1, 5, 30))


def points(market: float) -> float:
    """Basis points a buyer at the ask is ahead of ``market``."""
    return (market - ASK) / market * 10_000


async def test_a_fill_is_compared_with_mids_until_something_prints(stage: Stage) -> None:
    opened(stage, 60_020.0)
    record = (await stage.play()).sound()
    (fill,) = record.fills()
    each = {d["seconds"]: (d["against"], d["bps"]) for d in found(record)["differences"]}
    assert {d["fill"] for d in found(record)["differences"]} == {fill["id"]}
    assert each == {
        0: ("mid", pytest.approx(points(60_010.0))),
        1: ("mid", pytest.approx(points(60_010.0))),
        5: ("prints", pytest.approx(points(60_020.0))),
        30: ("prints", pytest.approx(points(60_020.0))),
    }
    assert points(60_020.0) == pytest.approx(1.6495, abs=1e-4)  # 9.9 in 60,020: too kind
    (row,) = record.rows("fidelity")
    assert row.parent == fill["order_id"]
    assert [s["prints"] for s in row.data["samples"]] == [0, 1, 6]


async def test_prints_count_by_their_size(stage: Stage) -> None:
    opened(stage, 60_010.0)
    stage.tape.lines.append({
        **stage.tape.lines[-1], "ts": stage.tape.lines[-1]["ts"] - 80 * 10**9, "p": "60090.0",
        "q": "0.05", "id": "big",
    })  # fmt: skip
    record = (await stage.play()).sound()
    last = found(record)["differences"][-1]
    # six prints of 0.01 at 60,010 and one of 0.05 at 60,090
    assert last["bps"] == pytest.approx(points((0.06 * 60_010 + 0.05 * 60_090) / 0.11))


async def test_the_seconds_are_a_setting(stage: Stage) -> None:
    opened(stage, 60_020.0)
    record = await stage.play("execution.fidelity=[2, 60]")
    assert {d["seconds"] for d in found(record)["differences"]} == {0, 2, 60}


@pytest.mark.parametrize("seconds", ["[]", "[5, 1]", "[0, 5]", "[5, 5]"])
def test_seconds_that_make_no_sense_stop_the_start(seconds: str) -> None:
    with pytest.raises(ConfigError, match=r"execution.*fidelity"):
        load_settings(None, [f"execution.fidelity={seconds}"])


async def test_a_run_that_ends_too_early_says_so(stage: Stage) -> None:
    stage.tape.rise()
    stage.tape.hold(RISE * 60, RISE * 60 + 20, 60_010.0)
    record = await stage.play()
    told = found(record)
    assert (told["fills"], told["followed"], told["still_open"]) == (1, 0, 1)
    assert told["verdict"].startswith("too few")


def test_on_bars_nothing_is_guessed() -> None:
    fill = {
        "id": "fill-1", "order_id": "PAPER-1", "symbol": BTC, "side": "sell",
        "liquidity": "taker", "evidence": "bar_estimate", "price": "100", "size": "1",
    }  # fmt: skip
    told = report([], [fill], (1, 5))
    assert (told["fills"], told["followed"], told["still_open"]) == (1, 1, 0)
    assert {each["seconds"] for each in told["differences"]} == {0, 1, 5}
    bias = told["biases"][0]
    assert (bias["fills"], bias["unseen"], bias["mean"]) == (1, 1, None)


def test_a_mean_above_its_error_is_called_flattery() -> None:
    def row(price: float) -> tuple[str, dict[str, Any]]:
        return "PAPER-1", {
            "symbol": BTC, "side": "buy", "liquidity": "taker", "evidence": "book_walk", "ts": 0,
            "mid": 100.0, "fills": [[f"fill-{price}", str(price), "1"]],
            "samples": [{"seconds": 1, "prints": 1, "traded": 100.0, "mid": 100.0}],
        }  # fmt: skip

    def verdict(*rows: tuple[str, dict[str, Any]]) -> str:
        return str(report(rows, [], (1,))["verdict"])

    kind = verdict(row(99.0), row(99.1), row(99.2))
    assert kind.startswith("the paper exchange flatters: +90.00 ± 5.77 bp after 1 s")
    assert verdict(row(101.0), row(101.1)).startswith("paper fills are worse")
    assert verdict(row(99.0), row(101.0)).startswith("no bias can be told")


def test_the_command_says_what_it_cannot_know(six_hours: Path, shell: Shell) -> None:
    told = shell("fidelity", "--json", "--db", six_hours).json
    assert told["followed"] == told["fills"] - told["still_open"] > 0
    assert any("pulled a quote" in caveat for caveat in told["caveats"])
    assert "differences" not in told
    every = shell("fidelity", "--each", "--json", "--db", six_hours).json["differences"]
    assert len({each["fill"] for each in every}) == told["followed"]
    text = shell("fidelity", "--db", six_hours).out
    assert told["verdict"] in text
